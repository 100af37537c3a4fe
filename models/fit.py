#!/usr/bin/env python3
"""The fits behind the provider models: from published latency figures to the `ttft` law of each variant.

A TTFT is modelled as shift + lognormal (a floor that every request pays, then a right-skewed rest); among the
three-parameter laws it fits measured providers best (llmperf-leaderboard 2023, 16 series). What is published,
in `fit.published`, decides how the law is found:

  p50, p95, p99   three points, three parameters: least worst log error, shift >= 0 once the network is off
  p50, p99        two points: a lognormal through both, no shift
  p50             one point: the shape (shift / p50, sigma) of this model's own fit to r0, else the median shape of those
  mean            the same borrowed shape, scaled to that mean

A published latency is what a client saw, so it holds the network: law = published - `network`, and every figure
under `fit.fitted` is network + law. Left out: any test of shape; three points and three parameters leave none.

  fit.py            print every fit and its misfit, and the derived quality figures
  fit.py --check    also check each file against the format, its fit and its quality; exit 1 on any fault
  fit.py --write    refit, and rewrite `ttft` and `fit.fitted`, `fit.worst_error` in place

Needs Python 3.9+ and scipy. A development tool: nothing in simcap runs it.
"""

import json
import math
import re
import statistics
import sys
from pathlib import Path

from scipy.optimize import least_squares, minimize
from scipy.stats import lognorm

HERE = Path(__file__).resolve().parent
POINTS = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
UNIT_MS = {"us": 1e-3, "ms": 1.0, "s": 1e3}
WIDTH = 118

# --- units -----------------------------------------------------------------------------------------------------------


def ms(text):
    """Milliseconds of a duration such as "320ms" or "1.24s"."""
    number, unit = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(us|ms|s)", text).groups()
    return float(number) * UNIT_MS[unit]


def show(value):
    """A duration to ten microseconds: finer than any published figure, so that rounding is not a misfit."""
    return f"{round(value, 2):.10g}ms"


# --- laws ------------------------------------------------------------------------------------------------------------


def frozen(shift, median, sigma):
    """The shift + lognormal law, in ms, as a scipy distribution."""
    return lognorm(s=sigma, scale=median, loc=shift)


def summary(law, network):
    """What a client sees: network + law, at the published points and in the mean."""
    seen = {name: network + float(law.ppf(p)) for name, p in POINTS.items()}
    return seen | {"mean": network + float(law.mean())}


def log_errors(params, target):
    """Log errors of (shift, ln median, ln sigma) against the target points."""
    law = frozen(params[0], math.exp(params[1]), math.exp(params[2]))
    return [math.log(float(law.ppf(POINTS[k])) / v) for k, v in target.items()]


def fit_points(target, floor=0.0, shifted=True):
    """(shift, median, sigma) with the least worst log error against percentiles in ms, shift >= floor.

    Least squares finds the exact law where there is one; Nelder-Mead then lowers the worst error where there is none.
    Without `shifted` the shift stays at the floor.
    """

    def worst(params):
        return max(map(abs, log_errors((max(params[0], floor) if shifted else floor, *params[1:]), target)))

    p50 = target["p50"]
    low, high = [floor, -20.0, -6.0], [0.999 * p50 if shifted else floor + 1e-9, 20.0, 2.0]
    found = []
    for share in (0.0, 0.4, 0.8) if shifted else (0.0,):
        shift = floor + share * (p50 - floor) + 5e-10
        start = (shift, math.log(p50 - shift), math.log(0.8))
        exact = least_squares(log_errors, start, bounds=(low, high), args=(target,), xtol=1e-15, ftol=1e-15, gtol=1e-15)
        found.append(exact.x)
        found.append(minimize(worst, exact.x, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12}).x)
    shift, log_median, log_sigma = min(found, key=worst)
    return max(shift, floor) if shifted else floor, math.exp(log_median), math.exp(log_sigma)


