"""Does Python prepare a drawing, a photo's digits, the pad's weights and its page rightly?"""

import ast
import re

import numpy as np
import pytest
from make_drawn_digits import STROKES
from page import ROOT, functions

FILE = (ROOT / "data" / "digit_pad.html").read_text(encoding="utf-8")
NETWORKS_LINE = re.compile(r"(?m)^const NETWORKS = (\[.*\]);$")
BEFORE, NETWORKS, AFTER = NETWORKS_LINE.split(FILE)
TRAINED = functions().load_model(ROOT / "data" / "pad_model.npz")


def strokes_of(digit, way=0):
    """Strokes (n, 2) of x and y on 280 x 280 pixels: a way in which the stand-in's script writes the digit."""
    strokes = STROKES[digit][way][1].split("|")
    return [40 + 2 * np.array(re.findall(r"(-?\d+),(-?\d+)", stroke), float) for stroke in strokes]


def drawn(digit, way=0, width=20):
    """The ink of the same strokes, given to ink_of as it takes them, "x y x y / x y"."""
    strokes = [" ".join(f"{v:g}" for v in stroke.ravel()) for stroke in strokes_of(digit, way)]
    return functions().ink_of(" / ".join(strokes), width=width)


def test_drawings_are_read_whatever_their_place_size_and_specks(nn):
    assert not nn.normalise_drawing(np.zeros((280, 280))).any()
    ways = [(digit, way) for digit, known in STROKES.items() for way in range(0, len(known), 4)]
    images = np.stack([nn.normalise_drawing(drawn(*way)) for way in ways])
    assert np.mean(nn.predict(images, *TRAINED) == [digit for digit, _ in ways]) > 0.98
    three, ink = nn.normalise_drawing(drawn(3)), np.pad(drawn(3), [(0, 90), (130, 0)])
    ink[0, 0] = 0.01  # too faint to count
    for other in (ink, np.kron(ink, np.ones((2, 2)))):
        assert np.allclose(nn.normalise_drawing(other), three, atol=0.01)


def sheet(digits, width=14, ink=0.2):
    """A photo (H, W), 0 to 1, of digits written side by side on plain paper."""
    return 0.9 - (0.9 - ink) * np.pad(np.hstack([drawn(d, width=width)[:, :220] for d in digits]), 80)


def test_every_form_of_photo_gives_the_same_digits_and_an_empty_sheet_none(nn, rng):
    grey = np.rint(255 * sheet([3, 7, 4])).astype(np.uint8)
    colour = np.stack([grey] * 3, axis=-1)
    clear = np.concatenate([colour, np.full_like(grey, 255)[..., None]], axis=-1)
    found = nn.digits_in(grey)
    assert found.shape == (3, 28, 28) and found.dtype == np.float32
    assert found.min() >= 0 and found.max() <= 1 + 1e-6 and nn.predict(found, *TRAINED).tolist() == [3, 7, 4]
    for photo in (grey[..., None], colour, clear, grey / 255, (colour / 255).astype(np.float32)):
        assert np.allclose(nn.digits_in(photo), found, atol=1e-5), photo.shape
    for empty in (np.zeros((200, 300)), np.ones((200, 300)), rng.normal(0.8, 0.02, (600, 500)).clip(0, 1)):
        assert nn.digits_in(empty).shape == (0, 28, 28)


