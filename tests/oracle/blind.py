"""Endpoints whose truth is drawn, calibrated without knowing it, and predicted at rates that were not measured.

    python3 tests/oracle/blind.py target/release/simcap [--endpoints 10] [--seed 1] [--at-once 4] [--table FILE]

Each endpoint is served by `simcap mock`: a TTFT with or without a slow mode, a decode speed, slots, failures at the start and cuts in
mid-stream, a quota of ten seconds or of a minute, in requests or in tokens, or none; by turns one has a prompt cache, and one grows slower
all the while. It is probed by `simcap calibrate` at two fifths of what its slots take and by `--find slots,quota`, and fitted by
`simcap fit`: at most 2,500 requests in all, or 9,000 where a quota by the minute is looked for, which is the budget. Then it is asked at 0.7, 1.5 and 2 times that rate by a client of this
script's own, and `simcap run` says what it predicts. A figure holds where the difference is within the prediction's interval and the
measurement's own, taken together (root of the sum of squares). What does not hold should at least have been warned of on the first screen;
such figures are counted apart.

Takes about twenty minutes for ten, most of it waiting. Exits 1 where fewer than 90 % of the figures of endpoints that the model can hold
do, or where one does not and nothing was said.
"""

import argparse
import concurrent.futures
import http.client
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

import numpy as np

INPUT, OUTPUT = 60, 24
FACTORS = (0.7, 1.5, 2.0)
PERCENTILES = (0.5, 0.95, 0.99)
REQUESTS = 400
# Requests to find everything, by the window of the quota that is looked for: beyond a quota for two and a half windows.
BUDGET = {10: 2500, 60: 9000}
# What every fifth endpoint has, and every fifth another, that the model does not: TTFT that grows by this share of itself a minute, in
# steps of so many seconds, and a prompt cache.
DRIFT, STEP, HIT = 0.5, 5, 0.5


def endpoint(rng, number):
    """A model file with a drawn truth, and the rate at which its slots would be two fifths busy."""
    median, sigma = rng.uniform(0.1, 0.3), rng.uniform(0.2, 0.5)
    quick = {"lognormal": {"median": f"{median:.4f}s", "sigma": round(sigma, 3)}}
    slow = rng.random() < 0.4
    share = rng.uniform(0.02, 0.06) if slow else 0.0
    late = rng.uniform(1.0, 2.0)
    law = quick
    if slow:
        law = {
            "mixture": {
                "components": [
                    {"weight": round(1 - share, 4), "law": quick},
                    {"weight": round(share, 4), "law": {"lognormal": {"median": f"{late:.4f}s", "sigma": 0.1}}},
                ]
            }
        }
    speed = rng.uniform(50, 120)
    slots = int(rng.integers(4, 25))
    service = (1 - share) * median * np.exp(sigma**2 / 2) + share * late + (OUTPUT - 1) / speed
    rate = round(0.4 * slots / service, 2)
    limits, window = {}, 10
    if rng.random() < 0.6:
        window = 60 if rng.random() < 0.3 else 10
        unit = "tokens" if rng.random() < 0.4 else "requests"
        # Reached at twice the rate that was calibrated, and not at half as much again.
        limit = int(1.75 * rate * window) * (1 if unit == "requests" else INPUT + OUTPUT)
        limits = {"fixed_window": {"unit": unit, "limit": limit, "window": f"{window}s"}}
    drifts, caches = number % 5 == 3, number % 5 == 4
    variant = {
        "ttft": law,
        "tps": {"lognormal": {"median": round(speed, 2), "sigma": 0.08}},
        "network": "0s",
        "source": "drawn",
        "load": [{"slots": {"servers": slots}}],
        "faults": {"server_error": round(float(rng.uniform(0.0, 0.02)), 4), "truncated": round(float(rng.uniform(0.0, 0.01)), 4)},
        "prices": {"input": "$0/Mtok", "output": "$0/Mtok"},
        "limits": [limits] if limits else [],
    }
    if caches:
        variant["prompt_cache"] = {"random": {"hit": HIT, "share": 0.8, "min_tokens": 8, "granularity": 8, "ttft": 0.5}}
    about = [f"{slots} slots"] + ["slow mode"] * slow + ["cache"] * caches + ["drift"] * drifts
    about.append(f"quota of {window} s in {limits['fixed_window']['unit']}" if limits else "no quota")
    return {
        "model": f"blind-{number}",
        "default": "truth",
        "variants": {"truth": variant},
    }, rate, ", ".join(about), window if limits else 10, drifts


