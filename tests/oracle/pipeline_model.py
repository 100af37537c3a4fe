"""The client pipeline in SimPy: one replication of an experiment, for pipeline.py to compare simcap with.

Written from what the documentation of src/client, src/provider and src/routing promises, not from the engine, and with
numpy's random numbers. Knows the parts that pipeline.py's experiments use.
"""

import heapq
import math
import re

import numpy as np
import simpy

FOREVER = math.inf

UNITS = {"ms": 1e-3, "s": 1.0, "min": 60.0, "%": 1e-2, "$": 1.0, "/Mtok": 1e-6}


def number(value, default=FOREVER):
    """Seconds, a rate a second, a share, dollars a token, or a count."""
    if value is None:
        return default
    if not isinstance(value, str):
        return float(value)
    amount, unit = re.fullmatch(r"\$?([\d.]+)(.*)", value).groups()
    if unit.startswith("/") and unit[1:] in UNITS:
        return float(amount) / UNITS[unit[1:]]
    return float(amount) * (UNITS[unit] if unit else 1.0)


def draw(law, rng):
    if isinstance(law, str):
        return number(law)
    (kind, p), = law.items()
    if kind == "constant":
        return number(p)
    if kind == "uniform":
        return rng.uniform(number(p["min"]), number(p["max"]))
    if kind == "exponential":
        return rng.exponential(number(p["mean"]))
    if kind == "lognormal":
        return number(p["median"]) * rng.lognormal(0.0, p["sigma"])
    if kind == "gamma":
        return rng.gamma(p["shape"], number(p["mean"]) / p["shape"])
    raise ValueError(kind)


class Clock:
    """How long something was at its bound inside the counted window."""

    def __init__(self, window):
        self.window, self.since, self.total = window, None, 0.0

    def set(self, now, reached):
        if reached and self.since is None:
            self.since = now
        elif not reached and self.since is not None:
            self.add(self.since, now)
            self.since = None

    def add(self, begin, end):
        self.total += max(0.0, min(end, self.window[1]) - max(begin, self.window[0]))


class Bucket:
    """Starts full, refills all the time, never holds more than its burst."""

    def __init__(self, spec, output="max_output"):
        self.output = output
        self.unit, self.rate, self.burst = spec["unit"], number(spec["rate"]), number(spec["burst"])
        self.level, self.at = self.burst, 0.0

    def need(self, ask):
        return 1 if self.unit == "requests" else ask["input"] + ask[self.output]

    def wait(self, now, need):
        self.level, self.at = min(self.burst, self.level + (now - self.at) * self.rate), now
        short = (need - self.level) / self.rate
        # A nanosecond early is in time, lest rounding leave a wait too short to move the clock.
        return FOREVER if need > self.burst else short if short > 1e-9 else 0.0


class Gate:
    """Queue, cap and limiters: strict priority, first come first served, all limits taken at once or none."""

    def __init__(self, env, client, window):
        self.env, self.cap = env, number(client.get("max_in_flight"))
        queue = client.get("admission", {"queue": {}})["queue"]
        self.capacity, self.max_wait = number(queue.get("capacity")), number(queue.get("max_wait"))
        self.buckets = [Bucket(limiter["token_bucket"], "known_output") for limiter in client.get("limiters", [])]
        self.line, self.count, self.in_flight, self.timer = [], 0, 0, None
        self.bounds = {"in_flight": Clock(window), "limiter": Clock(window), "queue": Clock(window)}

    def enter(self, ask, deadline):
        """Waits to be let in. Returns how that ended: None for let in."""
        env = self.env
        if any(b.wait(env.now, b.need(ask)) == FOREVER for b in self.buckets):
            return "shed"
        entry = [ask["priority"], self.count, ask, env.event()]
        self.count += 1
        heapq.heappush(self.line, entry)
        self.advance()
        if not entry[3].triggered and len(self.line) > self.capacity:
            self.line.remove(entry)
            heapq.heapify(self.line)
            return "shed"
        if not entry[3].triggered:
            patience = min(self.max_wait, deadline - env.now)
            yield entry[3] | env.timeout(patience) if patience < FOREVER else entry[3]
            if not entry[3].triggered:
                self.line.remove(entry)
                heapq.heapify(self.line)
                self.advance()
                return "timeout_total" if patience < self.max_wait else "queue_timeout"
        return None

    def advance(self):
        """Lets in the requests that may go; the first in line, if held by a bucket, goes when the bucket allows."""
        now, held = self.env.now, False
        while self.line and self.in_flight < self.cap:
            ask, admitted = self.line[0][2:]
            wait = max((b.wait(now, b.need(ask)) for b in self.buckets), default=0.0)
            if wait > 0:
                held = True
                self.env.process(self.later(wait))
                break
            for bucket in self.buckets:
                bucket.level -= bucket.need(ask)
            heapq.heappop(self.line)
            self.in_flight += 1
            admitted.succeed()
        self.note(held)

    def later(self, wait):
        self.timer = timer = self.env.timeout(wait)
        yield timer
        if timer is self.timer:
            self.advance()

    def leave(self):
        self.in_flight -= 1
        self.advance()

    def note(self, held):
        now = self.env.now
        self.bounds["in_flight"].set(now, self.in_flight == self.cap)
        self.bounds["limiter"].set(now, held)
        self.bounds["queue"].set(now, len(self.line) >= self.capacity)


