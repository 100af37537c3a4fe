"""Checks the JSON Schemas that simcap prints against files that it reads, with another implementation (jsonschema).

    pip install jsonschema
    python3 tests/oracle/schema.py target/release/simcap

Every experiment, model and the starter of `simcap init` must be valid, and the example of every registered part
(`simcap kinds --json`) at its place; each bad file below, one change away from a good one, and every part with a parameter
that it does not have, must be refused by the schema and by `simcap check` alike. Exits with 1 if one is not.
"""

import copy
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from jsonschema import Draft202012Validator

ROOT = Path(__file__).resolve().parents[2]


def without_comments(text):
    """`text` without // and /* */ comments, those in strings excepted."""
    out, i = [], 0
    while i < len(text):
        if text[i] == '"':
            end = i + 1
            while text[end] != '"':
                end += 2 if text[end] == "\\" else 1
            out.append(text[i : end + 1])
            i = end + 1
        elif text.startswith("//", i):
            i = text.find("\n", i) if "\n" in text[i:] else len(text)
        elif text.startswith("/*", i):
            i = text.index("*/", i) + 2
        else:
            out.append(text[i])
            i += 1
    return "".join(out)


def read(path):
    return json.loads(without_comments(path.read_text(encoding="utf-8")))


def changed(document, path, value):
    """A copy with `value` at `path`; without what is there if `value` is `...`."""
    document = copy.deepcopy(document)
    inner = document
    for step in path[:-1]:
        inner = inner[step]
    if value is ...:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return document


def placed(document, place, part):
    """A copy with `part` at `place`, like `providers.*.limits[]`: under every name, as the only one of a list."""
    document = copy.deepcopy(document)

    def put(inner, steps):
        step, rest = steps[0], steps[1:]
        name = step.removesuffix("[]")
        for key in list(inner) if name == "*" else [name]:
            if not rest:
                inner[key] = [part] if step != name else part
            elif step != name:
                for element in inner[key]:
                    put(element, rest)
            else:
                put(inner.setdefault(key, {}), rest)

    put(document, place.split("."))
    return document


BAD_EXPERIMENTS = [
    (["nmae"], "x", "an unknown field"),
    (["plan"], ..., "no plan"),
    (["name"], "a/b", "a name with a slash"),
    (["name"], "", "no name"),
    (["policies"], [], "no policy"),
    (["policies", 0, "policy"], "fastest", "an unknown policy"),
    (["policies", 0, "policy"], {"round_robin": {}, "p2c": {}}, "two policies in one"),
    (["policies", 0, "policy"], {"round_robin": {"speed": 1}}, "a parameter that a policy lacks"),
    (["providers"], {}, "no provider"),
    (["traffic", "classes"], {}, "no class"),
    (["traffic", "arrivals"], {"poisson": {"rate": 35}}, "a rate without a unit"),
    (["traffic", "arrivals"], {"poisson": {"rate": "35"}}, "a rate without a unit, in quotes"),
    (["plan", "duration"], "10 minutes", "a unit that does not exist"),
    (["plan", "duration"], 600, "a duration without a unit"),
    (["plan", "replications"], 0, "no replication"),
    (["plan", "replications"], 100_001, "too many replications"),
    (["plan", "replications"], 1.5, "half a replication"),
    (["plan", "confidence"], 95, "a confidence above 1"),
    (["plan", "confidence"], 0.4, "a confidence below a half"),
    (["plan", "seed"], -1, "a negative seed"),
    (["client"], {"timeouts": {"total": "-1s"}}, "a negative timeout"),
    (["client"], {"max_in_flight": 0}, "a cap of nothing"),
    (["objectives"], [{"metric": "ttft.worst", "at_most": "1s"}], "an unknown figure"),
    (["objectives"], [{"metric": "ttft.p95"}], "an objective without a bound"),
    (["objectives"], [{"metric": "ttft.p95", "at_most": "1s", "at_least": "1s"}], "an objective with two bounds"),
    (["objectives"], [{"metric": "errors", "at_most": "1%"}], "a figure by its name for people"),
]
BAD_CLASSES = [
    (["priority"], 16, "a priority above 15"),
    (["share"], 0, "a share of 0"),
    (["share"], "half", "a share in words"),
    (["input"], {"constant": "300"}, "tokens in quotes"),
    (["input"], {"lognormal": {"median": 300}}, "a law without its parameter"),
    (["input"], {"normal": {"mean": 300}}, "an unknown law"),
    (["output"], {"constant": 1, "uniform": {"min": 1, "max": 2}}, "two laws"),
]
BAD_VARIANTS = [
    (["source"], ..., "no source"),
    (["ttft"], {"constant": 1}, "a duration without a unit"),
    (["network"], "5 parsecs", "an unknown unit"),
    (["prices", "input"], "$1", "a price that does not say of what"),
    (["quality"], {"chat": 1.5}, "a probability above 1"),
    (["speed"], 1, "an unknown field"),
]


