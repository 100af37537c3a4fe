"""`simcap calibrate` against servers that nobody here wrote: does it measure what they were told to do?

    python3 tests/oracle/servers.py target/release/simcap [--quick]

Of llmock (PyPI), guidellm's mock server (PyPI) and aimock (npm, @copilotkit/aimock) those are tried that are installed; each of
the others is skipped aloud. `--quick` tries llmock alone. What is known of them: measurement of a raw-socket client, in which
the first frame comes after the set delay; llmock and aimock send the role in it, so that content follows a gap later.
A bias is accepted below max(5 ms, 3 %), if the probe's own delay is below 10 ms at p95; else the case is skipped, aloud.
"""

import argparse
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import numpy as np

wrong, skipped, done = [], [], []


def port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def program(name):
    """Where it is; nothing if it is not installed. aimock's server has the name of llmock's: it is the one beside aimock."""
    if name == "aimock":
        return (beside := shutil.which(name)) and str(pathlib.Path(beside).parent / "llmock")
    for folder in os.environ["PATH"].split(os.pathsep):
        if not (pathlib.Path(folder) / "aimock").exists() and (found := shutil.which(name, path=folder)):
            return found
    return None


class Serving:
    """A server, from when it accepts connections until the end of the block."""

    def __init__(self, command, at):
        self.command, self.at = command, at

    def __enter__(self):
        # A group of its own: some servers have workers.
        self.process = subprocess.Popen(
            self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        until = time.monotonic() + 90
        while time.monotonic() < until and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.at), timeout=1).close()
                return self
            except OSError:
                time.sleep(0.2)
        self.__exit__()
        raise SystemExit(f"{self.command[0]} does not serve")

    def __exit__(self, *_):
        try:
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait(timeout=20)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(self.process.pid, signal.SIGKILL)


def probe(simcap, at, model, *more):
    """The probes of a run, warm-up left out, and what the run said."""
    with tempfile.TemporaryDirectory() as folder:
        command = [simcap, "calibrate", "--base-url", f"http://127.0.0.1:{at}/v1", "--model", model]
        command += ["--price-input", "$0/Mtok", "--price-output", "$0/Mtok", "--max-cost", "$1", "--warmup", "5"]
        said = subprocess.run([*command, "--out", folder, *more], capture_output=True, text=True)
        lines = (pathlib.Path(folder) / "probes.jsonl").read_text().splitlines()
        probes = [json.loads(line).get("probe") for line in lines]
    return [p for p in probes if p and not p.get("warmup")], said


def check(name, holds, found):
    (done if holds else wrong).append(f"{name}: {found}")
    print(f"  {'ok   ' if holds else 'WRONG'} {name}: {found}")


def medians(probes):
    """Of the answers: milliseconds to the first content, and between chunks; the latter is nothing if there was one chunk."""
    good = [p for p in probes if p["outcome"] == "success"]
    first = np.median([p["first_content_us"] for p in good]) / 1000
    spans = [(p["last_token_us"] - p["first_content_us"]) / (p["chunks"] - 1) / 1000 for p in good if p["chunks"] > 1]
    return first, np.median(spans) if spans else None


def is_first(found, ttft):
    return abs(found - ttft) <= max(5, 0.03 * ttft)


def is_gap(found, gap):
    return gap - 0.5 <= found <= 1.3 * gap + 1


def timed_probe(simcap, at, model, ttft, gap):
    """The probes of a run; of up to three, since a busy machine makes a server late, and never early."""
    for _ in range(3):
        probes, _ = probe(simcap, at, model, *LOAD)
        first, span = medians(probes)
        if is_first(first, ttft) and (span is None or is_gap(span, gap)):
            break
    return probes


def times(name, probes, ttft, gap):
    """First content after `ttft` ms; `gap` ms between chunks."""
    late = np.percentile([p["dispatch_us"] for p in probes], 95) / 1000
    if late > 10:
        skipped.append(name)
        return print(f"  skipped {name}: the probe itself was {late:.0f} ms late at p95")
    first, span = medians(probes)
    check(f"{name}: TTFT p50", is_first(first, ttft), f"{first:.1f} ms, set {ttft}")
    if span is not None:
        check(f"{name}: gap p50", is_gap(span, gap), f"{span:.2f} ms, set {gap}")


LOAD = ("--rate", "10/s", "--requests", "80", "--input", "20", "--output", "32")


