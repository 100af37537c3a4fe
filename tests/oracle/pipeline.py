"""The whole client pipeline against a second implementation in SimPy. For development; not part of `cargo test`.

Each scenario is one experiment file. simcap runs it; the model in pipeline_model.py, written from what the
documentation of src/client, src/provider and src/routing promises, runs it too, with SimPy's event loop and numpy's
random numbers. The two share the file and nothing else. Their figures (waits, TTFT, E2E, how requests end, attempts,
cost, throughput, how long bounds were reached, trips of breakers) must differ by less than the joint 99.9 % interval
(Welch), and both intervals must be narrow enough for that to mean something. Replications are equally long on both
sides, so that what a short replication does to a percentile is the same.

    pip install simpy numpy scipy
    cargo build && python3 tests/oracle/pipeline.py target/debug/simcap [--seed N] [--only NAME] [--afresh]

SimPy's figures of the first seed are recorded (recorded.py).
Prints one line a figure and exits with 1 if any disagrees or is too wide. Takes about a minute on two cores where SimPy runs. The seeds
are fixed, so a run repeats exactly; there are some 115 figures, so at 99.9 % about one other seed in a dozen strays by
chance. Something that is wrong strays with every seed.
"""

import argparse
import json
import math
import multiprocessing
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from scipy import stats

from pipeline_model import Model
from recorded import Record, summary

LEVEL = 0.999

TOKENS = {"input": {"constant": 100}, "output": {"constant": 50}}
FREE = {"per_request": {"price": "$0"}}


def experiment(arrivals, classes, providers, clients, policy, duration, warmup):
    return {
        "traffic": {"arrivals": arrivals, "classes": classes},
        "providers": providers,
        "policies": [{"name": name, "policy": policy, "client": client} for name, client in clients.items()],
        "plan": {"duration": duration, "warmup": warmup, "replications": 200, "confidence": LEVEL},
    }


def breaker(half_open):
    return {
        "admission": {"queue": {"capacity": 40, "max_wait": "2s"}},
        "max_in_flight": 36,
        "timeouts": {"connection": "500ms", "attempt": "3s", "total": "15s"},
        "retry": {"exponential": {"tries": 2, "base": "250ms"}},
        "breaker": {"consecutive": {"failures": 5, "open_for": "2s", "successes": 3, "half_open": half_open}},
    }


# M/M/4 with two priorities, a short queue and impatience.
PRIORITIES = experiment(
    {"poisson": {"rate": "4.2/s"}},
    {"urgent": {"share": 30, "priority": 0, **TOKENS}, "routine": {"share": 70, "priority": 1, **TOKENS}},
    {"p": {"response": {"exponential": {"mean": "1s"}}, "prices": FREE}},
    {"only": {"max_in_flight": 4, "admission": {"queue": {"capacity": 10, "max_wait": "3s"}}}},
    {"single": {"provider": "p"}},
    "2200s", "200s",
)

# Two token buckets taken together, under bursts, with requests of very different size in line.
LIMITER = experiment(
    {"gamma": {"rate": "8/s", "cv": 1.5}},
    {
        "small": {"share": 40, "priority": 0, "input": {"constant": 60}, "output": {"constant": 40}},
        "large": {"share": 60, "priority": 1, "input": {"lognormal": {"median": 2000, "sigma": 0.8}},
                  "output": {"uniform": {"min": 10, "max": 200}}, "max_output": 300},
    },
    {"p": {"response": {"exponential": {"mean": "100ms"}}, "prices": FREE}},
    {"only": {
        "admission": {"queue": {"capacity": 25, "max_wait": "3s"}},
        "limiters": [{"token_bucket": {"unit": "requests", "rate": "9/s", "burst": 12}},
                     {"token_bucket": {"unit": "tokens", "rate": "14500/s", "burst": 20000}}],
    }},
    {"single": {"provider": "p"}},
    "1600s", "100s",
)

# A provider's quota of requests, 429 with Retry-After in whole seconds, and a client that heeds it.
QUOTA = experiment(
    {"poisson": {"rate": "4/s"}},
    {"all": TOKENS},
    {"p": {"ttft": {"lognormal": {"median": "300ms", "sigma": 0.5}}, "tps": {"constant": 100}, "network": "50ms",
           "limits": [{"token_bucket": {"unit": "requests", "rate": "210/min", "burst": 10}}], "prices": FREE}},
    {"only": {"retry": {"exponential": {"tries": 3, "base": "700ms", "retry_after": "at_least"}}}},
    {"single": {"provider": "p"}},
    "2200s", "200s",
)

# Every timeout, faults and hangs, a context window, and what all that costs.
TIMEOUTS = experiment(
    {"poisson": {"rate": "10/s"}},
    {"all": {"input": {"lognormal": {"median": 600, "sigma": 0.7}},
             "output": {"lognormal": {"median": 180, "sigma": 0.8}}, "max_output": 800}},
    {"p": {"ttft": {"lognormal": {"median": "500ms", "sigma": 0.8}}, "tps": {"gamma": {"mean": 60, "shape": 6}},
           "network": "20ms", "faults": [{"random": {"server_error": "6%", "hang": "3%"}}], "context_window": "2500",
           "prices": {"per_token": {"input": "$1/Mtok", "output": "$4/Mtok"}}}},
    {"only": {"timeouts": {"ttft": "1500ms", "attempt": "6s", "total": "9s"},
              "retry": {"exponential": {"tries": 3, "base": "500ms", "jitter": "full"}}}},
    {"single": {"provider": "p"}},
    "1100s", "100s",
)

