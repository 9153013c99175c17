"""Are the functions of Part I right where the notebook's own claims don't look?

relu, one_hot, init_params and the gradients are checked there, and test_learner.py breaks each of them.
"""

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


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("size", [1000, -1000, 1e30])
def test_softmax_and_cross_entropy_survive_large_logits(nn, size):
    P = nn.softmax(np.array([[size, 0, 0], [0, 0, 0]], np.float32))
    assert np.allclose(P.sum(axis=1), 1) and np.argmax(P[0]) == (size < 0) and np.allclose(P[1], 1 / 3)
    assert math.isfinite(nn.cross_entropy(P, nn.one_hot(np.array([1, 1]), 3)))


def test_cross_entropy_by_hand(nn):
    loss = nn.cross_entropy(np.array([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]]), np.eye(3)[[0, 2]])
    assert isinstance(loss, float) and loss == pytest.approx((math.log(2) - math.log(0.8)) / 2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_forward_and_backward_keep_shapes_and_dtypes(nn, rng, dtype):
    X, Y, *params = random_case(nn, rng, dtype)
    outputs = nn.forward(X, *params)
    assert [A.shape for A in outputs] == [(9, 6), (9, 6), (9, 4), (9, 4)]
    assert {A.dtype for A in outputs} == {np.dtype(dtype)}
    for P, dP in zip(params, gradients(nn, X, Y, *params)):
        assert P.shape == dP.shape and dP.dtype == dtype


def test_forward_and_backward_worked_by_hand(nn):
    """x = (1, 2); Z1 = (1, -1), A1 = (1, 0); Z2 = (ln 3, 0), Y_hat = (3/4, 1/4); the target is the second."""
    X, Y = np.array([[1.0, 2.0]]), np.array([[0.0, 1.0]])
    W1, W2 = np.array([[1.0, 1.0], [0.0, -1.0]]), np.array([[math.log(3), 0.0], [5.0, 7.0]])
    Z1, A1, _, Y_hat = nn.forward(X, W1, np.zeros(2), W2, np.zeros(2))
    assert Z1.tolist() == [[1, -1]] and np.allclose(Y_hat, [[0.75, 0.25]])
    dW1, db1, dW2, db2 = nn.backward(X, Y, Z1, A1, Y_hat, W2)
    assert np.allclose(db2, [0.75, -0.75]) and np.allclose(dW2, [[0.75, -0.75], [0, 0]])
    slope = 0.75 * math.log(3)  # through W2 to the first hidden unit; the second is silent
    assert np.allclose(db1, [slope, 0]) and np.allclose(dW1, [[slope, 0], [2 * slope, 0]])


def toy(rng):
    """300 made-up images to learn from, 100 to validate, whose bright quarter tells the class."""
    y = rng.integers(4, size=400)
    X = rng.random((400, 784), dtype=np.float32) / 2 + (np.arange(784) // 196 == y[:, None]) * np.float32(0.5)
    return X[:300], y[:300], X[300:], y[300:]


@pytest.mark.parametrize("batch_size", [32, 1000])
def test_train_learns_repeats_itself_and_leaves_its_arguments_alone(nn, rng, batch_size):
    data, params = toy(rng), nn.init_params(784, 16, 10, rng)
    kept, settings = [P.copy() for P in params], (params, [0.1] * 20, batch_size)
    first, again = (nn.train(*data, *settings, np.random.default_rng(3), report=None) for _ in range(2))
    assert all(np.array_equal(P, Q) for P, Q in zip(params, kept))
    assert all(P.tobytes() == Q.tobytes() and P.dtype == np.float32 for P, Q in zip(first[0], again[0]))
    loss, _, _, val_accuracy, _ = np.transpose(first[1])
    assert len(loss) == 20 and val_accuracy[-1] > 0.95 and loss[-1] < loss[0]


def test_train_steps_by_the_rate_times_the_gradient(nn, rng):
    X, Y, *params = random_case(nn, rng, np.float32, n_out=10)
    trained, _ = nn.train(X, Y.argmax(axis=1), X, Y.argmax(axis=1), params, [0.25], 9, rng, report=None)
    for P, after, dP in zip(params, trained, gradients(nn, X, Y, *params)):
        assert np.allclose(P - after, 0.25 * dP, atol=1e-6)


def test_check_backward_passes_for_every_seed(nn, capsys):
    assert all(nn.check_backward(nn.backward, seed) for seed in range(200))


def spoiled(name):
    """A `backward` with a mistake that is on record in public code, or off by 1% in one element."""

    def backward(X, Y, Z1, A1, Y_hat, W2):
        m, dZ2 = len(X), (Y_hat - Y) / len(X)
        slopes = {"s (1 - s)": dZ2 * Y_hat * (1 - Y_hat), "-Y / Y_hat": -Y * (1 - Y_hat) / m}
        dZ2 = slopes.get(name, dZ2)
        dZ1 = dZ2 @ W2.T * (1 if name == "slope of ReLU" else Z1 > 0)
        factor = {"20: / len(X)": m, "0.05: / len(X)": 1 / m, "-1: a sign": -1}.get(name, 1)
        dW1, db1, dW2, db2 = (factor * dP for dP in (X.T @ dZ1, dZ1.sum(0), A1.T @ dZ2, dZ2.sum(0)))
        if name == "summed over everything":
            db1, db2 = db1.sum(), db2.sum()
        if name == "dW1  error":
            dW1.flat[np.abs(dW1).argmax()] *= 1.01
        return dW1, db1, dW2.T if name == "shape" else dW2, db2

    return backward


MISTAKES = ["20: / len(X)", "0.05: / len(X)", "-1: a sign", "slope of ReLU", "s (1 - s)", "-Y / Y_hat",
            "summed over everything", "shape", "dW1  error"]  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_check_backward_names_the_mistake(nn, capsys, mistake):
    assert not nn.check_backward(spoiled(mistake))
    wrong = [line for line in capsys.readouterr().out.splitlines() if "wrong" in line]
    assert wrong and all(mistake in line for line in wrong)


def test_check_backward_sees_one_percent_in_one_element(nn, capsys):
    assert not any(nn.check_backward(spoiled("dW1  error"), seed) for seed in range(20))


def test_as_rows_and_predict_take_images_in_any_form(nn, rng):
    params, images = nn.init_params(784, 8, 10, rng), rng.integers(256, size=(5, 28, 28)).astype(np.uint8)
    rows = images.reshape(5, 784).astype(np.float32) / 255
    expected = nn.predict(rows, *params)
    for form in (images, images.reshape(5, 784), images.astype(int)):
        assert np.array_equal(nn.predict(form, *params), expected)
    assert nn.predict(rows[0], *params) == expected[0] and nn.predict(images[0], *params) == expected[0]
    assert nn.as_rows(images).dtype == np.float32 and nn.as_rows(np.ones((2, 784))).dtype == np.float64
    assert nn.as_rows(np.eye(28, dtype=int)).max() == 1 and nn.as_rows(np.eye(28, dtype=bool)).max() == 1


BAD_IMAGES = [np.zeros((3, 100)), np.zeros((784, 3)), np.zeros(()), np.zeros((28, 28, 3)), np.full((1, 784), 255.0),
              np.full((1, 784), -0.5), np.full((1, 784), np.nan), np.full((1, 784), "7"),
              np.full((1, 784), None)]  # fmt: skip


@pytest.mark.parametrize("images", BAD_IMAGES, ids=str)
def test_as_rows_refuses_what_can_be_no_image_in_a_sentence(nn, images):
    with pytest.raises(ValueError, match="no images|pixels are numbers"):
        nn.as_rows(images)


def test_claim_ticks_what_holds_and_crosses_what_does_not(nn, capsys):
    nn.claim("up", True)
    nn.claim("down", np.nan > 0)
    assert capsys.readouterr().out == "✓ up\n✗ not in this run: down\n"
