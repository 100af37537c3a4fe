"""Conversations and agent runs against a second implementation in SimPy. For development; not part of `cargo test`.

Written from the pages of `conversations`, `agents` and the prompt cache `returning`: a dialogue is a process that asks, waits for a slot of the
client, is answered by a provider whose time to first token grows with what it has not read before, leaves or goes on, and sends again
what was said. The two share the experiment and nothing else; figures are compared as in pipeline.py.

    pip install simpy numpy scipy
    cargo build && python3 tests/oracle/dialogues.py target/debug/simcap [--seed N] [--afresh]

SimPy's figures of the first seed are recorded (recorded.py). Prints one line a figure and exits with 1 if any disagrees or is too wide.
"""

import argparse
import math
import multiprocessing
import pathlib
import sys
import tempfile

import numpy as np
import simpy

import pipeline
from pipeline import compare, simcap_figures
from recorded import Record, summary

WARMUP, END, REPLICATIONS = 600.0, 3600.0, 120
TURNS = {"conversations": [1, 2, 3, 5, 8], "agents": [2, 4, 9]}
TOOLS = [1, 2, 3]
PRICES = {"input": 3.0, "output": 15.0, "cached_input": 0.3}


def one_of(values):
    """Each as likely as the others."""
    return {"mixture": {"components": [{"weight": 1, "law": {"constant": value}} for value in values]}}


def experiment(arrivals, slots):
    return {
        "traffic": {
            "arrivals": arrivals,
            "classes": {"all": {"input": {"lognormal": {"median": 300, "sigma": 0.6}},
                                "output": {"lognormal": {"median": 120, "sigma": 0.5}}}},
        },
        "providers": {"p": {
            "ttft": {"lognormal": {"median": "400ms", "sigma": 0.5}}, "prefill": 3000, "tps": {"constant": 50},
            "prompt_cache": {"returning": {"history": True, "min_tokens": 600, "granularity": 1, "ttl": "60s"}},
            "faults": [{"random": {"server_error": "5%"}}],
            "prices": {"per_token": {key: f"${value}/Mtok" for key, value in PRICES.items()}},
        }},
        "policies": [{"name": "only", "policy": {"single": {"provider": "p"}},
                      "client": {"max_in_flight": slots, "admission": "queue", "retry": "never"}}],
        "plan": {"duration": "3000s", "warmup": "600s", "replications": REPLICATIONS, "confidence": pipeline.LEVEL},
    }


TALK = experiment({"conversations": {
    "starts": {"poisson": {"rate": "0.7/s"}}, "turns": one_of(TURNS["conversations"]),
    "think": {"lognormal": {"median": "15s", "sigma": 0.8}}, "system": 400, "history": {"window": 2500},
    "patience": {"exponential": {"mean": "12s"}}, "after_failure": {"share": 0.6, "after": "5s", "most": 2},
}}, 10)

AGENTS = experiment({"agents": {
    "starts": {"poisson": {"rate": "0.4/s"}}, "calls": one_of(TURNS["agents"]), "system": 1500,
    "tools": {"side_by_side": one_of(TOOLS), "latency": {"exponential": {"mean": "2s"}}, "result": 200},
    "history": {"summary": {"above": 4000, "to": 500}}, "after_failure": {"share": 1, "after": "1s", "most": 1},
}}, 11)

SCENARIOS = {"conversations": TALK, "agents": AGENTS}


def whole(x, least):
    return max(least, math.floor(x + 0.5))


