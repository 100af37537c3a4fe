"""Real clients measure one `simcap mock`, and `simcap fit` reads their reports: do they all tell of the same model?

    python3 tests/oracle/clients.py target/release/simcap [CLIENT...] [--requests 400] [--rate 10] [--tolerance 0.03]

Of GuideLLM, AIPerf, inference-perf (PyPI) and oha (crates.io) those are tried that are on the PATH, each of the others is skipped
aloud; simcap's own `calibrate` always is. They do not agree on their dependencies, so each wants an environment of its own:

    for c in guidellm aiperf inference-perf; do python3 -m venv /tmp/$c && /tmp/$c/bin/pip install $c; done   # the last: Python 3.12
    cargo install --locked oha --no-default-features --features rustls --root /tmp/oha
    PATH=$PATH:/tmp/guidellm/bin:/tmp/aiperf/bin:/tmp/inference-perf/bin:/tmp/oha/bin \\
        python3 tests/oracle/clients.py target/release/simcap

The truth is known beforehand: TTFT lognormal with a median of 600 ms, 50 tokens a second, 40 tokens an answer. Each client meets
a mock of its own with the same seed, whose n-th answer takes as long as that of the others'. For every report the medians
of the fitted TTFT and decode speed, and of the time of a whole answer as it was read, must be within the tolerance of the truth and of
each other's. Of a summary the median is compared that was read, not the law's through nine quantiles, which one late answer in a
hundred bends. What a report does not have is not compared: oha counts no tokens; of summaries `simcap validate` takes no whole
answer.
oha's first byte is compared with TTFT, because the mock sends nothing before the first token; a server that sends the role ahead
would part the two by the whole TTFT.

A tokenizer that the mock does not share (a letter a token) shows whether the endpoint's own count of tokens is read; but
inference-perf cannot make prompts with it and has one of words. Neither needs a download. A busy machine makes a client late and
never early, so each may try three times.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile

from roundtrip import plain, quantile

TTFT, SPEED, OUTPUT = 0.6, 50.0, 40
TRUTH = {"TTFT": TTFT, "tokens/s": SPEED, "E2E": TTFT + (OUTPUT - 1) / SPEED}
MODEL = {
    "model": "plain",
    "default": "v",
    "variants": {
        "v": {
            "source": "set, to be measured",
            "ttft": {"lognormal": {"median": "600ms", "sigma": 0.1}},
            "tps": {"constant": SPEED},
            "network": "0ms",
            "prices": {"input": "$1/Mtok", "output": "$1/Mtok"},
            "limits": [],
            "faults": {},
        }
    },
}


def tokenizers(folder):
    """Two, as folders that Hugging Face's libraries read: a letter a token, a word a token."""

    def write(name, model, split, decoder):
        end = {"id": len(model["vocab"]), "content": "<|end|>", "special": True}
        end |= dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
        whole = {"version": "1.0", "added_tokens": [end], "pre_tokenizer": split, "decoder": decoder, "model": model}
        whole |= dict.fromkeys(("truncation", "padding", "normalizer", "post_processor"))
        of = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|end|>", "model_max_length": 100_000}
        (folder / name).mkdir()
        for file, text in (("tokenizer", whole), ("tokenizer_config", of), ("config", {"model_type": "gpt2"})):
            (folder / name / f"{file}.json").write_text(json.dumps(text))

    # The letters that stand for the 256 bytes in a byte-level BPE.
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = [chr(b) for b in shown] + [chr(256 + i) for i in range(256 - len(shown))]
    bytes_ = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    bpe = {"type": "BPE", "vocab": {c: i for i, c in enumerate(letters)}, "merges": []}
    write("letters", bpe, bytes_, bytes_)
    words = {"[UNK]": 0} | {f"w{i}": i for i in range(1, 1000)}
    write("words", {"type": "WordLevel", "vocab": words, "unk_token": "[UNK]"}, {"type": "WhitespaceSplit"}, None)


class Served:
    """A mock of the model, until the end of the block."""

    def __init__(self, simcap, model):
        self.command = [simcap, "mock", str(model), "--port", "0", "--seed", "7"]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        return re.search(r"http://[^/ ]+", self.process.stdout.readline()).group()

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


