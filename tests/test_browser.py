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

OWN, TRAINED = ROOT / "mnist_model.npz", ROOT / "data" / "pad_model.npz"
SECOND = ".networks label:last-of-type"
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
    W1, b1, W2, b2 = nn.load_model(OWN)
    pad, reverse = nn.pad_page(W1, b1, W2, b2), nn.pad_page(W1, b1, W2[:, ::-1], b2[::-1])
    (folder / "pad.html").write_text(pad, encoding="utf-8")
    (folder / "pads.html").write_text(pad + reverse + pad, encoding="utf-8")
    options = ["--to=html", "--output=notebook", f"--output-dir={folder}"]
    options += [f"--HTMLExporter.{script}_url=data:text/javascript," for script in ("require_js", "mathjax")]
    subprocess.run([sys.executable, "-m", "nbconvert", *options, PATH], check=True, capture_output=True)
    return folder


def read(nn, browser, strokes=None, model=TRAINED):
    """The digit that the pad reads; all its numbers must be what Python makes of its ink."""
    W1, b1, W2, b2 = (P.astype(float) for P in nn.load_model(model))
    whole, scale = nn.quantise(W1)
    state = browser.draw(strokes) if strokes else browser.state()
    x = nn.normalise_drawing(np.reshape(state.ink, (280, 280)) / 255).reshape(1, 784)
    assert np.abs(x - state.input).max() < 1e-6
    assert np.abs(nn.forward(x, whole * scale, b1, W2, b2)[-1] - state.probabilities).max() < 1e-5
    answer, a1 = int(np.argmax(state.probabilities)), np.maximum(x @ (whole * scale) + b1, 0)[0]
    weight = W2[:, answer] - W2.mean(axis=1)
    tint, adds = x[0] * (whole * scale @ ((a1 > 0) * weight)), a1 * weight
    units, shown = np.transpose([(unit["unit"], unit["adds"]) for unit in state.units])
    largest = np.sort(np.abs(adds[a1 > 0]))[:-13:-1]  # a dozen, if so many are active
    assert np.allclose(state.tint, tint, atol=1e-4) and np.allclose(shown, adds[units.astype(int)], atol=1e-4)
    assert np.abs(shown) == pytest.approx(largest, abs=1e-4)
    assert state.labels == [f"{number:+.2f}".replace("-", "−") for number in shown]
    return answer


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
    browser.click(SECOND)
    assert [read(nn, browser, strokes_of(digit)) for digit in range(10)] == list(range(10))
    assert read(nn, browser, strokes_of(0)) == 0 and browser.state().said.startswith("0, ")
    begun = browser.state().ink
    browser.click(".ink")
    assert browser.state().ink != begun, "a tap leaves no dot"
    browser.click(".undo")
    assert browser.state().ink == begun
    browser.click(".clear")
    assert browser.state().input is None and browser.state().said == "nothing drawn yet"
    assert not browser.state().labels, "an empty pad shows units"

    browser.js("document.addEventListener('keydown', () => { window.leaked = true; })")
    browser.type(*["ArrowUp"] * 10, " ", *["ArrowDown"] * 20, " ", "ArrowLeft")
    one = browser.state()
    assert read(nn, browser) == 1 and one.said.startswith("1, ")
    browser.type(" ", *["ArrowRight"] * 9, "Backspace")
    assert browser.state().input == one.input
    browser.type("Delete")
    assert browser.state().input is None and not browser.js("return window.leaked")


def test_pads_on_one_page_have_their_own_networks_which_take_turns(browser, nn, pages):
    show(browser, pages / "pads.html")
    answers = [browser.draw(strokes_of(7), pad).probabilities for pad in range(3)]
    assert [int(np.argmax(p)) for p in answers] == [7, 2, 7]
    ink = browser.state().ink
    for key, model in [("ArrowDown", TRAINED), ("ArrowUp", OWN)]:
        browser.type(key, part="input:checked")
        assert read(nn, browser, model=model) == 7 and browser.state().ink == ink


def test_the_pads_file_by_itself_whatever_befalls_a_stroke(browser, nn):
    """The pointers of made-up events do not exist, so setPointerCapture throws, too."""
    show(browser, ROOT / "data" / "digit_pad.html")
    assert not browser.js("return pad.querySelector('fieldset').offsetWidth"), "a choice of one network"
    assert read(nn, browser, strokes_of(3)) == 3
    browser.click(".clear")
    finger = {"pointerId": 78, "isPrimary": False}
    browser.poke(("down", 50, 50), ("move", 50, 200), ("down", 200, 50, finger), ("move", 200, 200, finger))
    browser.poke(("move", 50, 210, {"buttons": 0}), ("move", 250, 210))  # let go outside the window
    browser.poke(("down", 150, 50), ("down", 250, 50), ("move", 250, 200))
    rows, columns = [100, 50, 100, 100, 50, 210, 50], [50, 150, 250, 200, 100, 150, 200]
    drawn = np.reshape(browser.state().ink, (280, 280))[rows, columns] > 0
    assert drawn.tolist() == [True, True, True, False, False, False, False]
    scribble = np.random.default_rng(0).integers(280, size=(13_000, 2)).tolist()
    events = [("down" if n > 10_000 and n % 3 == 0 else "move", x, y) for n, (x, y) in enumerate(scribble)]
    assert browser.poke(*events) < 40, "many points or strokes are slow"
    assert sum(browser.state().probabilities) == pytest.approx(1)


def test_the_pad_fits_into_200_pixels(chromium):
    resize(chromium, 200)
    show(chromium, ROOT / "data" / "digit_pad.html")
    assert chromium.draw(strokes_of(3)) and chromium.js("return document.documentElement.scrollWidth") <= 200


@pytest.mark.parametrize("width", [1280, 390])
def test_exported_page(chromium, nn, pages, width):
    resize(chromium, width)
    show(chromium, pages / "notebook.html")
    page = chromium.js(PAGE)
    assert page["figures"] == figures(STORED["cells"]) and not page["errors"] and not page["off"]
    assert width == 390 or not page["wide"], "code is cut off, or scrolls"
    chromium.click(SECOND)
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
        chromium.click(SECOND)
        assert read(nn, chromium, strokes_of(7)) == 7
        chromium.type("b", "d", "d", part="input:checked")
        assert chromium.js(f"return {cells}"), "a key reached the notebook"
