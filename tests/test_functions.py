"""Are the functions of Part I right, by independent means?"""

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


def small_training(nn, seed, epochs, batch_size=64):
    """Train on 300 made-up images, whose bright quarter tells the class."""
    rng = np.random.default_rng(seed)
    y = rng.integers(4, size=400)
    X = rng.random((400, 784), dtype=np.float32) / 2
    for i, label in enumerate(y):
        X[i, 196 * label : 196 * label + 196] += 0.5
    params = nn.init_params(784, 16, 10, rng)
    kept = [P.copy() for P in params]
    result = nn.train(
        X[:300], y[:300], X[300:], y[300:], params, [0.1] * epochs, batch_size, rng, report=None
    )
    assert all(np.array_equal(P, Q) for P, Q in zip(params, kept)), "train changed the arrays it was given"
    return result


@pytest.mark.parametrize("batch_size", [32, 1000])
def test_training_learns_and_keeps_float32(nn, batch_size):
    params, history = small_training(nn, 0, 20, batch_size)
    assert {P.dtype for P in params} == {np.dtype(np.float32)}
    loss, _, _, val_accuracy, _ = np.transpose(history)
    assert len(history) == 20 and val_accuracy[-1] > 0.95 and loss[-1] < loss[0]


def test_two_runs_give_the_same_bits(nn):
    first, again = (small_training(nn, 3, 2)[0] for _ in range(2))
    assert all(P.tobytes() == Q.tobytes() for P, Q in zip(first, again))


def test_one_step_is_the_rate_times_the_gradient(nn, rng):
    X, Y, *params = random_case(nn, rng, np.float32, n_out=10)
    trained, _ = nn.train(X, Y.argmax(axis=1), X, Y.argmax(axis=1), params, [0.25], 9, rng, report=None)
    for P, after, dP in zip(params, trained, gradients(nn, X, Y, *params)):
        assert np.allclose(P - after, 0.25 * dP, atol=1e-6)


def test_check_backward_passes_for_every_seed(nn, capsys):
    assert all(nn.check_backward(nn.backward, seed) for seed in range(200))


def spoiled(nn, name):
    """A `backward` with a mistake that is on record in public code, or off by 1% in one element."""

    def backward(X, Y, Z1, A1, Y_hat, W2):
        m, slope, dZ2 = len(X), Z1 > 0, (Y_hat - Y) / len(X)
        if name == "slope of ReLU":
            slope = 1
        elif name == "s (1 - s)":
            dZ2 = dZ2 * Y_hat * (1 - Y_hat)
        elif name == "-Y / Y_hat":
            dZ2 = -Y / Y_hat * Y_hat * (1 - Y_hat) / m
        dZ1 = dZ2 @ W2.T * slope
        grads = [X.T @ dZ1, dZ1.sum(axis=0), A1.T @ dZ2, dZ2.sum(axis=0)]
        if name == "20: / len(X)":
            grads = [m * dP for dP in grads]
        elif name == "0.05: / len(X)":
            grads = [dP / m for dP in grads]
        elif name == "-1: a sign":
            grads = [-dP for dP in grads]
        elif name == "summed over everything":
            grads[1], grads[3] = dZ1.sum(), dZ2.sum()
        elif name == "shape":
            grads[2] = grads[2].T
        elif name == "dW1  error":
            grads[0][np.unravel_index(np.abs(grads[0]).argmax(), grads[0].shape)] *= 1.01
        return grads

    return backward


MISTAKES = ["20: / len(X)", "0.05: / len(X)", "-1: a sign", "slope of ReLU", "s (1 - s)", "-Y / Y_hat",
            "summed over everything", "shape", "dW1  error"]  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_check_backward_names_the_mistake(nn, capsys, mistake):
    assert not nn.check_backward(spoiled(nn, mistake))
    wrong = [line for line in capsys.readouterr().out.splitlines() if "wrong" in line]
    assert wrong and all(mistake in line for line in wrong)


@pytest.mark.parametrize("seed", range(20))
def test_check_backward_sees_one_percent_in_one_element(nn, seed):
    assert not nn.check_backward(spoiled(nn, "dW1  error"), seed)


def test_as_rows_and_predict_take_images_in_any_form(nn, rng):
    params = nn.init_params(784, 8, 10, rng)
    images = rng.integers(256, size=(5, 28, 28)).astype(np.uint8)
    rows = images.reshape(5, 784).astype(np.float32) / 255
    expected = nn.predict(rows, *params)
    assert expected.shape == (5,)
    assert np.array_equal(nn.predict(images, *params), expected)
    assert np.array_equal(nn.predict(images.reshape(5, 784), *params), expected)
    assert nn.predict(rows[0], *params) == expected[0] and nn.predict(images[0], *params) == expected[0]


def test_binarised_images_are_ink_and_none(nn):
    assert nn.as_rows(np.eye(28, dtype=int)).max() == 1 and nn.as_rows(np.eye(28, dtype=bool)).max() == 1


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32])
def test_as_rows_gives_float32_and_keeps_float64(nn, dtype):
    assert nn.as_rows(np.full((2, 784), 1, dtype)).dtype == np.float32
    assert nn.as_rows(np.ones((2, 28, 28))).dtype == np.float64


BAD_IMAGES = [np.zeros((3, 100)), np.zeros((784, 3)), np.zeros(()), np.zeros((28, 28, 3)), np.full((1, 784), 255.0),
              np.full((1, 784), -0.5), np.full((1, 784), np.nan), np.full((1, 784), "7"),
              np.full((1, 784), None)]  # fmt: skip


@pytest.mark.parametrize("images", BAD_IMAGES, ids=str)
def test_what_can_be_no_image_is_refused_in_a_sentence(nn, images):
    with pytest.raises(ValueError, match="no images|pixels are numbers"):
        nn.as_rows(images)


def test_claim_ticks_what_holds_and_crosses_what_does_not(nn, capsys):
    nn.claim("up", True)
    nn.claim("down", np.nan > 0)
    assert capsys.readouterr().out == "✓ up\n✗ not in this run: down\n"
