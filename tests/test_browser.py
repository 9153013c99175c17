"""What does a reader see and touch? The pad in three browsers, the exported page, JupyterLab, Notebook 7."""

import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager

import nbformat
import numpy as np
import pytest
from browser import ENGINES, fetch, free_port, running, until
from page import PATH, ROOT, STORED
from test_learner import QUICK, excerpt
from test_pad import strokes_of

READY = "return !!pad?.padState && document.readyState === 'complete'"
IDLE = """
    const app = window.jupyterapp, panel = app && [...app.shell.widgets("main")][0];
    if (panel) app.shell.activateById(panel.id);
    return panel?.sessionContext?.session?.kernel?.status === "idle";"""
RUN = "window.jupyterapp.commands.execute('notebook:run-all-cells').then(() => { window.ran = true; })"
PAGE = r"""
    const all = (selector) => [...document.querySelectorAll(selector)];
    const text = all(".jp-MarkdownOutput, .jp-RenderedMarkdown").map((e) => e.innerText).join(" ");
    const code = all(".jp-CodeCell .jp-InputArea-editor").flatMap((e) => [e, ...e.querySelectorAll("*")]);
    const cut = (e) => e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflowX !== "visible";
    return {
        figures: all(".jp-OutputArea-output img").length,
        errors: all("[data-mime-type$='jupyter.error'], [data-mime-type$='jupyter.stderr']").length,
        formulas: all("mjx-container").length,
        raw: all("mjx-merror").length + (text.match(/\$\$|\\begin/g) ?? []).length,
        off: all("img, table, .digit-pad").filter((e) => e.getBoundingClientRect().right > innerWidth + 1).length,
        wide: code.filter(cut).length,
    };"""


def figures(cells):
    """How many figures these cells show."""
    return sum("image/png" in out.get("data", {}) for cell in cells for out in cell.get("outputs", []))