def r0_shapes(models):
    """model -> (shift / p50, sigma) of what a client saw, for each model whose variant r0 has three published percentiles."""
    shapes = {}
    for name, model in models.items():
        published = model["variants"].get("r0", {}).get("fit", {}).get("published", {})
        if POINTS.keys() <= published.keys():
            target = {k: ms(published[k]) for k in POINTS}
            shift, _, sigma = fit_points(target)
            shapes[name] = (shift / target["p50"], sigma)
    return shapes


def refit(name, variant, shapes):
    """The law (shift, median, sigma), in ms, that the published figures of one variant give; network taken off."""
    network = ms(variant["network"])
    seen = {k: ms(v) for k, v in variant["fit"]["published"].items()}
    points = {k: v for k, v in seen.items() if k in POINTS}
    if len(points) == 3:
        shift, median, sigma = fit_points(points, network)
    elif len(points) == 2:
        shift, median, sigma = fit_points(points, network, shifted=False)
    else:
        middle = [statistics.median(column) for column in zip(*shapes.values())]
        ratio, sigma = shapes.get(name, middle)
        p50 = points.get("p50") or seen["mean"] / (ratio + (1 - ratio) * math.exp(sigma**2 / 2))
        shift, median = ratio * p50, (1 - ratio) * p50
    if shift < network:
        raise ValueError(f"{name}: the fitted floor {shift:.1f}ms is less than the network {network:.1f}ms")
    return shift - network, median, sigma


def worst_error(published, fitted):
    """The largest relative error over the published percentiles; over the mean if that is all there is."""
    keys = [k for k in published if k in POINTS] or ["mean"]
    return max(abs(fitted[k] / ms(published[k]) - 1) for k in keys)


def as_json(shift, median, sigma):
    """The law as the model files write it."""
    return {"lognormal": {"median": show(median), "sigma": round(sigma, 4), "shift": show(shift)}}


def of_json(ttft):
    """The law that a model file holds, as a scipy distribution."""
    law = ttft["lognormal"]
    return frozen(ms(law["shift"]), ms(law["median"]), law["sigma"])


# --- quality ---------------------------------------------------------------------------------------------------------

# The e-commerce migration article's scores, and the customer-service benchmark's one figure: 94 % of routine queries
# resolved with deepseek-v3.2 in the fast tier.
BENCHMARKS = {
    "deepseek-v3.2": {"mmlu": 0.823, "humaneval": 0.764, "gsm8k": 0.892, "ecommerce_mmlu": 0.712},
    "gemini-2.5-flash": {"mmlu": 0.798, "humaneval": 0.712, "gsm8k": 0.867},
    "relay-fast": {"mmlu": 0.789, "humaneval": 0.748, "gsm8k": 0.912, "ecommerce_mmlu": 0.856},
    "gpt-4.1": {"mmlu": 0.912, "gsm8k": 0.951},
    "claude-sonnet-4.5": {"humaneval": 0.841},
}
BASE = {"order_status": 0.94, "product_inquiry": 0.94, "complaint": 0.823, "technical_support": 0.764}
PREMIUM_STEP = 0.8


def failure_ratio(name):
    """How often a model fails for each failure of deepseek-v3.2: geometric mean over the benchmarks both have."""
    if name == "claude-sonnet-4.5":
        return PREMIUM_STEP * failure_ratio("gpt-4.1")
    base, own = BENCHMARKS["deepseek-v3.2"], BENCHMARKS[name]
    return statistics.geometric_mean((1 - own[k]) / (1 - base[k]) for k in own)


def class_quality(name):
    """The assumed probability of a good answer per class: deepseek's failures times the failure ratio."""
    return {k: round(1 - (1 - good) * failure_ratio(name), 2) for k, good in BASE.items()}


# --- the format ------------------------------------------------------------------------------------------------------

MODEL_KEYS = {"model", "about", "default", "variants"}
REQUIRED = {"source", "ttft", "tps", "network", "prices", "faults", "assumed"}
OPTIONAL = {"date", "fit", "context_window", "limits", "quality"}
TIME_LAWS = {
    "lognormal": ({"median", "sigma"}, {"shift"}),
    "gamma": ({"mean", "shape"}, {"shift"}),
    "weibull": ({"scale", "shape"}, {"shift"}),
    "exponential": ({"mean"}, {"shift"}),
    "empirical": ({"quantiles"}, set()),
    "mixture": ({"components"}, set()),
}
PRICE = re.compile(r"\$[0-9]+(\.[0-9]+)?/Mtok")
RATE = re.compile(r"[0-9]+(\.[0-9]+)?[kM]?/(s|min|h|day)")
SIZE = re.compile(r"[0-9]+[kM]?")
DURATION = re.compile(r"[0-9]+(\.[0-9]+)?(us|ms|s)")
UNITS = {"requests", "tokens", "input_tokens", "output_tokens"}


