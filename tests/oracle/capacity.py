"""Do the intervals of `simcap capacity` hold capacities that are known otherwise? For development; not part of `cargo test`.

Four systems, each searched under many seeds by the program as a user calls it:

- M/M/5 under a bound on the p95 of the time in the system (Gross and Harris, 4th edition, 2.31), by a closed form;
- a token bucket of one token under a bound on errors, a counter with a dead time, by a closed form;
- a pool of provisioned throughput under a bound on errors, by a model in SimPy;
- the same pool with what does not fit going to a slower deployment, under a bound on the p95 of the time in the system, by that model.

The pool is Azure's as its documentation has it, and as the page of the quota promises: a bucket that leaks steadily, into which a request
pours its input and, at their weight, its `max_tokens` if that fits, and out of which it takes what it did not use when its answer is
there; a request that does not fit is refused at once. The model shares the figures with the experiment and nothing else. Its own capacity
is the crossing of two loads close together, met by the same draws, and its replications go on until their error is a small part of an interval.

    pip install simpy numpy scipy
    cargo build --release && python3 tests/oracle/capacity.py target/release/simcap [--seeds N] [--only NAME]

Prints a row a system, in the form of the handbook's table, and exits with 1 if fewer than nine of ten intervals hold the truth or one is
wider than `--precision` within the budget. With `--seeds 100` it takes about ten minutes on two cores.
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
import simpy
from scipy import optimize, stats

PRECISION, BUDGET = 0.02, 20_000_000
# The standard error of what the model finds, as a share, and the hours of each of its replications.
KNOWN, HOURS = 0.001, 60

# The pool: two units of Azure's gpt-4.1, of which each takes 3,000 input tokens a minute and one of output counts as four.
UNITS, A_MINUTE, WEIGHT = 2, 3000, 4
INPUT, OUTPUTS, MAX_OUTPUT = 400, [20, 60, 100, 180], 200
# The median and sigma of the time that an answer takes, in the pool and beside it.
POOL, BESIDE = (8.0, 0.4), (14.0, 0.4)
ERRORS, P95 = 0.05, 17.0


def queue(rate):
    """By how much more than a twentieth of the requests to M/M/5, with 50 ms of work each, take longer than 250 ms."""
    mu, servers, t = 20.0, 5, 0.25
    a = rate / mu
    blocked = 1.0
    for k in range(1, servers + 1):
        blocked = a * blocked / (k + a * blocked)
    waits = blocked / (1 - a / servers * (1 - blocked))
    free = servers - 1 - a
    more = mu * t if abs(free) < 1e-9 else -math.expm1(-mu * t * free) / free
    return math.exp(-mu * t) * (1 + waits * more) - 0.05


class Pool:
    """The pool, and what is refused beside it if `overflows`, at so many requests a second of time."""

    def __init__(self, rate, overflows, seed, warmup, hours):
        rng = np.random.default_rng(seed)
        end = warmup + 3600 * hours
        count = int(end * rate * 1.2 + 1000)
        # Drawn before, so that two rates meet the same requests, closer together.
        self.gaps = (rng.exponential(1, count) / rate).tolist()
        self.outputs = rng.choice(OUTPUTS, count).tolist()
        self.lasts = (POOL[0] * np.exp(POOL[1] * rng.standard_normal(count))).tolist()
        self.overflows, self.warmup, self.end = overflows, warmup, end
        self.env = simpy.Environment()
        self.level, self.since = 0.0, 0.0
        self.arrived = self.refused = 0

    def leak(self):
        self.level = max(0.0, self.level - (self.env.now - self.since) * UNITS * A_MINUTE / 60)
        self.since = self.env.now

    def margin(self):
        """The share of requests that keep to the bound, less the share that must."""
        self.env.process(self.arrivals())
        self.env.run(until=self.end)
        refused = self.refused / self.arrived
        if not self.overflows:
            return ERRORS - refused
        # How long an answer takes has no part in who asks whom, so that its chance need not be drawn.
        return 0.05 - longer(*POOL) * (1 - refused) - longer(*BESIDE) * refused

    def arrivals(self):
        for number, gap in enumerate(self.gaps):
            yield self.env.timeout(gap)
            self.leak()
            reserved = INPUT + WEIGHT * MAX_OUTPUT
            fits = self.level + reserved <= UNITS * A_MINUTE
            if fits:
                self.level += reserved
                ends = self.env.timeout(self.lasts[number], self.outputs[number])
                ends.callbacks.append(self.answered)
            if self.env.now >= self.warmup:
                self.arrived += 1
                self.refused += not fits

    def answered(self, ends):
        self.leak()
        self.level = max(0.0, self.level - WEIGHT * (MAX_OUTPUT - ends.value))


def longer(median, sigma):
    """The probability that an answer takes longer than the bound."""
    return stats.norm.sf(math.log(P95 / median) / sigma)


def margin(job):
    rate, overflows, seed, hours = job
    return Pool(rate, overflows, seed, 3600.0, hours).margin()


def simulated(overflows, workers):
    """The capacity of the pool and its standard error, by SimPy."""

    def margins(rate, seeds):
        return np.array(workers.map(margin, [(rate, overflows, seed, HOURS) for seed in seeds], chunksize=1))

    low, high = 0.05, 0.2
    while high / low > 1.02:
        middle = math.sqrt(low * high)
        if margins(middle, range(4)).mean() > 0:
            low = middle
        else:
            high = middle
    one, other = np.array([]), np.array([])
    step = math.log(high / low)
    while True:
        seeds = range(1000 + len(one), 1000 + len(one) + 32)
        one, other = np.append(one, margins(low, seeds)), np.append(other, margins(high, seeds))
        # Between the two the margin falls as a line does: its root in the logarithm of the rate, and the error of that by the delta method.
        fall = (one - other).mean()
        at = one.mean() / fall
        parts = one * (1 - at) + other * at
        error = parts.std(ddof=1) / math.sqrt(len(one)) / fall * step
        if error <= KNOWN:
            return low * math.exp(at * step), error


def experiment(arrivals, tokens, providers, policy, objective, duration, warmup, client=None):
    return {
        "format": "simcap.experiment/2",
        "name": "known",
        "traffic": {"arrivals": arrivals, "classes": {"all": tokens}},
        "providers": {name: {**provider, "prices": {"per_request": {"price": "$0"}}} for name, provider in providers.items()},
        **({"client": client} if client else {}),
        "policies": [{"name": "only", "policy": policy}],
        "objectives": [objective],
        "plan": {"duration": duration, "warmup": warmup, "replications": 10},
    }


def poisson(rate):
    return {"poisson": {"rate": f"{rate}/s"}}


def law(median, sigma):
    return {"lognormal": {"median": f"{median}s", "sigma": sigma}}


ONE = {"input": {"constant": 1}, "output": {"constant": 1}}
TOKENS = {
    "input": {"constant": INPUT},
    "output": {"mixture": {"components": [{"weight": 1, "law": {"constant": tokens}} for tokens in OUTPUTS]}},
    "max_output": MAX_OUTPUT,
}
UNITS_OF_IT = {"preset": {"name": "azure-openai/ptu/gpt-4.1", "units": UNITS}}
QUEUE = experiment(
    poisson(40), ONE, {"p": {"response": {"exponential": {"mean": "50ms"}}, "load": [{"slots": {"servers": 5}}]}},
    {"single": {"provider": "p"}}, {"metric": "e2e.p95", "at_most": "250ms"}, "200s", "20s",
)
BUCKET = experiment(
    poisson(5), ONE,
    {"p": {"response": {"constant": "1ms"}, "limits": [{"token_bucket": {"unit": "requests", "rate": "100/s", "burst": 1}}]}},
    {"single": {"provider": "p"}}, {"metric": "error_rate", "at_most": "10%"}, "200s", "20s",
)
REFUSING = experiment(
    poisson(0.04), TOKENS, {"pool": {"response": law(*POOL), "limits": [UNITS_OF_IT]}},
    {"single": {"provider": "pool"}}, {"metric": "error_rate", "at_most": ERRORS}, "30h", "1h",
)
OVERFLOWING = experiment(
    poisson(0.04), TOKENS, {"pool": {"response": law(*POOL), "limits": [UNITS_OF_IT]}, "beside": {"response": law(*BESIDE)}},
    {"chain": {"providers": ["pool", "beside"]}}, {"metric": "e2e.p95", "at_most": f"{P95}s"}, "30h", "1h",
    {"retry": {"fixed": {"tries": 2, "wait": "0s"}}},
)
SYSTEMS = {
    "queue": ("M/M/5, p95 at most 250 ms", QUEUE),
    "bucket": ("token bucket, errors at most 10 %", BUCKET),
    "pool": ("PTU pool, errors at most 5 %", REFUSING),
    "overflow": ("PTU pool that overflows, p95 at most 17 s", OVERFLOWING),
}


def search(job):
    """The interval that the program finds under a seed, and the requests that it simulated."""
    program, file, seed = job
    command = [program, "capacity", file, "--seed", str(seed), "--threads", "1", "--format", "json",
               "--precision", str(PRECISION), "--budget", str(BUDGET)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"seed {seed}: ended with {done.returncode}: {done.stderr}")
    (found,) = json.loads(done.stdout)["policies"]
    capacity = found["capacity"]
    if found["ended"] != "found" or capacity["lo"] is None:
        raise SystemExit(f"seed {seed}: ended as {found['ended']}, without an interval")
    return capacity["lo"], capacity["hi"], found["requests"]


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("simcap")
    arguments.add_argument("--seeds", type=int, default=100)
    arguments.add_argument("--only", choices=SYSTEMS)
    given = arguments.parse_args()
    wrong = []
    print("| system | true capacity | holds | below | above | mean width | widest | requests, mean | most |")
    print("|---|---|---|---|---|---|---|---|---|")
    with multiprocessing.Pool() as workers, tempfile.TemporaryDirectory() as folder:
        for name, (title, spec) in SYSTEMS.items():
            if given.only not in (None, name):
                continue
            error = 0.0
            if name == "queue":
                truth = optimize.brentq(queue, 1, 99)
            elif name == "bucket":
                truth = 100 / 9
            else:
                truth, error = simulated(name == "overflow", workers)
            file = pathlib.Path(folder) / f"{name}.json"
            file.write_text(json.dumps(spec))
            jobs = [(given.simcap, str(file), seed) for seed in range(1, given.seeds + 1)]
            found = np.array(workers.map(search, jobs, chunksize=1))
            low, high, requests = found.T
            holds = int(np.sum((low <= truth) & (truth <= high)))
            widths = (high - low) / truth
            known = f"{truth:.5g}/s" + (f" ± {100 * stats.norm.ppf(0.975) * error:.2f} %" if error else "")
            print(f"| {title} | {known} | {holds} of {given.seeds} | {np.sum(high < truth)} | {np.sum(low > truth)} | "
                  f"{100 * widths.mean():.2f} % | {100 * widths.max():.2f} % | {requests.mean() / 1e6:.1f} million | "
                  f"{requests.max() / 1e6:.1f} million |", flush=True)
            if holds < 0.9 * given.seeds:
                wrong.append(f"{title}: only {holds} of {given.seeds} intervals hold {truth}")
            # As a share of what was found, which may be less than the truth.
            if widths.max() > PRECISION * 1.02:
                wrong.append(f"{title}: an interval is {100 * widths.max():.2f} % wide")
    for what in wrong:
        print(what)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
