"""Overload, hedges, fallbacks, quotas and budgets against a second implementation in SimPy. For development.

As pipeline.py: each case is one experiment file, which simcap and the model in resilience_model.py both run; the two share
the file and nothing else. Every figure (how requests end, percentiles of TTFT, E2E and wait, attempts, retries, hedges,
fallbacks, cost, load, trips of breakers) must differ by less than the joint 99.99 % interval (Welch) and by the width of a
histogram's bin, and the intervals of the main ones must be narrow enough for that to mean something.

    pip install simpy numpy scipy
    cargo build --release && python3 tests/oracle/resilience.py target/release/simcap [--seed N] [--only CASE] [--verbose]
        [--afresh]

Takes some 40 s on two free cores where SimPy runs; its figures of the first seed are recorded (recorded.py). Prints one line a case, and those figures that disagree or are too wide; exits with 1 if there are any. The seeds are fixed,
so a run repeats exactly; there are some 700 figures, so about one other seed in fifteen strays by chance.
"""

import argparse
import json
import math
import multiprocessing
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
from scipy import stats

from recorded import Record, summary
from resilience_model import Model

LEVEL = 0.9999

TOKENS = {"input": {"constant": 100}, "output": {"constant": 50}}
FREE = {"per_request": {"price": "$0"}}
PRICES = {"per_token": {"input": "$1/Mtok", "output": "$4/Mtok"}}
LENGTHS = {"input": {"lognormal": {"median": 400, "sigma": 0.6}}, "output": {"lognormal": {"median": 120, "sigma": 0.7}},
           "max_output": 600}


def experiment(rate, classes, providers, clients, duration, warmup):
    """`clients` maps a name to a client and the policy that routes for it."""
    return {
        "traffic": {"arrivals": {"poisson": {"rate": rate}}, "classes": classes},
        "providers": providers,
        "policies": [{"name": name, "client": client, "policy": policy} for name, (client, policy) in clients.items()],
        "plan": {"duration": duration, "warmup": warmup, "replications": 80, "confidence": LEVEL},
    }


def only(provider):
    return {"single": {"provider": provider}}


# M/G/8 with a bounded line, at 0.95 of what it can do before any retry: service takes 1.2 s. Lower, it tips to and fro.
def slots(on_hang_up):
    return {"ttft": {"lognormal": {"median": "250ms", "sigma": 0.5}}, "tps": {"gamma": {"mean": 60, "shape": 8}},
            "network": "40ms", "prices": PRICES,
            "load": [{"slots": {"servers": 8, "queue": 12, "on_hang_up": on_hang_up}}]}


IMPATIENT = {"timeouts": {"attempt": "2500ms", "total": "9s"}, "retry": {"fixed": {"tries": 3, "wait": "800ms"}}}
SLOTS = experiment(
    "6.3/s",
    {"all": {"input": {"constant": 200}, "output": {"constant": 50}}},
    {"finishes": slots("finish"), "aborts": slots("abort")},
    {"finish": (IMPATIENT, only("finishes")), "abort": (IMPATIENT, only("aborts"))},
    "600s", "60s",
)

