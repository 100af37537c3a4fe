"""Resilience in SimPy: one replication of an experiment, for resilience.py to compare simcap with.

Written from the `//!` headers of the plug-ins and the fields' descriptions in `simcap schema`, not from the engine, and with
numpy's random numbers. Knows the parts that resilience.py's experiments use.
"""

import math
from collections import deque

import numpy as np
import simpy

from pipeline_model import FOREVER, Clock, draw, number

STATUS = {401: "unauthorized", 402: "payment_required", 403: "forbidden", 404: "not_found", 408: "request_timeout",
          409: "conflict", 413: "payload_too_large", 422: "unprocessable", 429: "rate_limited", 500: "server_error", 502: "bad_gateway",
          503: "unavailable", 504: "gateway_timeout", 529: "overloaded"}
FIVES = {"server_error", "bad_gateway", "unavailable", "gateway_timeout", "overloaded"}
TIMEOUTS = {"timeout_connect", "timeout_ttft", "timeout_idle", "timeout_attempt"}
RETRYABLE = FIVES | TIMEOUTS | {"request_timeout", "connection_error", "truncated", "rate_limited", "conflict"}
AT_ONCE = ("connection_error", "overloaded", "rate_limited", "unauthorized", "unavailable", "payment_required", "forbidden",
           "not_found", "conflict", "payload_too_large", "unprocessable", "bad_request")
FIRST_DUE = ("server_error", "bad_gateway", "gateway_timeout", "content_filtered", "request_timeout")
HOURS = {"hour": 3600.0, "day": 86400.0}


def outcomes(names, default):
    if names is None:
        return default
    kinds = {"5xx": FIVES, "timeout": TIMEOUTS, "retryable": RETRYABLE}
    return set().union(*(kinds.get(n) or {STATUS.get(n, n)} for n in names))


class Gate:
    """A cap on requests in flight and a bounded line before it, by priority, which may shed another request."""

    def __init__(self, env, client):
        self.env, self.cap, self.in_flight, self.line = env, number(client.get("max_in_flight")), 0, []
        queue = client.get("admission", {"queue": {}})["queue"]
        self.capacity, self.max_wait = number(queue.get("capacity")), number(queue.get("max_wait"))
        self.shed = queue.get("shed", "reject")

    def enter(self, priority, deadline):
        """Returns how it ended: None for let in."""
        env = self.env
        if not self.line and self.in_flight < self.cap:
            self.in_flight += 1
            return None
        # A request with none ahead is the head, which a full line does not concern; but the head could not pass either.
        entry = (priority, env.now, env.event())
        if len(self.line) >= self.capacity:
            victim = entry
            if self.shed == "drop_oldest":
                victim = min(self.line, key=lambda e: e[1])
            elif self.shed == "drop_lowest":
                victim = max(self.line, key=lambda e: e[:2])
                victim = victim if victim[0] > priority else entry
            if victim is entry:
                return "shed"
            self.line.remove(victim)
            victim[2].succeed("shed")
        self.line.append(entry)
        patience = min(self.max_wait, deadline - env.now)
        yield entry[2] | env.timeout(patience) if patience < FOREVER else entry[2]
        if entry[2].triggered:
            return entry[2].value
        self.line.remove(entry)
        return "queue_timeout" if self.max_wait <= patience else "timeout_total"

    def leave(self):
        self.in_flight -= 1
        if self.line:
            first = min(self.line, key=lambda e: e[:2])
            self.line.remove(first)
            self.in_flight += 1
            first[2].succeed(None)