class Faults(list):
    """What is wrong, each with the place it is at."""

    def need(self, good, where, what):
        if not good:
            self.append(f"{where}: {what}")

    def keys(self, found, required, optional, where):
        self.need(required <= found.keys(), where, f"lacks {sorted(required - found.keys())}")
        self.need(found.keys() <= required | optional, where, f"unknown {sorted(found.keys() - required - optional)}")

    def law(self, law, where):
        self.need(len(law) == 1, where, "one law, by name")
        (kind, body), *_ = law.items()
        if kind != "constant":
            self.need(kind in TIME_LAWS, where, f"unknown law {kind}")
            self.keys(body, *TIME_LAWS.get(kind, (set(), set())), where)

    def chances(self, table, where):
        for key, value in table.items():
            self.need(isinstance(value, (int, float)) and 0 <= value <= 1, f"{where}.{key}", "no probability")

    def limit(self, limit, where):
        self.keys(limit, {"token_bucket"}, set(), where)
        bucket = limit["token_bucket"]
        self.keys(bucket, {"unit", "rate", "burst"}, set(), where)
        self.need(bucket["unit"] in UNITS, where, f"unknown unit {bucket['unit']}")
        self.need(RATE.fullmatch(bucket["rate"]), where, f"bad rate {bucket['rate']}")

    def variant(self, name, variant, shapes, where):
        self.keys(variant, REQUIRED, OPTIONAL, where)
        self.law(variant["ttft"], f"{where}.ttft")
        self.law(variant["tps"], f"{where}.tps")
        self.need(DURATION.fullmatch(variant["network"]), f"{where}.network", "no duration")
        self.keys(variant["prices"], {"input", "output"}, {"cached_input"}, f"{where}.prices")
        for key, price in variant["prices"].items():
            self.need(PRICE.fullmatch(price), f"{where}.prices.{key}", f"bad price {price}")
        self.keys(variant["faults"], {"server_error", "hang"}, set(), f"{where}.faults")
        self.chances(variant["faults"], f"{where}.faults")
        self.chances(variant.get("quality", {}), f"{where}.quality")
        self.need(SIZE.fullmatch(variant.get("context_window", "0")), f"{where}.context_window", "no size")
        for i, limit in enumerate(variant.get("limits", [])):
            self.limit(limit, f"{where}.limits[{i}]")
        for key, why in variant["assumed"].items():
            self.need(key in REQUIRED | OPTIONAL and why, f"{where}.assumed.{key}", "names no field of a variant")
        if "fit" in variant:
            self.fit(name, variant, shapes, f"{where}.fit")
        if name in BENCHMARKS:
            expected = class_quality(name) | (BENCHMARKS[name] if where.endswith("r1") else {})
            self.need(variant.get("quality") == expected, f"{where}.quality", f"expected {expected}")

    def fit(self, name, variant, shapes, where):
        fit, network = variant["fit"], ms(variant["network"])
        self.keys(fit, {"published", "fitted", "worst_error", "note"}, set(), where)
        held = summary(of_json(variant["ttft"]), network)
        again = summary(frozen(*refit(name, variant, shapes)), network)
        for key, value in held.items():
            at, stated = f"{where}.fitted.{key}", ms(fit["fitted"][key])
            self.need(abs(value / stated - 1) < 1e-3, at, f"the law gives {value:.1f}ms")
            self.need(abs(value / again[key] - 1) < 1e-3, at, f"a new fit gives {again[key]:.1f}ms")
        worst = worst_error(fit["published"], held)
        self.need(abs(worst - fit["worst_error"]) < 1e-4, f"{where}.worst_error", f"the law gives {worst:.4f}")


