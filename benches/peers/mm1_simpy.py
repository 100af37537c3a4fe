"""The M/M/1 of src/mm1.rs in SimPy: arrivals at rate 0.9, mean service 1, first come first served.

    python3 mm1_simpy.py store|resource CUSTOMERS SEED

prints the customers served, their mean sojourn, its 99th percentile and the CPU time in nanoseconds.
"""

import math
import random
import sys
import time

import simpy

ARRIVAL_RATE = 0.9
OCTAVES = 48
LOWEST_EXPONENT = -20


class Histogram:
    """Log-linear, 128 buckets per octave: the one of src/histogram.rs."""

    def __init__(self):
        self.counts = [0] * (OCTAVES * 128)
        self.total = 0
        self.sum = 0.0

    def record(self, value):
        fraction, exponent = math.frexp(value)
        bucket = (exponent - 1 - LOWEST_EXPONENT) * 128 + int(fraction * 256) - 128
        self.counts[min(max(bucket, 0), OCTAVES * 128 - 1)] += 1
        self.total += 1
        self.sum += value

    def quantile(self, q):
        seen = 0
        for bucket, count in enumerate(self.counts):
            seen += count
            if seen > q * self.total:
                return math.ldexp(1 + bucket % 128 / 128, bucket // 128 + LOWEST_EXPONENT)
        return 0.0


def store(env, customers, gaps, services, sojourns):
    """A source and a server, joined by a store of arrival times."""
    queue = simpy.Store(env)

    def source():
        for _ in range(customers):
            yield env.timeout(gaps.expovariate(ARRIVAL_RATE))
            yield queue.put(env.now)

    def server():
        for _ in range(customers):
            came = yield queue.get()
            yield env.timeout(services.expovariate(1.0))
            sojourns.record(env.now - came)

    env.process(source())
    env.process(server())


def resource(env, customers, gaps, services, sojourns):
    """A process for each customer, who asks for the one counter."""
    counter = simpy.Resource(env)

    def customer():
        came = env.now
        with counter.request() as turn:
            yield turn
            yield env.timeout(services.expovariate(1.0))
        sojourns.record(env.now - came)

    def source():
        for _ in range(customers):
            yield env.timeout(gaps.expovariate(ARRIVAL_RATE))
            env.process(customer())

    env.process(source())


def main():
    form, customers, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    model = {"store": store, "resource": resource}[form]
    sojourns = Histogram()
    start = time.process_time_ns()
    env = simpy.Environment()
    model(env, customers, random.Random(2 * seed), random.Random(2 * seed + 1), sojourns)
    env.run()
    cpu = time.process_time_ns() - start
    print(sojourns.total, sojourns.sum / sojourns.total, sojourns.quantile(0.99), cpu)


main()