class Quota:
    """A token bucket whose charge is made or put right when an attempt ends."""

    def __init__(self, spec):
        self.unit, self.rate, self.burst = spec["unit"], number(spec["rate"]), number(spec["burst"])
        charge = spec.get("charge", {})
        self.at_end = charge.get("at") == "end"
        self.reconcile, self.reserve = charge.get("reconcile", False), charge.get("reserve", "max_tokens")
        self.level, self.at = self.burst, 0.0

    def take(self, now, amount):
        """Takes tokens out, or gives them back; at most its own size in debt."""
        self.level = min(self.burst, self.level + (now - self.at) * self.rate)
        self.at = now
        self.level = max(-self.burst, min(self.burst, self.level - amount))

    def need(self, ask):
        if self.unit == "requests":
            return 1
        if isinstance(self.reserve, dict):
            return self.reserve["estimate"]
        return ask["input"] + (ask["max_output"] if self.reserve == "max_tokens" else 0)

    def wait(self, now, ask):
        self.take(now, 0)
        if self.at_end:
            # While anything at all is left: at least one.
            return 0.0 if self.level > 0 else max(1e-9, -self.level / self.rate)
        short = (self.need(ask) - self.level) / self.rate
        return short if short > 1e-9 else 0.0

    def sent(self, now, ask):
        if not self.at_end:
            self.take(now, self.need(ask))

    def ended(self, now, ask, used):
        if self.at_end:
            self.take(now, used)
        elif self.reconcile:
            self.take(now, used - self.need(ask))


class FixedWindow:
    """A counter from one multiple of the window to the next, in the plan's time."""

    origin = 0.0

    def __init__(self, spec):
        self.unit, self.limit, self.window = spec["unit"], spec["limit"], number(spec["window"])
        self.now, self.used = 0, 0

    def need(self, ask):
        return 1 if self.unit == "requests" else ask["input"] + ask["max_output"]

    def wait(self, now, ask):
        at = now - self.origin
        if math.floor(at / self.window) != self.now:
            self.now, self.used = math.floor(at / self.window), 0
        return 0.0 if self.used + self.need(ask) <= self.limit else (self.now + 1) * self.window - at

    def sent(self, now, ask):
        self.used += self.need(ask)

    def ended(self, now, ask, used):
        pass


class SlidingLog(FixedWindow):
    """Every charge counts until it is a window old."""

    def __init__(self, spec):
        super().__init__(spec)
        self.log = deque()

    def wait(self, now, ask):
        while self.log and self.log[0][0] + self.window <= now:
            self.used -= self.log.popleft()[1]
        over = self.used + self.need(ask) - self.limit
        for at, amount in self.log:
            if over <= 0:
                break
            over -= amount
            wait = at + self.window - now
        return 0.0 if self.used + self.need(ask) <= self.limit else wait

    def sent(self, now, ask):
        super().sent(now, ask)
        self.log.append((now, self.need(ask)))


class Gcra(FixedWindow):
    """A schedule that may run ahead of the clock by a burst."""

    def __init__(self, spec):
        super().__init__(spec)
        self.each, self.due, self.burst = self.window / self.limit, 0.0, spec["burst"]

    def wait(self, now, ask):
        ahead = max(self.due, now) + (self.need(ask) - self.burst) * self.each - now
        return ahead if ahead > 1e-9 else 0.0

    def sent(self, now, ask):
        self.due = max(self.due, now) + self.need(ask) * self.each


class Concurrent:
    """So many at once; it cannot say when there will be room."""

    def __init__(self, spec):
        self.limit, self.held = spec["limit"], 0

    def wait(self, now, ask):
        return 0.0 if self.held < self.limit else FOREVER

    def sent(self, now, ask):
        self.held += 1

    def ended(self, now, ask, used):
        self.held -= 1


QUOTAS = {"token_bucket": Quota, "fixed_window": FixedWindow, "sliding_log": SlidingLog, "gcra": Gcra,
          "concurrent": Concurrent}


