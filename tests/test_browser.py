"""The notebook in a real JupyterLab and as an exported page, in headless Chromium, as a reader meets them."""

import asyncio
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

import numpy as np
import pytest
from browser import Pad, needs_browser, open_browser
from notebook import PATH, ROOT, code_cells
from pen_strokes import pen_strokes

TOKEN = "for-this-test-only"
FIGURES = sum("image/png" in output.get("data", {}) for cell in code_cells() for output in cell["outputs"])
DIGITS = (0, 1, 7)


@pytest.fixture
def jupyterlab(tmp_path):
    """JupyterLab on a copy of the project, with every cell rendered; gives the notebook's address."""
    copy = tmp_path / "project"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".git", ".*cache", "__pycache__", ".venv"))
    settings = tmp_path / "settings" / "@jupyterlab" / "notebook-extension"
    settings.mkdir(parents=True)
    (settings / "tracker.jupyterlab-settings").write_text(json.dumps({"windowingMode": "none"}))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = [f"--port={port}", "--no-browser", "--allow-root", f"--IdentityProvider.token={TOKEN}"]
    environment = {
        **os.environ,
        "JUPYTERLAB_SETTINGS_DIR": str(tmp_path / "settings"),
        "JUPYTER_PATH": str(kernel_of_this_python(tmp_path)),
    }
    with open(tmp_path / "log", "w") as log:
        command = [sys.executable, "-m", "jupyterlab", "--ip=127.0.0.1", *options]
        server = subprocess.Popen(command, cwd=copy, env=environment, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    for _ in range(120):
        try:
            urllib.request.urlopen(f"{address}/api?token={TOKEN}")
            break
        except OSError:
            time.sleep(0.5)
    yield f"{address}/lab/tree/{PATH.name}?token={TOKEN}"
    server.terminate()
    server.wait()


def kernel_of_this_python(folder):
    """A Jupyter path whose kernel python3 is the Python that runs the tests."""
    kernel = folder / "jupyter" / "kernels" / "python3"
    kernel.mkdir(parents=True)
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": command, "display_name": "Python 3", "language": "python"}
    (kernel / "kernel.json").write_text(json.dumps(spec))
    return folder / "jupyter"


async def read_drawings(page, context):
    """What the pad on the page answers to a drawn 0, 1 and 7."""
    pad = Pad(page, await context.new_cdp_session(page))
    rng = np.random.default_rng(5)
    answers = [(await pad.draw(pen_strokes(digit, rng, way=0)))[1] for digit in DIGITS]
    return [int(answer.argmax()) for answer in answers]


async def run_all_cells(address, folder):
    """Open the notebook, run all cells as a person does, by the menu, and report what is then on the page."""
    cells = len(code_cells())
    async with open_browser(folder / "profile", viewport={"width": 1200, "height": 900}) as context:
        page = context.pages[0]
        page.set_default_timeout(120_000)
        await page.goto(address)
        await page.locator(".jp-Notebook .jp-CodeCell").first.wait_for()
        await page.locator(".jp-Notebook .jp-CodeCell").nth(cells - 1).wait_for(state="attached")
        await asyncio.sleep(10)  # the kernel starts
        await page.get_by_role("menuitem", name="Run", exact=True).click()
        await page.get_by_text("Run All Cells", exact=True).click()
        done = """cells => {  // a cell whose source is folded shows no prompt
            const texts = [...document.querySelectorAll(".jp-InputArea-prompt")].map(p => p.textContent);
            const counts = texts.map(text => Number(text.match(/^\\[(\\d+)\\]:$/)?.[1] ?? 0));
            const failed = document.querySelector("[data-mime-type='application/vnd.jupyter.error']");
            return failed || Math.max(...counts) === cells && !texts.some(text => text.includes("*"));
        }"""
        await asyncio.sleep(5)  # until the first cells are marked as waiting
        await page.wait_for_function(done, arg=cells, timeout=1_800_000, polling=1000)
        await asyncio.sleep(3)
        count = page.locator
        return {
            "errors": await count("[data-mime-type='application/vnd.jupyter.error']").count(),
            "stderr": await count("[data-mime-type='application/vnd.jupyter.stderr']").count(),
            "figures": await count(".jp-OutputArea-output img").count(),
            "formulas": await count("mjx-container").count(),
            "bad formulas": await count("mjx-merror, .MathJax_Error").count(),
            "text": "\n".join(await count(".jp-MarkdownOutput").all_inner_texts()),
            "answers": await read_drawings(page, context),
        }


@needs_browser
def test_run_all_in_jupyterlab(jupyterlab, tmp_path):
    seen = asyncio.run(run_all_cells(jupyterlab, tmp_path))
    assert seen["errors"] == seen["stderr"] == seen["bad formulas"] == 0
    assert seen["figures"] == FIGURES
    assert seen["formulas"] > 50 and "$$" not in seen["text"] and r"\begin" not in seen["text"]
    assert seen["answers"] == list(DIGITS)


async def look_at(page_file, folder, width, scheme):
    """Open an exported page; what runs off its right edge, and what the pad answers."""
    options = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme}
    async with open_browser(folder, **options) as context:
        page = context.pages[0]
        await page.goto(page_file.as_uri(), wait_until="domcontentloaded")
        await page.locator(".digit-pad .ink").wait_for()
        figures = await page.locator("img").count()
        wide = await page.evaluate(
            """() => [...document.querySelectorAll("img, table, .digit-pad")]
                .filter(e => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest(".jp-RenderedHTML div"))
                .filter(e => { for (let p = e.parentElement; p; p = p.parentElement)
                    if (["auto", "scroll"].includes(getComputedStyle(p).overflowX)) return false; return true; })
                .map(e => e.outerHTML.slice(0, 80))"""
        )
        return figures, wide, await read_drawings(page, context)


@needs_browser
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light")])
def test_exported_page(tmp_path, width, scheme):
    export = [sys.executable, "-m", "nbconvert", "--to", "html", "--output-dir", str(tmp_path), str(PATH)]
    theme = ["--HTMLExporter.theme=dark"] if scheme == "dark" else []
    subprocess.run(export + theme, check=True, capture_output=True)
    figures, wide, answers = asyncio.run(
        look_at(tmp_path / PATH.with_suffix(".html").name, tmp_path / "profile", width, scheme)
    )
    assert figures == FIGURES and not wide
    assert answers == list(DIGITS)


def test_maths_and_html_follow_githubs_rules():
    """What can be checked without GitHub: `$$` on lines of their own between empty lines, no construct it lacks."""
    for cell in json.loads(PATH.read_text(encoding="utf-8"))["cells"]:
        text = "".join(cell["source"])
        if cell["cell_type"] != "markdown":
            continue
        code_free = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.S)
        lines = ["", *code_free.split("\n"), ""]
        marks = [i for i, line in enumerate(lines) if "$$" in line]
        assert all(lines[i].strip() == "$$" for i in marks) and len(marks) % 2 == 0, text[:60]
        for first, last in zip(marks[::2], marks[1::2]):
            assert not lines[first - 1].strip() and not lines[last + 1].strip(), text[:60]
            assert all(line.strip() for line in lines[first + 1 : last]), "an empty line within a formula"
        assert not re.search(r"\\\(|\\\[|\\label|\\tag|\\newcommand|\\def\b", code_free), text[:60]
        inline = re.sub(r"\$\$.*?\$\$", "", code_free, flags=re.S)
        assert inline.count("$") % 2 == 0, text[:60]
        assert not re.search(r"<(script|style|iframe|img)", text), "GitHub takes these out"
