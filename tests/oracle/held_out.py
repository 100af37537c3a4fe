"""Fits every llmperf series to half of its requests and asks how well the other half is predicted: a table for models/README.md.

    python3 tests/oracle/held_out.py target/release/simcap FOLDER

FOLDER holds llmperf-leaderboard-2023. Blocks of twenty requests alternate between the halves (there are no times in these files,
and their order may not be that of the requests). A percentile needs 72 values held out for p95; series with fewer than 50 seen
have nothing to say and are left out.
"""

import json
import pathlib
import subprocess
import sys
import tempfile


def main():
    simcap, folder = sys.argv[1], pathlib.Path(sys.argv[2]) / "llmperf-leaderboard-2023" / "individual"
    print("| series | held out | law of TTFT | TTFT p50 | p95 | E2E p50 | p95 | KS of TTFT |")
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as out:
        for log in sorted(folder.glob("*.json")):
            model = pathlib.Path(out) / "model.json"
            fit = subprocess.run(
                [simcap, "fit", log, "--name", "x", "--holdout", "0.5", "--out", model, "--report", out, "--json"],
                capture_output=True, text=True,
            )
            if fit.returncode != 0:
                print(f"| {log.stem} | | {fit.stderr.strip().splitlines()[0]} | | | | | |")
                continue
            ttft = next(q for q in json.loads(fit.stdout)["quantities"] if q["name"] == "ttft")
            if ttft["seen"] < 25:
                continue
            subprocess.run(
                [simcap, "validate", model, log, "--no-write", "--out", out], capture_output=True, text=True, check=False
            )
            found = json.loads((pathlib.Path(out) / "validation.json").read_text())
            print(row(log.stem, ttft, found))


def row(name, ttft, found):
    metrics = found["calibration"]["metrics"]

    def cell(quantity, share):
        for score in metrics.get(quantity, {}).get("quantiles", []):
            # Without an interval there were too few to tell.
            if abs(score["q"] - share) < 1e-9 and score.get("interval") is not None:
                return f"{100 * (score['predicted'] / score['measured'] - 1):+.1f} %"
        return "–"

    first = metrics["ttft"]
    cells = [cell("ttft", 0.5), cell("ttft", 0.95), cell("e2e", 0.5), cell("e2e", 0.95)]
    return f"| {name} | {first['n']} | {ttft['taken'] or 'constant'} | {' | '.join(cells)} | {first['ks']:.3f} |"


if __name__ == "__main__":
    main()