class Resilience4j:
    """A window of the last so many calls; open; half-open with so many permits."""

    def __init__(self, spec, window):
        self.threshold, self.size = number(spec["failure_rate_threshold"]), spec["sliding_window_size"]
        self.least = min(self.size, spec["minimum_number_of_calls"])
        self.permitted, self.lasts = spec["permitted_calls_in_half_open"], number(spec["wait_duration_in_open_state"])
        self.failures = outcomes(spec.get("record"), None)
        self.ignored = outcomes(spec.get("ignore"), set())
        self.state, self.calls, self.permits_left, self.trips, self.era = "closed", deque(maxlen=self.size), 0, 0, 0
        self.until, self.clock = 0.0, Clock(window)
        self.seconds = self.size if spec.get("sliding_window_type") == "time_based" else None
        if self.seconds:
            self.least, self.calls = spec["minimum_number_of_calls"], deque()
        self.slow, self.slow_share = number(spec.get("slow_call_duration_threshold")), number(spec.get("slow_call_rate_threshold"))

    def permits(self, now):
        if self.state == "open":
            return now >= self.until
        return self.state == "closed" or self.permits_left > 0

    def sent(self, now):
        if self.state == "open":
            self.state, self.calls, self.permits_left = "half", deque(maxlen=self.permitted), self.permitted
            self.era += 1
        if self.state == "half":
            self.permits_left -= 1
        return self.era

    def record(self, now, era, outcome, took):
        if outcome in self.ignored or outcome in ("timeout_total", "queue_timeout", "cancelled", "shed"):
            if self.state == "half":
                self.permits_left = min(self.permitted, self.permits_left + 1)
            return
        failed = outcome != "success" if self.failures is None else outcome in self.failures
        if self.state == "open":
            return
        self.calls.append((failed, took > self.slow, int(now)))
        while self.seconds and self.state == "closed" and self.calls[0][2] <= int(now) - self.seconds:
            self.calls.popleft()
        least = self.least if self.state == "closed" else min(self.permitted, self.least)
        if len(self.calls) < least:
            return
        n = len(self.calls)
        failures, slow = sum(c[0] for c in self.calls), sum(c[1] for c in self.calls)
        if failures >= self.threshold * n - 1e-9 or slow >= self.slow_share * n - 1e-9:
            self.state, self.until = "open", now + self.lasts
            self.trips += now >= self.clock.window[0]
            self.clock.add(now, self.until)
        elif self.state == "half":
            self.state, self.calls = "closed", deque(maxlen=None if self.seconds else self.size)


class Never:
    def __init__(self, window):
        self.trips, self.clock = 0, Clock(window)

    def permits(self, now):
        return True

    def sent(self, now):
        return 0

    def record(self, now, era, outcome, took):
        pass


class Finagle:
    """1,000 for each request and −1,000 / share for each retry, forgotten by tenths of ttl, and a reserve.

    A tenth begins with the first call after the one before is over.
    """

    def __init__(self, spec):
        self.slice = number(spec.get("ttl", "10s")) / 10
        self.cost = 1000 / number(spec.get("share", "20%"))
        self.reserve = spec.get("min_per_second", 10) * self.slice * 10 * self.cost
        self.slices, self.since = deque([0] * 10, maxlen=10), 0.0

    def balance(self, now):
        over = int((now - self.since) / self.slice)
        if over > 0:
            self.slices.extend([0] * min(10, over))
            self.since = now
        return sum(self.slices) + self.reserve

    def deposit(self, now):
        self.balance(now)
        self.slices[-1] += 1000

    def withdraw(self, now):
        if self.balance(now) < self.cost:
            return False
        self.slices[-1] -= self.cost
        return True


class Budget:
    """Spend in windows from the start of the plan's time; spent from the attempt that reaches it until the window ends."""

    def __init__(self, spec, origin):
        self.origin = origin
        self.length, self.money, self.tokens = HOURS[spec["per"]], number(spec.get("money")), number(spec.get("tokens"))
        self.providers, self.window, self.spent = spec.get("providers"), 0, [0.0, 0]

    def roll(self, now):
        window = int(max(0.0, now - self.origin) / self.length)
        if window != self.window:
            self.window, self.spent = window, [0.0, 0]

    def charge(self, now, provider, money, tokens):
        if now < self.origin:
            return
        self.roll(now)
        if self.providers is None or provider in self.providers:
            self.spent[0] += money
            self.spent[1] += tokens

    def exhausted(self, now):
        self.roll(now)
        return self.spent[0] >= self.money - 1e-15 or self.spent[1] >= self.tokens