def served(truth, drifts):
    """The arguments of the mock: a model, or where it drifts an experiment in which it does."""
    name = truth["model"]
    if not drifts:
        return [f"{name}.json"], {}
    steps = [
        {"slow_down": {"from": f"{STEP * i}s", "for": f"{STEP}s", "ttft": round(1 + DRIFT * STEP * i / 60, 4)}} for i in range(1, 240)
    ]
    random = {"random": truth["variants"]["truth"]["faults"]}
    experiment = {
        "format": "simcap.experiment/2",
        "name": name,
        "traffic": {
            "arrivals": {"poisson": {"rate": "1/s"}},
            "classes": {"a": {"input": {"constant": INPUT}, "output": {"constant": OUTPUT}}},
        },
        "providers": {name: {"model": f"{name}-truth", "faults": [random, *steps]}},
        "policies": [{"name": "one", "policy": {"single": {"provider": name}}}],
        "plan": {"duration": "1h", "warmup": "0s", "replications": 1},
    }
    return ["--experiment", f"{name}.json"], experiment


def probes(logs):
    """How many requests the logs say were sent."""
    return sum(line.startswith('{"probe":') for log in logs for line in log.read_text().splitlines())


def run(*command, folder):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, cwd=folder)
    return done.returncode, done.stdout + done.stderr