class Model:
    def __init__(self, name, seed):
        self.rng = np.random.default_rng(seed)
        spec = SCENARIOS[name]
        (self.kind, self.spec), = spec["traffic"]["arrivals"].items()
        self.env = simpy.Environment()
        self.slots = simpy.Resource(self.env, spec["policies"][0]["client"]["max_in_flight"])
        self.ttft, self.e2e, self.took = [], [], []
        self.asked = self.failed_requests = self.turns = self.failed = self.left = self.cut = 0
        self.cost = 0.0

    def figures(self):
        rate = float(self.spec["starts"]["poisson"]["rate"].removesuffix("/s"))
        self.env.process(self.starts(rate))
        self.env.run()
        begun = len(self.took) + self.failed + self.left + self.cut
        return {
            "ttft.mean": np.mean(self.ttft), "ttft.p95": np.quantile(self.ttft, 0.95),
            "e2e.mean": np.mean(self.e2e), "e2e.p95": np.quantile(self.e2e, 0.95),
            "error_rate": self.failed_requests / self.asked, "cost_per_1k": 1000 * self.cost / self.asked,
            "dialogue_time.p50": np.quantile(self.took, 0.5), "dialogue_time.p95": np.quantile(self.took, 0.95),
            "dialogue_failures": (self.failed + self.left) / begun,
            "turns_per_dialogue": self.turns / begun, "cost_per_dialogue": self.cost / begun,
        }

    def starts(self, rate):
        while True:
            yield self.env.timeout(self.rng.exponential(1 / rate))
            if self.env.now >= END:
                return
            self.env.process(self.dialogue())

    def lognormal(self, median, sigma):
        return median * math.exp(sigma * self.rng.standard_normal())

    def pause(self):
        """Until the next turn, and the tokens of its message, of which a person's are drawn like the first."""
        if self.kind == "conversations":
            return self.lognormal(15, 0.8), None
        tools = self.rng.choice(TOOLS)
        return self.rng.exponential(2, tools).max(), 200 * tools

    def keep(self, said):
        """Of what was said, what is sent again, and how much of that a cache may know."""
        if self.kind == "conversations":
            return (said, said) if said <= 2500 else (2500, 0)
        return (said, said) if said <= 4000 else (500, 0)

    def dialogue(self):
        env, began, system = self.env, self.env.now, self.spec["system"]
        turns = self.rng.choice(TURNS[self.kind])
        again = self.spec["after_failure"]
        counted = began >= WARMUP
        input, resent = system + whole(self.lognormal(300, 0.6), 0), 0
        output = whole(self.lognormal(120, 0.5), 1)
        known, known_from, known_until = 0, math.inf, -1.0
        done = tries = 0
        while True:
            arrived = env.now
            with self.slots.request() as slot:
                yield slot
                waited = env.now - arrived
                sent = env.now
                fails = self.rng.random() < 0.05
                found = min(known, resent) if known_from <= sent <= known_until else 0
                found = found if found >= 600 else 0
                first = self.lognormal(0.4, 0.5) + (input - found) / 3000
                # What fails does so when its first token would have come, and leaves nothing in the cache. An entry is there from the
                # first token on that wrote it, and each reading renews it.
                if not fails and input >= 600:
                    if not known_from <= sent <= known_until:
                        known_from = sent + first
                    known, known_until = input, sent + 60
                yield env.timeout(first if fails else first + (output - 1) / 50)
            if arrived >= WARMUP:
                self.asked += 1
                self.turns += 1
                self.failed_requests += fails
                if not fails:
                    self.ttft.append(waited + first)
                    self.e2e.append(env.now - arrived)
                    self.cost += ((input - found) * PRICES["input"] + found * PRICES["cached_input"]
                                  + output * PRICES["output"]) / 1e6
            if fails:
                if tries < again["most"] and self.rng.random() < again["share"]:
                    tries += 1
                    pause = float(again["after"].removesuffix("s"))
                else:
                    self.failed += counted
                    return
            else:
                done, tries = done + 1, 0
                if "patience" in self.spec and waited + first > self.rng.exponential(12):
                    self.left += counted
                    return
                if done == turns:
                    if counted:
                        self.took.append(env.now - began)
                    return
                pause, message = self.pause()
                before, resent = self.keep(input + output - system)
                resent += system
                input = system + before + (whole(self.lognormal(300, 0.6), 0) if message is None else message)
                output = whole(self.lognormal(120, 0.5), 1)
            if env.now + pause >= END:
                self.cut += counted
                return
            yield env.timeout(pause)


def replicate(job):
    return Model(*job).figures()


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("simcap")
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--afresh", action="store_true", help="heed no record of SimPy's figures")
    args = arguments.parse_args()
    fine = True
    record = Record("dialogues", ["dialogues.py"], args.seed, args.afresh)
    with tempfile.TemporaryDirectory() as folder, multiprocessing.Pool(2) as pool:
        for k, (name, spec) in enumerate(SCENARIOS.items()):
            binary = pathlib.Path(args.simcap).resolve()
            ours = simcap_figures(binary, spec, name, pathlib.Path(folder), args.seed)["only"]
            jobs = [(name, [args.seed, k, i]) for i in range(REPLICATIONS)]
            all_theirs = record.of(name, lambda: summary(pool.map(replicate, jobs, chunksize=1)))
            print(f"{name}{'simcap':>36}{'SimPy':>23}{'z':>17}")
            for figure, theirs in all_theirs.items():
                fine &= compare(figure, ours[figure], theirs)
    record.close()
    sys.exit(0 if fine else 1)


if __name__ == "__main__":
    main()
