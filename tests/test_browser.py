"""What does a reader see and touch? The pad in three browsers, the exported page, JupyterLab, Notebook 7."""

import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from functools import partial
from types import SimpleNamespace

import nbformat
import numpy as np
import pytest
from page import PATH, ROOT, STORED
from test_learner import QUICK, excerpt
from test_pad import strokes_of

webdriver, wait = map(pytest.importorskip, ["selenium.webdriver", "selenium.webdriver.support.wait"])
pytestmark = pytest.mark.slow
Keys, CSS, ELEMENT = webdriver.Keys, "css selector", "element-6066-11e4-a52e-4f735466cecf"
OFFLINE = {"SE_OFFLINE": "true", "SE_AVOID_STATS": "true", "NO_PROXY": "*", "no_proxy": "*"}
PAD, OWN, TRAINED = (ROOT / file for file in ("data/digit_pad.html", "mnist_model.npz", "data/pad_model.npz"))
SECOND = ".networks label:last-of-type"
STATE = """
    const {input, probabilities, units, tint} = pad.padState(), said = pad.querySelector(".said").textContent;
    const labels = [...pad.querySelectorAll(".units li:not([hidden]) b")].map((b) => b.textContent);
    const {data} = pad.querySelector(".ink").getContext("2d").getImageData(0, 0, 280, 280);
    const list = (x) => x && [...x], ink = list(data).filter((_, i) => i % 4 === 3);
    const answer = {probabilities: list(probabilities), units, tint: list(tint), labels};
    return JSON.stringify({input: list(input), ...answer, said, ink});"""
POKE = """
    const ink = pad.querySelector(".ink"), pen = {pointerId: 77, isPrimary: true, buttons: 1};
    for (const [kind, x, y, more] of %s) {
        const box = ink.getBoundingClientRect(), zoom = box.width / 280;
        const place = {clientX: box.x + x * zoom, clientY: box.y + y * zoom};
        ink.dispatchEvent(new PointerEvent("pointer" + kind, {...pen, ...place, ...more}));
    }
    const times = Array.from({length: 100}, () => [performance.now(), pad.padState(), performance.now()]);
    return times.map(([begin, , end]) => end - begin).sort((a, b) => a - b)[50];"""
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
    const off = (e) => e.getBoundingClientRect().right > innerWidth + 1;
    return {figures: all(".jp-OutputArea-output img").length, formulas: all("mjx-container").length,
        errors: all("[data-mime-type$='jupyter.error'], [data-mime-type$='jupyter.stderr']").length,
        raw: all("mjx-merror").length + (text.match(/\$\$|\\begin/g) ?? []).length,
        off: all("img, table, .digit-pad, .digit-pad *").filter(off).length, wide: code.filter(cut).length};"""


def installed(*names):
    """Find the first of these programs that is here; where none is, skip the test."""
    return next(filter(None, map(shutil.which, names)), None) or pytest.skip(f"{names[0]} is not installed")


def until(ask, seconds=60):
    """Wait for ask() to answer something."""
    return wait.WebDriverWait(None, seconds, 0.2).until(lambda _: ask())


@contextmanager
def running(*command, **options):
    """Run a program, and end it with the test."""
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, **options) as program:
        try:
            yield program
        finally:
            program.terminate()


class Hand:
    """Do what a person does on a page; for this, selenium and marionette-driver share most names."""

    def __init__(self, driver, perform):
        self.driver, self.perform = driver, perform

    def js(self, body, pad=0):
        """Return what a JavaScript function with this body returns; `pad` is one of the page's pads."""
        find = f"const pad = document.querySelectorAll('.digit-pad')[{pad}];"
        return self.driver.execute_script(find + body)

    def show(self, address, width=None):
        """Open a page; in Chromium, the window can be made so many pixels wide."""
        if width:
            size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
            self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self.driver.get(address)

    def part(self, part, pad=0):
        """Scroll a part of the pad into the window and return it."""
        self.js(f"pad.querySelector('{part}').scrollIntoView({{block: 'center'}})", pad)
        return self.driver.find_elements(CSS, ".digit-pad")[pad].find_element(CSS, part)

    def draw(self, strokes, pad=0):
        """Clear the pad, draw strokes on it with the mouse, and return its state then."""
        self.part(".clear", pad).click()
        ink = self.part(".ink", pad)
        down, up = ({"type": kind, "button": 0} for kind in ("pointerDown", "pointerUp"))
        for stroke in strokes:
            points, move = stroke - 140, {"type": "pointerMove", "origin": {ELEMENT: ink.id}}  # its middle
            places = np.rint(points * ink.rect["width"] / 280).astype(int).tolist()
            first, *moves = ({**move, "x": x, "y": y} for x, y in places)
            self.perform([{"type": "pointer", "id": "mouse", "actions": [first, down, *moves, up]}])
        return self.state(pad)

    def state(self, pad=0):
        """Return the pad's inputs, probabilities and reasons (None if there are none), its words, its ink."""
        return SimpleNamespace(**json.loads(self.js(STATE, pad)))


