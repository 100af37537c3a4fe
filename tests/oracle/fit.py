"""`simcap fit` against scipy on the same samples. For development; not part of `cargo test`.

Draws samples from several laws, whole and censored (a timeout), writes them as probes, and lets `simcap fit --json` fit
them. scipy fits the same values: two-parameter families and those with a floor by `scipy.stats`' own `fit` (with
`CensoredData` where values are censored), mixtures and tails by `scipy.optimize` on a likelihood written here.
Parameters must agree within 0.1 %, log-likelihoods within 1e-6 of their size, and the distance of Kolmogorov and
Smirnov within 1e-4 where nothing is censored (it is of fits that differ by as much as that).

    pip install numpy scipy
    cargo build && python3 tests/oracle/fit.py target/debug/simcap

Prints one line a fit and exits with 1 if any disagrees.
"""

import argparse
import json
import math
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from scipy import optimize, special, stats

from recorded import Record

N = 700
PARAMETERS = 1e-3
LIKELIHOOD = 1e-6


def lines(seen, beyond, order):
    """Values in microseconds as `probes.jsonl`, one a second."""
    run = {"format": "simcap.probes/1", "version": "0", "unix_us": 0, "seed": 1, "plan": "0", "targets": ["t"]}
    yield json.dumps({"run": run})
    values = [(v, False) for v in seen] + [(v, True) for v in beyond]
    for i, place in enumerate(order):
        us, timeout = values[place]
        probe = {
            "id": i, "target": "t", "class": "c", "stream": True, "due_us": i * 1_000_000, "dispatch_us": 0, "in_flight": 1,
            "input_planned": 1, "max_output": 1, "end_us": int(us), "outcome": "timeout_ttft" if timeout else "success",
        }
        if not timeout:
            probe["first_content_us"] = int(us)
        yield json.dumps({"probe": probe})


def simcap(binary, seen, beyond, rng, folder):
    log = folder / "probes.jsonl"
    order = rng.permutation(len(seen) + len(beyond))
    log.write_text("\n".join(lines(seen, beyond, order)) + "\n")
    command = [binary, "fit", str(log), "--json", "--holdout", "0", "--refits", "0"]
    command += ["--out", str(folder / "model.json"), "--report", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"simcap: {done.stderr}")
    report = json.loads(done.stdout)
    ttft = next(q for q in report["quantities"] if q["name"] == "ttft")
    return {
        c["family"]: ({p["name"]: p["value"] for p in c["parameters"]}, c["log_likelihood"], c["goodness"]["ks"])
        for c in ttft["candidates"]
    }


def tight(function, start, args=(), disp=0):
    """Nelder and Mead's simplex, restarted until it moves no more."""
    at = np.asarray(start, float)
    for _ in range(6):
        at = optimize.fmin(function, at, args=args, disp=0, xtol=1e-10, ftol=1e-12, maxiter=20000, maxfun=20000)
    return at


def by_scipy(family, data, seen):
    """Parameters by `scipy.stats`, named as simcap names them, and the frozen law."""
    law = {"lognormal": stats.lognorm, "gamma": stats.gamma, "weibull": stats.weibull_min}[family.removeprefix("shifted_")]
    if family.startswith("shifted_"):
        floor = seen.min() - 0.05 * (np.median(seen) - seen.min())
        shape, _, scale = law.fit(seen - floor, floc=0)
        found = law.fit(data, shape, loc=floor, scale=scale, optimizer=tight)
    else:
        found = law.fit(data, floc=0, optimizer=tight)
    shape, loc, scale = found
    frozen = law(*found)
    if family.endswith("lognormal"):
        return {"shift": loc, "median": scale, "sigma": shape}, frozen
    return {"shift": loc, "shape": shape, "scale": scale}, frozen


def log_sum(weight, a, b):
    return np.logaddexp(math.log(weight) + a, math.log1p(-weight) + b)


def two_lognormals(seen, beyond, truth):
    def law(at, x, density):
        w, parts = special.expit(at[0]), [stats.lognorm(math.exp(at[3 + j]), 0, math.exp(at[1 + j])) for j in (0, 1)]
        terms = [p.logpdf(x) if density else p.logsf(x) for p in parts]
        return log_sum(w, *terms)

    def cost(at):
        with np.errstate(all="ignore"):
            return -law(at, seen, True).sum() - law(at, beyond, False).sum()

    w, (m1, s1), (m2, s2) = truth
    start = [special.logit(w), m1, m2, math.log(s1), math.log(s2)]
    at = tight(cost, optimize.minimize(cost, start, method="BFGS").x)
    if at[1] > at[2]:
        at = np.array([-at[0], at[2], at[1], at[4], at[3]])
    named = {
        "weight": special.expit(at[0]), "median": math.exp(at[1]), "sigma": math.exp(at[3]),
        "median_2": math.exp(at[2]), "sigma_2": math.exp(at[4]),
    }
    return named, -cost(at)


