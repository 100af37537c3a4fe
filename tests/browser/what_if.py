"""Opens the page of `simcap page` in headless Chromium and turns its knobs.

    pip install playwright
    python3 tests/browser/what_if.py target/release/simcap ENGINE.wasm [--axe FOLDER] [--keep FOLDER]

Untouched, the page must come to the bytes of `simcap run` with as many replications. A knob that is moved must change figures and the
verdict, stand in the address and survive a reload; the experiment that it saves must give, on the command line, the same bytes
again. The page may make no request and write nothing to the console. Prints how long a run took. Exits with 1 if something is wrong.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

from playwright.sync_api import sync_playwright

from pages import BROWSERS, FLAGS, LOOK, ROOT

DONE = "document.getElementById('state').dataset.done"


def native(simcap, file, replications, out):
    """The bytes of `result.json` that the program writes."""
    command = [simcap, "run", file, "--replications", str(replications), "--out", out, "-q"]
    subprocess.run(command, capture_output=True, check=False)
    return (out / "result.json").read_text(encoding="utf-8")


def field(page, path):
    """The field of the knob at `path`."""
    return page.locator(f"#knobs [data-path='{path}'] input[type=text]")


def moved(page, path, number):
    """Writes `number` into the knob at `path`, and waits for what follows."""
    field(page, path).evaluate(
        "(e, v) => { e.closest('details').open = true; e.value = v; e.dispatchEvent(new Event('change')); }", str(number)
    )
    page.wait_for_function(f"!{DONE}", timeout=5_000)
    page.wait_for_function(DONE, timeout=120_000)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    arguments.add_argument("simcap")
    arguments.add_argument("engine")
    arguments.add_argument("--axe", type=pathlib.Path)
    arguments.add_argument("--keep", type=pathlib.Path)
    given = arguments.parse_args()
    browser_path = next((path for path in BROWSERS if pathlib.Path(path).exists()), None)
    if browser_path is None:
        print("skipped: no Chromium")
        return 0
    wrong = []

    def expect(holds, otherwise):
        if not holds:
            wrong.append(otherwise)

    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        folder = given.keep or pathlib.Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        file = ROOT / "experiments" / "tiered.json"
        html = folder / "tiered.html"
        subprocess.run([given.simcap, "page", file, "--engine", given.engine, "--out", html], check=True, capture_output=True)
        print(f"the page has {html.stat().st_size / 1e6:.1f} MB")
        browser = playwright.chromium.launch(executable_path=browser_path, args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 900}, bypass_csp=True)
        page.on("console", lambda message: wrong.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
        page.on("request", lambda r: r.url.split("#")[0] == html.as_uri() or r.url.startswith("blob:") or wrong.append(f"request: {r.url}"))
        page.goto(html.as_uri())
        page.wait_for_function(DONE, timeout=120_000)
        replications = int(page.evaluate(DONE))
        print(page.inner_text("#state"))
        expect(page.evaluate("simcap.result()") == native(given.simcap, file, replications, folder / "native"), "other bytes than simcap run")
        answer = "JSON.parse(simcap.result()).scorecard.cheapest"
        before = page.evaluate(answer)
        if given.keep:
            page.screenshot(path=folder / "untouched.png", full_page=True)

        label = page.locator("#knobs [data-path='objectives[3].at_least'] label").text_content()
        expect(label == "quality at least", f"a knob is called {label!r}")
        for mistake in ["abc", "-3", ""]:
            field(page, "objectives[3].at_least").evaluate(
                "(e, v) => { e.value = v; e.dispatchEvent(new Event('change')); }", mistake
            )
            said = page.locator("#knobs [data-path='objectives[3].at_least'] .why").text_content()
            expect("0 or more" in said, f"{mistake!r} is not refused with words: {said!r}")
        moved(page, "objectives[3].at_least", 0.95)
        expect(page.evaluate(answer) != before, "the verdict does not change with its bound")
        moved(page, "objectives[3].at_least", 0.9)
        expect(page.evaluate(answer) == before, "the verdict does not come back with its bound")
        expect("#" not in page.url, "the address keeps a knob that is where it was")
        moved(page, "providers.premium.prices.per_token.output", 30)
        moved(page, "traffic.arrivals.poisson.rate", 24)
        print(page.inner_text("#state"))
        after = page.evaluate(answer)
        expect(after != before, "the verdict does not change with traffic and a price")
        text, result = page.evaluate("simcap.experiment()"), page.evaluate("simcap.result()")
        replications = int(page.evaluate(DONE))
        changed = folder / "tiered.json"
        changed.write_text(text, encoding="utf-8")
        (folder / "models").mkdir(exist_ok=True)
        for model in (ROOT / "models").glob("*.json"):
            (folder / "models" / model.name).write_bytes(model.read_bytes())
        expect(result == native(given.simcap, changed, replications, folder / "changed"), "what is saved gives other bytes")
        expect('"rate": "24M/30d"' in text, "the rate that is saved is not the one of the knob")
        if given.keep:
            page.screenshot(path=folder / "moved.png", full_page=True)
        page.reload()
        page.wait_for_function(DONE, timeout=120_000)
        expect(page.evaluate(answer) == after, "a reload forgets the knobs")
        moved(page, "client.limiters[0].token_bucket.burst", 0)
        expect(page.is_visible("#error") and "burst" in page.inner_text("#error"), "a mistake is not told")
        page.click("#reset")
        page.wait_for_function(f"!{DONE}", timeout=5_000)
        page.wait_for_function(DONE, timeout=120_000)
        expect(page.evaluate(answer) == before, "reset does not reset")
        for width in [390, 1280]:
            page.set_viewport_size({"width": width, "height": 900})
            wrong += [f"{width} px: {line}" for line in page.evaluate(LOOK, width)]
            if given.keep:
                page.screenshot(path=folder / f"page-{width}.png", full_page=True)
        if given.axe:
            page.evaluate((given.axe / "axe.min.js").read_text(encoding="utf-8"))
            for violation in page.evaluate("axe.run().then((r) => r.violations)"):
                wrong.append(f"axe {violation['id']}: {violation['nodes'][0]['html'][:120]}")
        browser.close()
    for line in dict.fromkeys(wrong):
        print("  " + line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
