"""The functions of Part II, checked independently of the notebook's own checks."""

import math
from functools import partial

import numpy as np
import pytest


def random_layers(nn, rng, sizes=(7, 6, 5, 4), m=9, dtype=np.float64):
    """Random images, one-hot targets and layers of a small network, with biases that are not zero."""
    layers = [
        (W.astype(dtype), (rng.normal(size=b.size) / 3).astype(dtype)) for W, b in nn.init_layers(sizes, rng)
    ]
    return (
        rng.random((m, sizes[0])).astype(dtype),
        nn.one_hot(rng.integers(sizes[-1], size=m), sizes[-1]),
        layers,
    )


def flat(layers):
    """All arrays of a list of pairs, in order."""
    return [P for pair in layers for P in pair]


def slopes(loss, layers):
    """Central differences of loss() for every parameter, shaped as the arrays."""
    for P in flat(layers):
        numeric = np.zeros_like(P)
        for i in np.ndindex(P.shape):
            value = P[i]
            P[i] = value + 1e-6
            above = loss()
            P[i] = value - 1e-6
            below = loss()
            P[i] = value
            numeric[i] = (above - below) / 2e-6
        yield numeric


def test_starting_deviations(nn):
    assert nn.he(50, 7) == pytest.approx(0.2) and nn.xavier(30, 20) == pytest.approx(0.2)
    assert nn.hundredth(3, 4) == 0.01 and nn.constant_rate(0.3, 0.9) == 0.3


def test_init_layers_is_init_params_for_one_hidden_layer(nn):
    params = nn.init_params(9, 8, 3, np.random.default_rng(5))
    layers = nn.init_layers([9, 8, 3], np.random.default_rng(5))
    assert all(P.tobytes() == Q.tobytes() for P, Q in zip(params, flat(layers)))


def test_init_layers_has_shapes_types_and_deviation(nn, rng):
    layers = nn.init_layers([400, 300, 200, 10], rng, std=nn.hundredth)
    assert [P.shape for P in flat(layers)] == [(400, 300), (300,), (300, 200), (200,), (200, 10), (10,)]
    assert {P.dtype for P in flat(layers)} == {np.dtype(np.float32)}
    assert all(np.std(W) == pytest.approx(0.01, rel=0.1) and not b.any() for W, b in layers)


def test_layers_give_what_the_four_functions_give(nn, rng):
    X, Y, layers = random_layers(nn, rng, (7, 6, 4))
    Z1, A1, _, Y_hat = nn.forward(X, *flat(layers))
    A = nn.forward_layers(X, layers)
    assert len(A) == 3 and A[0] is X and np.allclose(A[1], A1) and np.allclose(A[2], Y_hat)
    expected = nn.backward(X, Y, Z1, A1, Y_hat, layers[1][0])
    assert all(np.allclose(P, Q) for P, Q in zip(expected, flat(nn.backward_layers(Y, A, layers))))


@pytest.mark.parametrize("sizes", [(4, 3), (5, 4, 3), (4, 6, 5, 3), (4, 5, 6, 5, 3)])
def test_layer_gradients_against_central_differences(nn, rng, sizes):
    X, Y, layers = random_layers(nn, rng, sizes)
    gradients = flat(nn.plain(X, Y, layers, None))
    for dP, numeric in zip(
        gradients, slopes(lambda: nn.cross_entropy(nn.forward_layers(X, layers)[-1], Y), layers)
    ):
        assert np.allclose(dP, numeric, rtol=1e-5, atol=1e-8)


def test_weight_decay_against_central_differences(nn, rng):
    X, Y, layers = random_layers(nn, rng)

    def loss():
        return nn.cross_entropy(nn.forward_layers(X, layers)[-1], Y) + 0.15 * sum(
            np.sum(W**2) for W, _ in layers
        )

    for dP, numeric in zip(flat(nn.decayed(X, Y, layers, None, decay=0.3)), slopes(loss, layers)):
        assert np.allclose(dP, numeric, rtol=1e-5, atol=1e-8)


