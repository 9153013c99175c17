"""Are training, the check of gradients, images of any form, verdicts and threads right, or is there a sentence?

The page's own claims check every method's gradients, and tests/test_torch.py the steps of SGD, momentum and Adam.
"""

import signal
import threading
import time

import numpy as np
import pytest
from page import CODE

FAULTS = [{"y": range(39)}, {"y_val": range(39)}, {"rates": []}, {"batch_size": 0}, {"batch_size": -1}]


def test_train_leaves_its_arguments_alone_and_says_what_does_not_fit(nn, rng):
    data, params = (rng.random((40, 784)), rng.integers(10, size=40)), nn.init_params(784, 4, 10, rng)
    given = dict(zip(("X", "y", "X_val", "y_val"), 2 * data)) | {
        "params": params,
        "rates": [0.1],
        "batch_size": 8,
    }
    kept = [P.copy() for P in (*data, *params)]
    nn.train(**given, rng=rng)
    assert all(map(np.array_equal, (*data, *params), kept))
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


def test_schedules_and_dropout_are_as_their_docstrings_say(nn, rng):
    assert (
        nn.cosine(0.4, 8)[0] == 0.4 and nn.cosine(0.4, 8)[4] == pytest.approx(0.2) and nn.cosine(3, 1) == [3]
    )
    assert nn.step_decay(0.5, 12) == [0.5] * 9 + [0.05] * 3 and nn.step_decay(0.5, 1) == [0.5]
    mask = nn.dropout_mask(rng, 0.25)((2000, 50))
    assert set(np.unique(mask)) == {0, np.float32(4 / 3)} and np.mean(mask) == pytest.approx(1, abs=0.01)


VERDICTS = [([2, 3, 4], "better"), ([1, 3, 2], "no answer"), ([-1, 0, -1], "worse"), ([1] * 3, "no answer")]


@pytest.mark.parametrize("a, verdict", VERDICTS)
def test_compare_is_paired_and_needs_two_standard_errors(nn, a, verdict):
    assert nn.compare("words", np.array(a), np.ones(3)) == verdict


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="no signals to single threads here")
def test_interrupting_in_parallel_ends_every_training_and_the_next_call_works(nn, rng):
    X, y, layers = rng.random((300, 784)), np.arange(300) % 10, nn.init_layers([784, 8, 10], rng)
    started, ended = [], []

    def work(k, stop):
        started.append(k)
        try:
            return nn.train_layers(X, y, layers, [0.1] * 50_000, np.random.default_rng(k), stop=stop)
        finally:
            ended.append(k)

    signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background a shell has it ignored
    main, begin = threading.main_thread().ident, time.monotonic()
    threading.Timer(0.5, signal.pthread_kill, (main, signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        nn.in_parallel(work, range(6))
    while len(ended) < len(started) and time.monotonic() - begin < 2.5:
        time.sleep(0.05)
    assert sorted(ended) == sorted(started) and len(started) < 6, "a training runs on"
    assert nn.in_parallel(lambda k, stop: (time.sleep(0.1 * (k == 0)), k)[1], range(4)) == [0, 1, 2, 3]
    with pytest.raises(ZeroDivisionError):
        nn.in_parallel(lambda k, stop: 1 / k, [1, 0])


def test_noisy_shifted_rotated_and_barred_spoil_by_the_amount(nn, rng):
    """Shifting moves by whole pixels or averages, and deals its four ways out in turn."""
    images = np.pad(rng.random((6, 18, 18), np.float32), [(0, 0), (5, 5), (5, 5)]).reshape(6, 784)
    moved = nn.shifted(images, 2, None), nn.shifted(images, 0.5, None)
    square, there, half = (X.reshape(-1, 28, 28) for X in (images, *moved))
    ways = [(-2, 0), (2, 0), (0, -2), (0, 2), (-2, 0), (2, 0)]
    assert all(np.array_equal(np.roll(a, way, (0, 1)), b) for a, way, b in zip(square, ways, there))
    assert np.allclose(half[0, :-1], (square[0, :-1] + square[0, 1:]) / 2)
    assert np.allclose(nn.rotated(images, 180, None), images[:, ::-1], atol=0.01)
    assert ((nn.barred(0 * images, 3, rng) == 1).sum(axis=1) == 84).all()
    grey = np.full((50, 784), 0.5, np.float32)
    assert np.std(nn.noisy(grey, 0.1, rng) - grey) == pytest.approx(0.1, rel=0.02)
    assert set(np.unique(nn.noisy(grey, 1e6, rng))) == {0, 1}
