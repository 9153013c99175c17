"""How does a test draw on the pad in Chromium, Firefox and WebKitGTK? One hand, three thin drivers.

All take WebDriver's commands: Chromium's and WebKitGTK's drivers over HTTP, Firefox itself on a socket (Marionette).
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
BOX = "const {x, y, width, height} = part.getBoundingClientRect(); return [x, y, width, height];"
STATE = """
    const {input, probabilities, units, tint} = pad.padState(), said = pad.querySelector(".said").textContent;
    const labels = [...pad.querySelectorAll(".units li:not([hidden]) b")].map((b) => b.textContent);
    const {data} = pad.querySelector(".ink").getContext("2d").getImageData(0, 0, 280, 280);
    const list = (x) => x && [...x], ink = list(data).filter((_, i) => i % 4 === 3);
    const answer = {probabilities: list(probabilities), units, tint: list(tint), labels};
    return JSON.stringify({input: list(input), ...answer, said, ink});"""
POKE = """
    const ink = pad.querySelector(".ink"), box = ink.getBoundingClientRect(), zoom = box.width / 280;
    for (const [kind, x, y, more] of %s) ink.dispatchEvent(new PointerEvent("pointer" + kind, {pointerId: 77,
        isPrimary: true, buttons: 1, clientX: box.x + x * zoom, clientY: box.y + y * zoom, ...more}));
    const times = Array.from({length: 100}, () => [performance.now(), pad.padState(), performance.now()]);
    return times.map(([begin, , end]) => end - begin).sort((a, b) => a - b)[50];"""


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
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with suppress(OSError):
            if answer := ask():
                return answer
        time.sleep(0.2)
    return ask() or pytest.fail(f"waited {seconds} s")


def fetch(url, body=None, method=None):
    """The JSON at an address of this machine (so by no proxy), or its answer to a body."""
    request = urllib.request.Request(url, body and json.dumps(body).encode(), method=method)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as answer:
        return json.load(answer)


def free_port():
    """A port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


class Hand:
    """What a person does on a page with pads; send(command, parameters) gives a driver's answer."""

    def __init__(self, send):
        self.send = send

    def show(self, url):
        """Open a page."""
        self.send("url", {"url": url})

    def js(self, body, pad=0):
        """What a JavaScript function with this body returns; `pad` is one of the page's pads."""
        pad = f"const pad = document.querySelectorAll('.digit-pad')[{pad}];"
        return self.send("execute/sync", {"script": pad + body, "args": []})

    def box(self, part, pad):
        """Left, top, width and height of a part of the pad, once it is in the window."""
        find = f"const part = pad.querySelector('{part}'); part.scrollIntoView({{block: 'center'}});"
        return self.js(find + BOX, pad)

    def act(self, kind, actions, **more):
        """Do these actions with the mouse or the keyboard."""
        self.send("actions", {"actions": [{"type": kind, "id": kind, "actions": actions, **more}]})

    def stroke(self, points):
        """Press the mouse at the first point, move it through the others, let go."""
        first, *moves = [{"type": "pointerMove", "x": round(x), "y": round(y)} for x, y in points]
        press, lift = ({"type": kind, "button": 0} for kind in ("pointerDown", "pointerUp"))
        self.act("pointer", [first, press, *moves, lift])

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

    def poke(self, *events):
        """Make up events, (kind, x, y) or (kind, x, y, what else); the milliseconds of a redraw then."""
        return self.js(POKE % json.dumps(events))

    def type(self, *keys, part=".ink"):
        """Press keys on a part of the pad, one after the other."""
        self.js(f"pad.querySelector('{part}').focus()")
        codes = [KEYS.get(key, key) for key in keys]
        self.act("key", [{"type": kind, "value": code} for code in codes for kind in ("keyDown", "keyUp")])

    def state(self, pad=0):
        """The pad's inputs, probabilities and reasons (None if there are none), its words, its ink."""
        return SimpleNamespace(**json.loads(self.js(STATE, pad)))


@contextmanager
def webdriver(program, capabilities, **settings):
    """A browser behind a driver that answers over HTTP."""
    port = free_port()
    with running(installed(program), f"--port={port}", env=os.environ | settings):
        at, wish = f"http://127.0.0.1:{port}/session", {"capabilities": {"alwaysMatch": capabilities}}
        at += "/" + until(lambda: fetch(at, wish))["value"]["sessionId"]
        yield Hand(lambda command, parameters: fetch(f"{at}/{command}", parameters)["value"])
        fetch(at, method="DELETE")


def chromium(folder):
    """Chromium: only here the window's width can be set (goog/cdp/execute)."""
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", f"--user-data-dir={folder}"]
    options = {"binary": installed("chromium", "chromium-browser", "google-chrome"), "args": flags}
    return webdriver("chromedriver", {"goog:chromeOptions": options})


@contextmanager
def webkit(folder):
    """WebKitGTK's MiniBrowser, on a screen of its own."""
    settings = {"WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS": "1", "WEBKIT_DISABLE_COMPOSITING_MODE": "1"}
    xvfb = installed("Xvfb"), "-displayfd", "1", "-screen", "0", "1300x900x24"
    with running(*xvfb, stdout=subprocess.PIPE) as screen:
        settings |= {"DISPLAY": ":" + screen.stdout.readline().decode().strip(), "HOME": str(folder)}
        with webdriver("WebKitWebDriver", {}, **settings) as hand:
            yield hand


@contextmanager
def firefox(folder):
    """Firefox, with its profile in the folder. Each message to and from it begins with its length and a colon."""
    names = {"url": "Navigate", "execute/sync": "ExecuteScript", "actions": "PerformActions"}
    (folder / "user.js").write_text('user_pref("marionette.port", 0);')
    program = installed("firefox-esr", "firefox")
    with running(program, "--headless", "--no-remote", "--profile", folder, "--marionette"):
        port = until(lambda: (folder / "MarionetteActivePort").read_text())
        with socket.create_connection(("127.0.0.1", int(port)), 60) as line, line.makefile("rwb") as wire:

            def hear():
                length = b"".join(iter(lambda: wire.read(1) or b":", b":"))
                return json.loads(wire.read(int(length)))

            def send(command, parameters):
                message = json.dumps([0, 0, "WebDriver:" + names.get(command, command), parameters]).encode()
                wire.write(b"%d:%b" % (len(message), message))
                wire.flush()
                _, _, error, result = hear()
                return pytest.fail(str(error)) if error else result.get("value")

            hear()  # who it is
            send("NewSession", {})
            yield Hand(send)


ENGINES = {"chromium": chromium, "firefox": firefox, "webkit": webkit}
