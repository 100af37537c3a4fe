"""Models with quotas, for roundtrip.py: what `simcap fit` says of a quota must be the quota that `simcap mock` was given.

Each case is probed for so long at more than its quota. The truth must lie in the interval that the fit states for the rate and for the
burst, and the figure itself within 4 % of the rate, or 1 request and 8 % of the burst. Without headers nothing but
the refusals tells, and tokens cannot be told from requests where these are alike: there the truth is counted in requests.
"""

import json
import re
import statistics
import subprocess
from concurrent.futures import ThreadPoolExecutor


def bucket(per_minute, burst, unit="requests"):
    return {"token_bucket": {"unit": unit, "rate": f"{per_minute}/min", "burst": burst}}


def window(limit, seconds):
    return {"fixed_window": {"unit": "requests", "limit": limit, "window": f"{seconds}s"}}


# Name, limit, whether headers tell, probes a second (several: a ladder), seconds of each.
QUICK = [
    ("bucket-told", bucket(300, 20), True, [20], 12),
    ("bucket-untold", bucket(480, 20), False, [20], 14),
    ("window-untold", window(12, 2), False, [15], 14),
    ("tokens-told", bucket(24_000, 2000, "tokens"), True, [20], 12),
]
ALL = QUICK + [
    ("bucket-120-told", bucket(120, 20), True, [4], 45),
    ("bucket-120-untold", bucket(120, 20), False, [4], 60),
    ("ladder-told", bucket(120, 20), True, [1, 2, 4], 15),
    ("ladder-untold", bucket(240, 10), False, [2, 4, 8], 15),
    ("window-told", window(40, 10), True, [8], 45),
    ("window-minute-told", window(100, 60), True, [3], 40),
    ("tokens-untold", bucket(12_000, 1680, "tokens"), False, [6], 60),
    ("bucket-4800-told", bucket(4800, 60), True, [100], 15),
    ("bucket-1200-untold", bucket(1200, 30), False, [40], 30),
]


def model(name, limit):
    spec = {
        "source": "made for the round trip of limits",
        "date": "2026-11-21",
        "ttft": {"lognormal": {"median": "60ms", "sigma": 0.3}},
        "tps": {"constant": 400},
        "network": "0ms",
        "prices": {"input": "$0/Mtok", "output": "$0/Mtok"},
        "limits": [limit],
        "faults": {"server_error": 0.01},
    }
    return {"model": name, "about": "A quota.", "default": "r0", "variants": {"r0": spec}}


def one(simcap, folder, case):
    """Mock, probes and fit of one case: what the fit says, and the tokens of a request."""
    name, limit, told, rates, lasts = case
    folder = folder / name
    folder.mkdir()
    (folder / "model.json").write_text(json.dumps(model(name, limit)))
    command = [simcap, "mock", folder / "model.json", "--port", "0", "--seed", "7"]
    server = subprocess.Popen(command + ([] if told else ["--no-quota-headers"]), stdout=subprocess.PIPE, text=True)
    try:
        base = re.search(r"http://\S+/v1", server.stdout.readline()).group()
        if len(rates) == 1:
            load, size = {"open": {"rate": f"{rates[0]}/s"}}, {"requests": rates[0] * lasts}
        else:
            load, size = {"ladder": {"rates": [f"{r}/s" for r in rates], "step": f"{lasts}s"}}, {}
        plan = {
            "name": name,
            "targets": {name: {"base_url": base, "model": name, "prices": {"input": "$0/Mtok", "output": "$0/Mtok"}}},
            "classes": {"all": {"input": {"constant": 60}, "output": {"constant": 12}}},
            "load": load,
            **size,
            "warmup": 3,
            "max_cost": "$1",
        }
        (folder / "plan.json").write_text(json.dumps(plan))
        run = [simcap, "calibrate", folder / "plan.json", "--out", folder / "run"]
        done = subprocess.run(run, capture_output=True, text=True)
        if done.returncode not in (0, 1):
            raise SystemExit(f"{name}: calibrate ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    finally:
        server.terminate()
        server.wait()
    log = folder / "run" / "probes.jsonl"
    fit = [simcap, "fit", log, "--json", "--refits", "0", "--family", "lognormal", "--out", folder / "fitted.json"]
    done = subprocess.run(fit, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{name}: fit ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    probes = [json.loads(line).get("probe") for line in log.read_text().splitlines()]
    used = [p["usage"]["input"] + p["max_output"] for p in probes if p and p.get("usage")]
    return json.loads(done.stdout), statistics.median(used)


def truth(limit, told, tokens):
    """Unit, rate a minute, burst and window."""
    (kind, of), = limit.items()
    if kind == "fixed_window":
        seconds = float(of["window"].removesuffix("s"))
        return of["unit"], of["limit"] * 60 / seconds, of["limit"], seconds
    rate, burst = float(of["rate"].removesuffix("/min")), of["burst"]
    if of["unit"] == "tokens" and not told:
        return "requests", rate / tokens, burst / tokens, None
    return of["unit"], rate, burst, None


def check(simcap, folder, quick):
    """What does not hold, after a line for each case."""
    cases, wrong = QUICK if quick else ALL, []
    # They mostly wait; but a busy machine decides late.
    with ThreadPoolExecutor(4) as at_once:
        results = list(at_once.map(lambda case: one(simcap, folder, case), cases))
    print(f"{'quota':<20} {'a minute':>34} {'at once':>22}  window")
    for (name, limit, told, *_), (report, tokens) in zip(cases, results):
        unit, rate, burst, seconds = truth(limit, told, tokens)
        if [q["unit"] for q in report["quotas"]] != [unit]:
            wrong.append(f"{name}: {unit} are limited, found: {report['quotas']}")
            continue
        (quota,) = report["quotas"]
        found, between = quota["per_minute"], quota["per_minute_interval"]
        at_once, around = quota["burst"], quota["burst_interval"]
        shown = "assumed" if between is None else f"{between[0]:.1f} to {between[1]:.1f}"
        rate_shown = f"{found:.1f} ({shown}), set {rate:.1f}"
        print(f"{name:<20} {rate_shown:>34} {f'{at_once} ({around}), set {burst:.1f}':>22}  {quota['window']}")
        # The least and most of a quota whose one window was seen once are not known, and it is said to be assumed.
        if between is not None and not between[0] * 0.9999 <= rate <= between[1] * 1.0001:
            wrong.append(f"{name}: a minute {rate:.2f} are let in, the fit says {shown}")
        if not abs(found / rate - 1) <= 0.04:
            wrong.append(f"{name}: a minute {rate:.2f} are let in, the fit says {found:.2f}")
        if not around[0] - 0.5 <= burst <= around[1] + 1:
            wrong.append(f"{name}: {burst:.1f} at once, the fit says {around}")
        if not abs(at_once - burst) <= 1 + 0.08 * burst:
            wrong.append(f"{name}: {burst:.1f} at once, the fit says {at_once}")
        if (quota["window"] or 0) != (seconds or 0):
            wrong.append(f"{name}: a window of {seconds} s, the fit says {quota['window']}")
    for line in wrong:
        print("WRONG", line)
    print(f"{len(cases)} quotas, {len(wrong)} statements wrong")
    return wrong
