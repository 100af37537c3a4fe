"""Where the literals in the tests of `src/stats` come from: `python3 tests/oracle/stats.py [part ...]`.

Needs numpy and scipy (made with scipy 1.17). Parts: critical, wilson, estimate, samples, paired, trend, trend_errors.
"""

import math
import sys

import numpy as np
from scipy import stats


def critical():
    """Critical values to nine significant digits."""
    for df in (1, 2, 5, 9, 29, 99, 999):
        print(f"({df}, {stats.t.ppf(0.975, df):.8e}, {stats.t.ppf(0.995, df):.8e}),")
    ends = [(0.5, 1), (0.9999, 1), (0.5, 1000000), (0.9999, 1000000)]
    seam = [(0.95, 1000), (0.95, 1001), (0.95, 100000), (0.9999, 1000), (0.9999, 1001)]
    for level, df in ends + seam:
        print(f"t {level} {df}: {stats.t.isf((1 - level) / 2, df):.8e}")
    for level in (0.5, 0.9, 0.95, 0.99, 0.9999):
        print(f"z {level}: {stats.norm.isf((1 - level) / 2):.8e}")


def wilson():
    """Wilson score interval at 95 %, from its formula."""
    for k, n in ((0, 10), (1, 10), (10, 10), (7, 20), (990, 1000)):
        ci = stats.binomtest(k, n).proportion_ci(0.95, method="wilson")
        print(k, n, repr(float(ci.low)), repr(float(ci.high)))


def estimate():
    """Student t interval of a mean."""
    x = np.array([12.1, 11.4, 13.0, 12.7, 11.9])
    low, high = stats.t.interval(0.95, len(x) - 1, x.mean(), stats.sem(x))
    print(repr(float(x.mean())), repr(float(high - x.mean())), repr(float(low)), repr(float(high)))


def samples():
    """Fewest samples for a two-sided distribution-free interval of a quantile."""
    for q, level in ((0.5, 0.95), (0.9, 0.95), (0.95, 0.95), (0.99, 0.95), (0.999, 0.95), (0.99, 0.99), (0.01, 0.95)):
        alpha = 1 - level
        print(q, level, math.ceil(math.log(alpha / 2) / math.log(max(q, 1 - q))))


def paired():
    """Paired t-tests."""
    a = np.array([30.02, 29.99, 30.11, 29.97, 30.01, 29.99])
    b = np.array([29.89, 29.93, 29.72, 29.98, 30.02, 29.98])
    for x, y in ((a, b), (a, b - 1), (a, b + 1)):
        r = stats.ttest_rel(y, x)
        ci = r.confidence_interval(0.95)
        print(repr(float((y - x).mean())), float(r.pvalue), repr(float(ci.low)), repr(float(ci.high)),
              repr(float((y - x).mean() / x.mean())))


def trend():
    """Least-squares line through ten points."""
    y = np.array([3.0, 5.0, 4.0, 6.0, 8.0, 7.0, 9.0, 8.0, 11.0, 10.0])
    r = stats.linregress(np.arange(10), y)
    print(repr(float(r.slope)), repr(float(r.stderr)), float(r.pvalue), "rise", repr(float(r.slope * 10)))
    print(float(stats.linregress(range(6), [1, 2, 1, 3, 3, 4]).pvalue))


def trend_errors():
    """How often the slope of ten batches calls the second half of an M/M/1 run growing, started empty."""
    rng = np.random.default_rng(1)

    def queue(rho, horizon, n=200):
        t, q, out, points = 0.0, 0, [], np.linspace(horizon / 2, horizon, n)
        while len(out) < n:
            rate = rho + (1 if q else 0)
            t += rng.exponential(1 / rate)
            while len(out) < n and points[len(out)] < t:
                out.append(q)
            q += 1 if rng.random() < rho / rate else -1
        return np.array(out, float)

    def growing(y, level):
        if y.std() == 0:
            return False
        r = stats.linregress(np.arange(len(y)), y)
        return r.slope > stats.t.isf((1 - level) / 2, len(y) - 2) * r.stderr

    for rho in (0.5, 0.8, 0.9, 0.95, 1.05, 1.1, 1.3):
        for horizon in (400, 2000, 8000):
            runs = [queue(rho, horizon) for _ in range(150 if horizon < 8000 else 80)]
            shares = [np.mean([growing(y.reshape(10, 20).mean(1), level) for y in runs]) for level in (0.95, 0.99)]
            print(rho, horizon, "raw 95 %%: %.2f" % np.mean([growing(y, 0.95) for y in runs]),
                  "batched 95 %%: %.2f, 99 %%: %.2f" % tuple(shares))


PARTS = (critical, wilson, estimate, samples, paired, trend, trend_errors)
for part in PARTS:
    if len(sys.argv) < 2 or part.__name__ in sys.argv[1:]:
        print(f"# {part.__name__}")
        part()