class Breaker:
    """Counts failures up and successes down; open; half-open, guarded or not. A call is asked for and reported once."""

    def __init__(self, spec, window):
        self.spec = spec and spec["consecutive"]
        self.state, self.score, self.probes, self.trips, self.era = "closed", 0, 0, 0, 0
        self.since = self.until = 0.0
        self.clock = Clock(window)

    def permits(self, now):
        if self.state == "open" and now >= self.until:
            return True
        if self.state == "half" and self.spec["half_open"] == "guarded":
            return self.probes < self.spec["successes"]
        return self.state != "open"

    def sent(self, now):
        if self.state == "open" and now >= self.until:
            self.clock.add(self.since, self.until)
            self.state, self.score, self.probes, self.era = "half", 0, 0, self.era + 1
        if self.state == "half":
            self.probes += 1
        return self.era

    def record(self, now, era, outcome):
        if self.spec is None:
            return
        failed = outcome in ("server_error", "timeout_ttft", "timeout_attempt")
        if self.state != "open" and self.spec["half_open"] == "guarded" and era != self.era:
            return
        if self.state == "half":
            self.probes = max(0, self.probes - 1)
        if self.state == "closed":
            self.score = max(0, self.score + (1 if failed else -1 if outcome == "success" else 0))
            if self.score >= self.spec["failures"]:
                self.open(now)
        elif self.state == "open" and failed and now < self.until:
            self.until = now + number(self.spec["open_for"])
        elif self.state == "half" and failed and self.spec["half_open"] == "guarded":
            self.open(now)
        elif self.state == "half" and outcome == "success":
            self.score += 1
            if self.score >= self.spec["successes"]:
                self.state, self.score, self.era = "closed", 0, self.era + 1

    def open(self, now):
        self.state, self.since, self.until = "open", now, now + number(self.spec["open_for"])
        self.trips, self.era = self.trips + (now >= self.clock.window[0]), self.era + 1

    def finish(self):
        if self.state == "open":
            self.clock.add(self.since, self.until)