# Two providers by weight, with connections to wait for, an outage of one, and breakers of both kinds.
BREAKERS = experiment(
    {"poisson": {"rate": "14/s"}},
    {"all": TOKENS},
    {
        "a": {"response": {"lognormal": {"median": "800ms", "sigma": 0.6}}, "prices": FREE, "connections": 12,
              "faults": [{"outage": {"from": "200s", "for": "60s", "answer": "hang"}},
                         {"random": {"server_error": "10%"}}]},
        "b": {"response": {"gamma": {"mean": "2s", "shape": 3}}, "prices": FREE, "connections": 14,
              "faults": [{"random": {"server_error": "22%"}}, {"outage": {"from": "300s", "for": "60s"}}]},
    },
    {"guarded": breaker("guarded"), "unguarded": breaker("unguarded")},
    {"weighted": {"weights": {"a": 70, "b": 30}}},
    "500s", "50s",
)

SCENARIOS = {"priorities": PRIORITIES, "limiter": LIMITER, "quota": QUOTA, "timeouts": TIMEOUTS, "breakers": BREAKERS}
SEEDS = {"priorities": 16, "limiter": 56, "quota": 24, "timeouts": 32, "breakers": 72}  # in SimPy, sized by the widths


def replicate(job):
    name, entry, seed = job
    return Model(SCENARIOS[name], entry, seed).figures()


def simcap_figures(binary, spec, name, folder, seed):
    """Of each policy, each figure's mean, standard error and number of replications."""
    file = folder / f"{name}.json"
    plan = {**spec["plan"], "seed": seed}
    file.write_text(json.dumps({**spec, "name": name, "plan": plan}))
    subprocess.run([binary, "run", file, "--out", folder / name], check=True, stdout=subprocess.DEVNULL)
    result = json.loads((folder / name / "result.json").read_text())
    found = {}
    for policy in result["policies"]:
        figures = {m["metric"]: m["estimate"] for m in policy["metrics"]}
        figures |= {f"outcome {o['outcome']}": o["share"] for o in policy["outcomes"]}
        for c in policy["classes"]:
            figures |= {f"class {c['name']} errors": c["error_rate"], f"class {c['name']} e2e.p95": c["e2e_p95"]}
        for p in policy["providers"]:
            figures |= {f"provider {p['name']} failed": p["failed"], f"provider {p['name']} trips": p["trips"]}
        for b in policy["bounds"]:
            figures[" ".join(filter(None, ["bound", b["what"], b["provider"]]))] = b["share"]
        found[policy["name"]] = {
            name: (e["value"], half_width(e) / t(e["n"] - 1), e["n"]) for name, e in figures.items()
        }
    return found


def half_width(estimate):
    if estimate["lo"] is None or estimate["hi"] is None:
        return 0
    return (estimate["hi"] - estimate["lo"]) / 2


def t(df):
    return stats.t.ppf((1 + LEVEL) / 2, df)


def compare(figure, ours, theirs):
    """Prints a line; returns whether it is fine."""
    (m1, s1, n1), (m2, s2, n2) = ours, theirs
    se = math.hypot(s1, s2)
    df = se**4 / (s1**4 / (n1 - 1) + s2**4 / (n2 - 1)) if se > 0 else 1
    # Percentiles are read off a histogram of three digits.
    allowed = t(df) * se + (0.001 * abs(m1) if "p95" in figure else 1e-9)
    h1, h2 = s1 * t(n1 - 1), s2 * t(n2 - 1)
    main = figure.endswith(("mean", "p95")) or figure in ("throughput", "attempts_per_request", "cost_per_1k")
    narrow = max(h1, h2) <= (0.05 * abs(m1) if main else max(0.2 * abs(m1), 0.01))
    verdict = "" if abs(m1 - m2) <= allowed else "DISAGREE"
    verdict += "" if narrow else " too wide"
    z = (m1 - m2) / se if se > 0 else 0.0
    print(f"  {figure:28} {m1:10.5g} ± {h1:<9.2g} {m2:10.5g} ± {h2:<9.2g} {z:6.2f}  {verdict}")
    return not verdict


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("simcap")
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--only", choices=SCENARIOS)
    arguments.add_argument("--afresh", action="store_true", help="heed no record of SimPy's figures")
    args = arguments.parse_args()
    fine = True
    record = Record("pipeline", ["pipeline.py", "pipeline_model.py"], args.seed, args.afresh)
    with tempfile.TemporaryDirectory() as folder, multiprocessing.Pool(2) as pool:
        for k, (name, spec) in enumerate(SCENARIOS.items()):
            if args.only not in (None, name):
                continue
            simcap = simcap_figures(pathlib.Path(args.simcap).resolve(), spec, name, pathlib.Path(folder), args.seed)
            for j, entry in enumerate(spec["policies"]):
                jobs = [(name, entry, [args.seed, k, j, i]) for i in range(SEEDS[name])]
                all_theirs = record.of(f"{name}, {entry['name']}", lambda: summary(pool.map(replicate, jobs, chunksize=1)))
                print(f"{name}, {entry['name']}{'simcap':>36}{'SimPy':>23}{'z':>17}")
                found = simcap[entry["name"]]
                for figure, theirs in all_theirs.items():
                    # What never happened on one side is 0 there: neither reports it.
                    ours = found.get(figure, (0.0, 0.0, spec["plan"]["replications"]))
                    if ours[0] or theirs[0]:
                        fine &= compare(figure, ours, theirs)
    record.close(args.only is None)
    sys.exit(0 if fine else 1)


if __name__ == "__main__":
    main()
