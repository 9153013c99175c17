"""Are training, the check of gradients and images of any form answered rightly, or in a sentence?"""

import numpy as np
import pytest
from page import CODE

FAULTS = [{"y": range(299)}, {"y_val": range(99)}, {"rates": []}, {"batch_size": 0}, {"batch_size": -1}]


def test_train_leaves_its_arguments_alone_and_says_what_does_not_fit(nn, rng, toy):
    params = nn.init_params(784, 4, 10, rng)
    given = dict(zip(("X", "y", "X_val", "y_val"), toy)) | {"params": params, "rates": [0.1], "batch_size": 8}
    kept = [P.copy() for P in (*toy, *params)]
    nn.train(**given, rng=rng)
    assert all(map(np.array_equal, (*toy, *params), kept))
    for fault in FAULTS:
        with pytest.raises(ValueError, match="expected one label per image"):
            nn.train(**given | fault, rng=rng)


def test_check_backward_blames_nobody_who_is_right(nn, monkeypatch):
    """Nor if backward computes in float32 and returns a list, or forward does, and the loss has a floor."""

    def low(function):
        return lambda *arrays: [*function(*(P.astype(np.float32) for P in arrays))]

    lent = {"forward": low(nn.forward), "cross_entropy": lambda P, Y: -np.sum(Y * np.log(P + 1e-8)) / len(Y)}
    for functions in ({}, lent):
        for name in functions:
            monkeypatch.setitem(nn.check_backward.__globals__, name, functions[name])
        for right in (nn.backward, low(nn.backward)):
            assert all(nn.check_backward(right, seed, say=lambda *words: None) for seed in range(50))


MISTAKES = {  # what stands in `backward`: what we make of it, which arrays are then wrong, what the line says
    "(Y_hat - Y)": ("(Y - Y_hat)", "dW1 db1 dW2 db2", "-1 × slope"),
    " / len(X)": ("", "dW1 db1 dW2 db2", "20 × slope"),
    "dW2 = A1.T @ dZ2": ("W2 -= A1.T @ dZ2; dW2 = A1.T @ dZ2", "dW1 db1", "slope"),
    "db2 = dZ2.sum(axis=0)": ("db2 = np.zeros(3)", "db2", "0 × slope"),
    "dW1 = X.T @ dZ1": ("dW1 = X.T @ dZ1; dW1.flat[np.abs(dW1).argmax()] *= 1.01", "dW1", "1 × slope"),
    "db1 = dZ1.sum(axis=0)": ("db1 = dZ1.sum()", "", "(5,), (5, 3), (3,)], found"),
    "return dW1": ("dW1", "", "found None"),
    "return dW1, db1": ("return 'dW1', db1", "", "found [()"),
}


@pytest.mark.parametrize("line", MISTAKES)
def test_check_backward_blames_the_arrays_that_are_wrong(nn, line):
    change, arrays, words = MISTAKES[line]
    right = next(cell["source"] for cell in CODE if cell["source"].startswith("def backward("))
    exec(right.replace(line, change), spoiled := vars(nn).copy())
    for seed in range(10):
        said = []
        assert not nn.check_backward(spoiled["backward"], seed, say=lambda *w: said.append(" ".join(w)))  # noqa: B023
        wrong = [text for text in said if "wrong" in text]
        assert all(words in text for text in wrong) and wrong
        assert arrays == " ".join(text.split()[0] for text in wrong) or not arrays


def test_as_rows_and_predict_take_images_in_any_form(nn, rng):
    params, images = nn.init_params(784, 8, 10, rng), rng.integers(256, size=(5, 28, 28)).astype(np.uint8)
    rows = images.reshape(5, 784).astype(np.float32) / 255
    expected = nn.predict(rows, *params)
    for form in (images, images.reshape(5, 784), images.astype(int)):
        assert np.array_equal(nn.predict(form, *params), expected) and np.allclose(nn.as_rows(form), rows)
    assert nn.predict(rows[0], *params) == expected[0] == nn.predict(images[0], *params)
    assert nn.as_rows(images).dtype == np.float32 and nn.as_rows(np.ones((2, 784))).dtype == np.float64
    assert nn.as_rows(np.eye(28, dtype=int)).max() == np.float32(1 / 255), "whole numbers are divided"
    assert nn.as_rows(np.eye(28, dtype=bool)).max() == 1 == nn.as_rows(np.eye(28)).max()


NO_IMAGES = [np.zeros(s) for s in ((3, 100), (784, 3), (), (28, 28, 3), (5, 3, 28, 28))]
NO_IMAGES += [np.full((1, 784), value) for value in (255.0, -0.5, np.nan, "7", None)]


@pytest.mark.parametrize("images", NO_IMAGES, ids=lambda a: f"{a.shape} of {a.flat[0]}")
def test_as_rows_refuses_what_can_be_no_image_in_a_sentence(nn, images):
    with pytest.raises(ValueError, match="expected (images|pixels)"):
        nn.as_rows(images)