class Host:
    """A provider and the client's connections to it."""

    def __init__(self, env, name, spec, client, window):
        self.name, self.spec, self.env, self.origin = name, spec, env, window[0]
        self.breaker = Breaker(client.get("breaker"), window)
        self.connections = number(spec.get("connections"))
        self.pool = simpy.Resource(env, int(self.connections)) if self.connections < FOREVER else None
        self.limits = [Bucket(limit["token_bucket"]) for limit in spec.get("limits", [])]
        self.network = number(spec.get("network"), 0.0)
        self.full, self.quota, self.refusing_until = Clock(window), Clock(window), 0.0
        self.attempts = self.failures = 0

    def note(self):
        if self.pool:
            self.full.set(self.env.now, self.pool.count == self.connections)

    def answer(self, ask, rng):
        """Outcome, time of the first token, time of the end, Retry-After: outage, quota, context window, faults, service."""
        now = self.env.now
        for fault in self.spec.get("faults", []):
            (kind, p), = fault.items()
            if kind == "outage" and number(p["from"]) <= now - self.origin < number(p["from"]) + number(p["for"]):
                if p.get("answer") == "hang":
                    return "hang", FOREVER, FOREVER, None
                return "server_error", FOREVER, self.network, None
        wait = max((b.wait(now, b.need(ask)) for b in self.limits), default=0.0)
        if wait > 0:
            self.quota.add(max(now, self.refusing_until), now + wait)
            self.refusing_until = now + wait
            return "rate_limited", FOREVER, self.network, max(1, math.ceil(wait - 1e-9))
        if ask["input"] + ask["max_output"] > number(self.spec.get("context_window")):
            return "context_exceeded", FOREVER, self.network, None
        for bucket in self.limits:
            bucket.level -= bucket.need(ask)
        if "response" in self.spec:
            first = last = draw(self.spec["response"], rng)
        else:
            first = draw(self.spec["ttft"], rng) + self.network
            last = first + (ask["output"] - 1) / draw(self.spec["tps"], rng)
        for fault in self.spec.get("faults", []):
            (kind, p), = fault.items()
            if kind == "random":
                u, error, hang = rng.random(), number(p["server_error"]), number(p.get("hang"), 0.0)
                if u < error:
                    return "server_error", FOREVER, first, None
                if u < error + hang:
                    return "hang", FOREVER, FOREVER, None
        return "success", first, last, None


