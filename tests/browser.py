"""Headless Chromium for the tests, and a hand that draws on the digit pad."""

import asyncio
import base64
import importlib.util
import shutil
from contextlib import asynccontextmanager

import numpy as np
import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
STATE = """root => {
    const {input, probabilities} = root.padState(), pad = root.querySelector(".ink");
    const rgba = pad.getContext("2d").getImageData(0, 0, 280, 280).data;
    let alpha = "";
    for (let i = 3; i < rgba.length; i += 4) alpha += String.fromCharCode(rgba[i]);
    return {input: [...input], probabilities: [...probabilities], ink: btoa(alpha)};
}"""

needs_browser = pytest.mark.skipif(
    not (CHROMIUM and importlib.util.find_spec("playwright")),
    reason="needs Chromium and the package playwright",
)


@asynccontextmanager
async def open_browser(folder, **options):
    """A browser with an empty profile in the folder."""
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        context = await playwright.chromium.launch_persistent_context(
            folder, executable_path=CHROMIUM, args=FLAGS, headless=True, **options
        )
        yield context
        await context.close()


class Pad:
    """The digit pad on a page, drawn on with the mouse, through the browser's own queue of input events."""

    def __init__(self, page, cdp):
        self.page, self.cdp = page, cdp
        self.root = page.locator(".digit-pad").first

    async def draw(self, strokes):
        """Clear, draw, and return the 784 inputs, the ten probabilities and the ink (280, 280) of the page."""
        await self.root.locator(".clear").click()
        canvas = self.root.locator(".ink")
        await canvas.scroll_into_view_if_needed()
        box = await canvas.bounding_box()
        events = []
        for stroke in strokes:
            kinds = ["mousePressed"] + ["mouseMoved"] * (len(stroke) - 1) + ["mouseReleased"]
            for kind, (x, y) in zip(kinds, [*stroke, stroke[-1]]):
                place = {
                    "x": box["x"] + x * box["width"] / 280,
                    "y": box["y"] + y * box["height"] / 280,
                }
                events.append({"type": kind, "button": "left", "buttons": 1, "clickCount": 1, **place})
        await asyncio.gather(*[self.cdp.send("Input.dispatchMouseEvent", event) for event in events])
        state = await self.root.evaluate(STATE)
        ink = np.frombuffer(base64.b64decode(state["ink"]), np.uint8).reshape(280, 280) / 255
        return np.array(state["input"]), np.array(state["probabilities"]), ink
