"""The digit pad: its Python half, and the page's half against it, on the real canvas."""

import asyncio
import re

import numpy as np
import pytest
from browser import Pad, needs_browser, open_browser
from notebook import ROOT
from pen_strokes import pen_strokes


@pytest.fixture(scope="module")
def network():
    """The network of the pad."""
    from notebook import functions

    return functions().load_model(ROOT / "data" / "pad_model.npz")


def test_a_drawing_is_scaled_and_centred(nn):
    image = np.zeros((280, 280))
    image[10:110, 200:240] = 1  # a bar, 100 high and 40 wide, in a corner
    small = nn.normalise_drawing(image)
    assert small.shape == (28, 28) and small.dtype == np.float32
    assert np.allclose(small[4:24, 10:18], 1) and small.sum() == pytest.approx(20 * 8)


def test_place_and_size_of_a_drawing_do_not_matter(nn):
    image = np.zeros((280, 280))
    image[20:60, 30:50] = image[40:60, 50:90] = 1
    moved = np.roll(image, (150, 120), axis=(0, 1))
    larger = np.kron(image[:112, :112], np.ones((2, 2)))
    assert np.allclose(nn.normalise_drawing(image), nn.normalise_drawing(moved))
    assert np.allclose(nn.normalise_drawing(image), nn.normalise_drawing(larger), atol=1e-6)


def test_the_ink_is_kept_up_to_scale(nn, rng):
    image = np.zeros((280, 280))
    image[50:150, 80:120] = rng.random((100, 40))
    assert nn.normalise_drawing(image).sum() == pytest.approx(image.sum() * 0.2**2, rel=1e-5)


def test_an_empty_drawing_stays_empty(nn):
    assert not nn.normalise_drawing(np.zeros((280, 280))).any()


def test_images_of_mnist_are_left_as_they_are(nn, mnist):
    images = nn.as_rows(mnist[2][:500]).reshape(-1, 28, 28)
    assert np.mean([np.allclose(nn.normalise_drawing(x), x, atol=1e-6) for x in images]) > 0.99


def test_ink_of_a_straight_stroke(nn):
    ink = nn.ink_of([np.array([[50.0, 100.0], [200.0, 100.0]])])
    assert (
        ink[100, 60:190].min() == 1
        and ink[80].max() == 0
        and ink.sum() == pytest.approx(150 * 20 + 3.14 * 100, rel=0.02)
    )


def test_packed_weights_come_back_nearly_the_same(nn, network):
    for before, after in zip(network, nn.unpack_weights(nn.pack_weights(*network))):
        assert before.shape == after.shape
        assert np.abs(before - after).max() <= np.abs(before).max() / 254 + 1e-7


def test_packing_costs_at_most_a_twentieth_of_a_point(nn, network, mnist):
    X, y = nn.as_rows(mnist[2]), mnist[3]
    packed = nn.unpack_weights(nn.pack_weights(*network))
    before, after = (nn.loss_and_accuracy(X, y, *params)[1] for params in (network, packed))
    assert abs(before - after) <= 0.0005


def test_the_page_is_whole_small_and_asks_nobody(nn, network):
    page = nn.digit_pad_html(nn.pack_weights(*network))
    assert len(page) < 700_000
    program = re.sub(r'"[A-Za-z0-9+/=]{99,}"', '""', page)
    assert not re.search(r"https?:|fetch\(|XMLHttpRequest|import\(|src=|WebSocket|Jupyter\.", program)
    assert set(re.findall(r"__[A-Z]+__", program)) == {"__UID__"}, "a placeholder was not filled"


async def replay(nn, network, drawings, folder):
    """Draw on the real pad; the fraction read rightly, and the largest differences from Python."""
    (folder / "pad.html").write_text(
        "<!doctype html><meta charset=utf-8>" + nn.digit_pad_html(nn.pack_weights(*network)), encoding="utf-8"
    )
    problems, read, pixels, answers = [], 0, 0.0, 0.0
    async with open_browser(folder / "profile") as context:
        page = await context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda request: request.url.startswith("file:") or problems.append(request.url))
        await page.goto((folder / "pad.html").as_uri())
        pad = Pad(page, await context.new_cdp_session(page))
        for digit, strokes in drawings:
            x, probabilities, ink = await pad.draw(strokes)
            mine = nn.normalise_drawing(ink).reshape(1, 784)
            p = nn.forward(mine, *nn.unpack_weights(nn.pack_weights(*network)))[-1]
            pixels, answers = (
                max(pixels, np.abs(mine - x).max()),
                max(answers, np.abs(p - probabilities).max()),
            )
            read += probabilities.argmax() == digit
    return read / len(drawings), pixels, answers, problems


@needs_browser
@pytest.mark.parametrize(("kind", "sloppy", "wanted"), [("neat", 1.0, 0.95), ("sloppy", 1.6, 0.88)])
def test_drawn_digits_are_read_on_the_real_canvas(
    nn, network, tmp_path, kind, sloppy, wanted, record_property
):
    rng = np.random.default_rng(2024)
    drawings = [(digit, pen_strokes(digit, rng, sloppy=sloppy)) for digit in range(10) for _ in range(20)]
    read, pixels, answers, problems = asyncio.run(replay(nn, network, drawings, tmp_path))
    print(f"{kind}: {read:.1%} of {len(drawings)} read; page against Python {pixels:.0e}, {answers:.0e}")
    record_property("read", read)
    assert not problems and pixels < 1e-6 and answers < 1e-5
    assert read >= wanted
