"""How does a test draw on the pad in Chromium, Firefox and WebKitGTK? One hand, three thin drivers.

Chromium (DevTools protocol) and Firefox (WebDriver BiDi) listen on a websocket, whose client is Jupyter's;
WebKitGTK's driver answers to HTTP. Actions are written as WebDriver has them.
"""

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from contextlib import contextmanager, suppress
from types import SimpleNamespace

import numpy as np
import pytest

KEYS = {"ArrowLeft": "\ue012", "ArrowUp": "\ue013", "ArrowRight": "\ue014", "ArrowDown": "\ue015"}
KEYS |= {"Backspace": "\ue003", "Delete": "\ue017"}
STATE = """
    const {input, probabilities} = pad.padState(), said = pad.querySelector(".said").textContent;
    const {data} = pad.querySelector(".ink").getContext("2d").getImageData(0, 0, 280, 280);
    const list = (x) => x && [...x], ink = list(data).filter((_, i) => i % 4 === 3);
    return {input: list(input), probabilities: list(probabilities), said, ink};"""


def installed(*names):
    """The first of these programs that is here; where none is, the test is skipped."""
    return next(filter(None, map(shutil.which, names)), None) or pytest.skip(f"{names[0]} is not installed")


@contextmanager
def running(*command, **options):
    """A program that is ended with the test."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, **{**quiet, **options}) as process:
        try:
            yield process
        finally:
            process.terminate()


def until(ask, seconds=60):
    """What ask() answers, as soon as it is something."""
    for _ in range(5 * seconds):
        with suppress(OSError):
            if answer := ask():
                return answer
        time.sleep(0.2)
    raise TimeoutError(f"waited {seconds} s")


def fetch(url, body=None):
    """The JSON at an address, or its answer to a body."""
    request = urllib.request.Request(url, body and json.dumps(body).encode())
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def free_port():
    """A port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def wire_to(url):
    """A function that sends commands (name, parameters) all at once; it returns the last one's result."""
    from websocket import create_connection

    connection = create_connection(url, suppress_origin=True, timeout=60)

    def wire(*commands):
        for number, (method, parameters) in enumerate(commands, 1):
            connection.send(json.dumps({"id": number, "method": method, "params": parameters}))
        answers = {}
        while len(answers) < len(commands):
            message = json.loads(connection.recv())
            if "id" in message:  # and no event
                answers[message["id"]] = message
        return answers[len(commands)]["result"]

    return wire


class Hand(SimpleNamespace):
    """What a person does on a page with pads, by a driver's functions show, evaluate and act."""

    def js(self, body, pad=0):
        """What a JavaScript function with this body returns; `pad` is one of the page's pads."""
        start = f"const pad = document.querySelectorAll('.digit-pad')[{pad}];"
        return json.loads(self.evaluate(f"JSON.stringify((() => {{ {start} {body} }})() ?? null)"))

    def box(self, part, pad):
        """Left, top, width and height of a part of the pad, once it is in the window."""
        find = f"const part = pad.querySelector('{part}'); part.scrollIntoView({{block: 'center'}});"
        box = self.js(f"{find} return part.getBoundingClientRect()", pad)
        return box["x"], box["y"], box["width"], box["height"]

    def stroke(self, points):
        """Press the mouse at the first point, move it through the others, let go."""
        first, *moves = [{"type": "pointerMove", "x": round(x), "y": round(y)} for x, y in points]
        press, lift = ({"type": kind, "button": 0} for kind in ("pointerDown", "pointerUp"))
        self.act({"type": "pointer", "id": "mouse", "actions": [first, press, *moves, lift]})

    def click(self, part, pad=0):
        """Click in the middle of a part of the pad."""
        x, y, width, height = self.box(part, pad)
        self.stroke([(x + width / 2, y + height / 2)])

    def draw(self, strokes, pad=0):
        """Clear the pad and draw on it; its state then."""
        self.click(".clear", pad)
        x, y, width, _ = self.box(".ink", pad)
        for stroke in strokes:
            self.stroke((np.array([x, y]) + stroke * width / 280).tolist())
        return self.state(pad)

    def type(self, *keys):
        """Press keys on the pad, one after the other."""
        self.js("pad.querySelector('.ink').focus()")
        codes = [KEYS.get(key, key) for key in keys]
        actions = [{"type": kind, "value": code} for code in codes for kind in ("keyDown", "keyUp")]
        self.act({"type": "key", "id": "keys", "actions": actions})

    def state(self, pad=0):
        """The pad's 784 inputs and ten probabilities (None if there are none), its words, its ink."""
        state = self.js(STATE, pad)
        return SimpleNamespace(**{**state, "ink": np.reshape(state["ink"], (280, 280)) / 255})