def check(models, shapes):
    """Every fault of every file: structure, units, fits, quality."""
    faults = Faults()
    for name, model in models.items():
        faults.keys(model, MODEL_KEYS, set(), name)
        faults.need(model["model"] == name, name, "the file is named after another model")
        faults.need(model["default"] in model["variants"], name, "the default is not a variant")
        for key, variant in model["variants"].items():
            try:
                faults.variant(name, variant, shapes, f"{name}.{key}")
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                faults.append(f"{name}.{key}: malformed, {error!r}")
    return faults


# --- files -----------------------------------------------------------------------------------------------------------


def inline(value):
    """JSON on one line, with a space inside the braces."""
    if isinstance(value, dict) and value:
        return "{ " + ", ".join(f"{json.dumps(k)}: {inline(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list) and value:
        return "[" + ", ".join(map(inline, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def pretty(value, indent=0, key=""):
    """JSON with two-space indents, where a short table inside a variant stays on one line."""
    flat = inline(value)
    if not isinstance(value, (dict, list)) or not value or (indent > 4 and indent + len(key) + len(flat) < WIDTH):
        return key + flat
    pad, end = " " * (indent + 2), " " * indent
    if isinstance(value, dict):
        rows, ends = [pretty(v, indent + 2, f"{json.dumps(k)}: ") for k, v in value.items()], "{}"
    else:
        rows, ends = [pretty(v, indent + 2) for v in value], "[]"
    return key + ends[0] + "\n" + ",\n".join(pad + row for row in rows) + "\n" + end + ends[1]


def write(models, shapes):
    """Puts each refitted law, and what it gives, into its file."""
    for name, model in models.items():
        for variant in model["variants"].values():
            if "fit" in variant:
                variant["ttft"] = as_json(*refit(name, variant, shapes))
                held = summary(of_json(variant["ttft"]), ms(variant["network"]))
                variant["fit"]["fitted"] = {k: show(v) for k, v in held.items()}
                variant["fit"]["worst_error"] = round(worst_error(variant["fit"]["published"], held), 4)
        (HERE / f"{name}.json").write_text(pretty(model) + "\n", encoding="utf-8")


def table(models, shapes):
    """Prints every fit: published, fitted, worst misfit, misfit of the mean, and that of a lognormal without shift."""
    print(f"{'':66} fitted p50/p95/p99/mean, ms     worst    mean   plain")
    for name, model in models.items():
        for key, variant in model["variants"].items():
            if "fit" not in variant:
                continue
            published = variant["fit"]["published"]
            fitted = summary(frozen(*refit(name, variant, shapes)), ms(variant["network"]))
            points = {k: ms(v) for k, v in published.items() if k in POINTS}
            plain = "-"
            if len(points) == 3:
                flat = summary(frozen(*fit_points(points, shifted=False)), 0.0)
                plain = f"{worst_error(published, flat):.2%}"
            mean = f"{fitted['mean'] / ms(published['mean']) - 1:+.1%}" if "mean" in published else "-"
            print(
                f"{name:18} {key:3} {' '.join(f'{k}={v}' for k, v in published.items()):44} "
                f"{'/'.join(f'{v:.0f}' for v in fitted.values()):30} "
                f"{worst_error(published, fitted):7.2%} {mean:>7} {plain:>7}"
            )
    print("\nquality: failures for each failure of deepseek-v3.2, and the class figures that follow")
    for name in BENCHMARKS:
        print(f"{name:18} {failure_ratio(name):.3f} {class_quality(name)}")


def main():
    # Quotas and prices stand beside the models.
    files = [p for p in sorted(HERE.glob("*.json")) if p.stem not in ("limits", "prices")]
    models = {p.stem: json.loads(p.read_text(encoding="utf-8")) for p in files}
    shapes = r0_shapes(models)
    if "--write" in sys.argv:
        write(models, shapes)
    if "--check" in sys.argv:
        faults = check(models, shapes)
        if faults:
            sys.exit("\n".join(faults))
        print(f"{len(models)} models: format, fits and quality hold\n")
    table(models, shapes)


if __name__ == "__main__":
    main()