Y, X = np.indices((440, 1040))
SPECKS = np.kron(np.random.default_rng(7).random((110, 260)) < 0.003, np.ones((4, 4)))
SQUARES = ((Y + 0.02 * X) % 35 < 2) | ((X - 0.02 * Y) % 35 < 2)
KINDS = {  # the photo with another pen, on another paper or in another light
    "thin pen": lambda photo: sheet([2, 0, 7, 4], width=4),
    "faint pen": lambda photo: sheet([2, 0, 7, 4], width=7, ink=0.6),
    "thick pen": lambda photo: sheet([2, 0, 7, 4], width=34),
    "chalk": lambda photo: 1.05 - photo,
    "desk": lambda photo: np.pad(photo, 90, constant_values=0.2),
    "blue": lambda photo: np.stack([photo, 0.1 + 0.9 * photo, 0.5 + 0.5 * photo], axis=-1),
    "vignette": lambda photo: photo * (1 - 0.5 * np.hypot(Y / 440 - 0.5, X / 1040 - 0.5)),
    "shadow": lambda photo: photo * np.where(Y > 88 + 0.25 * X, 0.6, 1),
    "torn corner": lambda photo: photo * np.where(Y + X < 154, 0.15, 1),
    "tilted squares": lambda photo: photo * np.where(SQUARES, 0.75, 1),
    "specks": lambda photo: photo * (1 - 0.7 * SPECKS),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_is_read_as_a_number(nn, rng, kind):
    photo = KINDS[kind](sheet([2, 0, 7, 4]))
    photo = np.clip(photo + rng.normal(0, 0.02, photo.shape), 0, 1)
    found = nn.digits_in(photo)
    assert nn.predict(found, *TRAINED).tolist() == [2, 0, 7, 4]
    assert 0.7 < found.sum() / nn.digits_in(sheet([2, 0, 7, 4], 20)).sum() < 1.4, "pens do not become alike"


NO_PHOTO = [np.zeros(s) for s in (784, (90, 90, 2), (90, 90, 7), (0, 0), (5, 5), (), (2, 90, 90, 3))]
NO_PHOTO += [np.full((90, 90), value) for value in (np.nan, 1.5, -0.1, 256, -1, "a", None)]
NO_DRAWING = [np.zeros(s) for s in (784, (90, 90, 3))] + [np.full((90, 90), v) for v in (np.nan, -1.0, 0.9)]
REFUSED = [("digits_in", image, r"a photo .*, found .*: read it with plt\.imread$") for image in NO_PHOTO]
REFUSED += [("normalise_drawing", image, "(a drawing .*, found|ink 1 .*1 - image)") for image in NO_DRAWING]


@pytest.mark.parametrize("name, image, words", REFUSED)
def test_no_photo_and_no_drawing_are_refused_in_a_sentence(nn, name, image, words):
    with pytest.raises(ValueError, match=f"^expected {words}"):
        vars(nn)[name](image)


def test_the_pads_whole_numbers_read_99_percent_of_mnists_test_images(nn, mnist):
    whole, scale = nn.quantise(TRAINED[0])
    assert whole.dtype == np.int8
    assert np.mean(nn.predict(mnist[2], whole * scale, *TRAINED[1:]) == mnist[3]) >= 0.99
    assert not nn.quantise(np.zeros((784, 1)))[0].any(), "a dead unit got weights"


def test_pad_page_puts_our_network_before_the_pads_or_says_what_is_missing(nn, tmp_path):
    W1, b1, W2, b2 = TRAINED
    page = nn.pad_page(W1, b1.astype(float), W2, b2, ROOT / "data" / "digit_pad.html")
    assert page.startswith(BEFORE) and page.endswith(AFTER)
    ours, trained = ast.literal_eval(NETWORKS_LINE.search(page)[1])
    assert [trained] == ast.literal_eval(NETWORKS)
    assert ours == trained | {"name": "your network"}, "data/make_pad.py has not run since"
    for content in (b"", b"\xff\xfe", b"version https://git-lfs.github.com/spec/v1\n", BEFORE.encode()):
        (tmp_path / "pad.html").write_bytes(content)
        for file in (tmp_path / "pad.html", tmp_path, "no"):
            assert nn.pad_page(*TRAINED, file).startswith("The pad is missing: ")
    for bad in (W1.T, b1, W2, b2), (W1, b1[:3], W2, b2), (W1 * np.nan, b1, W2, b2), (W1, [[1], 2], W2, None):
        assert nn.pad_page(*bad).startswith("The pad needs finite numbers")


def test_the_pads_file_asks_nobody_and_keeps_to_itself():
    code = BEFORE + AFTER
    assert not re.search(r"//\w|fetch\(|XMLHttpRequest|import\b|src=|WebSocket|url\(|Jupyter\.", code)
    style = re.sub(r"/\*.*?\*/", "", re.search("<style>(.*)</style>", FILE, re.S)[1], flags=re.S)
    rules = ",".join(re.findall(r"([^{}]+)\{", style)).split(",")
    assert all(rule.strip().startswith(".digit-pad") for rule in rules)
