"""Section 13: do warps, deskewing, the folded mean and the joined committee do what the text says?"""

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
    """Displacements in the middle, where nothing is clipped: 0.5 of shift, 0.8 elastic, and affine."""

    def displacement(strength):
        pixels, weights = nn.random_warp(400, np.random.default_rng(0), strength)
        assert weights[0].dtype == np.float32 and np.allclose(sum(weights), 1, atol=1e-5)
        return pixels[0] // 28 + weights[2] + weights[3] - nn.ROW

    middle = displacement(1)[:, 406]
    assert middle.std() == pytest.approx(np.hypot(0.5, 0.8), rel=0.1)
    assert np.allclose(displacement(2)[:, 406], 2 * middle, atol=1e-3) and np.allclose(displacement(0), 0)


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
    assert nn.loss_and_accuracy(*toy[2:], *network) == pytest.approx(history[-1][:2], rel=0.01)
    assert history[-1][1] > 0.9


def test_join_takes_members_of_any_size(nn, images, rng):
    members = [nn.init_params(784, h, 10, rng) for h in (3, 8, 1)]
    joined = nn.join(members)
    mean = np.mean([nn.forward(images, *member)[2] for member in members], axis=0)
    assert np.allclose(nn.forward(images, *joined)[2], mean, atol=1e-5)
    assert joined[0].shape == (784, 12) and all(P.dtype == np.float32 for P in joined)