class Pool:
    """Connections with a bounded line, first come first served."""

    def __init__(self, env, size, line):
        self.env, self.size, self.most, self.line, self.held = env, size, line, deque(), 0

    def take(self, patience):
        """Returns "free" if one was had, "shed" or "late"."""
        if self.held < self.size:
            self.held += 1
            return "free"
        if len(self.line) >= self.most:
            return "shed"
        turn = self.env.event()
        self.line.append(turn)
        yield turn | self.env.timeout(patience) if patience < FOREVER else turn
        if turn.triggered:
            return "free"
        self.line.remove(turn)
        return "late"

    def give(self):
        if self.line:
            self.line.popleft().succeed()
        else:
            self.held -= 1


class Slots:
    """So many servers and one line; who is called off by a timeout may leave."""

    def __init__(self, env, spec):
        self.env, self.servers, self.most = env, spec["servers"], number(spec.get("queue"))
        self.when_full, self.abort = spec.get("when_full", "overloaded"), spec.get("on_hang_up", "finish") == "abort"
        self.busy, self.line = 0, deque()

    def full(self):
        return self.busy == self.servers and len(self.line) >= self.most

    def enter(self, answer):
        if self.busy < self.servers:
            self.start(answer)
        else:
            answer.began = self.env.event()
            self.line.append(answer)

    def start(self, answer):
        self.busy += 1
        answer.start = self.env.now
        answer.serving = True
        self.env.timeout(answer.work).callbacks.append(lambda _: self.stop(answer))
        if answer.began is not None:
            answer.began.succeed()

    def stop(self, answer):
        if answer.serving:
            answer.serving = False
            self.busy -= 1
            if self.line:
                self.start(self.line.popleft())

    def hang_up(self, answer):
        if self.abort and answer.start is None:
            self.line.remove(answer)
        elif self.abort:
            self.stop(answer)


class Answer:
    """What comes of an attempt: how it ends and, from when its work begins, when its first and last tokens come."""

    __slots__ = ("outcome", "first", "last", "after", "start", "began", "work", "serving", "slots", "refused", "written",
                 "silent")

    def __init__(self, outcome, first, last, start, after=None):
        self.outcome, self.first, self.last, self.after, self.start = outcome, first, last, after, start
        self.began, self.serving, self.slots, self.work = None, False, None, 0.0
        # Turned away by a quota; the share of the answer that comes before it breaks off, and whether in silence.
        self.refused, self.written, self.silent = False, 1.0, False