def test_dropout_against_central_differences(nn, rng):
    X, Y, layers = random_layers(nn, rng)

    def loss():
        return nn.cross_entropy(nn.forward_dropout(X, layers, np.random.default_rng(3), keep=0.6)[-1], Y)

    gradients = nn.dropout(X, Y, layers, np.random.default_rng(3), keep=0.6)
    for dP, numeric in zip(flat(gradients), slopes(loss, layers)):
        assert np.allclose(dP, numeric, rtol=1e-5, atol=1e-8)


def test_dropout_silences_the_share_and_keeps_the_mean(nn, rng):
    X, layers = rng.random((2000, 7)), [(np.ones((7, 50)), np.ones(50)), (np.zeros((50, 3)), np.zeros(3))]
    whole, dropped = nn.forward_layers(X, layers)[1], nn.forward_dropout(X, layers, rng, keep=0.7)[1]
    on = dropped > 0
    assert np.mean(on) == pytest.approx(0.7, abs=0.01) and np.allclose(dropped[on], whole[on] / 0.7)
    assert dropped.mean() == pytest.approx(whole.mean(), rel=0.02)
    all_on = nn.forward_dropout(X, layers, rng, keep=1)
    assert all(np.array_equal(P, Q) for P, Q in zip(all_on, nn.forward_layers(X, layers)))


@pytest.mark.parametrize("method", ["plain", "decayed", "dropout"])
def test_gradients_keep_float32(nn, rng, method):
    X, Y, layers = random_layers(nn, rng, dtype=np.float32)
    assert {dP.dtype for dP in flat(getattr(nn, method)(X, Y, layers, rng))} == {np.dtype(np.float32)}


def test_update_rules_worked_by_hand(nn):
    """Two steps with the gradients 1 and 3, rate 0.1."""
    expected = {"sgd": -0.1 - 0.3, "momentum": -0.1 - 0.1 * (0.9 + 3)}
    m, s = 0.1 * 0.9 + 0.1 * 3, 0.001 * 0.999 + 0.001 * 9
    expected["adam"] = -0.1 - 0.1 * (m / (1 - 0.9**2)) / math.sqrt(s / (1 - 0.999**2))
    for name, value in expected.items():
        layers, state = [(np.zeros((2, 3)), np.zeros(3))], {}
        for slope in (1.0, 3.0):
            getattr(nn, name)(layers, [(np.full((2, 3), slope), np.full(3, slope))], 0.1, state)
        assert all(np.allclose(P, value) for P in flat(layers)), name


def test_update_rules_keep_float32(nn, rng):
    for name in ("sgd", "momentum", "adam"):
        X, Y, layers = random_layers(nn, rng, dtype=np.float32)
        state = {}
        for _ in range(2):
            getattr(nn, name)(layers, nn.plain(X, Y, layers, rng), 0.1, state)
        kept = [P for name in ("V", "M", "S") for pair in state.get(name, []) for P in pair]
        assert {P.dtype for P in flat(layers) + kept} == {np.dtype(np.float32)}


def toy(rng):
    """400 made-up images, whose bright quarter tells the class: 300 to learn from, 100 to validate."""
    y = rng.integers(4, size=400).astype(np.uint8)
    X = rng.random((400, 784), dtype=np.float32) / 2
    for i, label in enumerate(y):
        X[i, 196 * int(label) : 196 * int(label) + 196] += 0.5
    return X[:300], y[:300], X[300:], y[300:]


@pytest.mark.parametrize("method", ["plain", "decayed", "dropout"])
@pytest.mark.parametrize("update, rate", [("sgd", 0.1), ("momentum", 0.02), ("adam", 0.002)])
def test_training_learns_with_every_method(nn, rng, method, update, rate):
    data, layers = toy(rng), nn.init_layers([784, 16, 12, 10], rng)
    kept = [P.copy() for P in flat(layers)]
    settings = {"update": getattr(nn, update), "gradients": getattr(nn, method)}
    trained, history = nn.train_layers(*data, layers, rng, epochs=8, batch_size=32, rate=rate, **settings)
    assert all(np.array_equal(P, Q) for P, Q in zip(flat(layers), kept)), "the list given was changed"
    assert {P.dtype for P in flat(trained)} == {np.dtype(np.float32)}
    assert set(history) == {"val_loss", "val_accuracy", "seconds"}
    assert all(len(values) == 8 for values in history.values()) and history["seconds"] == sorted(
        history["seconds"]
    )
    assert history["val_accuracy"][-1] > 0.9 and history["val_loss"][-1] < history["val_loss"][0]
    assert nn.score_layers(*data[2:], trained) == (history["val_loss"][-1], history["val_accuracy"][-1])