def llmock(simcap):
    for delay in (50, 200):
        at = port()
        with Serving([program("llmock"), "serve", "--port", str(at), "--latency-ms", str(delay), "--stream-chunk-delay-ms", "10"], at):
            probes = timed_probe(simcap, at, "gpt-4o", delay + 10, 10)
        # The role comes first, and content a gap after it.
        times(f"llmock {delay} ms", probes, delay + 10, 10)
        first = np.median([p["first_byte_us"] for p in probes]) / 1000
        check(f"llmock {delay} ms: first byte before first content", first < delay + 9, f"{first:.1f} ms")
        unlike = [p for p in probes if p.get("usage") and p["usage"]["output"] != p["chunks"]]
        check(f"llmock {delay} ms: tokens are counted by usage, not by chunks", unlike, f"{len(unlike)} of {len(probes)} differ")
    at = port()
    with Serving([program("llmock"), "serve", "--port", str(at), "--rpm", "60"], at):
        probes, said = probe(simcap, at, "gpt-4o", "--rate", "20/s", "--requests", "120", "--input", "20", "--output", "8")
        refused = [p for p in probes if p.get("status") == 429]
        check("llmock 60 rpm: refusals are told with their wait", refused and all(p.get("retry_after_us") for p in refused), len(refused))
        served = sum(p["outcome"] == "success" for p in probes)
        check("llmock 60 rpm: about the quota is served", 55 <= served <= 75, served)
        report = subprocess.run([program("llmock"), "report", "--url", f"http://127.0.0.1:{at}"], capture_output=True, text=True)
        check("llmock 60 rpm: its own verdict on the client", report.returncode == 0, report.stdout.strip()[-200:])
    at = port()
    with Serving([program("llmock"), "serve", "--port", str(at), "--error-rate", "503=0.3", "--stream-fault", "truncate=0.3"], at):
        probes, _ = probe(simcap, at, "gpt-4o", "--rate", "20/s", "--requests", "200", "--input", "20", "--output", "8")
        share = {kind: sum(p["outcome"] == kind for p in probes) / len(probes) for kind in ("unavailable", "truncated")}
        # 30 % of all, and 30 % of the rest; five standard deviations.
        check("llmock faults: 503s", abs(share["unavailable"] - 0.3) < 0.16, f"{share['unavailable']:.0%}")
        check("llmock faults: streams broken off", abs(share["truncated"] - 0.21) < 0.15, f"{share['truncated']:.0%}")


def guidellm(simcap):
    for delay in (50, 200, 1000):
        at = port()
        command = [program("guidellm"), "mock-server", "--host", "127.0.0.1", "--port", str(at), "--model", "mock"]
        with Serving([*command, "--ttft-ms", str(delay), "--itl-ms", "10", "--output-tokens", "32"], at):
            time.sleep(1)
            probes = timed_probe(simcap, at, "mock", delay, 10)
        times(f"guidellm {delay} ms", probes, delay, 10)
        alike = sum(bool(p.get("usage")) and p["usage"]["output"] == p["chunks"] for p in probes)
        check(f"guidellm {delay} ms: a chunk a token", alike > 0.9 * len(probes), f"{alike} of {len(probes)}")


def aimock(simcap):
    pace = {"ttft": 200, "tps": 100, "jitter": 0}
    answer = {"match": {}, "response": {"content": "x" * 128}, "chunkSize": 4, "streamingProfile": pace}
    fixture = {"fixtures": [answer]}
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "fixtures.json"
        file.write_text(json.dumps(fixture))
        at = port()
        with Serving([program("aimock"), "-p", str(at), "-f", str(file)], at):
            probes = timed_probe(simcap, at, "gpt-4o", 210, 10)
        times("aimock 200 ms", probes, 210, 10)
        at = port()
        with Serving([program("aimock"), "-p", str(at), "-f", str(file), "--chaos-ratelimit", "0.3"], at):
            probes, _ = probe(simcap, at, "gpt-4o", "--rate", "20/s", "--requests", "60", "--input", "20", "--output", "8")
        waits = {p.get("retry_after_us") for p in probes if p.get("status") == 429}
        check("aimock chaos: 429s with Retry-After: 1", waits == {1_000_000}, waits)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("simcap")
    arguments.add_argument("--quick", action="store_true")
    given = arguments.parse_args()
    cases = {"llmock": llmock} if given.quick else {"llmock": llmock, "guidellm": guidellm, "aimock": aimock}
    for name, case in cases.items():
        print(name)
        if program(name):
            case(given.simcap)
        else:
            skipped.append(name)
            print(f"  skipped: {name} is not installed")
    print(f"{len(done)} hold, {len(wrong)} do not, {len(skipped)} skipped")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