class Model:
    """One replication."""

    def __init__(self, spec, entry, seed):
        self.env, self.rng, self.spec = simpy.Environment(), np.random.default_rng(seed), spec
        self.client, self.policy = entry["client"], entry["policy"]
        # The plan's time begins when the warm-up is over.
        warmup = number(spec["plan"]["warmup"])
        self.window = (warmup, warmup + number(spec["plan"]["duration"]))
        self.gate = Gate(self.env, self.client, self.window)
        self.hosts = {n: Host(self.env, n, p, self.client, self.window) for n, p in spec["providers"].items()}
        timeouts = self.client.get("timeouts", {})
        self.timeouts = {k: number(timeouts.get(k)) for k in ("connection", "ttft", "attempt", "total")}
        self.ended = []
        self.env.process(self.arrivals())
        self.env.run()

    def arrivals(self):
        (kind, p), = self.spec["traffic"]["arrivals"].items()
        shape = 1.0 if kind == "poisson" else p["cv"] ** -2
        classes = self.spec["traffic"]["classes"]
        shares = np.array([c.get("share", 1) for c in classes.values()], float)
        bounds = np.cumsum(shares / shares.sum())
        while True:
            yield self.env.timeout(self.rng.gamma(shape, 1 / number(p["rate"]) / shape))
            if self.env.now >= self.window[1]:
                return
            name = list(classes)[int(np.searchsorted(bounds, self.rng.random()))]
            c = classes[name]
            output = min(max(1, round(draw(c["output"], self.rng))), c.get("max_output", 10**9))
            ask = {"class": name, "priority": c.get("priority", 1), "input": round(draw(c["input"], self.rng)),
                   "output": output, "max_output": c.get("max_output", output),
                   "known_output": c.get("max_output", 0)}
            self.env.process(self.request(ask))

    def request(self, ask):
        env, arrived = self.env, self.env.now
        deadline = arrived + self.timeouts["total"]
        seen = {"class": ask["class"], "attempts": 0, "cost": 0.0, "ttft": None}
        outcome = yield from self.gate.enter(ask, deadline)
        seen["wait"] = env.now - arrived
        if outcome is None:
            outcome = yield from self.call(ask, seen, arrived, deadline)
            self.gate.leave()
        seen["outcome"], seen["e2e"] = outcome, env.now - arrived
        if self.window[0] <= arrived:
            self.ended.append(seen)

    def call(self, ask, seen, arrived, deadline):
        """All attempts of a request that was let in. Returns how it ended."""
        env, retry = self.env, self.client.get("retry", {"exponential": {"tries": 1}})["exponential"]
        while True:
            host = self.route()
            if host is None:
                return "breaker_open"
            era = host.breaker.sent(env.now)
            slot = host.pool and host.pool.request()
            if slot and not slot.triggered:
                began, patience = env.now, min(self.timeouts["connection"], deadline - env.now)
                yield slot | env.timeout(patience)
                seen["wait"] += env.now - began
                if not slot.triggered:
                    slot.cancel()
                    host.breaker.record(env.now, era, "queue_timeout")
                    return "queue_timeout" if patience == self.timeouts["connection"] else "timeout_total"
            host.note()
            outcome, after = yield from self.attempt(host, ask, seen, arrived, deadline)
            if slot:
                host.pool.release(slot)
                host.note()
            host.breaker.record(env.now, era, outcome)
            if outcome in ("success", "context_exceeded", "timeout_total") or seen["attempts"] >= retry["tries"]:
                return outcome
            wait = number(retry["base"]) * 2 ** (seen["attempts"] - 1)
            wait *= self.rng.random() if retry.get("jitter") == "full" else 1.0
            wait = max(wait, after or 0.0)
            if env.now + wait >= deadline:
                yield env.timeout(deadline - env.now)
                return "timeout_total"
            yield env.timeout(wait)

    def attempt(self, host, ask, seen, arrived, deadline):
        """One attempt, cut by the client's patience, and its bill."""
        sent = self.env.now
        answer, first, ends, after = host.answer(ask, self.rng)
        ends_at = [
            (ends, 0, answer),
            (self.timeouts["attempt"], 2, "timeout_attempt"),
            (deadline - sent, 3, "timeout_total"),
        ]
        if min(first, ends) > self.timeouts["ttft"]:
            ends_at.append((self.timeouts["ttft"], 1, "timeout_ttft"))
        lasts, _, outcome = min(ends_at)
        yield self.env.timeout(lasts)
        seen["attempts"] += 1
        if self.window[0] <= arrived:
            host.attempts += 1
            host.failures += outcome != "success"
        if answer == "success":
            written = ask["output"]
            if lasts < first:
                written = 0
            elif lasts < ends:
                written = 1 + math.floor((ask["output"] - 1) * (lasts - first) / (ends - first))
            price = host.spec["prices"].get("per_token", {"input": 0, "output": 0})
            seen["cost"] += ask["input"] * number(price["input"]) + written * number(price["output"])
        if outcome == "success":
            seen["ttft"] = sent + first - arrived
        return outcome, after

    def route(self):
        (kind, p), = self.policy.items()
        weights = {p["provider"]: 1.0} if kind == "single" else p["weights"]
        open_ = [n for n in weights if self.hosts[n].breaker.permits(self.env.now)]
        if not open_:
            return None
        total = np.cumsum([weights[n] for n in open_])
        return self.hosts[open_[int(np.searchsorted(total, self.rng.random() * total[-1], side="right"))]]

    def figures(self):
        """By the names that simcap's result gives them."""
        rows, seconds = self.ended, self.window[1] - self.window[0]
        good = [r for r in rows if r["outcome"] == "success"]
        values = {
            "ttft": [r["ttft"] for r in good],
            "e2e": [r["e2e"] for r in good],
            "wait": [r["wait"] for r in rows if r["outcome"] != "shed"],
        }
        out = {"error_rate": 1 - len(good) / len(rows), "throughput": len(good) / seconds,
               "attempts_per_request": sum(r["attempts"] for r in rows) / len(rows),
               "cost_per_1k": sum(r["cost"] for r in rows) / len(rows) * 1e3}
        for name, of in values.items():
            out[f"{name}.mean"], out[f"{name}.p95"] = np.mean(of), np.quantile(of, 0.95, method="inverted_cdf")
        for outcome in {r["outcome"] for r in rows}:
            out[f"outcome {outcome}"] = sum(r["outcome"] == outcome for r in rows) / len(rows)
        for name in self.spec["traffic"]["classes"]:
            mine = [r for r in rows if r["class"] == name]
            won = [r["e2e"] for r in mine if r["outcome"] == "success"]
            out[f"class {name} errors"] = 1 - len(won) / len(mine)
            out[f"class {name} e2e.p95"] = np.quantile(won, 0.95, method="inverted_cdf")
        for bound, clock in self.gate.bounds.items():
            out[f"bound {bound}"] = clock.total / seconds
        for name, host in self.hosts.items():
            host.breaker.finish()
            out[f"provider {name} failed"] = host.failures / host.attempts
            out[f"provider {name} trips"] = host.breaker.trips
            for bound, clock in (("connections", host.full), ("quota", host.quota), ("breaker", host.breaker.clock)):
                out[f"bound {bound} {name}"] = clock.total / seconds
        return out
