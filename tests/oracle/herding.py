"""Herding by old information against a second implementation in plain Python. For development; not part of `cargo test`.

Ten servers, each first come first served with exponential work of a second, and five Poisson arrivals a second. An arrival
goes to the server that had the fewest at the last refresh, of equals to one at random, or to the lesser of two at random.
simcap runs it with `client.refresh`; the model here is written from what the documentation of that field promises, with its
own event order and random numbers. Mean times in the system must differ by less than the joint 99.9 % interval (Welch).

    cargo build && python3 tests/oracle/herding.py target/debug/simcap

Prints one line a figure and exits with 1 if any disagrees. Takes about a minute.
"""

import heapq
import json
import math
import pathlib
import random
import subprocess
import sys
import tempfile

SERVERS, RATE, DURATION, WARMUP, RUNS = 10, 5.0, 2000.0, 200.0, 20


def model(policy, every, seed):
    """The mean time in the system of the requests that arrive within the counted time."""
    chance = random.Random(seed)
    at, total, count = 0.0, 0.0, 0
    inside = [0] * SERVERS
    free_at = [0.0] * SERVERS
    seen, refreshed = [0] * SERVERS, 0
    ends = []
    while True:
        at += chance.expovariate(RATE)
        if at >= WARMUP + DURATION:
            return total / count
        # What ended before the last refresh is in what is seen; what ends after it is not.
        tick = math.floor(at / every)
        if tick > refreshed:
            while ends and ends[0][0] < tick * every:
                inside[heapq.heappop(ends)[1]] -= 1
            seen, refreshed = list(inside), tick
        while ends and ends[0][0] <= at:
            inside[heapq.heappop(ends)[1]] -= 1
        if policy == "least_in_flight":
            fewest = min(seen)
            server = chance.choice([s for s in range(SERVERS) if seen[s] == fewest])
        else:
            first, second = chance.sample(range(SERVERS), 2)
            server = second if seen[second] < seen[first] else first
        inside[server] += 1
        free_at[server] = max(free_at[server], at) + chance.expovariate(1.0)
        heapq.heappush(ends, (free_at[server], server))
        if at >= WARMUP:
            total += free_at[server] - at
            count += 1


def experiment(policy, every):
    server = {
        "response": {"exponential": {"mean": "1s"}},
        "load": [{"slots": {"servers": 1}}],
        "prices": {"per_request": {"price": "$0"}},
    }
    return {
        "name": "herding",
        "traffic": {
            "arrivals": {"poisson": {"rate": f"{RATE}/s"}},
            "classes": {"all": {"input": {"constant": 1}, "output": {"constant": 1}}},
        },
        "providers": {f"s{i}": server for i in range(SERVERS)},
        "client": {"refresh": f"{every}s"},
        "policies": [{"name": "it", "policy": policy}],
        "plan": {
            "duration": f"{DURATION}s",
            "warmup": f"{WARMUP}s",
            "replications": RUNS,
            "confidence": 0.999,
            "metrics": ["e2e.mean"],
        },
    }


def simulated(program, folder, policy, every):
    """simcap's mean, and half of its 99.9 % interval."""
    path = pathlib.Path(folder) / "herding.json"
    path.write_text(json.dumps(experiment(policy, every)))
    out = pathlib.Path(folder) / "out"
    subprocess.run([program, "run", str(path), "--out", str(out), "-q"], check=True, stdout=subprocess.DEVNULL)
    result = json.loads((out / "result.json").read_text())
    of = next(m for m in result["policies"][0]["metrics"] if m["metric"] == "e2e.mean")["estimate"]
    return of["value"], (of["hi"] - of["lo"]) / 2


def main():
    program, wrong = sys.argv[1], 0
    for policy in ["least_in_flight", "p2c"]:
        for every in [0.5, 2.0, 8.0]:
            means = [model(policy, every, 1000 * i + int(10 * every)) for i in range(RUNS)]
            mean = sum(means) / RUNS
            deviation = math.sqrt(sum((m - mean) ** 2 for m in means) / (RUNS - 1) / RUNS)
            with tempfile.TemporaryDirectory() as folder:
                value, half = simulated(program, folder, policy, every)
            # Student's t at 99.9 % and 19 degrees of freedom.
            own = 3.883 * deviation
            agrees = abs(value - mean) <= math.hypot(half, own)
            wrong += not agrees
            print(f"{policy:16} every {every} s: simcap {value:.4f} ± {half:.4f} s, model {mean:.4f} ± {own:.4f} s"
                  + ("" if agrees else "  DISAGREES"))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