@pytest.fixture(scope="module", params=ENGINES)
def browser(request, tmp_path_factory):
    """Each of the three browsers."""
    with ENGINES[request.param](tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def chromium(tmp_path):
    """Chromium, for what one engine can tell."""
    with ENGINES["chromium"](tmp_path / "profile") as browser:
        yield browser


@pytest.fixture(scope="module")
def pages(nn, tmp_path_factory):
    """A folder of pages: one pad, three pads, the exported notebook."""
    folder = tmp_path_factory.mktemp("pages")
    W1, b1, W2, b2 = nn.load_model(ROOT / "data" / "pad_model.npz")
    pad, reverse = nn.pad_page(W1, b1, W2, b2), nn.pad_page(W1, b1, W2[:, ::-1], b2[::-1])
    (folder / "pad.html").write_text(pad, encoding="utf-8")
    (folder / "pads.html").write_text(pad + reverse + pad, encoding="utf-8")
    options = ["--to=html", "--output=notebook", f"--output-dir={folder}"]
    options += [f"--HTMLExporter.{script}_url=data:text/javascript," for script in ("require_js", "mathjax")]
    subprocess.run([sys.executable, "-m", "nbconvert", *options, PATH], check=True, capture_output=True)
    return folder


def read(nn, browser, strokes):
    """The digit that the pad reads; its pixels and probabilities must be what Python makes of its ink."""
    W1, *others = nn.load_model(ROOT / "data" / "pad_model.npz")
    whole, scale = nn.quantise(W1)
    state = browser.draw(strokes) if strokes else browser.state()
    x = nn.normalise_drawing(np.reshape(state.ink, (280, 280)) / 255).reshape(1, 784)
    assert np.abs(x - state.input).max() < 1e-6
    assert np.abs(nn.forward(x, whole * scale, *others)[-1] - state.probabilities).max() < 1e-5
    return int(np.argmax(state.probabilities))


def show(browser, file):
    """Open a page and wait for its pad."""
    browser.show(file.as_uri())
    until(lambda: browser.js(READY))


def resize(chromium, width):
    """Make the window so many pixels wide."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    chromium.send("goog/cdp/execute", {"cmd": "Emulation.setDeviceMetricsOverride", "params": size})


@pytest.mark.parametrize("page", ["pad.html", "notebook.html"])
def test_the_pad_with_mouse_and_keyboard(browser, nn, pages, page):
    show(browser, pages / page)
    assert [read(nn, browser, strokes_of(digit)) for digit in range(10)] == list(range(10))
    begun = browser.draw(strokes_of(4)[:1]).input
    assert read(nn, browser, strokes_of(4)) == 4 and browser.state().said.startswith("4, ")
    browser.click(".undo")
    assert np.allclose(browser.state().input, begun, atol=0.05)  # the page may have scrolled by half a pixel
    browser.click(".clear")
    assert browser.state().input is None and browser.state().said == "nothing drawn yet"

    browser.js("document.addEventListener('keydown', () => { window.leaked = true; })")
    browser.type(*["ArrowUp"] * 10, " ", *["ArrowDown"] * 20, " ", "ArrowLeft")
    one = browser.state()
    assert read(nn, browser, None) == 1 and one.said.startswith("1, ")
    browser.type(" ", *["ArrowRight"] * 9, "Backspace")
    assert browser.state().input == one.input
    browser.type("Delete")
    assert browser.state().input is None and not browser.js("return window.leaked")


def test_pads_on_one_page_have_their_own_networks(browser, pages):
    show(browser, pages / "pads.html")
    answers = [browser.draw(strokes_of(7), pad).probabilities for pad in range(3)]
    assert [int(np.argmax(p)) for p in answers] == [7, 2, 7]


def test_the_pads_file_by_itself_says_what_it_is(browser):
    show(browser, ROOT / "data" / "digit_pad.html")
    assert "section 9 of the notebook" in browser.js("return document.body.innerText")
    state = browser.draw(strokes_of(3))
    assert len(state.input) == 784 and state.probabilities is None


@pytest.mark.parametrize("width", [1280, 390])
def test_exported_page(chromium, nn, pages, width):
    resize(chromium, width)
    show(chromium, pages / "notebook.html")
    page = chromium.js(PAGE)
    assert page["figures"] == figures(STORED["cells"]) and not page["errors"] and not page["off"]
    assert width == 390 or not page["wide"], "code is cut off, or scrolls"
    assert read(nn, chromium, strokes_of(7)) == 7


@contextmanager
def jupyter(app, folder, notebook):
    """JupyterLab or Notebook 7 with a copy of the project, and in it this notebook, whose address it gives."""
    copy, port = folder / "project", free_port()
    place = {"jupyterlab": "lab/tree", "notebook": "notebooks"}[app]
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".git", ".*cache", "__pycache__", ".venv"))
    nbformat.write(notebook, copy / PATH.name)
    tracker = folder / "config/lab/user-settings/@jupyterlab/notebook-extension/tracker.jupyterlab-settings"
    tracker.parent.mkdir(parents=True)
    tracker.write_text(json.dumps({"windowingMode": "none"}))  # every cell is rendered
    folders = {"JUPYTER_DATA_DIR": str(folder / "data"), "JUPYTER_CONFIG_DIR": str(folder / "config")}
    options = {"cwd": copy, "env": {**os.environ, **folders}}
    if app == "notebook":
        subprocess.run([sys.executable, "-m", "jupyter", "trust", PATH.name], check=True, **options)
    flags = ["--no-browser", "--allow-root", "--expose-app-in-browser", "--IdentityProvider.token=test"]
    with running(sys.executable, "-m", app, "--ip=127.0.0.1", f"--port={port}", *flags, **options):
        until(lambda: fetch(f"http://127.0.0.1:{port}/api?token=test"))
        yield f"http://127.0.0.1:{port}/{place}/{PATH.name}?token=test"


@pytest.mark.parametrize("app", ["jupyterlab", "notebook"])
def test_jupyter(chromium, nn, tmp_path, app):
    """JupyterLab runs all cells of a Part I it does not trust yet; Notebook 7 opens the whole, trusted."""
    pytest.importorskip(app)
    notebook = excerpt(QUICK) if app == "jupyterlab" else nbformat.read(PATH, 4)
    with jupyter(app, tmp_path, notebook) as address:
        resize(chromium, 1300)
        chromium.show(address)
        cells = f"document.querySelectorAll('.jp-Notebook .jp-Cell').length === {len(notebook.cells)}"
        until(lambda: chromium.js(f"return {cells}") and chromium.js(IDLE), 120)
        if app == "jupyterlab":
            assert "scripts do not run" in chromium.js("return document.body.innerText")
            chromium.js(RUN)
            until(lambda: chromium.js("return window.ran") or chromium.js(PAGE)["errors"], 600)
        until(lambda: chromium.js(READY) or chromium.js(PAGE)["errors"])
        page = chromium.js(PAGE)
        assert not page["errors"] and not page["raw"] and not page["wide"]
        assert page["figures"] == figures(notebook.cells) and page["formulas"] > 50
        assert read(nn, chromium, strokes_of(7)) == 7
