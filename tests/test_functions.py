"""Are the functions of Part I right where the notebook's own claims don't look?

relu, init_params, forward and backward are checked there, by claims that test_learner.py puts to the test; one_hot
by its stored output.
"""

import math

import numpy as np
import pytest
from page import CODE


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("size", [1000, -1000, 1e30])
def test_softmax_and_cross_entropy_survive_large_logits(nn, size):
    P = nn.softmax(np.array([[size, 0, 0], [0, 0, 0]], np.float32))
    assert np.allclose(P.sum(axis=1), 1) and np.argmax(P[0]) == (size < 0) and np.allclose(P[1], 1 / 3)
    assert math.isfinite(nn.cross_entropy(P, nn.one_hot(np.array([1, 1]), 3)))


@pytest.mark.parametrize("batch_size", [32, 1000])
def test_train_learns_repeats_itself_and_leaves_its_arguments_alone(nn, rng, toy, batch_size):
    params = nn.init_params(784, 16, 10, rng)
    kept, settings = [P.copy() for P in params], (params, [0.1] * 20, batch_size)
    first, again = (nn.train(*toy, *settings, np.random.default_rng(3), report=None) for _ in range(2))
    assert all(np.array_equal(P, Q) for P, Q in zip(params, kept))
    assert all(P.tobytes() == Q.tobytes() and P.dtype == np.float32 for P, Q in zip(first[0], again[0]))
    loss, _, _, val_accuracy, _ = np.transpose(first[1])
    assert len(loss) == 20 and val_accuracy[-1] > 0.95 and loss[-1] < loss[0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_train_steps_by_the_rate_times_the_gradient_and_keeps_the_dtype(nn, rng, dtype):
    X, y = rng.random((9, 7)).astype(dtype), rng.integers(10, size=9)
    params = [(P + rng.normal(0, 0.1, P.shape)).astype(dtype) for P in nn.init_params(7, 6, 10, rng)]
    Z1, A1, Z2, Y_hat = nn.forward(X, *params)
    gradients = nn.backward(X, nn.one_hot(y), Z1, A1, Y_hat, params[2])
    trained, _ = nn.train(X, y, X, y, params, [0.25], 9, rng, report=None)
    assert {P.dtype for P in (Z1, A1, Z2, Y_hat, *gradients, *trained)} == {np.dtype(dtype)}
    assert all(np.allclose(P - 0.25 * dP, Q, atol=1e-6) for P, dP, Q in zip(params, gradients, trained))


def test_check_backward_passes_for_every_seed(nn, capsys):
    assert all(nn.check_backward(nn.backward, seed) for seed in range(200))


MISTAKES = {  # what the check says: the line of `backward`, and what stands there in its place
    "20: / len(X)": ("(Y_hat - Y) / len(X)", "Y_hat - Y"),
    "0.05: / len(X)": ("/ len(X)", "/ len(X) ** 2"),
    "-1: a sign": ("(Y_hat - Y)", "(Y - Y_hat)"),
    "slope of ReLU": ("* (Z1 > 0)", ""),
    "s (1 - s)": ("(Y_hat - Y)", "(Y_hat - Y) * Y_hat * (1 - Y_hat)"),
    "-Y / Y_hat": ("(Y_hat - Y)", "-Y * (1 - Y_hat)"),
    "summed over everything": (".sum(axis=0)", ".sum()"),
    "its shape is": ("dW2 = A1.T @ dZ2", "dW2 = (A1.T @ dZ2).T"),
    "dW1  error": ("dW1 = X.T @ dZ1", "dW1 = X.T @ dZ1; dW1.flat[np.abs(dW1).argmax()] *= 1.01"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_check_backward_names_the_mistake(nn, capsys, mistake):
    """Each is on record in public code, but for the last: 1% in one element."""
    right = next(cell["source"] for cell in CODE if cell["source"].startswith("def backward("))
    exec(right.replace(*MISTAKES[mistake]), spoiled := vars(nn).copy())
    assert not any(nn.check_backward(spoiled["backward"], seed) for seed in range(20))
    wrong = [line for line in capsys.readouterr().out.splitlines() if "wrong" in line]
    assert wrong and all(mistake in line for line in wrong)


def test_as_rows_and_predict_take_images_in_any_form(nn, rng):
    params, images = nn.init_params(784, 8, 10, rng), rng.integers(256, size=(5, 28, 28)).astype(np.uint8)
    rows = images.reshape(5, 784).astype(np.float32) / 255
    expected = nn.predict(rows, *params)
    for form in (images, images.reshape(5, 784), images.astype(int)):
        assert np.array_equal(nn.predict(form, *params), expected) and np.allclose(nn.as_rows(form), rows)
    assert nn.predict(rows[0], *params) == expected[0] and nn.predict(images[0], *params) == expected[0]
    assert nn.as_rows(images).dtype == np.float32 and nn.as_rows(np.ones((2, 784))).dtype == np.float64
    assert nn.as_rows(np.eye(28, dtype=int)).max() == 1 and nn.as_rows(np.eye(28, dtype=bool)).max() == 1


SHAPES = [np.zeros((3, 100)), np.zeros((784, 3)), np.zeros(()), np.zeros((28, 28, 3))]
VALUES = [np.full((1, 784), value) for value in (255.0, -0.5, np.nan, "7", None)]


@pytest.mark.parametrize("images", SHAPES + VALUES, ids=lambda a: f"{a.shape} of {a.flat[0]}")
def test_as_rows_refuses_what_can_be_no_image_in_a_sentence(nn, images):
    with pytest.raises(ValueError, match="no images|pixels are numbers"):
        nn.as_rows(images)
