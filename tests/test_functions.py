"""The notebook's functions, checked independently of the notebook's own checks."""

import math

import numpy as np
import pytest


def random_case(nn, rng, dtype=np.float64, m=9, n_in=7, n_hidden=6, n_out=4):
    """Random images, one-hot targets and parameters of a small network, with biases that are not zero."""
    X = rng.random((m, n_in)).astype(dtype)
    Y = nn.one_hot(rng.integers(n_out, size=m), n_out).astype(dtype)
    W1, b1, W2, b2 = (P.astype(dtype) for P in nn.init_params(n_in, n_hidden, n_out, rng))
    b1, b2 = (rng.normal(size=b.size).astype(dtype) / 3 for b in (b1, b2))
    return X, Y, W1, b1, W2, b2


def gradients(nn, X, Y, *params):
    """The four gradients at those parameters."""
    Z1, A1, _, Y_hat = nn.forward(X, *params)
    return nn.backward(X, Y, Z1, A1, Y_hat, params[2])


def test_one_hot_puts_the_one_at_the_label(nn):
    Y = nn.one_hot(np.array([2, 0, 9], np.uint8))
    assert Y.dtype == np.float32 and Y.shape == (3, 10)
    assert [list(row).index(1) for row in Y] == [2, 0, 9] and Y.sum() == 3
    assert nn.one_hot(np.array([1]), classes=2).tolist() == [[0, 1]]


def test_init_has_the_shapes_types_and_variance_promised(nn):
    W1, b1, W2, b2 = nn.init_params(784, 128, 10, np.random.default_rng(0))
    assert [P.shape for P in (W1, b1, W2, b2)] == [(784, 128), (128,), (128, 10), (10,)]
    assert {P.dtype for P in (W1, b1, W2, b2)} == {np.dtype(np.float32)}
    assert np.var(W1) == pytest.approx(2 / 784, rel=0.02) and np.var(W2) == pytest.approx(2 / 128, rel=0.2)
    assert not b1.any() and not b2.any()


def test_init_depends_on_the_generator_only(nn):
    np.random.seed(1)  # noqa: NPY002
    first = nn.init_params(5, 4, 3, np.random.default_rng(3))
    np.random.seed(2)  # noqa: NPY002
    again = nn.init_params(5, 4, 3, np.random.default_rng(3))
    assert all(np.array_equal(P, Q) for P, Q in zip(first, again))


def test_relu(nn):
    assert nn.relu(np.array([-2.0, 0.0, 3.0])).tolist() == [0, 0, 3]


def test_softmax_is_a_distribution_and_ignores_a_shift(nn, rng):
    Z = rng.normal(size=(20, 10)) * 5
    P = nn.softmax(Z)
    assert np.allclose(P.sum(axis=1), 1) and (P > 0).all()
    assert np.allclose(P, nn.softmax(Z + rng.normal(size=(20, 1)) * 100))
    assert np.allclose(P, np.exp(Z) / np.exp(Z).sum(axis=1, keepdims=True))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("size", [1000, -1000, 1e30])
def test_softmax_and_loss_survive_large_logits(nn, size):
    P = nn.softmax(np.array([[size, 0, 0]], np.float32))
    assert np.isfinite(P).all() and P.sum() == pytest.approx(1)
    assert math.isfinite(nn.cross_entropy(P, nn.one_hot(np.array([1]), 3)))


