"""Opens the pages that simcap writes in headless Chromium and looks for what a reader would stumble over.

    pip install playwright; npm install axe-core
    python3 tests/browser/pages.py target/release/simcap [--quick] [--axe FOLDER] [--keep FOLDER]

Every shipped experiment that needs no file from outside is run with few replications, and one whose names are hostile; two results are put
on one page. At 390, 1,280 and
1,920 pixels, in light, dark and print, a page must make no request and write nothing to the console; no text may be cut, reach beyond
the page or lie upon other text; every figure must be one of `result.json`; and axe-core (of which `--axe` names the folder that npm put
it in) must find no violation. `--quick` takes one experiment. `--keep` keeps the pages and a picture of each. Exits with 1 if something is found.
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

from playwright.sync_api import sync_playwright

ROOT = pathlib.Path(__file__).resolve().parents[2]
BROWSERS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"]
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]
# How many replications, so that the whole list takes a few minutes.
EXPERIMENTS = {
    "tiered": 3, "outage": 2, "rollout": 2, "task-router": 2, "prompt-cache": 2, "limiter": 2, "retry-storm": 2, "qps-1000": 2,
    "policy-zoo": 2, "day-and-night": 2, "response-cache": 2, "tenants": 2, "agents": 2, "ecommerce": 2,
}
WIDTHS = [390, 1280, 1920]
# Of 1,280 pixels, with everything folded.
TALLEST = {"policy-zoo": 12_000}
LARGEST = 3_000_000

HOSTILE = ["<script>alert(1)</script>", "\u202eevil\u202d", "\u6a21\u578b-\u8def\u7531", "x" * 200, "a&b\"c'd"]

# Runs in the page. Gives what is wrong, one sentence each.
LOOK = r"""
(width) => {
  const wrong = [];
  const name = (e) => {
    const section = e.closest('section');
    return `${e.tagName.toLowerCase()} "${(e.textContent || '').trim().slice(0, 60)}" in #${section ? section.id : ''}`;
  };
  const shown = (e) => e.checkVisibility ? e.checkVisibility({ visibilityProperty: true, opacityProperty: true }) : true;
  const page = document.scrollingElement;
  if (page.scrollWidth > width + 1) wrong.push(`the page is ${page.scrollWidth} pixels wide`);

  // Text is cut if it reaches beyond a box that neither grows nor scrolls, or beyond the page.
  const scrolls = (style) => ['auto', 'scroll'].includes(style.overflowX);
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const boxes = [];
  while (walker.nextNode()) {
    const node = walker.currentNode, element = node.parentElement;
    if (!node.textContent.trim() || ['SCRIPT', 'STYLE', 'TITLE', 'DESC', 'TEMPLATE'].includes(element.tagName.toUpperCase())) continue;
    if (!shown(element)) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const svg = element.closest('svg');
    // A line of text for each rectangle; of a picture's text one, as it is drawn.
    const rectangles = svg ? [element.getBoundingClientRect()] : [...range.getClientRects()];
    let inside = null;
    for (let e = element; e && e !== document.body; e = e.parentElement) {
      const style = getComputedStyle(e);
      if (scrolls(style)) { inside = e; break; }
    }
    for (const r of rectangles) {
      if (r.width < 1 || r.height < 1) continue;
      if (!inside && (r.right > width + 1 || r.left < -1)) wrong.push(`beyond the page: ${name(element)}`);
      if (svg) {
        const frame = svg.getBoundingClientRect();
        if (r.left < frame.left - 1 || r.right > frame.right + 1 || r.top < frame.top - 1 || r.bottom > frame.bottom + 1)
          wrong.push(`beyond its picture: ${name(element)}`);
      } else {
        for (let e = element; e && e !== document.body; e = e.parentElement) {
          const style = getComputedStyle(e);
          if (scrolls(style)) break;
          if (style.overflowX === 'visible' && style.overflowY === 'visible') continue;
          const frame = e.getBoundingClientRect();
          if (r.right > frame.right + 1 || r.bottom > frame.bottom + 1) wrong.push(`cut: ${name(element)}`);
        }
      }
      // Of a box that scrolls, what is seen of it.
      const seen = inside ? inside.getBoundingClientRect() : { left: -Infinity, right: Infinity };
      boxes.push({ element, svg, left: Math.max(r.left, seen.left), right: Math.min(r.right, seen.right), top: r.top, bottom: r.bottom });
    }
  }

  // Two texts overlap if their boxes share more than the room that letters leave above and below.
  boxes.sort((a, b) => a.top - b.top);
  for (let i = 0; i < boxes.length; i++) {
    const a = boxes[i];
    for (let j = i + 1; j < boxes.length; j++) {
      const b = boxes[j];
      if (b.top > a.bottom) break;
      if (a.element === b.element || a.element.contains(b.element) || b.element.contains(a.element)) continue;
      const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const line = Math.min(a.bottom - a.top, b.bottom - b.top);
      if (wide > 2 && high > 0.35 * line) wrong.push(`one upon the other: ${name(a.element)} and ${name(b.element)}`);
    }
  }
  return [...new Set(wrong)];
}
"""

# Every figure with its row's policy, as it is written.
FIGURES = r"""
() => [...document.querySelectorAll('td .figure')].map((f) => {
  const row = f.closest('tr'), head = row && row.querySelector('th');
  return { row: head ? head.textContent.trim() : '', of: f.closest('td').dataset.of || '', text: f.textContent.trim() };
})
"""

# What a unit multiplies the number of a result file by to be as written: several where a number may be read in several ways.
UNITS = {
    "s": 1, "ms": 1e3, "µs": 1e6, "min": 1 / 60, "h": 1 / 3600, "d": 1 / 86400, "%": 100, "/s": 1, "": 1, "k": 1e-3, "M": 1e-6,
    "×": 1, "M/s": 1e-6, "k/s": 1e-3, "/min": 60,
}


def numbers(value):
    """Every number in `value`, at any depth."""
    if isinstance(value, bool) or value is None:
        return
    if isinstance(value, (int, float)):
        yield float(value)
    elif isinstance(value, dict):
        for inner in value.values():
            yield from numbers(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from numbers(inner)


def is_of(text, known):
    """Whether the figure that `text` writes is one of `known`, within half a unit of its last digit. None if it writes no number."""
    match = re.fullmatch(r"[<≤≥>~≈]?\s*([+−-]?)(\$?)([\d,]*\.?\d+)\s*(\S*)", text)
    if not match:
        return None
    sign, dollars, digits, unit = match.groups()
    unit = "" if dollars and unit.startswith("/") else unit
    if unit not in UNITS:
        return None
    plain = digits.replace(",", "")
    shown = float(plain) * (-1 if sign in ("−", "-") else 1)
    places = len(plain.split(".")[1]) if "." in plain else 0
    # Large numbers are rounded to three or four digits.
    step = 10.0**-places if places or len(plain) < 5 else 10.0 ** (len(plain) - 4 if plain.rstrip("0") != plain else 0)
    if places == 0:
        step = max(step, 10.0 ** (len(plain) - len(plain.rstrip("0"))) if shown else 1.0)
    scale = UNITS[unit]
    return any(abs(value * scale - shown) <= 0.5 * step * (1 + 1e-6) + 1e-9 for value in known)


def compared(figures, result):
    """What the page says that the result does not."""
    everywhere = set(numbers(result))
    by_policy = {policy["name"]: set(numbers(policy)) for policy in result["policies"]}
    wrong, read = [], 0
    for figure in figures:
        known = by_policy.get(figure["row"], everywhere)
        answer = is_of(figure["text"], known)
        read += answer is not None
        if answer is False:
            wrong.append(f'{figure["text"]} of {figure["row"]!r} ({figure["of"]}) is not in result.json')
    if not read:
        wrong.append("no figure could be read")
    return wrong


def hostile(folder):
    """An experiment whose names would be markup, control characters or too long."""
    provider = {"ttft": {"constant": "200ms"}, "tps": {"constant": 100}, "prices": {"per_token": {"input": "$1/Mtok", "output": "$2/Mtok"}}}
    classes = {HOSTILE[4]: {"share": 1, "input": {"constant": 100}, "output": {"constant": 50}}}
    path = folder / "hostile.json"
    path.write_text(json.dumps({
        "name": "hostile",
        "about": HOSTILE[0] + HOSTILE[1],
        "traffic": {"arrivals": {"poisson": {"rate": "5/s"}}, "classes": classes},
        "providers": {name: provider for name in HOSTILE},
        "policies": [{"name": name, "policy": {"single": {"provider": name}}} for name in HOSTILE],
        "objectives": [{"metric": "ttft.p95", "at_most": "3s"}],
        "plan": {"duration": "10min", "replications": 3},
    }), encoding="utf-8")
    return path


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    arguments.add_argument("simcap")
    arguments.add_argument("--quick", action="store_true")
    arguments.add_argument("--axe", type=pathlib.Path)
    arguments.add_argument("--keep", type=pathlib.Path)
    arguments.add_argument("--only")
    given = arguments.parse_args()
    browser_path = next((path for path in BROWSERS if pathlib.Path(path).exists()), None)
    if browser_path is None:
        print("skipped: no Chromium")
        return 0
    axe = None
    if given.axe:
        axe = (given.axe / "axe.min.js").read_text(encoding="utf-8")
    else:
        print("skipped: axe-core, which --axe leads to")

    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        folder = given.keep or pathlib.Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        wanted = {"tiered": 2} if given.quick else EXPERIMENTS
        if given.only:
            wanted = {given.only: EXPERIMENTS.get(given.only, 2)}
        files = {name: (ROOT / "experiments" / f"{name}.json", replications) for name, replications in wanted.items()}
        if not given.only or given.only == "hostile":
            files["hostile"] = (hostile(folder), 3)
        browser = playwright.chromium.launch(executable_path=browser_path, args=FLAGS)
        failed = 0
        for name, (file, replications) in files.items():
            out = folder / name
            run = subprocess.run(
                [given.simcap, "run", file, "--replications", str(replications), "--out", out, "-q"], capture_output=True, text=True,
            )
            if run.returncode not in (0, 1):
                print(f"{name}: ends with {run.returncode}: {run.stderr.strip()[:500]}")
                failed += 1
                continue
            wrong = looked_at(browser, name, out, axe, folder if given.keep else None, given.quick)
            print(f"{name}: {'good' if not wrong else f'{len(wrong)} found'}")
            for line in wrong[:40]:
                print("  " + line)
            failed += bool(wrong)
        if "tiered" in files and not given.quick:
            out, other = folder / "two", folder / "busier"
            busier = ["--set", "traffic.arrivals.poisson.rate=6M/30d", "--replications", "3", "--out", other, "-q"]
            subprocess.run([given.simcap, "run", files["tiered"][0], *busier], capture_output=True)
            results = [folder / "tiered" / "result.json", other / "result.json"]
            subprocess.run([given.simcap, "report", *results, "--out", out], check=True, capture_output=True)
            (out / "comparison.html").rename(out / "report.html")
            wrong = looked_at(browser, "two", out, axe, folder if given.keep else None, given.quick)
            print(f"two results: {'good' if not wrong else f'{len(wrong)} found'}")
            for line in wrong[:40]:
                print("  " + line)
            failed += bool(wrong)
        browser.close()
    return 1 if failed else 0


def looked_at(browser, name, out, axe, pictures, quick):
    """What is wrong with the page in `out`."""
    path = out / "report.html"
    file = out / "result.json"
    wrong = []
    if path.stat().st_size > LARGEST:
        wrong.append(f"the page has {path.stat().st_size:,} bytes")
    for width in [1280] if quick else WIDTHS:
        for scheme in ["light", "dark"]:
            page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
            page.on("console", lambda message: wrong.append(f"console: {message.text}"))
            page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
            page.on("dialog", lambda dialog: (wrong.append(f"dialog: {dialog.message}"), dialog.dismiss()))
            page.on("request", lambda request: request.url == path.as_uri() or wrong.append(f"request: {request.url}"))
            page.goto(path.as_uri())
            where = f"{width} px, {scheme}"
            height = page.evaluate("document.scrollingElement.scrollHeight")
            if width == 1280 and height > TALLEST.get(name, height):
                wrong.append(f"{where}: folded it is {height:,} pixels high")
            wrong += [f"{where}: {line}" for line in page.evaluate(LOOK, width)]
            if pictures:
                page.screenshot(path=pictures / f"{name}-{width}-{scheme}.png", full_page=True)
            page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
            wrong += [f"{where}, unfolded: {line}" for line in page.evaluate(LOOK, width)]
            if scheme == "light" and width == 1280:
                # A page of two results is made of both, and has no file of its own.
                wrong += compared(page.evaluate(FIGURES), json.loads(file.read_text(encoding="utf-8"))) if file.exists() else []
            if axe and (width == 1280 or width == 390 and scheme == "light"):
                page.evaluate(axe)
                for violation in page.evaluate("axe.run().then((r) => r.violations)"):
                    first = violation["nodes"][0]
                    wrong.append(f"{where}: axe {violation['id']} ({len(violation['nodes'])}): {first['html'][:120]}")
            page.close()
    page = browser.new_page(viewport={"width": 720, "height": 1000})
    page.emulate_media(media="print")
    page.goto(path.as_uri())
    wrong += [f"print: {line}" for line in page.evaluate(LOOK, 720)]
    if pictures:
        page.pdf(path=pictures / f"{name}.pdf", prefer_css_page_size=True)
    page.close()
    return list(dict.fromkeys(wrong))


if __name__ == "__main__":
    sys.exit(main())