def main(binary):
    wrong = 0

    def verdict(fine, text):
        nonlocal wrong
        wrong += not fine
        print("ok   " if fine else "WRONG", text)

    def schema(of):
        printed = subprocess.run([binary, "schema", of], check=True, capture_output=True, text=True).stdout
        found = json.loads(printed)
        Draft202012Validator.check_schema(found)
        return Draft202012Validator(found)

    experiment, model, claims = schema("experiment"), schema("model"), schema("claims")
    good = sorted((ROOT / "experiments").glob("*.json")) + [ROOT / "src/cli/starter.json"]
    # Quotas and prices stand beside the models.
    models = [p for p in sorted((ROOT / "models").glob("*.json")) if p.stem not in ("limits", "prices")]
    published = sorted((ROOT / "experiments/claims").glob("*.json"))
    for validator, paths in ((experiment, good), (model, models), (claims, published)):
        for path in paths:
            errors = [f"{e.json_path}: {e.message[:150]}" for e in validator.iter_errors(read(path))]
            verdict(not errors, f"valid: {path.relative_to(ROOT)} {'; '.join(errors)}")

    starter = read(ROOT / "src/cli/starter.json")
    name, first = next(iter(starter["traffic"]["classes"].items()))
    bad = BAD_EXPERIMENTS + [(["traffic", "classes", name, *path], value, why) for path, value, why in BAD_CLASSES]
    with tempfile.TemporaryDirectory() as folder:
        for path, value, why in bad:
            document = changed(starter, path, value)
            file = Path(folder) / "bad.json"
            file.write_text(json.dumps(document), encoding="utf-8")
            code = subprocess.run([binary, "check", file], capture_output=True, check=False).returncode
            refused = not experiment.is_valid(document)
            verdict(refused and code == 2, f"refused: {why}" + ("" if refused else " (by the schema)") + f" [check: {code}]")
        parts = json.loads(subprocess.run([binary, "kinds", "--json"], check=True, capture_output=True, text=True).stdout)
        for part in parts:
            kind, example = part["kind"], part["example"]
            # One that the starter has: it has no accounts.
            place = next(p for p in part["places"] if json.dumps(example) in json.dumps(placed(starter, p, example)))
            what = f"{kind} {part['name']} at {place}"
            errors = [e.message[:150] for e in experiment.iter_errors(placed(starter, place, example))]
            verdict(not errors, f"valid: {what} {'; '.join(errors)}")
            parameters = {} if isinstance(example, str) else next(iter(example.values()))
            if not isinstance(parameters, dict):
                continue
            document = placed(starter, place, {part["name"]: {**parameters, "no_such_field": 1}})
            file.write_text(json.dumps(document), encoding="utf-8")
            checked = subprocess.run([binary, "check", file], capture_output=True, check=False, text=True)
            fine = not experiment.is_valid(document) and checked.returncode == 2
            verdict(fine and "no_such_field" in checked.stderr, f"refused: an unknown parameter of {what}")
    example = read(models[0])
    for path, value, why in BAD_VARIANTS:
        document = changed(example, ["variants", example["default"], *path], value)
        verdict(not model.is_valid(document), f"refused: {why}")
    verdict(not model.is_valid(changed(example, ["variants"], {})), "refused: a model without variants")
    verdict(not model.is_valid(changed(example, ["default"], ...)), "refused: a model without a default")
    print(f"{wrong} wrong" if wrong else "all as they should be")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
