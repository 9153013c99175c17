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
    X = np.zeros((6, 28, 28), np.float32)
    X[:, 5:-5, 5:-5] = rng.random((6, 18, 18))
    return X.reshape(6, 784)


@pytest.fixture
def easy(rng):
    """130 images whose brighter half tells one of two classes, as training and validation set."""
    y = rng.integers(2, size=130)
    X = rng.random((130, 784), dtype=np.float32) / 2
    X[:, :392] += (y == 0)[:, None] * np.float32(0.5)
    return X, y, X, y


def test_the_identity_changes_no_bit(nn, images):
    still = moved(nn, images, 0, 0)
    assert np.array_equal(still, images) and still.dtype == np.float32


def test_whole_shifts_move_the_picture(nn, images):
    there = moved(nn, images, 2, -1).reshape(-1, 28, 28)
    assert np.array_equal(there, np.roll(images.reshape(-1, 28, 28), (-2, 1), axis=(1, 2)))


def test_half_shifts_are_means_of_neighbours(nn, images):
    half, square = moved(nn, images, 0, 0.5).reshape(-1, 28, 28), images.reshape(-1, 28, 28)
    assert np.allclose(half[:, :, :-1], (square[:, :, :-1] + square[:, :, 1:]) / 2)


@pytest.mark.parametrize("m", [0, 1, 2, 5, 6])
def test_warps_are_dealt_out_in_turn_to_any_number_of_images(nn, images, m):
    down, right = moved(nn, images, 1, 0), moved(nn, images, 0, 3)
    dealt = moved(nn, images[:m], [1, 0], [0, 3])
    assert np.array_equal(dealt[::2], down[:m:2]) and np.array_equal(dealt[1::2], right[1:m:2])


def test_points_outside_move_to_the_border(nn):
    pixels, weights = nn.bilinear(nn.ROW[None] + 1000, nn.COL[None] - 1000)
    assert np.min(pixels) >= 0 and np.max(pixels) <= 783 and np.allclose(sum(weights), 1)


def test_random_warps_have_the_size_asked_for(nn):
    """Displacements in the middle, where nothing is clipped: 0.5 of shift, 0.8 elastic, and affine."""
    pixels, weights = nn.random_warp(400, np.random.default_rng(0))
    assert weights[0].dtype == np.float32 and np.allclose(sum(weights), 1, atol=1e-5)
    row = pixels[0] // 28 + weights[2] + weights[3]  # where each pixel comes from
    assert (row - nn.ROW)[:, 14 * 28 + 14].std() == pytest.approx(np.hypot(0.5, 0.8), rel=0.1)
    twice, still = (nn.random_warp(400, np.random.default_rng(0), strength) for strength in (2, 0))
    row_twice = twice[0][0] // 28 + twice[1][2] + twice[1][3]
    assert np.allclose((row_twice - nn.ROW)[:, 406], 2 * (row - nn.ROW)[:, 406], atol=1e-3)
    assert np.allclose(still[0][0] // 28 + still[1][2] + still[1][3], nn.ROW)


def test_deskew_stands_a_slanted_stroke_upright(nn):
    slanted = np.zeros((28, 28), np.float32)
    for row in range(4, 24):
        column = 14 + (14 - row) // 3
        slanted[row, column : column + 2] = 1
    upright = nn.deskew(slanted.reshape(1, 784)).reshape(28, 28)
    centres = [(upright[row] @ np.arange(28)) / upright[row].sum() for row in range(5, 23)]
    assert np.std(centres) < 0.4 and upright.sum() == pytest.approx(slanted.sum(), rel=0.05)


def test_deskew_leaves_upright_and_blank_images_alone_in_chunks_of_any_size(nn):
    upright = np.zeros((3, 28, 28), np.float32)
    upright[0, 4:24, 13:15] = 1
    rows = upright.reshape(3, 784)
    assert np.allclose(nn.deskew(rows), rows, atol=1e-5)
    assert np.array_equal(nn.deskew(rows, chunk=2), nn.deskew(rows))


@pytest.mark.parametrize("strength", [0, 1, 5])
def test_training_repeats_itself_and_keeps_its_types(nn, easy, strength):
    first, again = (nn.train_warped(easy, strength, 8, 2, 3) for _ in range(2))
    assert all(P.tobytes() == Q.tobytes() and P.dtype == np.float32 for P, Q in zip(first[0], again[0]))


def test_the_mean_is_folded_in_so_the_network_reads_plain_pixels(nn, easy):
    network, history = nn.train_warped(easy, 0, 8, 6, 3)
    accuracy = nn.loss_and_accuracy(*easy[:2], *network)[1]
    assert accuracy == pytest.approx(history["val_accuracy"][-1], abs=0.02) and accuracy > 0.9


@pytest.mark.parametrize("units", [(5,), (5, 5), (3, 8, 1)])
def test_a_joined_network_has_the_mean_of_its_members_logits(nn, images, rng, units):
    """Members may even differ in size."""
    members = [nn.init_params(784, h, 10, rng) for h in units]
    joined = nn.join(members)
    mean = np.mean([nn.forward(images, *member)[2] for member in members], axis=0)
    assert np.allclose(nn.forward(images, *joined)[2], mean, atol=1e-5)
    assert joined[0].shape == (784, sum(units)) and all(P.dtype == np.float32 for P in joined)
