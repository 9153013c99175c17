"""Does digits_in find the digits in a photo, whatever the paper, and say what it can't take?"""

import time

import numpy as np
import pytest
from page import ROOT
from test_pad import pen_of


def sheet(nn, digits, pen=14, ink=0.2):
    """A photo (H, W), 0 to 1, of digits written side by side on plain paper."""
    drawn = np.pad(np.hstack([nn.ink_of(pen_of(d), width=pen)[:, :220] for d in digits]), 80)
    return 0.9 - (0.9 - ink) * drawn


@pytest.fixture(scope="module")
def read(nn):
    """A function that says which digits the pad's network reads in a photo."""
    network = nn.load_model(ROOT / "data" / "pad_model.npz")
    return lambda photo: nn.predict(nn.digits_in(photo), *network).tolist()


def test_every_form_of_photo_gives_the_same_digits(nn, read):
    grey = np.rint(255 * sheet(nn, [3, 7, 4])).astype(np.uint8)
    colour = np.stack([grey] * 3, axis=-1)
    clear = np.concatenate([colour, np.full_like(grey, 255)[..., None]], axis=-1)
    found = nn.digits_in(grey)
    assert found.shape == (3, 28, 28) and found.dtype == np.float32
    assert found.min() >= 0 and found.max() <= 1 + 1e-6 and read(grey) == [3, 7, 4]
    for photo in (grey[..., None], colour, clear, grey / 255, (colour / 255).astype(np.float32)):
        assert np.allclose(nn.digits_in(photo), found, atol=1e-5), photo.shape


def spoilt(kind, photo, rng):
    """The photo on another paper, in another light, or with another pen's colour."""
    h, w = photo.shape
    down, across = np.indices(photo.shape)
    if kind == "chalk":
        return 1.05 - photo
    if kind == "desk":
        return np.pad(photo, 90, constant_values=0.2)
    if kind == "blue":
        return np.stack([photo, 0.1 + 0.9 * photo, 0.5 + 0.5 * photo], axis=-1)
    dark = {
        "vignette": 1 - 0.5 * np.hypot(down / h - 0.5, across / w - 0.5),
        "shadow": np.where(down > 0.2 * h + 0.25 * across, 0.6, 1),
        "torn corner": np.where(down + across < 0.35 * h, 0.15, 1),
        "tilted squares": np.where(
            ((down + 0.02 * across) % 35 < 2) | ((across - 0.02 * down) % 35 < 2), 0.75, 1
        ),
        "specks": 1 - 0.7 * np.kron(rng.random((h // 4 + 1, w // 4 + 1)) < 0.003, np.ones((4, 4)))[:h, :w],
    }
    return photo * dark[kind]


KINDS = ["chalk", "desk", "blue", "vignette", "shadow", "torn corner", "tilted squares", "specks"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_is_read_as_a_number(nn, read, rng, kind):
    photo = spoilt(kind, sheet(nn, [2, 0, 7, 4]), rng)
    assert read(np.clip(photo + rng.normal(0, 0.02, photo.shape), 0, 1)) == [2, 0, 7, 4]


@pytest.mark.parametrize("pen, ink", [(4, 0.2), (7, 0.6), (34, 0.2)])
def test_thin_faint_and_thick_pens(nn, read, pen, ink):
    assert read(sheet(nn, [2, 5, 7], pen, ink)) == [2, 5, 7]


def test_pens_become_alike(nn):
    thin, thick = (nn.digits_in(sheet(nn, [2], pen))[0].sum() for pen in (4, 20))
    assert 0.7 < thin / thick < 1.4


def test_an_empty_sheet_has_no_digits(nn, rng):
    for photo in (
        np.zeros((200, 300)),
        np.ones((200, 300)),
        np.full((200, 300, 3), 128, np.uint8),
        np.clip(rng.normal(0.8, 0.02, (600, 500)), 0, 1),
    ):
        assert nn.digits_in(photo).shape == (0, 28, 28)


def test_a_photo_on_its_side_is_read_wrongly_as_the_text_says(nn, read):
    assert read(np.rot90(sheet(nn, [2, 0, 7, 4]))) != [2, 0, 7, 4]


@pytest.mark.parametrize("photo", [
    np.zeros(784), np.zeros((90, 90, 2)), np.zeros((90, 90, 7)), np.zeros((0, 0)), np.zeros((5, 5)), np.float64(1),
    np.full((90, 90), np.nan), np.full((90, 90), 1.5), np.full((90, 90), -0.1), np.full((90, 90), 256),
    np.full((90, 90), -1), np.full((90, 90), "a"), np.full((90, 90), None), np.zeros((2, 90, 90, 3)),
])  # fmt: skip
def test_no_photo_is_refused_in_a_sentence(nn, photo):
    with pytest.raises(ValueError, match=r"^expected a photo .*, found .*: read it with plt\.imread$"):
        nn.digits_in(photo)


@pytest.mark.parametrize("image", [
    np.zeros((90, 90, 3)), np.zeros(784), np.full((90, 90), np.nan), np.full((90, 90), -1.0),
    np.full((90, 90), 0.9),
])  # fmt: skip
def test_no_drawing_is_refused_in_a_sentence(nn, image):
    with pytest.raises(
        ValueError,
        match=r"^expected (a drawing .*, found|ink 1, paper 0; more than half is ink: try 1 - image)",
    ):
        nn.normalise_drawing(image)


def test_a_speck_in_a_corner_changes_nothing(nn):
    image = nn.ink_of(pen_of(3))
    clean = nn.normalise_drawing(image)
    image[0, 0] = 0.01
    assert np.allclose(nn.normalise_drawing(image), clean, atol=0.01)


def test_a_photo_takes_well_under_a_second(nn):
    photo = np.resize(sheet(nn, [2, 0, 7]), (900, 900))
    start = time.perf_counter()
    nn.digits_in(photo)
    assert time.perf_counter() - start < 1