# Two providers of different latency and speed, one of which also fails; and one with slots that bears all copies itself.
HEDGES = experiment(
    "4/s",
    {"all": LENGTHS},
    {
        "quick": {"ttft": {"lognormal": {"median": "300ms", "sigma": 1.0}}, "tps": {"gamma": {"mean": 60, "shape": 6}},
                  "prices": PRICES, "faults": [{"random": {"server_error": "6%", "hang": "1%"}}]},
        "slow": {"ttft": {"lognormal": {"median": "600ms", "sigma": 0.6}}, "tps": {"lognormal": {"median": 90, "sigma": 0.4}},
                 "network": "30ms", "prices": {"per_token": {"input": "$2/Mtok", "output": "$7/Mtok"}}},
        "busy": {"ttft": {"lognormal": {"median": "400ms", "sigma": 0.9}}, "tps": {"gamma": {"mean": 80, "shape": 6}},
                 "prices": PRICES, "faults": [{"random": {"server_error": "20%"}}], "load": [{"slots": {"servers": 36}}]},
    },
    {
        "first_token": ({"hedge": {"fixed": {"delay": "800ms", "race": "first_token"}}, "timeouts": {"attempt": "12s"},
                         "retry": {"fixed": {"tries": 2, "wait": "500ms"}}},
                        {"weighted": {"weights": {"quick": 70, "slow": 30}}}),
        "bounded": ({"hedge": {"fixed": {"delay": "500ms", "race": "answer", "budget": "10%"}}, "timeouts": {"attempt": "12s"},
                     "retry": {"fixed": {"tries": 2, "wait": "500ms"}}},
                    {"weighted": {"weights": {"quick": 70, "slow": 30}}}),
        "answer": ({"hedge": {"fixed": {"delay": "2s", "race": "answer"}}, "timeouts": {"attempt": "12s", "ttft": "4s"},
                    "retry": {"fixed": {"tries": 2, "wait": "500ms"}}},
                   {"weighted": {"weights": {"quick": 70, "slow": 30}}}),
        "again": ({"hedge": {"fixed": {"delay": "1500ms", "most": 2, "elsewhere": False, "on_failure": True, "race": "answer"}},
                   "timeouts": {"total": "20s"}, "retry": {"fixed": {"tries": 2, "wait": "300ms"}}}, only("busy")),
    },
    "700s", "70s",
)

# Three groups, each choosy about what it takes over, and each with tries of its own.
GROUPS = [{"providers": ["a", "b"]}, {"providers": ["c"], "on": [429, "5xx", 401]}, {"providers": ["d"], "on": ["timeout", 529, 503]}]
EVERYWHERE = {"weighted": {"weights": {"a": 60, "b": 40, "c": 1, "d": 1}}}
BACK_OFF = {"exponential": {"tries": 2, "base": "400ms", "jitter": "full"}}
FALLBACKS = experiment(
    "5/s",
    {"all": LENGTHS},
    {
        "a": {"ttft": {"lognormal": {"median": "300ms", "sigma": 0.7}}, "tps": {"constant": 80}, "prices": PRICES,
              "network": "20ms", "faults": [{"random": {"server_error": "20%", "overloaded": "20%", "rate_limited": "15%"}}]},
        "b": {"ttft": {"lognormal": {"median": "500ms", "sigma": 0.7}}, "tps": {"constant": 60}, "prices": PRICES,
              "faults": [{"random": {"unavailable": "25%", "content_filtered": "5%", "connection_error": "20%"}}]},
        "c": {"ttft": {"lognormal": {"median": "700ms", "sigma": 0.5}}, "tps": {"constant": 50}, "prices": PRICES,
              "network": "50ms",
              "faults": [{"random": {"overloaded": "30%", "unauthorized": "10%", "bad_gateway": "20%", "hang": "10%"}}]},
        "d": {"ttft": {"constant": "1s"}, "tps": {"constant": 100}, "prices": PRICES,
              "faults": [{"random": {"server_error": "40%"}}]},
    },
    {
        "last": ({"fallback": {"groups": GROUPS}, "retry": BACK_OFF, "timeouts": {"attempt": "10s"}}, EVERYWHERE),
        "first": ({"fallback": {"groups": GROUPS, "tells": "first"}, "retry": BACK_OFF,
                   "timeouts": {"attempt": "10s", "total": "13s"}}, EVERYWHERE),
        "litellm": ({"fallback": {"groups": GROUPS}, "retry": {"litellm": {"num_retries": 2}},
                     "timeouts": {"attempt": "10s"}}, EVERYWHERE),
        "litellm alone": ({"fallback": {"groups": [{"providers": ["c"]}, {"providers": ["d"]}]},
                           "retry": {"litellm": {"num_retries": 2}}, "timeouts": {"attempt": "10s"}}, EVERYWHERE),
    },
    "500s", "50s",
)


# A line by priority before a cap, and behind it a line for connections.
def lines(shed, cap):
    return ({"admission": {"queue": {"capacity": 6, "max_wait": "2500ms", "shed": shed}}, "max_in_flight": cap,
             "timeouts": {"connection": "1200ms", "attempt": "4s", "total": "9s"},
             "retry": {"fixed": {"tries": 2, "wait": "500ms"}}}, only("p"))