def run(command, folder, seconds=600, **environment):
    """Its output; that of a client that fails goes into the report."""
    # A group of its own: some clients have workers.
    process = subprocess.Popen(
        [str(part) for part in command],
        cwd=folder,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        said, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        said, _ = process.communicate()
    return process.returncode, said


def calibrate(given, base, folder):
    command = [given.simcap, "calibrate", "--base-url", f"{base}/v1", "--model", "plain", "--max-cost", "$1"]
    command += ["--price-input", "$0/Mtok", "--price-output", "$0/Mtok", "--warmup", "0", "--out", folder / "run"]
    command += ["--rate", f"{given.rate}/s", "--requests", given.requests, "--input", "60", "--output", OUTPUT]
    return run(command, folder), [folder / "run" / "probes.jsonl"]


def guidellm(given, base, folder):
    report = folder / "guidellm.json"
    command = ["guidellm", "run", "--disable-progress", "--profile", f"kind=poisson,rate={given.rate}"]
    command += ["--backend", f"kind=openai_http,target={base},model=plain,request_format=/v1/chat/completions"]
    command += ["--constraint", f"kind=max_requests,count={given.requests}"]
    command += ["--tokenizer", f"kind=huggingface_auto,model={folder.parent / 'letters'}"]
    command += ["--data", f"kind=synthetic_text,prompt_tokens=60,output_tokens={OUTPUT}"]
    command += ["--output", f"kind=json,path={report}"]
    return run(command, folder, HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1"), [report]


def aiperf(given, base, folder):
    command = ["aiperf", "profile", "--model", "plain", "--url", base, "--endpoint-type", "chat", "--streaming", "--ui", "none"]
    command += ["--tokenizer", folder.parent / "letters", "--isl", "60", "--osl", OUTPUT, "--artifact-dir", folder]
    command += ["--request-rate", given.rate, "--arrival-pattern", "poisson", "--request-count", given.requests]
    return run(command, folder), [folder / "profile_export.jsonl", folder / "profile_export_aiperf.json"]


def inference_perf(given, base, folder):
    prompts = {"num_groups": 20, "num_prompts_per_group": given.requests // 20 + 1, "system_prompt_len": 20}
    config = {
        "api": {"type": "chat", "streaming": True},
        "data": {"type": "shared_prefix", "shared_prefix": prompts | {"question_len": 40, "output_len": OUTPUT}},
        "load": {
            "type": "poisson",
            "stages": [{"rate": given.rate, "duration": round(given.requests / given.rate)}],
            "num_workers": 1,
        },
        "server": {"type": "vllm", "model_name": "plain", "base_url": base},
        "tokenizer": {"pretrained_model_name_or_path": str(folder.parent / "words")},
        "report": {"request_lifecycle": {"per_request": True}, "prometheus": {"summary": False}},
        "storage": {"local_storage": {"path": str(folder / "run")}},
    }
    # JSON is YAML.
    (folder / "config.yml").write_text(json.dumps(config))
    reports = ["per_request_lifecycle_metrics.json", "stage_0_lifecycle_metrics.json"]
    return run(["inference-perf", "-c", "config.yml"], folder), [folder / "run" / name for name in reports]


def oha(given, base, folder):
    message = {"role": "user", "content": "what is there to say"}
    body = json.dumps({"model": "plain", "stream": True, "max_tokens": OUTPUT, "messages": [message]})
    command = ["oha", "--no-tui", "-n", given.requests, "-q", f"{given.rate:.0f}", "-c", "100", "-m", "POST", "-T", "application/json"]
    csv = folder / "oha.csv"
    command += ["-d", body, "--output-format", "csv", "--output", csv, f"{base}/v1/chat/completions"]
    return run(command, folder), [csv]


CLIENTS = {"calibrate": calibrate, "guidellm": guidellm, "aiperf": aiperf, "inference-perf": inference_perf, "oha": oha}


def medians(simcap, truth, report, folder):
    """What `simcap` reads in a report: requests, and the medians that it has; or what it says instead."""
    out = folder / "fitted.json"
    command = [simcap, "fit", report, "--name", "fitted", "--out", out, "--holdout", "0", "--refits", "0"]
    command += ["--price-input", "$1/Mtok", "--price-output", "$1/Mtok", "--json"]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        return done.stderr
    fit, model = json.loads(done.stdout), json.loads(out.read_text())
    model = model["variants"][model["default"]]
    found = {"n": fit["quantities"][0]["seen"]}
    for quantity in fit["quantities"]:
        law, what = quantity["name"], {"ttft": "TTFT", "tps": "tokens/s"}[quantity["name"]]
        if quantity["tables"]:
            found[what] = next(p["measured"] for p in quantity["percentiles"] if p["share"] == 0.5)
        else:
            found[what] = quantile(model[law], 0.5) + (plain(model["network"]) if law == "ttft" else 0.0)
    # Whole answers are compared by `validate`; it needs single requests.
    command = [simcap, "validate", truth, report, "--no-write", "--out", folder / "held"]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode in (0, 1):
        measured = json.loads((folder / "held" / "validation.json").read_text())["calibration"]["metrics"]
        if "e2e" in measured:
            found["E2E"] = measured["e2e"]["quantiles"][0]["measured"]
    return found


def off(found, tolerance):
    """The medians that are further from the truth."""
    return [what for what in TRUTH if what in found and not abs(found[what] / TRUTH[what] - 1) <= tolerance]


def tried(given, name, folder, model):
    """Of up to three runs the first that is right, else the one that is least wrong: what was found in each report."""
    best, least, refused = {}, float("inf"), {}
    for attempt in range(3):
        here = folder / f"{name}-{attempt}"
        here.mkdir()
        with Served(given.simcap, model) as base:
            (status, said), reports = CLIENTS[name](given, base, here)
        missing = [str(report) for report in reports if not report.exists()]
        if missing:
            return {name: f"it ended with {status} and no {', '.join(missing)}:\n{said[-2000:]}"}
        found = {f"{name}: {r.name}": medians(given.simcap, model, r, here) for r in reports}
        if refused := {report: f for report, f in found.items() if isinstance(f, str)}:
            continue
        worst = max(abs(f[what] / TRUTH[what] - 1) for f in found.values() for what in TRUTH if what in f)
        if worst < least:
            best, least = found, worst
        if least <= given.tolerance:
            break
    return best or refused


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("simcap")
    arguments.add_argument("clients", nargs="*", metavar="CLIENT")
    arguments.add_argument("--requests", type=int, default=400)
    arguments.add_argument("--rate", type=float, default=10.0)
    arguments.add_argument("--tolerance", type=float, default=0.03)
    given = arguments.parse_args()
    if unknown := [name for name in given.clients if name not in CLIENTS]:
        arguments.error(f"no client {', '.join(unknown)}; there are {', '.join(CLIENTS)}")
    given.simcap = str(pathlib.Path(given.simcap).resolve())
    wrong, skipped, all_found = [], [], {}
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        tokenizers(folder)
        model = folder / "plain.json"
        model.write_text(json.dumps(MODEL))
        print(f"{'':<52}{'n':>6} " + " ".join(f"{what:>18}" for what in TRUTH))
        print(f"{'the truth':<52}{'':>6} " + " ".join(f"{truth:>11.4g}{'':>7}" for truth in TRUTH.values()))
        for name in given.clients or CLIENTS:
            if name != "calibrate" and not shutil.which(name):
                skipped.append(name)
                print(f"skipped: {name} is not installed")
                continue
            for report, found in tried(given, name, folder, model).items():
                if isinstance(found, str):
                    wrong.append(f"{report}: {found}")
                    continue
                all_found[report] = found
                cell = lambda what: f"{found[what]:11.4g} {found[what] / TRUTH[what] - 1:+6.2%}" if what in found else f"{'–':>11}{'':>7}"
                print(f"{report:<52}{found['n']:>6} " + " ".join(f"{cell(what):>18}" for what in TRUTH), flush=True)
                wrong += [f"{report}: {what} is {found[what]:.4g}, not {TRUTH[what]:.4g}" for what in off(found, given.tolerance)]
    for what in TRUTH:
        of = {report: found[what] for report, found in all_found.items() if what in found}
        if of and max(of.values()) > (1 + given.tolerance) * min(of.values()):
            wrong.append(f"{what}: {max(of, key=of.get)} and {min(of, key=of.get)} do not agree")
    for line in wrong:
        print("WRONG", line)
    print(f"{len(all_found)} reports read, {len(wrong)} wrong, {len(skipped)} clients skipped: {', '.join(skipped) or 'none'}")
    sys.exit(1 if wrong or len(all_found) < 1 else 0)


if __name__ == "__main__":
    main()