@contextmanager
def selenium(engine, program, options, **settings):
    """Start a browser that selenium drives; it asks for no driver on the net, and no proxy for this machine."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**OFFLINE, **settings}.items():
            patch.setenv(name, value)
        service = getattr(webdriver, f"{engine}Service")(installed(program))
        with getattr(webdriver, engine)(options, service) as driver:
            yield Hand(driver, lambda actions: driver.execute("actions", {"actions": actions}))


def chromium(folder):
    """Start Chromium."""
    options = webdriver.ChromeOptions()
    options.binary_location = installed("chromium", "chromium-browser", "google-chrome")
    for flag in ("headless", "no-sandbox", "disable-gpu", "no-first-run", f"user-data-dir={folder}"):
        options.add_argument(f"--{flag}")
    return selenium("Chrome", "chromedriver", options)


@contextmanager
def webkit(folder):
    """Start WebKitGTK's MiniBrowser, on a screen of its own."""
    settings = {"WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS": "1", "WEBKIT_DISABLE_COMPOSITING_MODE": "1"}
    xvfb = installed("Xvfb"), "-displayfd", "1", "-screen", "0", "1300x900x24"
    with running(*xvfb, stdout=subprocess.PIPE) as screen:
        settings |= {"DISPLAY": ":" + screen.stdout.readline().decode().strip(), "HOME": str(folder)}
        with selenium("WebKitGTK", "WebKitWebDriver", webdriver.WebKitGTKOptions(), **settings) as hand:
            yield hand


@contextmanager
def firefox(folder):
    """Start Firefox through its makers' package; selenium would need geckodriver, which Debian lacks."""
    marionette = pytest.importorskip("marionette_driver.marionette")
    options = {"headless": True, "workspace": str(folder), "gecko_log": str(folder / "log"), "port": 0}
    driver = marionette.Marionette(app="fxdesktop", bin=installed("firefox-esr", "firefox"), **options)
    try:
        driver.start_session()
        driver.get, driver.execute_script = driver.navigate, partial(driver.execute_script, sandbox=None)
        yield Hand(driver, driver.actions.perform)
    finally:
        driver.cleanup()


in_chromium = pytest.mark.parametrize("browser", [chromium], indirect=True, ids=["chromium"])


@pytest.fixture(scope="module", params=[chromium, firefox, webkit], ids=lambda start: start.__name__)
def browser(request, tmp_path_factory):
    """Start each of the three browsers."""
    with request.param(tmp_path_factory.mktemp("profile")) as hand:
        yield hand


@pytest.fixture(scope="module")
def pages(nn, tmp_path_factory):
    """Make a folder of pages: three pads, the exported notebook."""
    folder = tmp_path_factory.mktemp("pages")
    W1, b1, W2, b2 = nn.load_model(OWN)
    pad, reverse = nn.pad_page(W1, b1, W2, b2), nn.pad_page(W1, b1, W2[:, ::-1], b2[::-1])
    (folder / "pads.html").write_text(pad + reverse + pad, encoding="utf-8")
    options = ["--to=html", "--output=notebook", f"--output-dir={folder}"]
    options += [f"--HTMLExporter.{script}_url=data:text/javascript," for script in ("require_js", "mathjax")]
    subprocess.run([sys.executable, "-m", "nbconvert", *options, PATH], check=True, capture_output=True)
    return folder


def figures(cells):
    """Count the figures that these cells show."""
    return sum("image/png" in out.get("data", {}) for cell in cells for out in cell.get("outputs", []))


def show(browser, file, width=None):
    """Open a page and wait for its pad."""
    browser.show(file.as_uri(), width)
    until(lambda: browser.js(READY))


def read(nn, browser, strokes=None, model=TRAINED):
    """Return the digit that the pad reads; all its numbers must be what Python makes of its ink."""
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


@pytest.mark.parametrize("page", ["pads.html", "notebook.html"])
def test_the_pad_with_mouse_and_keyboard(browser, nn, pages, page):
    show(browser, pages / page)
    browser.part(SECOND).click()
    assert [read(nn, browser, strokes_of(digit)) for digit in range(9, -1, -1)] == list(range(9, -1, -1))
    begun = browser.state()
    assert begun.said.startswith("0, ")
    browser.part(".ink").click()
    assert browser.state().ink != begun.ink, "a tap leaves no dot"
    browser.part(".undo").click()
    assert browser.state().ink == begun.ink
    browser.part(".clear").click()
    empty = browser.state()
    assert (empty.input, empty.said, empty.labels) == (None, "nothing drawn yet", [])

    browser.js("document.addEventListener('keydown', () => { window.leaked = true; })")
    ink = browser.part(".ink")
    ink.send_keys(Keys.ARROW_UP * 10 + " " + Keys.ARROW_DOWN * 20 + " " + Keys.ARROW_LEFT)
    one = browser.state()
    assert read(nn, browser) == 1 and one.said.startswith("1, ")
    ink.send_keys(" " + Keys.ARROW_RIGHT * 9 + Keys.BACKSPACE)
    assert browser.state().input == one.input
    ink.send_keys(Keys.DELETE)
    assert browser.state().input is None and not browser.js("return window.leaked")


