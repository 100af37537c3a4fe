"""Closes the loop: every model is served by `simcap mock`, probed by `simcap calibrate`, fitted by `simcap fit` and checked by
`simcap validate`; what comes out must be the model that went in.

    python3 tests/oracle/roundtrip.py target/release/simcap [MODEL...] [--requests 6000] [--rate 20] [--tolerance 0.05]
    python3 tests/oracle/roundtrip.py target/release/simcap --limits quick|all

The truth is taken from the model files with scipy, not from simcap. Needs a machine that is not busy: a probe that is late
measures itself, and says so. Exits 1 where a fitted quantile of TTFT is further from the truth than the tolerance, a median
decode speed further than three fifths of it, or the truth is outside the interval of the error rate. With `--limits` it is models
with quotas instead, and what is said of these (limits.py); `quick` takes 25 s, `all` three minutes.
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy as np
from scipy import optimize, stats

import limits

UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def plain(quantity):
    """A duration in seconds, or a number as it is."""
    if isinstance(quantity, (int, float)):
        return float(quantity)
    number, unit = re.fullmatch(r"([0-9.eE+-]+)([a-zµ]+)", quantity).groups()
    return float(number) * UNITS[unit]


def cdf(law, x):
    """P(X <= x) of a law as a model file spells it."""
    (kind, of), = law.items()
    if kind == "constant":
        return float(x >= plain(of))
    if kind == "mixture":
        weights = [part["weight"] for part in of["components"]]
        parts = [cdf(part["law"], x) for part in of["components"]]
        return sum(w * p for w, p in zip(weights, parts)) / sum(weights)
    if kind == "empirical":
        shares, values = zip(*of["quantiles"])
        return float(np.interp(x, [plain(v) for v in values], shares))
    shift = plain(of.get("shift", 0))
    if kind == "lognormal":
        return stats.lognorm.cdf(x - shift, of["sigma"], scale=plain(of["median"]))
    if kind == "gamma":
        return stats.gamma.cdf(x - shift, of["shape"], scale=plain(of["mean"]) / of["shape"])
    if kind == "weibull":
        return stats.weibull_min.cdf(x - shift, of["shape"], scale=plain(of["scale"]))
    if kind == "exponential":
        return stats.expon.cdf(x - shift, scale=plain(of["mean"]))
    if kind == "pareto":
        return stats.pareto.cdf(x, of["alpha"], scale=plain(of["min"]))
    raise SystemExit(f"no such law: {kind}")


def quantile(law, q):
    if "constant" in law:
        return plain(law["constant"])
    return optimize.brentq(lambda x: cdf(law, x) - q, 0.0, 1e7, xtol=1e-9)


def run(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("simcap")
    arguments.add_argument("models", nargs="*")
    arguments.add_argument("--requests", type=int, default=6000)
    arguments.add_argument("--rate", type=float, default=20.0)
    arguments.add_argument("--tolerance", type=float, default=0.05)
    arguments.add_argument("--limits", choices=["quick", "all"])
    given = arguments.parse_args()
    if given.limits:
        with tempfile.TemporaryDirectory() as folder:
            sys.exit(1 if limits.check(given.simcap, pathlib.Path(folder), given.limits == "quick") else 0)
    files = pathlib.Path(__file__).parents[2] / "models"
    known = {f.stem: json.loads(f.read_text()) for f in files.glob("*.json") if f.stem not in ("limits", "prices")}
    names = given.models or sorted(known)

    server = subprocess.Popen(
        [given.simcap, "mock", *names, "--port", "0", "--seed", "7"], stdout=subprocess.PIPE, text=True
    )
    try:
        base = re.search(r"http://\S+/v1", server.stdout.readline()).group()
        with tempfile.TemporaryDirectory() as folder:
            wrong = close_the_loop(given, base, pathlib.Path(folder), names, known)
    finally:
        server.terminate()
        server.wait()
    sys.exit(1 if wrong else 0)


def close_the_loop(given, base, folder, names, known):
    free = {"input": "$0/Mtok", "output": "$0/Mtok"}
    plan = {
        "name": "roundtrip",
        "targets": {n: {"base_url": base, "model": n, "prices": free} for n in names},
        "classes": {"all": {"input": {"constant": 60}, "output": {"constant": 24}}},
        "load": {"open": {"rate": f"{given.rate}/s"}},
        "requests": given.requests,
        "warmup": 20,
        "max_cost": "$1",
    }
    (folder / "plan.json").write_text(json.dumps(plan))
    status, said = run(given.simcap, "calibrate", folder / "plan.json", "--out", folder / "run")
    print(said)
    if status not in (0, 1):
        raise SystemExit(f"calibrate ended with {status}")
    log = folder / "run" / "probes.jsonl"
    print(f"{'model':<20} {'ttft p50':>18} {'p95':>18} {'p99':>18} {'tokens/s':>18}  errors")
    wrong = []
    for name in names:
        model = known[name]["variants"][known[name]["default"]]
        out = folder / f"{name}.json"
        status, said = run(given.simcap, "fit", log, "--target", name, "--name", name, "--out", out, "--report", folder)
        if status != 0:
            raise SystemExit(f"fit of {name} ended with {status}:\n{said}")
        fitted = json.loads(out.read_text())
        fitted = fitted["variants"][fitted["default"]]
        cells = []
        for what, q, of, bound in (
            ("ttft p50", 0.5, "ttft", given.tolerance),
            ("ttft p95", 0.95, "ttft", given.tolerance),
            ("ttft p99", 0.99, "ttft", given.tolerance),
            ("tokens/s", 0.5, "tps", 0.6 * given.tolerance),
        ):
            # A client sees the network with the first token.
            network = plain(model["network"]) if of == "ttft" else 0.0
            here = plain(fitted["network"]) if of == "ttft" else 0.0
            truth, found = quantile(model[of], q) + network, quantile(fitted[of], q) + here
            error = found / truth - 1
            cells.append(f"{found:10.4g} {error:+6.1%}")
            if not abs(error) <= bound:
                wrong.append(f"{name}: {what} is {found:.4g}, and was {truth:.4g}")
        share = model["faults"].get("server_error", 0) + model["faults"].get("hang", 0)
        ended = [json.loads(line)["probe"] for line in log.open() if '"probe"' in line]
        ended = [p for p in ended if p["target"] == name and not p.get("warmup")]
        failed = sum(p["outcome"] != "success" for p in ended)
        low = stats.binom.cdf(failed, len(ended), share)
        high = stats.binom.sf(failed - 1, len(ended), share)
        if min(low, high) < 0.0005:
            wrong.append(f"{name}: {failed} of {len(ended)} failed, at {share:.2%} each")
        print(f"{name:<20} {' '.join(f'{c:>18}' for c in cells)}  {failed} of {len(ended)} ({share:.2%} set)")
        status, said = run(
            given.simcap, "validate", out, log, "--target", name, "--out", folder / f"validate-{name}", "--no-write"
        )
        verdict = [line for line in said.splitlines() if "quivalent" in line or "annot tell" in line]
        print(f"{'':<20} validate: exit {status}; {' '.join(verdict[-1:]).strip()}")
        if status not in (0, 1):
            wrong.append(f"{name}: validate ended with {status}:\n{said}")
    for line in wrong:
        print("WRONG", line)
    return wrong


if __name__ == "__main__":
    main()