LINES = experiment(
    "7.5/s",
    {"urgent": {"share": 20, "priority": 0, **TOKENS}, "usual": {"share": 50, "priority": 1, **TOKENS},
     "idle": {"share": 30, "priority": 2, **TOKENS}},
    {"p": {"response": {"lognormal": {"median": "800ms", "sigma": 0.7}}, "prices": PRICES, "connections": 7, "line": 4,
           "faults": [{"random": {"server_error": "5%"}}]}},
    {"reject": lines("reject", 12), "drop_lowest": lines("drop_lowest", 8), "drop_oldest": lines("drop_oldest", 8)},
    "600s", "60s",
)


# The same quota of tokens, charged in four ways, under twice what it allows.
def quota(charge):
    return {"ttft": {"lognormal": {"median": "400ms", "sigma": 0.5}}, "tps": {"constant": 60}, "prices": PRICES,
            "limits": [{"token_bucket": {"unit": "tokens", "rate": "2400/s", "burst": 20000, "charge": charge}}]}


CHARGES = {"reserved": {}, "reconciled": {"reconcile": True}, "end": {"at": "end"},
           "input": {"reserve": "input", "reconcile": True}}
HEED = {"retry": {"exponential": {"tries": 3, "base": "1s", "retry_after": "at_least"}}}
QUOTAS = experiment(
    "8/s",
    {"all": LENGTHS},
    {name: quota(charge) for name, charge in CHARGES.items()},
    {name: ({}, only(name)) for name in CHARGES}
    | {"reconciled, heeding": (HEED, only("reconciled")), "end, heeding": (HEED, only("end"))},
    "600s", "60s",
)

# Retries that want more than their budget, and a breaker on a provider that fails half of the time.
TRIPPING = {"failure_rate_threshold": "50%", "sliding_window_size": 20, "minimum_number_of_calls": 10,
            "permitted_calls_in_half_open": 5, "wait_duration_in_open_state": "10s"}
FAILING = {"random": {"server_error": "50%"}}
STORMS = experiment(
    "10/s",
    {"all": TOKENS},
    {
        "half": {"response": {"exponential": {"mean": "500ms"}}, "prices": FREE, "faults": [FAILING]},
        "browned": {"response": {"lognormal": {"median": "600ms", "sigma": 0.6}}, "prices": FREE,
                    "faults": [{"random": {"server_error": "3%", "rate_limited": "2%"}},
                               {"outage": {"from": "100s", "for": "100s", "share": "60%"}},
                               {"outage": {"from": "300s", "for": "100s", "share": "60%"}}]},
    },
    {
        "budget": ({"retry": {"fixed": {"tries": 3, "wait": "200ms"}},
                    "retry_budget": {"finagle": {"ttl": "10s", "min_per_second": 1, "share": "20%"}}}, only("half")),
        "breaker": ({"breaker": {"resilience4j": TRIPPING}}, only("browned")),
        "time": ({"breaker": {"resilience4j": {**TRIPPING, "sliding_window_type": "time_based", "sliding_window_size": 5,
                                               "slow_call_duration_threshold": "1s",
                                               "slow_call_rate_threshold": "40%"}}}, only("browned")),
        "record": ({"breaker": {"resilience4j": {**TRIPPING, "record": ["5xx"], "ignore": [429]}}}, only("browned")),
    },
    "500s", "50s",
)


# Answers that break off, in silence or not, and three ways to bill for answers that are not waited for; tries by kind of failure.
def broken(hung_up):
    return {"ttft": {"lognormal": {"median": "400ms", "sigma": 0.7}}, "tps": {"constant": 60}, "prices": PRICES,
            "hung_up": hung_up, "network": "30ms",
            "faults": [{"random": {"truncated": "15%", "stalled": "10%", "server_error": "10%"}}]}