def test_pads_on_one_page_have_their_own_networks_which_take_turns(browser, nn, pages):
    show(browser, pages / "pads.html")
    answers = [browser.draw(strokes_of(7), pad).probabilities for pad in range(3)]
    assert [int(np.argmax(p)) for p in answers] == [7, 2, 7]
    ink = browser.state().ink
    for key, model in [(Keys.ARROW_DOWN, TRAINED), (Keys.ARROW_UP, OWN)]:
        browser.part("input:checked").send_keys(key)
        assert read(nn, browser, model=model) == 7 and browser.state().ink == ink


def test_the_pads_file_by_itself_whatever_befalls_a_stroke(browser, nn):
    """The pointers of made-up events do not exist, so setPointerCapture throws, too."""
    show(browser, PAD)
    assert not browser.js("return pad.querySelector('fieldset').offsetWidth"), "a choice of one network"
    assert read(nn, browser, strokes_of(3)) == 3
    browser.part(".clear").click()
    finger = {"pointerId": 78, "isPrimary": False}
    events = [("down", 50, 50), ("move", 50, 200), ("down", 200, 50, finger), ("move", 200, 200, finger)]
    events += [("move", 50, 210, {"buttons": 0}), ("move", 250, 210)]  # let go outside the window
    events += [("down", 150, 50), ("down", 250, 50), ("move", 250, 200)]
    browser.js(POKE % json.dumps(events))
    rows, columns = [100, 50, 100, 100, 50, 210, 50], [50, 150, 250, 200, 100, 150, 200]
    drawn = np.reshape(browser.state().ink, (280, 280))[rows, columns] > 0
    assert drawn.tolist() == [True, True, True, False, False, False, False]
    scribble = np.random.default_rng(0).integers(280, size=(13_000, 2)).tolist()
    events = [("down" if n > 10_000 and n % 3 == 0 else "move", x, y) for n, (x, y) in enumerate(scribble)]
    assert browser.js(POKE % json.dumps(events)) < 40, "many points or strokes are slow"
    assert sum(browser.state().probabilities) == pytest.approx(1)


@in_chromium
@pytest.mark.parametrize("width", [1280, 390, 200])
def test_the_exported_page_and_in_200_pixels_the_pads_file_fit(browser, pages, width):
    show(browser, PAD if width == 200 else pages / "notebook.html", width)
    assert np.argmax(browser.draw(strokes_of(7)).probabilities) == 7
    page = browser.js(PAGE)
    assert page["figures"] == (0 if width == 200 else figures(STORED["cells"]))
    assert not page["errors"] and not page["off"]
    assert width < 1280 or not page["wide"], "code is cut off, or scrolls"


@contextmanager
def jupyter(app, place, notebook, folder):
    """Start JupyterLab or Notebook 7 with a copy of the project, and in it this notebook, whose address it gives."""
    copy, port = folder / "project", webdriver.common.utils.free_port()
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
        until(lambda: webdriver.common.utils.is_connectable(port, "127.0.0.1"))
        yield f"http://127.0.0.1:{port}/{place}/{PATH.name}?token=test"


@in_chromium
@pytest.mark.parametrize("app, place", [("jupyterlab", "lab/tree"), ("notebook", "notebooks")])
def test_jupyter(browser, nn, tmp_path, app, place):
    """JupyterLab runs all cells of a Part I it does not trust yet; Notebook 7 opens the whole, trusted."""
    pytest.importorskip(app)
    notebook = excerpt(QUICK) if app == "jupyterlab" else nbformat.read(PATH, 4)
    with jupyter(app, place, notebook, tmp_path) as address:
        browser.show(address, 1300)
        cells = f"document.querySelectorAll('.jp-Notebook .jp-Cell').length === {len(notebook.cells)}"
        until(lambda: browser.js(f"return {cells}") and browser.js(IDLE), 120)
        if app == "jupyterlab":
            assert "scripts do not run" in browser.js("return document.body.innerText")
            browser.js(RUN)
            until(lambda: browser.js("return window.ran") or browser.js(PAGE)["errors"], 600)
        until(lambda: browser.js(READY) or browser.js(PAGE)["errors"])
        page = browser.js(PAGE)
        assert not page["errors"] and not page["raw"] and not page["wide"]
        assert page["figures"] == figures(notebook.cells) and page["formulas"] > 50
        browser.part(SECOND).click()
        assert read(nn, browser, strokes_of(7)) == 7
        browser.part("input:checked").send_keys("bdd")
        assert browser.js(f"return {cells}"), "a key reached the notebook"
