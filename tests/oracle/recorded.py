"""Figures of the second implementations, recorded: what they compute in minutes is the same at every run of the same files and seeds.

A record stands in `recorded/`, beside the digest of the files that it was made by. It is used where these files are as they were, and made
anew (and written) where they are not, or where `--afresh` asks for it, as .ci/full does. Only the other side is recorded: simcap runs each time.
"""

import hashlib
import json
import math
import pathlib

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent


class Record:
    """The record `name` of what the Python files in `made_by` compute from `seed`."""

    def __init__(self, name, made_by, seed, afresh):
        digest = hashlib.sha256()
        for file in made_by:
            digest.update((HERE / file).read_bytes())
        self.digest, self.seed = digest.hexdigest(), seed
        self.file = HERE / "recorded" / f"{name}.json"
        self.known, self.made, self.found = {}, {}, set()
        if self.file.exists() and not afresh:
            kept = json.loads(self.file.read_text())
            if kept["made_by"] == self.digest and kept["seed"] == seed:
                self.known = kept["figures"]

    def of(self, key, compute):
        """What is recorded under `key`, or else what `compute` gives: of JSON's types."""
        if key not in self.known:
            self.made[key] = compute()
            return self.made[key]
        self.found.add(key)
        return self.known[key]

    def close(self, is_whole=True):
        """Writes what was made anew, if all of the record was asked for, and says what was not."""
        if self.found:
            print(f"{self.file.name}: {len(self.found)} of {len(self.found) + len(self.made)} parts as recorded")
        if self.made and is_whole:
            self.file.parent.mkdir(exist_ok=True)
            figures = {key: self.made.get(key, self.known.get(key)) for key in sorted([*self.made, *self.found])}
            kept = {"made_by": self.digest, "seed": self.seed, "figures": figures}
            self.file.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
            print(f"{self.file.name}: {len(self.made)} parts computed and written")


def summary(runs):
    """Of each figure of some run its mean over all runs, the mean's standard error and the number of runs; one that a run lacks is 0 there."""
    figures = {}
    for figure in sorted({figure for run in runs for figure in run}):
        values = [run.get(figure, 0.0) for run in runs]
        figures[figure] = [float(np.mean(values)), float(np.std(values, ddof=1)) / math.sqrt(len(values)), len(values)]
    return figures
