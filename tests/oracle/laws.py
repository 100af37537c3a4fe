"""Prints what scipy says of each law, as the Rust literals in the tests of src/kernel/law/ and src/form/laws/."""

import math

from scipy import optimize, special, stats

LOWER = [1e-6, 0.01, 0.5]
UPPER = [0.05, 0.01, 0.001, 1e-9]


class Mixture:
    """Weighted scipy laws; quantiles by root-finding on the tail that is small."""

    def __init__(self, *parts):
        self.parts = parts

    def average(self, f):
        return sum(weight * f(law) for weight, law in self.parts)

    def mean(self):
        return self.average(lambda law: law.mean())

    def cdf(self, x):
        return self.average(lambda law: law.cdf(x))

    def sf(self, x):
        return self.average(lambda law: law.sf(x))

    def solve(self, f):
        return optimize.brentq(f, 1e-9, 1e4, xtol=1e-15, rtol=1e-14)

    def ppf(self, p):
        return self.solve(lambda x: self.cdf(x) - p)

    def isf(self, p):
        return self.solve(lambda x: self.sf(x) - p)


class Empirical:
    """A piecewise uniform law: scipy uniforms, weighted by the width of their p."""

    def __init__(self, *knots):
        pairs = list(zip(knots, knots[1:]))
        self.law = Mixture(*((q - p, stats.uniform(a, b - a)) for (p, a), (q, b) in pairs))

    def __getattr__(self, name):
        return getattr(self.law, name)


LAWS = {
    "uniform": (stats.uniform(2, 3), [2.1, 3.7, 4.9]),
    "exponential": (stats.expon(0.5, 2), [0.6, 3, 40]),
    "lognormal": (stats.lognorm(1.2, 0.1, 0.8), [0.2, 1, 40]),
    "gamma": (stats.gamma(2.5, 0.2, 3 / 2.5), [0.3, 3, 30]),
    "gamma_small": (stats.gamma(0.05, 0, 1 / 0.05), [1e-30, 0.5, 100]),
    "gamma_large": (stats.gamma(1000, 0, 1 / 1000), [0.8, 1.001, 1.2]),
    "weibull": (stats.weibull_min(0.7, 0.25, 3), [0.3, 3, 100]),
    "log_logistic": (stats.fisk(2.5, 0.3, 0.7), [0.4, 1, 40]),
    "pareto": (stats.pareto(1.5, 0, 2), [2.01, 5, 1e6]),
    "mixture": (Mixture((0.9, stats.lognorm(0.5, 0, 0.8)), (0.1, stats.expon(2, 10))), [0.2, 2.5, 90]),
    "empirical": (Empirical((0, 0.2), (0.5, 0.9), (0.9, 2), (0.99, 6.5), (1, 30)), [0.3, 1.5, 29.9]),
}


def literal(x):
    return repr(float(x))


if __name__ == "__main__":
    for name, (law, points) in LAWS.items():
        masses = ", ".join(f"({literal(x)}, {literal(law.cdf(x))}, {literal(law.sf(x))})" for x in points)
        quantiles = ", ".join([literal(law.ppf(p)) for p in LOWER] + [literal(law.isf(p)) for p in UPPER])
        print(f"{name}\nOracle {{ mean: {literal(law.mean())}, masses: [{masses}], quantiles: [{quantiles}] }}")
    print("normal quantiles")
    for p in [0.4, 0.075, 0.01, 1e-6, 1e-11, 1e-12, 5e-20]:
        print(f"({literal(p)}, {literal(special.ndtri(p))}),")


def through(p, x, q, y):
    """The lognormal with the percentiles p at x and q at y, by root-finding on scipy's own distribution function."""
    score = lambda law, at: stats.norm.ppf(law.cdf(at))
    law = lambda of: stats.lognorm(math.exp(of[0]), scale=math.exp(of[1]))
    miss = lambda of: [score(law(of), x) - stats.norm.ppf(p), score(law(of), y) - stats.norm.ppf(q)]
    return law(optimize.fsolve(miss, [math.log(0.8), math.log((x * y) ** 0.5)], xtol=1e-13))


# src/form/laws/percentiles.rs and moments.rs
for name, law, shares in [
    ("p50 320, p95 580", through(0.5, 320, 0.95, 580), [0.99]),
    ("p10 200, p99.9 9000", through(0.1, 200, 0.999, 9000), [0.1, 0.5, 0.95, 0.999]),
    ("mean 900, sd 400", stats.lognorm(0.4245725189304461, scale=822.4303937582314), [0.05, 0.5, 0.95, 0.99]),
]:
    print(name, "mean", law.mean(), "sd", law.std(), [(p, law.ppf(p)) for p in shares])