class Host:
    def __init__(self, env, name, spec, client, window):
        self.env, self.name, self.spec, self.origin = env, name, spec, window[0]
        breaker = client.get("breaker")
        self.breaker = Resilience4j(breaker["resilience4j"], window) if breaker else Never(window)
        size = number(spec.get("connections"))
        self.pool = Pool(env, size, number(spec.get("line"))) if size < FOREVER else None
        load = spec.get("load", [])
        self.slots = Slots(env, load[0]["slots"]) if load else None
        self.limits = [QUOTAS[kind](p) for limit in spec.get("limits", []) for kind, p in limit.items()]
        for limit in self.limits:
            limit.origin = self.origin
        self.network = number(spec.get("network"), 0.0)
        self.per_token = spec["prices"].get("per_token")
        self.attempts = self.failed = 0
        self.time = Clock(window)

    def serve(self, ask, rng):
        """Outage and what strikes at once, quotas, failures of the work, the line, service."""
        env, now, strike = self.env, self.env.now, None
        for fault in self.spec.get("faults", []):
            (kind, p), = fault.items()
            if kind == "outage" and number(p["from"]) <= now - self.origin < number(p["from"]) + number(p["for"]):
                if rng.random() < number(p.get("share"), 1.0):
                    answer = Answer("server_error", FOREVER, self.network, now)
                    answer.refused = True
                    return answer
            elif kind == "random" and strike is None:
                u = rng.random()
                for name, share in p.items():
                    u -= number(share)
                    if u < 0:
                        strike = name
                        break
        if strike in AT_ONCE:
            answer = Answer(strike, FOREVER, self.network, now)
            answer.refused = True
            return answer
        wait = max((q.wait(now, ask) for q in self.limits), default=0.0)
        if wait > 0:
            after = max(1, math.ceil(wait - 1e-9)) if wait < FOREVER else None
            answer = Answer("rate_limited", FOREVER, self.network, now, after)
            answer.refused = True
            return answer
        for quota in self.limits:
            quota.sent(now, ask)
        if strike == "hang":
            return Answer("hang", FOREVER, FOREVER, now)
        if self.slots and self.slots.full():
            return Answer(self.slots.when_full, FOREVER, self.network, now)
        if "response" in self.spec:
            first = last = draw(self.spec["response"], rng)
        else:
            first = draw(self.spec["ttft"], rng)
            last = first + (ask["output"] - 1) / draw(self.spec["tps"], rng)
        answer = Answer("success", first + self.network, last + self.network, now)
        answer.work = last
        if strike in ("truncated", "stalled"):
            answer.outcome, answer.written = strike, rng.random()
            answer.last = answer.first + answer.written * (answer.last - answer.first)
            answer.work, answer.silent = answer.last - self.network, strike == "stalled"
        if strike in FIRST_DUE:
            answer.outcome, answer.last, answer.first, answer.work = strike, answer.first, FOREVER, first
        if self.slots:
            answer.start, answer.slots = None, self.slots
            self.slots.enter(answer)
        return answer


class Attempt:
    __slots__ = ("host", "process", "sent", "first", "outcome", "after", "copy")


