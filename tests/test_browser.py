"""What does a reader see and touch? The site with its pad in three browsers, and the pad in JupyterLab."""

import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from functools import partial
from types import SimpleNamespace

import nbformat
import numpy as np
import pytest
from make_site import build
from page import CODE, OUTPUTS, ROOT, STORED
from test_pad import TRAINED, strokes_of

webdriver, wait = map(pytest.importorskip, ["selenium.webdriver", "selenium.webdriver.support.wait"])
pytestmark = pytest.mark.slow
Keys, CSS, ELEMENT = webdriver.Keys, "css selector", "element-6066-11e4-a52e-4f735466cecf"
OFFLINE = {"SE_OFFLINE": "true", "SE_AVOID_STATS": "true", "NO_PROXY": "*", "no_proxy": "*"}
PAD = "const pad = document.querySelector('.digit-pad');"
READY = "return !!pad?.padState && document.readyState !== 'loading'"
STATE = """
    const {input, probabilities, units} = pad.padState(), said = pad.querySelector(".said").textContent;
    const {data} = pad.querySelector(".ink").getContext("2d").getImageData(0, 0, 280, 280);
    const list = (x) => x && [...x], ink = list(data).filter((_, i) => i % 4 === 3);
    return JSON.stringify({input: list(input), probabilities: list(probabilities), units, said, ink});"""
POKE = """
    const ink = pad.querySelector(".ink"), pen = {pointerId: 77, isPrimary: true, buttons: 1};
    for (const [kind, x, y, more] of %s) {
        const box = ink.getBoundingClientRect(), zoom = box.width / 280;
        const place = {clientX: box.x + x * zoom, clientY: box.y + y * zoom};
        ink.dispatchEvent(new PointerEvent("pointer" + kind, {...pen, ...place, ...more}));
    }"""
IDLE = """
    const app = window.jupyterapp, panel = app && [...app.shell.widgets("main")][0];
    if (panel) app.shell.activateById(panel.id);
    return panel?.sessionContext?.session?.kernel?.status === "idle";"""
FOLDERS = "JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR"
PAGE = """
    const all = (selector) => [...document.querySelectorAll(selector)];
    const off = (e) => e.getBoundingClientRect().right > innerWidth + 1;
    return {figures: all(".jp-OutputArea-output img").length,
        off: all("img, table, .digit-pad, .digit-pad *").filter(off).length};"""


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

    def js(self, body):
        """Return what a JavaScript function with this body returns; `pad` is the page's pad."""
        return self.driver.execute_script(PAD + body)

    def part(self, part):
        """Scroll a part of the pad into the window and return it."""
        self.js(f"pad.querySelector('{part}').scrollIntoView({{block: 'center'}})")
        return self.driver.find_element(CSS, f".digit-pad {part}")

    def draw(self, strokes):
        """Clear the pad, and draw strokes on it with the mouse."""
        self.part(".clear").click()
        ink = self.part(".ink")
        down, up = ({"type": kind, "button": 0} for kind in ("pointerDown", "pointerUp"))
        for stroke in strokes:
            points, move = stroke - 140, {"type": "pointerMove", "origin": {ELEMENT: ink.id}}  # its middle
            places = np.rint(points * ink.rect["width"] / 280).astype(int).tolist()
            first, *moves = ({**move, "x": x, "y": y} for x, y in places)
            self.perform([{"type": "pointer", "id": "mouse", "actions": [first, down, *moves, up]}])

    def state(self):
        """Return the pad's inputs, probabilities and reasons (None if there are none), its words, its ink."""
        return SimpleNamespace(**json.loads(self.js(STATE)))


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
def site(tmp_path_factory):
    """Make the site, without the formulas, which would come from the net."""
    build(folder := tmp_path_factory.mktemp("site"))
    page = re.sub(r'src="https://[^"]*mathjax[^"]*"', "", (folder / "index.html").read_text(encoding="utf-8"))
    (folder / "index.html").write_text(page, encoding="utf-8")
    return folder


def show(browser, file):
    """Open a page and wait for its pad."""
    browser.driver.get(file.as_uri())
    until(lambda: browser.js(READY))


def read(nn, browser, model=TRAINED):
    """Return the digit that the pad reads; all its numbers must be what Python makes of its ink."""
    W1, b1, W2, b2 = (P.astype(float) for P in model)
    whole, scale = nn.quantise(W1)
    state = browser.state()
    x = nn.normalise_drawing(np.reshape(state.ink, (280, 280)) / 255).reshape(1, 784)
    assert np.abs(x - state.input).max() < 1e-6
    _, A1, _, Y_hat = nn.forward(x, whole * scale, b1, W2, b2)
    assert np.abs(Y_hat - state.probabilities).max() < 1e-5
    adds = A1[0] * (W2[:, Y_hat.argmax()] - W2.mean(axis=1))
    units, shown = np.transpose([(unit["unit"], unit["adds"]) for unit in state.units])
    assert np.allclose(shown, adds[units.astype(int)], atol=1e-4)
    assert np.allclose(np.abs(shown), np.sort(np.abs(adds[A1[0] > 0]))[:-13:-1], atol=1e-4), (
        "not the largest dozen"
    )
    return int(Y_hat.argmax())