def ask(base, name, out, due):
    """One request: (seconds to the first token, to the last, status or 0 for a broken stream)."""
    address = urllib.parse.urlparse(base)
    prompt = " ".join(["word"] * INPUT)
    body = {"model": name, "stream": True, "max_tokens": OUTPUT, "messages": [{"role": "user", "content": prompt}]}
    first, status = None, 0
    try:
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=120)
        connection.request("POST", address.path + "/chat/completions", json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        status = answer.status
        if status == 200:
            whole = False
            for line in answer:
                if line.startswith(b"data: [DONE]"):
                    whole = True
                elif line.startswith(b"data: ") and b'"content":"' in line.replace(b'": "', b'":"') and first is None:
                    if b'"content":""' not in line.replace(b'": "', b'":"'):
                        first = time.perf_counter() - due
            status = 200 if whole else 0
        else:
            answer.read()
    except OSError:
        status = 0
    out.append((due, first, time.perf_counter() - due, status))


def lasts(rate, window):
    """Seconds in which so many requests come as are measured, in whole windows: how many are refused depends on how a window is cut."""
    return window * np.ceil(REQUESTS / rate / window)


def measure(base, name, rate, rng, began, window):
    """A Poisson stream of requests that waits for nothing and begins as a window of the server, which began to count at `began`, does."""
    out, threads = [], []
    due = began + window * np.ceil((time.perf_counter() + 1 - began) / window)
    ends = due + lasts(rate, window)
    while (due := due + rng.exponential(1 / rate)) < ends:
        time.sleep(max(0.0, due - time.perf_counter()))
        thread = threading.Thread(target=ask, args=(base, name, out, due))
        thread.start()
        threads.append(thread)
    for thread in threads:
        thread.join()
    return sorted(out)


def effective(indicator):
    """How many independent values the mean of a series is worth."""
    x = np.asarray(indicator, float) - np.mean(indicator)
    n, variance = len(x), np.mean(np.square(x))
    if variance == 0:
        return n
    rho = [np.mean(x[:-lag] * x[lag:]) / variance for lag in range(1, min(60, n // 4))]
    total = 1.0
    for value in rho:
        if value < 0.05:
            break
        total += 2 * value
    return n / total


def quantile(values, q):
    """A quantile with its 95 % interval, from order statistics of as many values as they are worth."""
    at = np.quantile(values, q)
    n = effective(np.asarray(values) > at)
    reach = 1.96 * np.sqrt(q * (1 - q) / n)
    low, high = np.quantile(values, [max(0.0, q - reach), min(1.0, q + reach)])
    return at, low, high if q + reach < 1 else np.inf


def share(hits):
    """A share with its 95 % interval (Wilson), of as many values as they are worth."""
    p, n = np.mean(hits), effective(hits)
    z = 1.96
    middle, reach = (p + z * z / (2 * n)) / (1 + z * z / n), z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return p, middle - reach, middle + reach


def predict(simcap, folder, name, rate, duration):
    metrics = [f"{of}.p{100 * q:g}" for of in ("ttft", "e2e") for q in PERCENTILES] + ["error_rate", "share.rate_limited"]
    experiment = {
        "format": "simcap.experiment/2",
        "name": f"at-{rate:.3f}",
        "traffic": {
            "arrivals": {"poisson": {"rate": f"{rate:.3f}/s"}},
            "classes": {"a": {"input": {"constant": INPUT}, "output": {"constant": OUTPUT}}},
        },
        "providers": {"p": {"model": "fitted"}},
        "policies": [{"name": "one", "policy": {"single": {"provider": "p"}}}],
        "plan": {"duration": f"{duration:.0f}s", "warmup": "0s", "replications": 48, "metrics": metrics},
    }
    file = folder / f"{name}-{rate:.3f}.json"
    file.write_text(json.dumps(experiment))
    status, said = run(simcap, "run", file, "--out", folder / file.stem, folder=folder)
    if status != 0:
        raise RuntimeError(f"run ended with {status}:\n{said}")
    result = json.loads((folder / file.stem / "result.json").read_text())
    found = {m["metric"]: m["estimate"] for m in result["policies"][0]["metrics"]}
    return {metric: found[metric] for metric in metrics}, result.get("outside", []), result["warnings"]


def observe(simcap, number, seed, folder):
    """Probes an endpoint, then measures it at the other rates; leaves the journals and `seen.json` in `folder`."""
    rng = np.random.default_rng([seed, number])
    truth, rate, about, window, drifts = endpoint(rng, number)
    name = truth["model"]
    (folder / "models").mkdir(parents=True)
    arguments, experiment = served(truth, drifts)
    (folder / f"{name}.json").write_text(json.dumps(experiment or truth))
    if drifts:
        (folder / "models" / f"{name}-truth.json").write_text(json.dumps({**truth, "model": f"{name}-truth"}))
    server = subprocess.Popen(
        [simcap, "mock", *arguments, "--port", "0", "--seed", str(number)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=folder,
    )
    try:
        line = server.stdout.readline()
        began = time.perf_counter()
        found = re.search(r"http://\S+/v1", line)
        if not found:
            raise RuntimeError(line + server.stdout.read())
        base = found.group()
        asked = ["--base-url", base, "--model", name, "--input", str(INPUT), "--output", str(OUTPUT),
                 "--price-input", "0", "--max-cost", "$1", "--name", name]
        logs = []
        for way in (["--rate", f"{rate}/s", "--requests", "400"],
                    ["--find", "slots,quota", "--window", f"{window}s", "--max-refusals", "80", "--at-most", "64"]):
            out = folder / way[0].strip("-")
            status, said = run(simcap, "calibrate", *asked, *way, "--out", out, folder=folder)
            if status not in (0, 1):
                raise RuntimeError(f"calibrate {way[0]} ended with {status}:\n{said}")
            logs.append(out / "probes.jsonl")
        sent = probes(logs)
        if sent > BUDGET[window]:
            raise RuntimeError(f"{name}: {sent} probes were sent, and {BUDGET[window]} is the budget")
        seen = {}
        for factor in FACTORS:
            time.sleep(window / 5)
            seen[str(factor)] = measure(base, name, factor * rate, rng, began, window)
        kept = {"name": name, "rate": rate, "window": window, "about": f"{about}, {sent} probes", "logs": [str(log) for log in logs], "seen": seen}
        (folder / "seen.json").write_text(json.dumps(kept))
    finally:
        server.terminate()
        server.wait()


def study(simcap, number, seed, kept):
    """The rows of one endpoint, observed now unless `kept` has it already."""
    folder = kept / str(number)
    if not (folder / "seen.json").exists():
        observe(simcap, number, seed, folder)
    one = json.loads((folder / "seen.json").read_text())
    status, said = run(simcap, "fit", *one["logs"], "--name", "fitted", "--out", "models/fitted.json", "--report", folder / "fit",
                       "--holdout", "0", folder=folder)
    if status != 0:
        raise RuntimeError(f"fit ended with {status}:\n{said}")
    rows = []
    for factor in FACTORS:
        # How many came is chance, and known: the question is what becomes of so many.
        duration = lasts(factor * one["rate"], one["window"])
        came = len(one["seen"][str(factor)]) / duration
        predicted, outside, warnings = predict(simcap, folder, one["name"], came, duration)
        warned = bool(outside) or any("while its model was measured" in warning for warning in warnings)
        rows += compare(number, one["about"], factor, predicted, warned, one["seen"][str(factor)])
    return rows


def compare(number, about, factor, predicted, warned, seen):
    good = [one for one in seen if one[3] == 200 and one[1] is not None]
    failed = [one[3] != 200 for one in seen]
    refused = [one[3] == 429 for one in seen]
    measured = {}
    for of, place in (("ttft", 1), ("e2e", 2)):
        for q in PERCENTILES:
            measured[f"{of}.p{100 * q:g}"] = quantile([one[place] for one in good], q)
    measured["error_rate"], measured["share.rate_limited"] = share(failed), share(refused)
    rows = []
    for metric, (value, low, high) in measured.items():
        of = predicted[metric]
        center = of["value"]
        if center is None:
            rows.append((number, about, factor, metric, value, np.nan, False, warned))
            continue
        lo = center if of.get("lo") is None else of["lo"]
        hi = np.inf if of.get("hi") is None else of["hi"]
        # The halves of the intervals that face each other.
        reach = np.hypot(hi - center, value - low) if value > center else np.hypot(center - lo, high - value)
        # What a clock and a scheduler add.
        slack = 0.004 if "." in metric and metric != "share.rate_limited" else 0.0
        rows.append((number, about, factor, metric, value, center, abs(value - center) <= reach + slack, warned))
    return rows


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("simcap")
    arguments.add_argument("--endpoints", type=int, default=10)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--at-once", type=int, default=4)
    arguments.add_argument("--table", type=pathlib.Path)
    arguments.add_argument("--keep", type=pathlib.Path, help="keep what was measured here, and take it from here if it is there already")
    given = arguments.parse_args()
    simcap = str(pathlib.Path(given.simcap).resolve())
    rows = []
    kept = (given.keep or pathlib.Path(tempfile.mkdtemp())).resolve()
    with concurrent.futures.ThreadPoolExecutor(given.at_once) as pool:
        for future in [pool.submit(study, simcap, number, given.seed, kept) for number in range(given.endpoints)]:
            try:
                rows += future.result()
            except RuntimeError as error:
                print(f"an endpoint could not be studied: {error}")
    if not rows:
        sys.exit(1)
    for number, about, factor, metric, value, center, holds, warned in rows:
        if not holds:
            print(f"endpoint {number} ({about}) at {factor} times: {metric} {value:.4g} measured, {center:.4g} predicted"
                  f"{'' if warned else ', and nothing was said'}")
    lines = ["| | " + " | ".join(f"{factor} times" for factor in FACTORS) + " |", "|---|" + "---|" * len(FACTORS)]
    for metric in dict.fromkeys(row[3] for row in rows):
        cells = []
        for factor in FACTORS:
            of = [row[6] for row in rows if row[3] == metric and row[2] == factor]
            cells.append(f"{sum(of)} of {len(of)}")
        lines.append(f"| `{metric}` | " + " | ".join(cells) + " |")
    beyond = lambda row: "drift" in row[1] or "cache" in row[1]
    silent = sum(not row[6] and not row[7] for row in rows)
    held = {}
    for title, of in (("endpoints that a model can hold", [r for r in rows if not beyond(r)]), ("with drift or a cache", [r for r in rows if beyond(r)])):
        held[title] = [row[6] for row in of]
        warned = sum(not row[6] and row[7] for row in of)
        print(f"{title}: {sum(held[title])} of {len(of)} hold, {warned} do not and a warning was given, "
              f"{len(of) - sum(held[title]) - warned} do not and nothing was said")
    if given.table:
        given.table.write_text("\n".join(lines) + "\n")
    print("\n".join(lines))
    sys.exit(0 if np.mean(held["endpoints that a model can hold"]) >= 0.9 and silent == 0 else 1)


if __name__ == "__main__":
    main()
