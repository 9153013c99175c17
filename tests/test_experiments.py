"""Do layers, training methods and threads of sections 10 to 12 do what the notebook says of them?

The notebook's own cells check every method's gradients (with a checker that test_functions.py tests).
"""

import math
import signal
import threading
import time
from unittest.mock import Mock

import numpy as np
import pytest


def test_he_xavier_and_hundredth_give_init_layers_their_spread(nn, rng):
    for std, expected in ((nn.he, 0.1), (nn.xavier, math.sqrt(2 / 500)), (nn.hundredth, 0.01)):
        (W, b), (V, c) = nn.init_layers([200, 300, 10], rng, std)
        assert W.shape == (200, 300) and V.shape == (300, 10) and not b.any() and not c.any()
        assert np.std(W) == pytest.approx(expected, rel=0.05) and W.dtype == np.float32


def test_silencing_takes_its_share_and_keeps_the_mean(nn, rng):
    Z = np.full((2000, 50), 3, np.float32)
    loud = nn.silencing(rng, 0.75)(Z)
    assert set(np.unique(loud)) == {0, 4} and loud.dtype == np.float32
    assert np.mean(loud > 0) == pytest.approx(0.75, abs=0.01) and not nn.silencing(rng, 0.75)(-Z).any()


def test_sgd_momentum_and_adam_worked_by_hand(nn):
    """Two steps with the gradients 1 and 3, rate 0.1."""
    g, s = 0.1 * 0.9 + 0.1 * 3, 0.001 * 0.999 + 0.001 * 9
    expected = {"sgd": -0.1 - 0.3, "momentum": -0.1 - 0.1 * (0.9 + 3)}
    expected["adam"] = -0.1 - 0.1 * (g / (1 - 0.9**2)) / math.sqrt(s / (1 - 0.999**2))
    for name, value in expected.items():
        layers, state = [(np.zeros((2, 3), np.float32), np.zeros(3, np.float32))], {}
        for slope in (1, 3):
            getattr(nn, name)(layers, [tuple(np.full_like(P, slope) for P in layers[0])], 0.1, state)
        assert all(np.allclose(P, value) for P in layers[0]), name
        assert all(P.dtype == np.float32 for kept in state.values() if np.ndim(kept) for P in kept), name


def test_cosine_and_in_two_steps(nn):
    rates = nn.cosine(0.4, 8)
    assert all(type(rate) is float for rate in rates) and len(rates) == 8 and rates[0] == 0.4
    assert rates[2] == pytest.approx(0.2 * (1 + math.sqrt(0.5))) and nn.cosine(3, 1) == [3]
    assert nn.in_two_steps(0.5, 12) == [0.5] * 9 + [0.05] * 3 and nn.in_two_steps(0.5, 1) == [0.5]


@pytest.mark.parametrize("method", ["plain", "decayed", "dropout"])
@pytest.mark.parametrize("rule, rate", [("sgd", 0.1), ("momentum", 0.02), ("adam", 0.002)])
def test_train_layers_learns_with_every_method(nn, rng, toy, method, rule, rate):
    layers = nn.init_layers([784, 16, 12, 10], rng)
    kept = [P.copy() for P in nn.flat(layers)]
    calls = [Mock(wraps=getattr(nn, name)) for name in ("soften", method, rule)]
    trained, history = nn.train_layers(*toy, layers, [rate] * 8, rng, 32, *calls)
    assert all(np.array_equal(P, Q) for P, Q in zip(nn.flat(layers), kept)), "the list given was changed"
    assert {P.dtype for P in nn.flat(trained)} == {np.dtype(np.float32)}
    assert [len(call.args[0]) for call in calls[0].call_args_list] == 8 * (9 * [32] + [12])
    assert [call.call_count for call in calls] == [80] * 3 and len(history) == 8 and history[-1][1] > 0.9


def test_soften_shares_among_all(nn, rng):
    X, Y = rng.random((4, 7)), nn.one_hot(np.array([1, 0, 3, 3]), 4)
    same, soft = nn.soften(X, Y, rng, share=0.2)
    assert same is X and soft.dtype == np.float32 and np.allclose(soft, np.where(Y == 1, 0.85, 0.05))


def test_side_by_side_keeps_order_and_runs_two(nn):
    both, shown = threading.Barrier(2, timeout=20), []  # passes only if two are at work
    assert nn.side_by_side(lambda k: (both.wait(), k)[1], range(4), shown.append) == [0, 1, 2, 3] == shown
    with pytest.raises(ZeroDivisionError):
        nn.side_by_side(lambda k: 1 / k, [1, 0])
    assert not nn.stop.is_set()


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="no signals to single threads here")
def test_side_by_side_interrupted_ends_what_runs_and_cancels_what_waits(nn, rng, toy):
    layers, started = nn.init_layers([784, 8, 10], rng), []

    def work(k):
        started.append(k)
        return nn.train_layers(*toy, layers, [0.1] * 50_000, np.random.default_rng(k))

    signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background a shell has it ignored
    begin, main = time.monotonic(), threading.main_thread().ident
    threading.Timer(0.5, signal.pthread_kill, (main, signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        nn.side_by_side(work, range(6))
    assert time.monotonic() - begin < 20 and started == [0, 1] and not nn.stop.is_set()