def pareto_tail(seen, beyond, begin):
    """The likeliest given where the tail begins."""
    def law(at, x, density):
        w, body = special.expit(at[0]), stats.lognorm(math.exp(at[2]), 0, math.exp(at[1]))
        tail = stats.pareto(math.exp(at[3]), scale=begin)
        terms = [p.logpdf(x) if density else p.logsf(x) for p in (body, tail)]
        return log_sum(w, *terms)

    def cost(at):
        with np.errstate(all="ignore"):
            return -law(at, seen, True).sum() - law(at, beyond, False).sum()

    body = np.log(seen[seen < begin])
    start = [special.logit(len(body) / len(seen)), body.mean(), math.log(body.std()), 0.5]
    at = tight(cost, optimize.minimize(cost, start, method="BFGS").x)
    named = {
        "weight": special.expit(at[0]), "median": math.exp(at[1]), "sigma": math.exp(at[2]), "alpha": math.exp(at[3]),
    }
    return named, -cost(at)


def natural(parameters):
    """simcap's parameters with medians for the means of logarithms, whose relative error means nothing near 0."""
    out = {}
    for name, value in parameters.items():
        if name.startswith("mu"):
            out["median" + name[2:]] = math.exp(value)
        else:
            out[name] = value
    return out


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("simcap")
    arguments.add_argument("--afresh", action="store_true", help="heed no record of scipy's figures")
    args = arguments.parse_args()
    record = Record("fit", ["fit.py"], 20260101, args.afresh)
    rng = np.random.default_rng(20260101)
    mix = (0.85, (-0.7, 0.25), (1.2, 0.5))
    slow = rng.random(N) > mix[0]
    tail = rng.random(N) > 0.8
    samples = {
        "lognormal": rng.lognormal(-0.5, 0.6, N),
        "gamma": rng.gamma(3.0, 0.2, N),
        "weibull": 0.6 * rng.weibull(1.6, N),
        "shifted_lognormal": 0.4 + rng.lognormal(-1.5, 0.8, N),
        "shifted_gamma": 0.4 + rng.gamma(2.5, 0.1, N),
        "shifted_weibull": 0.4 + 0.3 * rng.weibull(2.2, N),
        "two_lognormals": np.where(slow, rng.lognormal(*mix[1 + 1], N), rng.lognormal(*mix[1], N)),
        "pareto_tail": np.where(tail, 1.0 * (1 + rng.pareto(1.8, N)), rng.lognormal(-0.6, 0.2, N)),
    }
    failed = compared = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, values in samples.items():
            micros = np.round(values * 1e6)
            for share in (0.0, 0.15):
                bound = np.round(np.quantile(micros, 1 - share)) if share else np.inf
                seen, beyond = micros[micros <= bound], np.full((micros > bound).sum(), bound)
                found = simcap(args.simcap, seen, beyond, rng, pathlib.Path(folder))
                seen, beyond = seen / 1e6, beyond / 1e6
                data = stats.CensoredData(uncensored=seen, right=beyond) if share else seen
                # Each sample in its own family, and the plain families on all: they misfit there, which must not matter.
                for family in sorted({"lognormal", "gamma", "weibull", name}):
                    parameters, likelihood, ks = found[family]
                    begin = parameters.get("min")

                    def by_others():
                        """Parameters, log-likelihood and, of whole samples, the distance of Kolmogorov and Smirnov."""
                        if family == "two_lognormals":
                            return *two_lognormals(seen, beyond, mix), None
                        if family == "pareto_tail":
                            return *pareto_tail(seen, beyond, begin), None
                        theirs, frozen = by_scipy(family, data, seen)
                        best = frozen.logpdf(seen).sum() + frozen.logsf(beyond).sum()
                        return theirs, best, None if share else stats.kstest(seen, frozen.cdf).statistic

                    theirs, best, their_ks = record.of(f"{name}, {share}, {family}, {begin}", by_others)
                    ours = natural(parameters)
                    off = max(abs(ours[p] / v - 1) for p, v in theirs.items() if v != 0)
                    gap = abs(likelihood - best) / max(1.0, abs(best))
                    distance = 0.0 if their_ks is None else abs(ks - their_ks)
                    fine = off <= PARAMETERS and gap <= LIKELIHOOD and distance <= 1e-4
                    failed, compared = failed + (not fine), compared + 1
                    kind = "censored" if share else "whole"
                    verdict = "ok" if fine else f"DISAGREES: simcap {ours}, scipy {theirs}"
                    print(f"{name:18} {kind:9} {family:18} parameters {off:.1e}  log-likelihood {gap:.1e}  {verdict}")
    record.close()
    print(f"{compared - failed} of {compared} fits agree")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