def test_the_sites_pad_with_mouse_and_keyboard(browser, nn, site):
    """Ten digits with two networks, undo, clear, and the keys, which reach nothing but the pad."""
    show(browser, site / "index.html")
    own = nn.load_model(ROOT / "mnist_model.npz")
    browser.draw(strokes_of(7))
    assert read(nn, browser, own) == 7
    browser.js("document.addEventListener('keydown', () => { window.leaked = true; })")
    browser.part("input:checked").send_keys(Keys.ARROW_DOWN)
    for digit in range(9, -1, -1):
        browser.draw(strokes_of(digit))
        assert read(nn, browser) == digit
    begun = browser.state()
    assert begun.said.startswith("0, ")
    browser.part(".ink").click()
    assert browser.state().ink != begun.ink, "a tap leaves no dot"
    browser.part(".undo").click()
    assert browser.state().ink == begun.ink
    browser.part(".clear").click()
    empty = browser.state()
    assert (empty.input, empty.said) == (None, "nothing drawn yet")

    ink = browser.part(".ink")
    ink.send_keys(Keys.ARROW_UP * 10 + " " + Keys.ARROW_DOWN * 20 + " " + Keys.ARROW_LEFT)
    one = browser.state()
    assert read(nn, browser) == 1 and one.said.startswith("1, ")
    ink.send_keys(" " + Keys.ARROW_RIGHT * 9 + Keys.BACKSPACE)
    assert browser.state().input == one.input
    ink.send_keys(Keys.DELETE)
    assert browser.state().input is None and not browser.js("return window.leaked")


def test_the_pad_alone_with_fingers_whatever_befalls_a_stroke(browser, nn, site):
    """The pointers of made-up events do not exist, so setPointerCapture throws, too."""
    show(browser, site / "pad.html")
    assert not browser.js("return pad.querySelector('fieldset').offsetWidth"), "a choice of one network"
    browser.draw(strokes_of(3))
    assert read(nn, browser) == 3
    browser.part(".clear").click()
    finger = {"pointerId": 78, "isPrimary": False}
    events = [("down", 50, 50), ("move", 50, 200), ("down", 200, 50, finger), ("move", 200, 200, finger)]
    events += [("move", 50, 210, {"buttons": 0}), ("move", 250, 210)]  # let go outside the window
    events += [("down", 150, 50), ("down", 250, 50), ("move", 250, 200)]
    browser.js(POKE % json.dumps(events))
    rows, columns = [100, 50, 100, 100, 50, 210, 50], [50, 150, 250, 200, 100, 150, 200]
    drawn = np.reshape(browser.state().ink, (280, 280))[rows, columns] > 0
    assert drawn.tolist() == [True, True, True, False, False, False, False]


@in_chromium
@pytest.mark.parametrize("width, page", [(200, "pad.html"), (390, "index.html"), (1280, "index.html")])
def test_the_site_fits_into_the_window(browser, site, width, page):
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    show(browser, site / page)
    browser.draw(strokes_of(7))
    assert np.argmax(browser.state().probabilities) == 7
    seen = browser.js(PAGE)
    figures = sum("image/png" in out.get("data", {}) for out in OUTPUTS)
    assert seen == {"figures": figures * (page == "index.html"), "off": 0}


@in_chromium
def test_jupyterlab_shows_the_pad_whose_keys_reach_no_cell(browser, nn, tmp_path):
    """A notebook that JupyterLab does not trust yet, run by its own command."""
    pytest.importorskip("jupyterlab")
    for file in (ROOT / "mnist_model.npz", ROOT / "data" / "digit_pad.html"):
        shutil.copyfile(file, tmp_path / file.name)
    sources = [cell["source"] for cell in CODE if "definitions" in cell["metadata"].get("tags", [])]
    shown = 'HTML(pad_page(*load_model("mnist_model.npz"), "digit_pad.html"))'
    cells = [nbformat.v4.new_code_cell(source) for source in ("\n\n".join(sources), shown)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=STORED["metadata"]), tmp_path / "pad.ipynb")
    flags = ["--no-browser", "--allow-root", "--expose-app-in-browser", "--IdentityProvider.token=test"]
    port, folders = webdriver.common.utils.free_port(), dict.fromkeys(FOLDERS, str(tmp_path / "jupyter"))
    command = [sys.executable, "-m", "jupyterlab", "--ip=127.0.0.1", f"--port={port}", *flags]
    with running(*command, cwd=tmp_path, env={**os.environ, **folders}):
        until(lambda: webdriver.common.utils.is_connectable(port, "127.0.0.1"))
        browser.driver.get(f"http://127.0.0.1:{port}/lab/tree/pad.ipynb?token=test")
        until(lambda: browser.js(IDLE), 120)
        browser.js("window.jupyterapp.commands.execute('notebook:run-all-cells')")
        until(lambda: browser.js(READY))
        browser.part(".networks label:last-of-type").click()
        browser.draw(strokes_of(7))
        assert read(nn, browser) == 7
        browser.part("input:checked").send_keys("bb")
        assert browser.js("return document.querySelectorAll('.jp-Notebook .jp-Cell').length") == 2
