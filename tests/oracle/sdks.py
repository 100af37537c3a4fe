"""The clients that teams use, against one `simcap mock`: openai, litellm and langchain-openai, each skipped aloud where it is missing.

    python3 tests/oracle/sdks.py target/release/simcap

Each must get a whole answer, a stream and its usage as from OpenAI, list the models, and raise its own exception for a 429, for a model
that is not there, and for an answer in a form that is not served. With `--strict` the server refuses what it would ignore.
"""

import importlib.util
import json
import pathlib
import re
import subprocess
import sys
import tempfile

WORDS = "one two three four five"
BASE = {
    "source": "set", "ttft": {"constant": "5ms"}, "tps": {"constant": 2000}, "network": "0ms",
    "prices": {"input": "$0/Mtok", "output": "$0/Mtok"}, "limits": [], "faults": {},
}
MODELS = {
    "plain": BASE,
    "full": {**BASE, "limits": [{"token_bucket": {"unit": "requests", "rate": "1/h", "burst": 1}}]},
}


class Mock:
    def __init__(self, simcap, folder, *more):
        for name, variant in MODELS.items():
            (folder / f"{name}.json").write_text(json.dumps({"model": name, "default": "v", "variants": {"v": variant}}))
        files = [folder / f"{name}.json" for name in MODELS]
        self.server = subprocess.Popen([simcap, "mock", *files, "--port", "0", *more], stdout=subprocess.PIPE, text=True)
        self.base = re.search(r"http://\S+/v1", self.server.stdout.readline()).group()

    def __enter__(self):
        return self.base

    def __exit__(self, *_):
        self.server.terminate()
        self.server.wait()


def raises(kind, call):
    try:
        call()
    except kind:
        return
    except Exception as error:
        raise AssertionError(f"{kind.__name__} was due, {type(error).__name__} came: {error}") from error
    raise AssertionError(f"{kind.__name__} was due, and nothing was raised")


def with_openai(simcap, folder):
    import openai

    ask = {"model": "plain", "messages": [{"role": "user", "content": WORDS}], "max_tokens": 7}
    with Mock(simcap, folder) as base:
        client = openai.OpenAI(base_url=base, api_key="any", max_retries=0)
        whole = client.chat.completions.create(**ask, temperature=0)
        assert (whole.usage.prompt_tokens, whole.usage.completion_tokens) == (5, 7), whole.usage
        assert len(whole.choices[0].message.content.split()) == 7 and whole.choices[0].finish_reason == "length"
        chunks = list(client.chat.completions.create(**ask, stream=True, stream_options={"include_usage": True}))
        text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
        assert len(text.split()) == 7 and chunks[-1].usage.completion_tokens == 7
        assert client.completions.create(model="plain", prompt=WORDS, max_tokens=3).usage.completion_tokens == 3
        assert {m.id for m in client.models.list()} == set(MODELS) and client.models.retrieve("plain").id == "plain"
        raw = client.chat.completions.with_raw_response.create(**ask, temperature=0, seed=1)
        assert raw.headers["x-simcap-ignored"] == "seed, temperature" or raw.headers["x-simcap-ignored"] == "temperature, seed"
        raises(openai.NotFoundError, lambda: client.chat.completions.create(**{**ask, "model": "plane"}))
        for form in (
            {"response_format": {"type": "json_object"}}, {"logprobs": True}, {"n": 2},
            {"tool_choice": "required", "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}]},
        ):
            raises(openai.BadRequestError, lambda form=form: client.chat.completions.create(**ask, **form))
        raises(openai.BadRequestError, lambda: client.embeddings.create(model="plain", input=WORDS))
        raises(openai.BadRequestError, lambda: client.responses.create(model="plain", input=WORDS))
        client.chat.completions.create(**{**ask, "model": "full"})
        raises(openai.RateLimitError, lambda: client.chat.completions.create(**{**ask, "model": "full"}))
    with Mock(simcap, folder, "--strict") as base:
        client = openai.OpenAI(base_url=base, api_key="any", max_retries=0)
        client.chat.completions.create(**ask)
        raises(openai.BadRequestError, lambda: client.chat.completions.create(**ask, temperature=0))


def with_litellm(simcap, folder):
    import litellm

    with Mock(simcap, folder) as base:
        ask = {"api_base": base, "api_key": "any", "messages": [{"role": "user", "content": WORDS}], "max_tokens": 7, "num_retries": 0}
        whole = litellm.completion(model="openai/plain", **ask)
        assert whole.usage.completion_tokens == 7, whole.usage
        chunks = list(litellm.completion(model="openai/plain", stream=True, **ask))
        assert len("".join(c.choices[0].delta.content or "" for c in chunks).split()) == 7
        litellm.completion(model="openai/full", **ask)
        raises(litellm.RateLimitError, lambda: litellm.completion(model="openai/full", **ask))
        raises(litellm.NotFoundError, lambda: litellm.completion(model="openai/plane", **ask))


def with_langchain(simcap, folder):
    import openai
    from langchain_openai import ChatOpenAI

    with Mock(simcap, folder) as base:
        def chat(model):
            return ChatOpenAI(model=model, base_url=base, api_key="any", max_tokens=7, max_retries=0, stream_usage=True)

        whole = chat("plain").invoke(WORDS)
        assert len(whole.content.split()) == 7 and whole.usage_metadata["output_tokens"] == 7
        assert len("".join(chunk.content for chunk in chat("plain").stream(WORDS)).split()) == 7
        chat("full").invoke(WORDS)
        raises(openai.RateLimitError, lambda: chat("full").invoke(WORDS))


def main():
    simcap = str(pathlib.Path(sys.argv[1]).resolve())
    clients = {"openai": with_openai, "litellm": with_litellm, "langchain_openai": with_langchain}
    for name, check in clients.items():
        if importlib.util.find_spec(name) is None:
            print(f"skipped: no Python with {name}")
            continue
        with tempfile.TemporaryDirectory() as folder:
            check(simcap, pathlib.Path(folder))
        print(f"{name}: answers, streams and errors are what it takes them for")


if __name__ == "__main__":
    main()