def test_train_layers_is_train_for_one_hidden_layer(nn):
    data = toy(np.random.default_rng(2))
    params = nn.init_params(784, 12, 10, np.random.default_rng(4))
    layers = nn.init_layers([784, 12, 10], np.random.default_rng(4))
    settings = {"epochs": 3, "batch_size": 32, "rate": 0.1}
    *params, _ = nn.train(*data, *params, np.random.default_rng(8), report=None, **settings)
    layers, _ = nn.train_layers(*data, layers, np.random.default_rng(8), **settings)
    assert all(np.allclose(P, Q, atol=1e-5) for P, Q in zip(params, flat(layers)))


def test_try_seeds_and_rebuild(nn, rng):
    data = toy(rng)
    run = partial(nn.try_seeds, data, [784, 8, 10], (0, 1), epochs=2, batch_size=32, rate=0.1)
    accuracy, seconds = run()
    assert accuracy.shape == seconds.shape == (2, 2) and accuracy.min() >= 0 and accuracy.max() <= 100
    assert np.array_equal(accuracy, run()[0]), "the same seeds gave other results"
    settings = {"epochs": 2, "batch_size": 32, "rate": 0.1}
    loss, right, _ = nn.rebuild("784-8-10", data, data[2:], 0, **settings)
    assert math.isfinite(loss) and 100 * right == pytest.approx(accuracy[0, -1])


@pytest.mark.parametrize("name, amount", [("noisy", 0.3), ("shifted", 3), ("rotated", 25), ("barred", 5)])
def test_spoilers_keep_shape_range_and_original(nn, rng, name, amount):
    X = rng.random((40, 784), dtype=np.float32)
    kept, spoil = X.copy(), getattr(nn, name)
    spoiled = spoil(X, amount, np.random.default_rng(1))
    assert spoiled.shape == X.shape and spoiled.dtype == np.float32 and np.array_equal(X, kept)
    assert spoiled.min() >= 0 and spoiled.max() <= 1 + 1e-6 and not np.allclose(spoiled, X)
    assert np.array_equal(spoiled, spoil(X, amount, np.random.default_rng(1)))
    assert np.allclose(spoil(X, 0, rng), X, atol=2e-3)


def test_shift_moves_all_pixels_one_way(nn, rng):
    X = np.zeros((200, 28, 28), np.float32)
    X[:, 10, 12] = 1
    moved = nn.shifted(X.reshape(200, 784), 3, rng).reshape(200, 28, 28)
    places = {(int(row), int(column)) for _, row, column in np.argwhere(moved)}
    assert places == {(7, 12), (13, 12), (10, 9), (10, 15)} and moved.sum() == 200


def test_rotation_goes_both_ways(nn, rng):
    X = np.zeros((60, 28, 28), np.float32)
    X[:, 13:15, 20:22] = 1  # to the right of the middle
    turned = nn.rotated(X.reshape(60, 784), 90, rng).reshape(60, 28, 28)
    up, down = turned[:, 6:8, 13:15].sum(axis=(1, 2)), turned[:, 20:22, 13:15].sum(axis=(1, 2))
    assert np.allclose(np.maximum(up, down), 4, atol=0.02) and (up > 3).any() and (down > 3).any()


def test_bar_has_its_width(nn, rng):
    barred = nn.barred(np.zeros((50, 784), np.float32), 4, rng).reshape(50, 28, 28)
    assert (barred.sum(axis=2) == 4).all() and (barred == barred[:, :1]).all()
    assert not barred[:, :, :4].any() and not barred[:, :, 24:].any()


def test_letter(nn):
    image = nn.draw_letter(nn.LETTER_A).reshape(28, 28)
    assert image.dtype == np.float32 and set(np.unique(image)) == {0, 1}
    assert np.array_equal(image, image[:, ::-1]) and not image[:4].any() and image[4:6, 12:16].all()