PATIENT = {"timeouts": {"idle": "1500ms", "ttft": "1200ms", "attempt": "6s"}}
BROKEN = experiment(
    "6/s",
    {"all": LENGTHS},
    {name: broken(name) for name in ("written", "whole", "nothing")}
    | {"bad": {**broken("written"), "faults": [{"random": {"server_error": "60%"}}]}},
    {name: (PATIENT, only(name)) for name in ("written", "whole", "nothing")}
    | {"by kind": ({**PATIENT, "retry": {"exponential": {
        "tries": 4, "base": "300ms", "on": ["truncated", 500, "timeout_ttft"],
        "tries_by": [{"on": ["truncated"], "tries": 2}, {"on": ["5xx"], "tries": 3}]}}}, only("written")),
       "same": ({**PATIENT, "retry": {"fixed": {"tries": 3, "wait": "500ms", "on": ["timeout", 500], "where": "same"}}},
                {"weighted": {"weights": {"written": 50, "whole": 20, "bad": 30}}})},
    "500s", "50s",
)


# Quotas of other kinds, under half as much again as they allow.
def limited(limit):
    return {"ttft": {"lognormal": {"median": "400ms", "sigma": 0.5}}, "tps": {"constant": 60}, "prices": PRICES,
            "network": "20ms", "limits": [limit]}


LIMITS = {"fixed_window": {"fixed_window": {"unit": "requests", "limit": 240, "window": "60s"}},
          "sliding_log": {"sliding_log": {"unit": "tokens", "limit": 90000, "window": "20s"}},
          "gcra": {"gcra": {"unit": "requests", "limit": 4, "window": "1s", "burst": 6}},
          "concurrent": {"concurrent": {"limit": 12}}}
WINDOWS = experiment(
    "6/s",
    {"all": LENGTHS},
    {name: limited(limit) for name, limit in LIMITS.items()},
    {f"{name}, heeding": (HEED, only(name)) for name in LIMITS} | {name: ({}, only(name)) for name in LIMITS},
    "660s", "60s",
)

# Budgets of an hour that last for about half of it.
def spent(budget, policy):
    return ({"budgets": [{"per": "hour", **budget}], "retry": {"fixed": {"tries": 2, "wait": "2s"}}}, policy)


BUDGETS = experiment(
    "0.3/s",
    {"all": LENGTHS},
    {"p": {"ttft": {"constant": "2s"}, "tps": {"constant": 10}, "prices": PRICES,
           "faults": [{"random": {"server_error": "20%"}}]},
     "q": {"ttft": {"constant": "1s"}, "tps": {"constant": 20},
           "prices": {"per_token": {"input": "$3/Mtok", "output": "$9/Mtok"}}}},
    {"money": spent({"money": "$0.6"}, only("p")),
     "tokens": spent({"tokens": 350000}, only("p")),
     "elsewhere": spent({"money": "$0.5", "providers": ["p"]}, {"chain": {"providers": ["p", "q"]}})},
    "10800s", "1000s",
)

CASES = {"slots": SLOTS, "hedges": HEDGES, "fallbacks": FALLBACKS, "lines": LINES, "quotas": QUOTAS, "storms": STORMS,
         "broken": BROKEN, "windows": WINDOWS,
         "budgets": BUDGETS}
SEEDS = {"slots": 24, "hedges": 10, "fallbacks": 12, "lines": 16, "quotas": 12, "storms": 12, "broken": 10,
         "windows": 12, "budgets": 12}


def replicate(job):
    name, entry, seed = job
    return Model(CASES[name], entry, seed).figures()


def simcap_figures(binary, spec, name, folder, seed):
    """Of each policy, each figure's mean, standard error and number of replications."""
    file = folder / f"{name}.json"
    file.write_text(json.dumps({**spec, "name": name, "plan": {**spec["plan"], "seed": seed}}))
    subprocess.run([binary, "run", file, "--out", folder / name], check=True, stdout=subprocess.DEVNULL)
    result = json.loads((folder / name / "result.json").read_text())
    found = {}
    for policy in result["policies"]:
        figures = {m["metric"]: m["estimate"] for m in policy["metrics"]}
        figures |= {f"outcome {o['outcome']}": o["share"] for o in policy["outcomes"]}
        figures |= {f"class {c['name']} errors": c["error_rate"] for c in policy["classes"]}
        figures |= {f"effort {e['what']}": e["per_1k"] for e in policy["effort"]}
        for p in policy["providers"]:
            figures |= {f"provider {p['name']} {what}": p[what] for what in ("failed", "in_flight", "trips")}
        figures |= {f"bound breaker {b['provider']}": b["share"] for b in policy["bounds"] if b["what"] == "breaker"}
        found[policy["name"]] = {
            name: (e["value"], half_width(e) / t(e["n"] - 1), e["n"])
            if e["value"] is not None
            else None
            for name, e in figures.items()
        }
    return found


