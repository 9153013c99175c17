"""Does Python prepare a drawing, the pad's weights and its page rightly?"""

import ast
import re

import numpy as np
import pytest
from make_drawn_digits import STROKES
from page import ROOT

FILE = (ROOT / "data" / "digit_pad.html").read_text(encoding="utf-8")
LINE = re.compile(r"(?m)^const NETWORKS = (\[.*\]);$")
BEFORE, NETWORKS, AFTER = LINE.split(FILE)


def strokes_of(digit, way=0):
    """Strokes (n, 2) of x and y on 280 x 280 pixels: a way in which the stand-in's script writes the digit."""
    strokes = STROKES[digit][way][1].split("|")
    return [40 + 2 * np.array(re.findall(r"(-?\d+),(-?\d+)", stroke), float) for stroke in strokes]


def pen_of(digit, way=0):
    """The same strokes as ink_of takes them, "x y x y / x y"."""
    return " / ".join(" ".join(f"{v:g}" for v in stroke.ravel()) for stroke in strokes_of(digit, way))


def test_normalise_drawing_scales_and_centres(nn):
    image = np.zeros((280, 280))
    assert not nn.normalise_drawing(image).any()
    image[10:110, 200:240] = 1  # a bar, 100 high and 40 wide, in a corner
    small = nn.normalise_drawing(image)
    assert small.shape == (28, 28) and small.dtype == np.float32
    assert np.allclose(small[4:24, 10:18], 1) and small.sum() == pytest.approx(20 * 8)
    image[279, 0] = 0.1  # too faint to count
    assert nn.normalise_drawing(image).sum() == pytest.approx(20 * 8, rel=0.01), "a speck changes the scale"
    larger = np.kron(image[:140, 140:], np.ones((2, 2)))
    assert np.allclose(nn.normalise_drawing(larger), small, atol=1e-6), "place or size matters"


def test_quantise_loses_half_a_step_and_hardly_an_image(nn, mnist):
    X, y, (W1, *others) = nn.as_rows(mnist[2]), mnist[3], nn.load_model(ROOT / "data" / "pad_model.npz")
    whole, scale = nn.quantise(W1)
    error = np.abs(whole * scale - W1)
    assert whole.dtype == np.int8 and (error <= np.abs(W1).max(axis=0) / 254 + 1e-7).all()
    before, after = (np.mean(nn.predict(X, W, *others) == y) for W in (W1, whole * scale))
    assert abs(before - after) <= 0.0005 and before >= 0.99, (
        "the pad's network reads fewer than 99% of MNIST's test images"
    )
    assert not nn.quantise(np.zeros((784, 1)))[0].any(), "a dead unit got weights"


def test_ink_of_nearly_every_way_to_write_a_digit_is_read_by_the_pads_network(nn):
    network = nn.load_model(ROOT / "data" / "pad_model.npz")
    ways = [(digit, way) for digit, known in STROKES.items() for way in range(len(known))]
    drawn = np.stack([nn.normalise_drawing(nn.ink_of(pen_of(*way))) for way in ways])
    assert len(ways) == 114 and np.mean(nn.predict(drawn, *network) == [digit for digit, _ in ways]) > 0.98


def test_the_page_holds_the_trained_network_and_pad_page_puts_ours_before_it(nn):
    W1, b1, W2, b2 = nn.load_model(ROOT / "data" / "pad_model.npz")
    page = nn.pad_page(W1, b1.astype(float), W2, b2, ROOT / "data" / "digit_pad.html")
    before, networks, after = LINE.split(page)
    ours, trained = ast.literal_eval(networks)
    assert (before, after, [trained]) == (BEFORE, AFTER, ast.literal_eval(NETWORKS))
    assert ours == trained | {"name": "your network"}, "data/make_pad.py has not run since"


def test_pad_page_says_in_a_sentence_what_is_missing(nn, rng, tmp_path):
    W1, b1, W2, b2 = good = nn.init_params(784, 4, 10, rng)
    page = tmp_path / "pad.html"
    for content in (b"", b"\xff\xfe", b"version https://git-lfs.github.com/spec/v1\n", BEFORE.encode()):
        page.write_bytes(content)
        for file in (page, tmp_path, "no"):
            assert nn.pad_page(*good, file).startswith("The pad is missing: ")
    for bad in (W1.T, b1, W2, b2), (W1, b1[:3], W2, b2), (W1 * np.nan, b1, W2, b2), (W1, [[1], 2], W2, None):
        assert nn.pad_page(*bad).startswith("The pad needs finite numbers")


def test_the_pads_file_asks_nobody_and_keeps_to_itself():
    code = BEFORE + AFTER
    assert not re.search(r"//\w|fetch\(|XMLHttpRequest|import\b|src=|WebSocket|url\(|Jupyter\.", code)
    style = re.sub(r"/\*.*?\*/", "", re.search("<style>(.*)</style>", FILE, re.S)[1], flags=re.S)
    rules = ",".join(re.findall(r"([^{}]+)\{", style))
    assert "print-color-adjust: exact" in style
    assert all(selector.strip().startswith(".digit-pad") for selector in rules.split(","))
