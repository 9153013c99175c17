"""Section 13's functions: warps, deskewing, and the training on warped images."""

import numpy as np
import pytest


def shifted_points(nn, rows, columns, n=1):
    """The warp whose every source point lies so many rows and columns further on, n times."""
    zero = np.zeros((1, n), np.float32)
    return nn.bilinear(nn.ROW + np.float32(rows) + zero, nn.COL + np.float32(columns) + zero)


@pytest.fixture
def images(rng):
    """Six images of random ink, blank at the border."""
    X = np.zeros((6, 28, 28), np.float32)
    X[:, 5:-5, 5:-5] = rng.random((6, 18, 18))
    return X.reshape(6, 784)


def test_the_identity_changes_no_bit(nn, images):
    assert np.array_equal(nn.apply_warp(images, *shifted_points(nn, 0, 0, n=3)), images)


def test_whole_shifts_move_the_picture(nn, images):
    moved = nn.apply_warp(images, *shifted_points(nn, 2, -1)).reshape(-1, 28, 28)
    assert np.array_equal(moved, np.roll(images.reshape(-1, 28, 28), (-2, 1), axis=(1, 2)))


def test_half_shifts_are_means_of_neighbours(nn, images):
    half = nn.apply_warp(images, *shifted_points(nn, 0, 0.5)).reshape(-1, 28, 28)
    square = images.reshape(-1, 28, 28)
    assert np.allclose(half[:, :, :-1], (square[:, :, :-1] + square[:, :, 1:]) / 2)


def test_each_warp_serves_its_own_group(nn, images):
    index, weight = (
        np.concatenate(pair, axis=2) for pair in zip(shifted_points(nn, 1, 0), shifted_points(nn, 0, 3))
    )
    both = nn.apply_warp(images, index, weight)
    assert np.array_equal(both[:3], nn.apply_warp(images[:3], *shifted_points(nn, 1, 0)))
    assert np.array_equal(both[3:], nn.apply_warp(images[3:], *shifted_points(nn, 0, 3)))


def test_points_outside_move_to_the_border(nn):
    index, weight = shifted_points(nn, 1000, -1000)
    assert index.min() >= 0 and index.max() <= 783 and np.allclose(weight.sum(axis=0), 1)


def test_random_warps_are_smooth_and_of_the_size_asked_for(nn):
    index, weight = nn.random_warp(200, np.random.default_rng(0), affine=0, shift=0, elastic=0.8)
    assert weight.dtype == np.float32 and weight.min() >= 0 and np.allclose(weight.sum(axis=0), 1, atol=1e-5)
    row = index[0] // 28 + weight[2] + weight[3]  # where each pixel comes from
    inner = (nn.ROW[:, 0] > 5) & (nn.ROW[:, 0] < 22)
    displacement = (row - nn.ROW)[inner]
    assert displacement.std() == pytest.approx(0.8, rel=0.1)
    still = nn.random_warp(3, np.random.default_rng(0), 0, 0, 0)
    assert np.array_equal(still[0], shifted_points(nn, 0, 0, n=3)[0])


def test_random_warps_depend_on_the_generator_only(nn):
    first, again = (nn.random_warp(2, np.random.default_rng(4)) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again))


def test_deskew_stands_a_slanted_stroke_upright(nn):
    slanted = np.zeros((28, 28), np.float32)
    for row in range(4, 24):
        column = 14 + (14 - row) // 3
        slanted[row, column : column + 2] = 1
    upright = nn.deskew(slanted.reshape(1, 784)).reshape(28, 28)
    centres = [(upright[row] @ np.arange(28)) / upright[row].sum() for row in range(5, 23)]
    assert np.std(centres) < 0.4
    assert upright.sum() == pytest.approx(slanted.sum(), rel=0.05)


def test_deskew_leaves_upright_and_blank_images_alone(nn):
    upright = np.zeros((2, 28, 28), np.float32)
    upright[0, 4:24, 13:15] = 1
    rows = upright.reshape(2, 784)
    assert np.allclose(nn.deskew(rows), rows, atol=1e-5)


def easy(rng, m=128):
    """Images whose bright half tells one of two classes."""
    y = rng.integers(2, size=m)
    X = rng.random((m, 784), dtype=np.float32) / 2
    X[:, :392] += (y == 0)[:, None] * np.float32(0.5)
    return X, y


def test_the_mean_of_two_workers_is_the_gradient_of_the_whole_batch(nn, rng):
    """What the training relies on when it shares out a batch, and the loss likewise."""
    X, y = easy(rng, 32)
    params, Y = nn.init_params(784, 8, 10, rng), nn.one_hot(y)
    whole = nn.warped_gradients(X, Y, params, rng, 16, strength=0)
    first, second = (
        nn.warped_gradients(X[half], Y[half], params, rng, 16, 0) for half in np.split(np.arange(32), 2)
    )
    assert whole[0] == pytest.approx((first[0] + second[0]) / 2, rel=1e-5)
    for P, Q, R in zip(whole[1], first[1], second[1]):
        assert np.allclose(P, (Q + R) / 2, atol=1e-6)


def test_one_worker_or_two_learn_alike(nn, rng):
    X, y = easy(rng)
    start = nn.init_params(784, 8, 10, rng)
    settings = {"epochs": 4, "strength": 0, "batch_size": 32, "rate": 0.05}
    for workers in (1, 2):
        *_, history = nn.train_augmented(
            X, y, X, y, start, np.random.default_rng(0), workers=workers, **settings
        )
        assert history[-1][2] > 0.9


def test_training_on_warps_learns_and_repeats_itself(nn, rng):
    X, y = easy(rng)
    start = nn.init_params(784, 8, 10, rng)
    settings = {"epochs": 3, "batch_size": 32, "rate": 0.05, "group": 4}
    first, again = (
        nn.train_augmented(X, y, X, y, start, np.random.default_rng(0), **settings) for _ in range(2)
    )
    assert all(P.tobytes() == Q.tobytes() and P.dtype == np.float32 for P, Q in zip(first[:4], again[:4]))
    assert first[-1][-1][2] > 0.9, "it should tell bright above from bright below"


def test_the_workers_share_one_step_of_momentum(nn, rng):
    """Two steps, each shared by two workers, against the formula; one array has an odd number of rows."""
    params = [rng.random((5, 3)), rng.random(3)]
    expected, speeds, v = [P.copy() for P in params], [np.zeros_like(P) for P in params], [0, 0]
    for _ in range(2):
        gradients = [[rng.random(P.shape) for P in params] for _ in range(2)]
        v = [0.9 * w - 0.1 * (a + b) / 2 for w, a, b in zip(v, *gradients)]
        expected = [P + w for P, w in zip(expected, v)]
        for worker in (0, 1):
            nn.momentum_step(worker, params, speeds, gradients, 0.1)
    assert all(np.allclose(P, Q) for P, Q in zip(params, expected))


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_in_parallel_keeps_the_order(nn, rng, workers):
    X = rng.random((7, 784), dtype=np.float32)
    assert np.array_equal(nn.in_parallel(nn.deskew, X, workers), nn.deskew(X))