def half_width(estimate):
    if estimate["lo"] is None or estimate["hi"] is None:
        return 0
    return (estimate["hi"] - estimate["lo"]) / 2


def t(df):
    return stats.t.ppf((1 + LEVEL) / 2, df)


def compare(figure, ours, theirs, bin_width=0.001):
    """A line, and what is wrong with it: nothing, if all is well."""
    (m1, s1, n1), (m2, s2, n2) = ours, theirs
    se = math.hypot(s1, s2)
    df = se**4 / (s1**4 / (n1 - 1) + s2**4 / (n2 - 1)) if se > 0 else 1
    allowed = t(df) * se + (bin_width * abs(m1) if ".p" in figure else 1e-9)
    main = figure in ("error_rate", "attempts_per_request", "cost_per_1k", "ttft.mean", "e2e.mean", "e2e.p95")
    narrow = allowed <= max(0.15 * abs(m1), 0.02) or not main
    wrong = ("" if abs(m1 - m2) <= allowed else "DISAGREE") + ("" if narrow else " too wide")
    z = (m1 - m2) / se if se > 0 else 0.0
    return f"    {figure:28} simcap {m1:10.5g}, SimPy {m2:10.5g}, may differ by {allowed:8.2g}  (z {z:5.2f}) {wrong}", wrong


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("simcap")
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--only", choices=CASES)
    arguments.add_argument("--verbose", action="store_true", help="every figure")
    arguments.add_argument("--afresh", action="store_true", help="heed no record of SimPy's figures")
    args = arguments.parse_args()
    fine = True
    made_by = ["resilience.py", "resilience_model.py", "pipeline_model.py"]
    record = Record("resilience", made_by, args.seed, args.afresh)
    with tempfile.TemporaryDirectory() as folder, multiprocessing.Pool(2) as pool:
        for k, (name, spec) in enumerate(CASES.items()):
            if args.only not in (None, name):
                continue
            begun = time.monotonic()

            def every():
                """Each policy's figures in SimPy."""
                seeds, clients = SEEDS[name], spec["policies"]
                jobs = [(name, entry, [args.seed, k, j, i]) for j, entry in enumerate(clients) for i in range(seeds)]
                runs = pool.map(replicate, jobs, chunksize=1)
                return {entry["name"]: summary(runs[j * seeds : (j + 1) * seeds]) for j, entry in enumerate(clients)}

            simcap = simcap_figures(pathlib.Path(args.simcap).resolve(), spec, name, pathlib.Path(folder), args.seed)
            simpy, lines, figures, bad = record.of(name, every), [], 0, 0
            for entry in spec["policies"]:
                found = simcap[entry["name"]]
                for figure, theirs in simpy[entry["name"]].items():
                    # What never happened on one side is 0 there: neither reports it.
                    ours = found.get(figure, (0.0, 0.0, spec["plan"]["replications"]))
                    # A percentile of too few has no figure at all.
                    if ours is None or ours[0] == 0 and theirs[0] == 0:
                        continue
                    line, wrong = compare(figure, ours, theirs)
                    figures += 1
                    bad += bool(wrong)
                    if wrong or args.verbose:
                        lines.append(f"  {entry['name']}:{line}")
            fine &= not bad
            print(f"{name}: {figures} figures of {len(spec['policies'])} clients, {bad} amiss "
                  f"({time.monotonic() - begun:.0f} s)", *lines, sep="\n", flush=True)
    record.close(args.only is None)
    sys.exit(0 if fine else 1)


if __name__ == "__main__":
    main()
