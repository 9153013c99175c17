"""Do the verdicts, threads and images of Part II do what the notebook says of them?

The notebook's own claims check every method's gradients, and tests/test_torch.py the steps of SGD, momentum and Adam.
"""

import signal
import threading
import time

import numpy as np
import pytest


def test_schedules_and_dropout_are_as_their_docstrings_say(nn, rng):
    assert (
        nn.cosine(0.4, 8)[0] == 0.4 and nn.cosine(0.4, 8)[4] == pytest.approx(0.2) and nn.cosine(3, 1) == [3]
    )
    assert nn.step_decay(0.5, 12) == [0.5] * 9 + [0.05] * 3 and nn.step_decay(0.5, 1) == [0.5]
    mask = nn.dropout_mask(rng, 0.25)((2000, 50))
    assert set(np.unique(mask)) == {0, np.float32(4 / 3)} and np.mean(mask) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(
    "a, verdict",
    [([2, 3, 4], "better"), ([0, 1, 2], "no answer"), ([-1, 0, -1], "worse"), ([1] * 3, "no answer")],
)
def test_compare_is_paired_and_needs_two_standard_errors(nn, a, verdict):
    assert nn.compare("words", np.array(a), np.ones(3)) == verdict


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="no signals to single threads here")
def test_interrupting_in_parallel_ends_every_training_and_the_next_call_works(nn, rng, toy):
    layers, started, ended = nn.init_layers([784, 8, 10], rng), [], []

    def work(k, stop):
        started.append(k)
        try:
            return nn.train_layers(*toy[:2], layers, [0.1] * 50_000, np.random.default_rng(k), stop=stop)
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
    square, there, half = (
        X.reshape(-1, 28, 28) for X in (images, nn.shifted(images, 2, None), nn.shifted(images, 0.5, None))
    )
    ways = [(-2, 0), (2, 0), (0, -2), (0, 2), (-2, 0), (2, 0)]
    assert all(np.array_equal(np.roll(a, way, (0, 1)), b) for a, way, b in zip(square, ways, there))
    assert np.allclose(half[0, :-1], (square[0, :-1] + square[0, 1:]) / 2)
    assert np.allclose(nn.rotated(images, 180, None), images[:, ::-1], atol=0.01)
    assert ((nn.barred(0 * images, 3, rng) == 1).sum(axis=1) == 84).all()
    grey = np.full((50, 784), 0.5, np.float32)
    assert np.std(nn.noisy(grey, 0.1, rng) - grey) == pytest.approx(0.1, rel=0.02)
    assert set(np.unique(nn.noisy(grey, 1e6, rng))) == {0, 1}
