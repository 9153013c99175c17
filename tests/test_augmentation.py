"""Sections 13 and 14: do warps, deskewing, the folded mean, the joined committee and spoiling do what the text says?"""

import numpy as np
import pytest


def moved(nn, X, rows, columns):
    """X warped so that every source point lies so many rows and columns further on."""
    rows, columns = np.atleast_2d(rows).astype(np.float32), np.atleast_2d(columns).astype(np.float32)
    return nn.apply_warp(X, *nn.bilinear(nn.ROW + rows.T, nn.COL + columns.T))


@pytest.fixture
def images(rng):
    """Six images of random ink, blank at the border."""
    return np.pad(rng.random((6, 18, 18), np.float32), [(0, 0), (5, 5), (5, 5)]).reshape(6, 784)


def test_apply_warp_moves_by_whole_pixels_and_averages_between(nn, images):
    square = images.reshape(-1, 28, 28)
    there = moved(nn, images, 2, -1).reshape(-1, 28, 28)
    assert np.array_equal(there, np.roll(square, (-2, 1), axis=(1, 2))) and there.dtype == np.float32
    half = moved(nn, images, 0, 0.5).reshape(-1, 28, 28)
    assert np.allclose(half[:, :, :-1], (square[:, :, :-1] + square[:, :, 1:]) / 2)
    assert not moved(nn, images, 1000, -1000).any(), "outside there is what is at the border: nothing"


@pytest.mark.parametrize("m", [0, 1, 2, 5, 6])
def test_apply_warp_deals_warps_out_in_turn_to_any_number_of_images(nn, images, m):
    down, right = moved(nn, images, 1, 0), moved(nn, images, 0, 3)
    dealt = moved(nn, images[:m], [1, 0], [0, 3])
    assert np.array_equal(dealt[::2], down[:m:2]) and np.array_equal(dealt[1::2], right[1:m:2])


def test_random_warp_has_the_size_asked_for(nn):
    """Ten pixels off the middle, where nothing is clipped: 0.5 of shift, 0.8 elastic, 0.95 affine."""

    def displacement(strength):
        pixels, weights = nn.random_warp(2000, np.random.default_rng(0), strength)
        assert weights[0].dtype == np.float32 and np.allclose(sum(weights), 1, atol=1e-5)
        r, c = pixels[0] // 28 + weights[2] + weights[3], pixels[0] % 28 + weights[1] + weights[3]
        return np.stack([r[:, 14 * 28 + 4], c[:, 4 * 28 + 14]]) - 14

    once = displacement(1)
    assert once.std(axis=1) == pytest.approx([np.sqrt(0.5**2 + 0.8**2 + 0.95**2)] * 2, rel=0.05)
    assert np.allclose(displacement(2), 2 * once, atol=1e-3) and np.allclose(displacement(0), 0)


def test_deskew_stands_a_slanted_stroke_upright_and_leaves_others_alone(nn):
    slanted, upright = np.zeros((2, 28, 28), np.float32)
    upright[4:24, 13:15] = 1
    for row in range(4, 24):
        column = 14 + (14 - row) // 3
        slanted[row, column : column + 2] = 1
    rows = np.stack([slanted, upright, 0 * upright]).reshape(3, 784)
    out = nn.deskew(rows)
    square = out[0].reshape(28, 28)[5:23]
    assert np.std(square @ np.arange(28) / square.sum(axis=1)) < 0.4
    assert np.allclose(out[1:], rows[1:], atol=1e-5) and np.array_equal(nn.deskew(rows, chunk=2), out)


@pytest.mark.parametrize("strength", [0, 1])
def test_train_warped_repeats_itself_and_its_network_reads_plain_pixels(nn, toy, strength):
    (network, history), (again, _) = (nn.train_warped(toy, strength, 8, 6, 3) for _ in range(2))
    assert all(P.tobytes() == Q.tobytes() and P.dtype == np.float32 for P, Q in zip(network, again))
    score = nn.loss_and_accuracy(nn.forward(toy[2], *network)[-1], toy[3])
    assert score == pytest.approx(history[-1][:2], rel=0.01) and score[1] > 0.9


def test_join_takes_members_of_any_size(nn, images, rng):
    members = [nn.init_params(784, h, 10, rng) for h in (3, 8, 1)]
    joined = nn.join(members)
    mean = np.mean([nn.forward(images, *member)[2] for member in members], axis=0)
    assert np.allclose(nn.forward(images, *joined)[2], mean, atol=1e-5)
    assert joined[0].shape == (784, 12) and all(P.dtype == np.float32 for P in joined)


def test_noisy_and_shifted_spoil_by_the_amount(nn, images, rng):
    grey = np.full((50, 784), 0.5, np.float32)
    assert np.std(nn.noisy(grey, 0.1, rng) - grey) == pytest.approx(0.1, rel=0.02)
    assert set(np.unique(nn.noisy(grey, 1e6, rng))) == {0, 1}
    ways = [(-2, 0), (2, 0), (0, -2), (0, 2), (-2, 0), (2, 0)]
    square, there = (X.reshape(-1, 28, 28) for X in (images, nn.shifted(images, 2, None)))
    assert all(np.array_equal(np.roll(a, way, (0, 1)), b) for a, way, b in zip(square, ways, there))