def devtools(source):
    """WebDriver's actions as commands of Chromium's DevTools protocol."""
    names = {code: name for name, code in KEYS.items()}
    kinds = {"pointerMove": "mouseMoved", "pointerDown": "mousePressed", "pointerUp": "mouseReleased"}
    event = {"button": "left", "buttons": 1, "clickCount": 1}
    for action in source["actions"]:
        if source["type"] == "key":
            key = names.get(action["value"], action["value"])
            yield "Input.dispatchKeyEvent", {"type": action["type"], "key": key}
        else:
            event |= {**action, "type": kinds[action["type"]], "button": "left"}  # x, y: the last move's
            yield "Input.dispatchMouseEvent", dict(event)


@contextmanager
def chromium(folder):
    """Chromium with its profile in the folder. Only here the window's width can be set."""
    program = installed("chromium", "chromium-browser", "google-chrome")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-port=0"]
    with running(program, *flags, "--disable-background-networking", f"--user-data-dir={folder}"):
        port = until(lambda: (folder / "DevToolsActivePort").read_text().split())[0]
        tabs = until(lambda: [t for t in fetch(f"http://127.0.0.1:{port}/json") if t["type"] == "page"])
        wire = wire_to(tabs[0]["webSocketDebuggerUrl"])
        size = {"height": 900, "deviceScaleFactor": 1, "mobile": False}
        yield Hand(
            show=lambda url: wire(("Page.navigate", {"url": url})),
            evaluate=lambda js: wire(("Runtime.evaluate", {"expression": js}))["result"]["value"],
            act=lambda source: wire(*devtools(source)),
            resize=lambda x: wire(("Emulation.setDeviceMetricsOverride", {"width": x, **size})),
        )


@contextmanager
def firefox(folder):
    """Firefox with its profile in the folder."""
    program = installed("firefox-esr", "firefox")
    with running(program, "--headless", "--no-remote", "--profile", folder, "--remote-debugging-port=0"):
        port = until(lambda: json.loads((folder / "WebDriverBiDiServer.json").read_text()))["ws_port"]
        wire = wire_to(f"ws://127.0.0.1:{port}/session")
        wire(("session.new", {"capabilities": {}}))
        tabs = until(lambda: wire(("browsingContext.getTree", {}))["contexts"])
        tab = {"context": tabs[0]["context"]}
        script = {"target": tab, "awaitPromise": False}
        yield Hand(
            show=lambda url: wire(("browsingContext.navigate", {"url": url, "wait": "interactive", **tab})),
            evaluate=lambda js: wire(("script.evaluate", {"expression": js, **script}))["result"]["value"],
            act=lambda source: wire(("input.performActions", {"actions": [source], **tab})),
        )


@contextmanager
def webkit(folder):
    """WebKitGTK's MiniBrowser, on a screen of its own."""
    program, xvfb, port = installed("WebKitWebDriver"), installed("Xvfb"), free_port()
    flags = ["WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS", "WEBKIT_DISABLE_COMPOSITING_MODE"]
    with running(xvfb, "-displayfd", "1", "-screen", "0", "1300x900x24", stdout=subprocess.PIPE) as screen:
        display = ":" + screen.stdout.readline().decode().strip()
        settings = {**os.environ, **dict.fromkeys(flags, "1"), "DISPLAY": display, "HOME": str(folder)}
        with running(program, f"--port={port}", env=settings):
            at = f"http://127.0.0.1:{port}/session"
            at += "/" + until(lambda: fetch(at, {"capabilities": {}}))["value"]["sessionId"]
            run = f"{at}/execute/sync"
            yield Hand(
                show=lambda url: fetch(f"{at}/url", {"url": url}),
                evaluate=lambda js: fetch(run, {"script": f"return {js}", "args": []})["value"],
                act=lambda source: fetch(f"{at}/actions", {"actions": [source]}),
            )


ENGINES = {"chromium": chromium, "firefox": firefox, "webkit": webkit}