def test_cross_entropy_by_hand(nn):
    Y_hat = np.array([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]])
    Y = np.array([[1.0, 0, 0], [0, 0, 1]])
    loss = nn.cross_entropy(Y_hat, Y)
    assert isinstance(loss, float)
    assert loss == pytest.approx((math.log(2) - math.log(0.8)) / 2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_shapes_and_dtypes_are_kept(nn, rng, dtype):
    X, Y, *params = random_case(nn, rng, dtype)
    outputs = nn.forward(X, *params)
    assert [A.shape for A in outputs] == [(9, 6), (9, 6), (9, 4), (9, 4)]
    assert {A.dtype for A in outputs} == {np.dtype(dtype)}
    for P, dP in zip(params, gradients(nn, X, Y, *params)):
        assert P.shape == dP.shape and dP.dtype == dtype


def test_tiny_network_worked_by_hand(nn):
    """x = (1, 2); Z1 = (1, -1), A1 = (1, 0); Z2 = (ln 3, 0), Y_hat = (3/4, 1/4); the target is the second
    class."""
    X, Y = np.array([[1.0, 2.0]]), np.array([[0.0, 1.0]])
    W1, b1 = np.array([[1.0, 1.0], [0.0, -1.0]]), np.zeros(2)
    W2, b2 = np.array([[math.log(3), 0.0], [5.0, 7.0]]), np.zeros(2)
    Z1, A1, Z2, Y_hat = nn.forward(X, W1, b1, W2, b2)
    assert Z1.tolist() == [[1, -1]] and A1.tolist() == [[1, 0]]
    assert np.allclose(Y_hat, [[0.75, 0.25]])
    assert nn.cross_entropy(Y_hat, Y) == pytest.approx(math.log(4))
    dW1, db1, dW2, db2 = nn.backward(X, Y, Z1, A1, Y_hat, W2)
    assert np.allclose(db2, [0.75, -0.75]) and np.allclose(dW2, [[0.75, -0.75], [0, 0]])
    slope = 0.75 * math.log(3)  # through W2 to the first hidden unit; the second is silent
    assert np.allclose(db1, [slope, 0]) and np.allclose(dW1, [[slope, 0], [2 * slope, 0]])


@pytest.mark.parametrize("seed", range(5))
def test_gradients_against_central_differences(nn, seed):
    """Random sizes, every parameter, in float64, with differences computed here and not by the notebook."""
    rng = np.random.default_rng(seed)
    m, n_in, n_hidden, n_out = rng.integers(2, 9, size=4)
    X, Y, *params = random_case(nn, rng, np.float64, m, n_in, n_hidden, n_out)
    for P, dP in zip(params, gradients(nn, X, Y, *params)):
        for i in np.ndindex(P.shape):
            losses = []
            for step in (1e-6, -2e-6, 1e-6):
                P[i] += step
                losses.append(nn.cross_entropy(nn.forward(X, *params)[-1], Y))
            assert dP[i] == pytest.approx((losses[0] - losses[1]) / 2e-6, rel=1e-5, abs=1e-8)


def test_gradients_sum_as_they_must(nn, rng):
    """Probabilities and targets both sum to 1, so the output gradients of an image sum to 0; and the
    gradient of a batch is the mean of its images' gradients."""
    X, Y, *params = random_case(nn, rng)
    whole = gradients(nn, X, Y, *params)
    assert np.allclose(whole[3].sum(), 0) and np.allclose(whole[2].sum(axis=1), 0)
    single = [gradients(nn, X[i : i + 1], Y[i : i + 1], *params) for i in range(len(X))]
    for k in range(4):
        assert np.allclose(whole[k], np.mean([g[k] for g in single], axis=0))


def test_permuting_the_rows_changes_only_their_order(nn, rng):
    X, Y, *params = random_case(nn, rng)
    order = rng.permutation(len(X))
    for before, after in zip(nn.forward(X, *params), nn.forward(X[order], *params)):
        assert np.allclose(before[order], after)
    for before, after in zip(gradients(nn, X, Y, *params), gradients(nn, X[order], Y[order], *params)):
        assert np.allclose(before, after)


def test_a_small_step_lowers_the_loss(nn, rng):
    X, Y, *params = random_case(nn, rng)
    before = nn.cross_entropy(nn.forward(X, *params)[-1], Y)
    stepped = [P - 0.01 * dP for P, dP in zip(params, gradients(nn, X, Y, *params))]
    assert nn.cross_entropy(nn.forward(X, *stepped)[-1], Y) < before


def test_the_rate_falls_from_its_start_to_zero(nn):
    rates = [nn.falling_rate(0.5, t) for t in np.linspace(0, 1, 11)]
    assert rates[0] == 0.5 and rates[5] == pytest.approx(0.25) and rates[-1] == pytest.approx(0)
    assert rates == sorted(rates, reverse=True)


def small_training(nn, seed, **settings):
    """Train on 300 made-up images, whose bright quarter tells the class."""
    rng = np.random.default_rng(seed)
    y = rng.integers(4, size=400)
    X = rng.random((400, 784), dtype=np.float32) / 2
    for i, label in enumerate(y):
        X[i, 196 * label : 196 * label + 196] += 0.5
    params = nn.init_params(784, 16, 10, rng)
    kept = [P.copy() for P in params]
    result = nn.train(X[:300], y[:300], X[300:], y[300:], *params, rng, report=None, **settings)
    assert all(np.array_equal(P, Q) for P, Q in zip(params, kept)), "train changed the arrays it was given"
    return result


def test_training_learns_and_keeps_float32(nn):
    *params, history = small_training(nn, 0, epochs=5, batch_size=32, rate=0.1)
    assert {P.dtype for P in params} == {np.dtype(np.float32)}
    assert set(history) == {"loss", "accuracy", "val_loss", "val_accuracy", "seconds"}
    assert all(len(values) == 5 for values in history.values())
    assert history["val_accuracy"][-1] > 0.95 and history["loss"][-1] < history["loss"][0]


def test_two_runs_give_the_same_bits(nn):
    first, again = (small_training(nn, 3, epochs=2) for _ in range(2))
    assert all(P.tobytes() == Q.tobytes() for P, Q in zip(first[:4], again[:4]))


def test_training_reports_one_line_an_epoch(nn):
    lines, rng = [], np.random.default_rng(0)
    data = np.zeros((10, 784), np.float32), np.zeros(10, int)
    nn.train(*data, *data, *nn.init_params(784, 4, 10, rng), rng, epochs=3, report=lines.append)
    assert len(lines) == 3 and all("s left" in line for line in lines)


def test_as_rows_and_predict_take_images_in_any_form(nn, rng):
    params = nn.init_params(784, 8, 10, rng)
    images = rng.integers(256, size=(5, 28, 28)).astype(np.uint8)
    rows = images.reshape(5, 784).astype(np.float32) / 255
    expected = nn.predict(rows, *params)
    assert expected.shape == (5,)
    assert np.array_equal(nn.predict(images, *params), expected)
    assert np.array_equal(nn.predict(images.reshape(5, 784), *params), expected)
    assert nn.predict(rows[0], *params) == expected[0] and nn.predict(images[0], *params) == expected[0]


def test_read_idx(nn):
    array = nn.read_idx(bytes([0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6]))
    assert array.dtype == np.uint8 and array.tolist() == [[1, 2, 3], [4, 5, 6]]
    with pytest.raises(ValueError, match="IDX"):
        nn.read_idx(b"<html>not found</html>")


def test_model_round_trip(nn, rng, tmp_path):
    params = nn.init_params(784, 8, 10, rng)
    nn.save_model(tmp_path / "model.npz", *params, {"test accuracy": "98.24%"})
    loaded = nn.load_model(tmp_path / "model.npz")
    assert all(P.tobytes() == Q.tobytes() and P.dtype == Q.dtype for P, Q in zip(params, loaded))
    assert [path.name for path in tmp_path.iterdir()] == ["model.npz"], "a half-written file was left"
    assert "| test accuracy | 98.24% |" in nn.headline(tmp_path / "model.npz")