class Model:
    """One replication."""

    def __init__(self, spec, entry, seed):
        self.env, self.rng, self.spec = simpy.Environment(), np.random.default_rng(seed), spec
        self.client, self.policy = entry["client"], entry["policy"]
        # The plan's time begins when the warm-up is over.
        warmup = number(spec["plan"]["warmup"])
        self.window = (warmup, warmup + number(spec["plan"]["duration"]))
        self.gate = Gate(self.env, self.client)
        self.hosts = {n: Host(self.env, n, p, self.client, self.window) for n, p in spec["providers"].items()}
        timeouts = self.client.get("timeouts", {})
        self.timeouts = {k: number(timeouts.get(k)) for k in ("connection", "ttft", "idle", "attempt", "total")}
        self.retry = self.client.get("retry", {"fixed": {"tries": 1}})
        self.where = next(iter(self.retry.values())).get("where", "anew")
        budget = self.client.get("retry_budget")
        self.retry_budget = Finagle(budget["finagle"]) if budget else None
        self.budgets = [Budget(b, warmup) for b in self.client.get("budgets", [])]
        self.hedge = self.client.get("hedge", {}).get("fixed")
        share = self.hedge and self.hedge.get("budget")
        self.hedge_budget = share and Finagle({"share": share, "min_per_second": 0})
        fallback = self.client.get("fallback", {})
        self.groups, self.tells = fallback.get("groups", [{"providers": list(self.hosts)}]), fallback.get("tells", "last")
        self.ended, self.denied = [], 0
        self.env.process(self.arrivals())
        self.env.run()

    def arrivals(self):
        rate = number(self.spec["traffic"]["arrivals"]["poisson"]["rate"])
        classes = self.spec["traffic"]["classes"]
        shares = np.array([c.get("share", 1) for c in classes.values()], float)
        bounds = np.cumsum(shares / shares.sum())
        while True:
            yield self.env.timeout(self.rng.exponential(1 / rate))
            if self.env.now >= self.window[1]:
                return
            name = list(classes)[int(np.searchsorted(bounds, self.rng.random()))] if len(classes) > 1 else next(iter(classes))
            c = classes[name]
            output = min(max(1, round(draw(c["output"], self.rng))), c.get("max_output", 10**9))
            ask = {"class": name, "priority": c.get("priority", 1), "input": round(draw(c["input"], self.rng)),
                   "output": output, "max_output": c.get("max_output", output)}
            self.env.process(self.request(ask))

    def request(self, ask):
        env, arrived = self.env, self.env.now
        deadline = arrived + self.timeouts["total"]
        seen = {"class": ask["class"], "attempts": 0, "cost": 0.0, "ttft": None, "wait": 0.0, "retries": 0, "hedges": 0,
                "hedges_won": 0, "fallbacks": 0, "counted": arrived >= self.window[0]}
        if any(b.providers is None and b.exhausted(env.now) for b in self.budgets):
            outcome = "budget_exhausted"
        else:
            outcome = yield from self.gate.enter(ask["priority"], deadline)
            seen["wait"] = env.now - arrived
            if outcome is None:
                outcome = yield from self.call(ask, seen, arrived, deadline)
                self.gate.leave()
        seen["outcome"], seen["e2e"] = outcome, env.now - arrived
        if seen["counted"]:
            self.ended.append(seen)

    def call(self, ask, seen, arrived, deadline):
        """All groups, one after the other."""
        told, outcome = None, None
        if self.retry_budget:
            self.retry_budget.deposit(self.env.now)
        for number_, group in enumerate(self.groups):
            if number_ > 0:
                if outcome not in outcomes(group.get("on"), RETRYABLE | {"breaker_open", "budget_exhausted", "queue_timeout", "shed"}):
                    continue
                seen["fallbacks"] += 1
            outcome = yield from self.group(group["providers"], ask, seen, arrived, deadline)
            if outcome in ("success", "timeout_total"):
                return outcome
            told = told or outcome
        return told if self.tells == "first" else outcome

    def group(self, members, ask, seen, arrived, deadline):
        """All tries in one group."""
        env, tries, host = self.env, 0, None
        while True:
            if host is None or self.where != "same" or not host.breaker.permits(env.now):
                host = self.route(members, (), host)
            if isinstance(host, str):
                return host
            if host.pool:
                began, patience = env.now, min(self.timeouts["connection"], deadline - env.now)
                had = yield from host.pool.take(patience)
                seen["wait"] += env.now - began
                if had != "free":
                    return {"shed": "shed", "late": "queue_timeout"}[had]
            tries += 1
            seen["retries"] += tries > 1
            outcome, after = yield from self.race(host, members, ask, seen, arrived, deadline)
            if outcome in ("success", "timeout_total"):
                return outcome
            wait, more = self.next_try(members, tries, outcome, after)
            if more and any(b.providers is None and b.exhausted(env.now) for b in self.budgets):
                more, wait = False, 0.0
            if more and self.retry_budget and not self.retry_budget.withdraw(env.now):
                self.denied += env.now >= self.window[0]
                more, wait = False, 0.0
            if wait and env.now + wait >= deadline:
                yield env.timeout(deadline - env.now)
                return "timeout_total"
            if wait:
                yield env.timeout(wait)
            if not more:
                return outcome

    def next_try(self, members, tries, outcome, after):
        """How long to sleep, and whether to try again then."""
        (kind, p), = self.retry.items()
        if kind == "litellm":
            alone = len(members) == 1
            with_another = {"unauthorized", "forbidden"}
            if outcome not in (RETRYABLE if alone else RETRYABLE | with_another):
                return 0.0, False
            wait = 0.0
            if alone:
                wait = after if after and after <= 60 else min(8.0, max(0.0, 0.5 * 2 ** (tries - 1)))
                wait += 0.75 * self.rng.random()
            return wait, tries <= p["num_retries"]
        most = next((by["tries"] for by in p.get("tries_by", []) if outcome in outcomes(by["on"], None)), p["tries"])
        if tries >= most or outcome not in outcomes(p.get("on"), RETRYABLE):
            return 0.0, False
        if kind == "fixed":
            return number(p["wait"]), True
        wait = number(p["base"]) * p.get("factor", 2.0) ** (tries - 1)
        wait *= self.rng.random() if p.get("jitter") == "full" else 1.0
        return max(wait, after or 0.0), True

    def race(self, host, members, ask, seen, arrived, deadline):
        """One try: one attempt, or several copies of which the first to answer wins."""
        if not self.hedge:
            attempt = self.attempt(host, ask, seen, deadline)
            yield from self.run(attempt, ask, seen, deadline, None)
            if attempt.outcome == "success":
                seen["ttft"] = attempt.first - arrived
            return attempt.outcome, attempt.after
        env, rule, live, news = self.env, self.hedge, [], deque()
        first_decides = rule.get("race", "first_token") == "first_token"
        bell = [env.event()]

        def tell(attempt, what):
            news.append((attempt, what))
            if not bell[0].triggered:
                bell[0].succeed()

        def send(to, copy):
            attempt = self.attempt(to, ask, seen, deadline)
            attempt.copy = copy
            attempt.process = env.process(self.run(attempt, ask, seen, deadline, tell))
            live.append(attempt)

        def another():
            nonlocal sent
            if self.hedge_budget and not self.hedge_budget.withdraw(env.now):
                sent = most
                return
            out = [a.host.name for a in live] if rule.get("elsewhere", True) else ()
            to = self.route(members, out)
            if not isinstance(to, str):
                sent += 1
                seen["hedges"] += 1
                send(to, True)

        sent, decided, most = 0, None, rule.get("most", 1)
        if self.hedge_budget:
            self.hedge_budget.deposit(env.now)
        send(host, False)
        due = env.now + number(rule["delay"])
        while True:
            if not news:
                if decided is None and sent < most:
                    timer = env.timeout(max(0.0, due - env.now))
                    yield bell[0] | timer
                    if not news:
                        due += number(rule["delay"])
                        another()
                        continue
                else:
                    yield bell[0]
            bell[0] = env.event()
            while news:
                attempt, what = news.popleft()
                if attempt not in live:
                    continue
                if what == "first":
                    if first_decides and decided is None:
                        decided = attempt
                        self.call_off(live, attempt)
                    continue
                live.remove(attempt)
                if attempt.outcome == "success":
                    self.call_off(live, None)
                    seen["ttft"] = attempt.first - arrived
                    seen["hedges_won"] += attempt.copy
                    return attempt.outcome, attempt.after
                if not live:
                    return attempt.outcome, attempt.after
                if rule.get("on_failure") and decided is None and sent < most:
                    due = env.now + number(rule["delay"])
                    another()

    def call_off(self, live, winner):
        for loser in [a for a in live if a is not winner]:
            live.remove(loser)
            if loser.process.is_alive:
                loser.process.interrupt()

    def attempt(self, host, ask, seen, deadline):
        attempt = Attempt()
        attempt.host, attempt.sent, attempt.first, attempt.copy, attempt.after = host, self.env.now, None, False, None
        attempt.outcome = None
        return attempt

    def run(self, attempt, ask, seen, deadline, tell):
        """From sending to the end, cut by the client's patience, and the bill. `tell` hears of the first token."""
        env, host, sent = self.env, attempt.host, self.env.now
        era = host.breaker.sent(sent)
        answer = host.serve(ask, self.rng)
        patience = [(sent + self.timeouts["attempt"], "timeout_attempt"), (deadline, "timeout_total")]
        until, late = min(patience)
        if sent + self.timeouts["ttft"] < until:
            until_first, late_first = sent + self.timeouts["ttft"], "timeout_ttft"
        else:
            until_first, late_first = until, late
        first = last = FOREVER
        try:
            if answer.start is None:
                yield answer.began | env.timeout(until_first - sent) if until_first < FOREVER else answer.began
            if answer.start is not None:
                first, last = answer.start + answer.first, answer.start + answer.last
            outcome, ends = answer.outcome, last
            if ends > until:
                outcome, ends = late, until
            if answer.silent:
                outcome, ends = min((last + self.timeouts["idle"], "timeout_idle"), (until, late))[::-1]
            if min(first, last) > until_first:
                outcome, ends = late_first, until_first
            if tell and first < ends:
                yield env.timeout(first - env.now)
                tell(attempt, "first")
            if ends > env.now:
                yield env.timeout(ends - env.now)
            if outcome != answer.outcome and answer.slots:
                answer.slots.hang_up(answer)
        except simpy.Interrupt:
            outcome = "cancelled"
            if answer.start is not None:
                first, last = answer.start + answer.first, answer.start + answer.last
        now = env.now
        seen["attempts"] += 1
        host.time.add(sent, now)
        if seen["counted"]:
            host.attempts += 1
            host.failed += outcome not in ("success", "cancelled")
        read = written = 0
        hung_up = host.spec.get("hung_up", "written")
        if answer.outcome in ("success", "truncated", "stalled"):
            read, written = ask["input"], ask["output"]
            if outcome == "success" or outcome == "truncated" or hung_up == "written":
                share = answer.written
                if now < first:
                    share = -1.0
                elif now < last:
                    share *= (now - first) / (last - first)
                written = 1 + math.floor((written - 1) * share + 1e-9) if share >= 0 else 0
            elif hung_up == "nothing":
                read = written = 0
        money = 0.0
        if host.per_token:
            money = read * number(host.per_token["input"]) + written * number(host.per_token["output"])
            seen["cost"] += money
        for budget in self.budgets:
            budget.charge(now, host.name, money, read + written)
        if not answer.refused:
            for quota in host.limits:
                quota.ended(now, ask, read + written)
        if host.pool:
            host.pool.give()
        host.breaker.record(now, era, outcome, now - sent)
        attempt.first, attempt.outcome, attempt.after = first, outcome, answer.after
        if tell and outcome != "cancelled":
            tell(attempt, "end")

    def route(self, members, out, before=None):
        """A provider of `members` that is not `out`; `before` was the last one tried. Or why there is none."""
        now, (kind, p), = self.env.now, *self.policy.items()
        names = [p["provider"]] if kind == "single" else p["providers"] if kind == "chain" else list(p["weights"])
        if kind == "chain" and before is not None:
            # After a failure the next of the list, which then begins again.
            after = names.index(before.name) + 1
            names = names[after:] + names[:after]
        names = [n for n in names if n in members and n not in out]
        barred = {n for b in self.budgets if b.providers and b.exhausted(now) for n in b.providers}
        open_ = [n for n in names if n not in barred and self.hosts[n].breaker.permits(now)]
        if not open_:
            return "budget_exhausted" if barred else "breaker_open"
        if kind != "weighted" or len(open_) == 1:
            return self.hosts[open_[0]]
        total = np.cumsum([p["weights"][n] for n in open_])
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
        out = {"error_rate": 1 - len(good) / len(rows),
               "attempts_per_request": sum(r["attempts"] for r in rows) / len(rows),
               "cost_per_1k": sum(r["cost"] for r in rows) / len(rows) * 1e3}
        for name, of in values.items():
            out[f"{name}.mean"] = np.mean(of)
            of = np.sort(of)
            for q in (50, 95, 99):
                out[f"{name}.p{q}"] = of[max(0, math.ceil(q / 100 * len(of)) - 1)]
        for outcome in {r["outcome"] for r in rows}:
            out[f"outcome {outcome}"] = sum(r["outcome"] == outcome for r in rows) / len(rows)
        for name in self.spec["traffic"]["classes"]:
            mine = [r for r in rows if r["class"] == name]
            out[f"class {name} errors"] = sum(r["outcome"] != "success" for r in mine) / len(mine)
        for what in ("retries", "hedges", "hedges_won", "fallbacks"):
            out[f"effort {what}"] = sum(r[what] for r in rows) / len(rows) * 1e3
        for name, host in self.hosts.items():
            out[f"provider {name} failed"] = host.failed / host.attempts if host.attempts else 0.0
            out[f"provider {name} in_flight"] = host.time.total / seconds
            out[f"provider {name} trips"] = host.breaker.trips
            out[f"bound breaker {name}"] = host.breaker.clock.total / seconds
        return out
