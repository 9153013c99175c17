"""Do the layers, methods, warps and networks of sections 11 to 15 do what the notebook says of them?

The notebook's own cells check every method's gradients.
"""

import math
import signal
import threading
import time
from unittest.mock import Mock

import numpy as np
import pytest


def arrays(layers):
    """W1, b1, W2, b2, ..."""
    return [P for layer in layers for P in layer]


def test_he_xavier_and_hundredth_give_init_layers_their_spread(nn, rng):
    for std, expected in ((nn.he, 0.1), (nn.xavier, math.sqrt(2 / 500)), (nn.hundredth, 0.01)):
        (W, b), (V, c) = nn.init_layers([200, 300, 10], rng, std)
        assert W.shape == (200, 300) and V.shape == (300, 10) and not b.any() and not c.any()
        assert np.std(W) == pytest.approx(expected, rel=0.05) and W.dtype == np.float32


def test_dropout_mask_takes_its_share_and_keeps_the_mean(nn, rng):
    mask = nn.dropout_mask(rng, 0.25)((2000, 50))
    assert set(np.unique(mask)) == {0, np.float32(4 / 3)} and mask.dtype == np.float32
    assert np.mean(mask) == pytest.approx(1, abs=0.01)


def test_sgd_momentum_and_adam_worked_by_hand(nn):
    """Two steps with the gradients 1 and 3, rate 0.1."""
    m, v = 0.1 * 0.9 + 0.1 * 3, 0.001 * 0.999 + 0.001 * 9
    expected = {"sgd": -0.1 - 0.3, "momentum": -0.1 - 0.1 * (0.9 + 3)}
    expected["adam"] = -0.1 - 0.1 * (m / (1 - 0.9**2)) / math.sqrt(v / (1 - 0.999**2))
    for name, value in expected.items():
        layers, state = [(np.zeros((2, 3), np.float32), np.zeros(3, np.float32))], {}
        for slope in (1, 3):
            getattr(nn, name)(layers, [tuple(np.full_like(P, slope) for P in layers[0])], 0.1, state)
        assert all(np.allclose(P, value) and P.dtype == np.float32 for P in layers[0]), name


def test_schedules(nn):
    rates = nn.cosine(0.4, 8)
    assert all(type(rate) is float for rate in rates) and len(rates) == 8 and rates[0] == 0.4
    assert rates[2] == pytest.approx(0.2 * (1 + math.sqrt(0.5))) and nn.cosine(3, 1) == [3]
    assert nn.step_decay(0.5, 12) == [0.5] * 9 + [0.05] * 3 and nn.step_decay(0.5, 1) == [0.5]


def test_smooth_shares_among_all(nn, rng):
    X, Y = rng.random((4, 7)), nn.one_hot(np.array([1, 0, 3, 3]), 4)
    same, soft = nn.smooth(X, Y, rng, share=0.2)
    assert same is X and soft.dtype == np.float32 and np.allclose(soft, np.where(Y == 1, 0.85, 0.05))


@pytest.mark.parametrize("method", ["backprop", "weight_decay", "dropout"])
@pytest.mark.parametrize("rule, rate", [("sgd", 0.1), ("momentum", 0.02), ("adam", 0.002)])
def test_train_layers_learns_with_every_method(nn, rng, toy, method, rule, rate):
    layers = nn.init_layers([784, 16, 12, 10], rng)
    kept = [P.copy() for P in arrays(layers)]
    calls = [Mock(wraps=getattr(nn, name)) for name in ("smooth", method, rule)]
    trained, history = nn.train_layers(*toy[:2], layers, [rate] * 8, rng, 32, *calls, validate=toy[2:])
    assert all(map(np.array_equal, arrays(layers), kept)), "the list given was changed"
    assert {P.dtype for P in arrays(trained)} == {np.dtype(np.float32)}
    assert [len(call.args[0]) for call in calls[0].call_args_list] == 8 * (9 * [32] + [12])
    assert [call.call_count for call in calls] == [80] * 3 and history["accuracy"][-1] > 0.9
    assert [len(values) for values in history.values()] == [8] * 3


@pytest.mark.parametrize(
    "a, verdict", [([2, 3, 4], "better"), ([0, 1, 2], "no answer"), ([-1, 0, -1], "worse")]
)
def test_compare_is_paired_and_needs_two_standard_errors(nn, capsys, a, verdict):
    assert nn.compare("words", np.array(a), np.ones(3)) == verdict
    assert (
        capsys.readouterr().out.startswith("words") and nn.compare("the same", [1, 2], [1, 2]) == "no answer"
    )


def test_in_parallel_keeps_the_order_and_passes_on_what_fails(nn):
    assert nn.in_parallel(lambda k, stop: (time.sleep(0.1 * (k == 0)), k)[1], range(4)) == [0, 1, 2, 3]
    with pytest.raises(ZeroDivisionError):
        nn.in_parallel(lambda k, stop: 1 / k, [1, 0])


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
    main = threading.main_thread().ident
    begin = time.monotonic()
    threading.Timer(0.5, signal.pthread_kill, (main, signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        nn.in_parallel(work, range(6))
    while len(ended) < len(started) and time.monotonic() - begin < 2.5:
        time.sleep(0.05)
    assert sorted(ended) == sorted(started) and len(started) < 6, "a training runs on"
    assert nn.in_parallel(lambda k, stop: stop.is_set(), [1, 2]) == [False, False]


def moved(nn, X, rows, columns):
    """X warped so that every source point lies so many rows and columns further on."""
    rows, columns = np.atleast_2d(rows).astype(np.float32), np.atleast_2d(columns).astype(np.float32)
    return nn.apply_warp(X, *nn.bilinear(nn.ROW + rows.T, nn.COL + columns.T))


@pytest.fixture
def images(rng):
    """Six images of random ink, blank at the border."""
    return np.pad(rng.random((6, 18, 18), np.float32), [(0, 0), (5, 5), (5, 5)]).reshape(6, 784)


def test_apply_warp_moves_by_whole_pixels_and_averages_between(nn, images):
    square = images.reshape(-1, 28, 28)
    there = moved(nn, images, 2, -1).reshape(-1, 28, 28)
    assert np.array_equal(there, np.roll(square, (-2, 1), axis=(1, 2))) and there.dtype == np.float32
    half = moved(nn, images, 0, 0.5).reshape(-1, 28, 28)
    assert np.allclose(half[:, :, :-1], (square[:, :, :-1] + square[:, :, 1:]) / 2)
    assert not moved(nn, images, 1000, -1000).any(), "outside there is what is at the border: nothing"


@pytest.mark.parametrize("m", [0, 1, 2, 5, 6])
def test_apply_warp_deals_warps_out_in_turn_to_any_number_of_images(nn, images, m):
    down, right = moved(nn, images, 1, 0), moved(nn, images, 0, 3)
    dealt = moved(nn, images[:m], [1, 0], [0, 3])
    assert np.array_equal(dealt[::2], down[:m:2]) and np.array_equal(dealt[1::2], right[1:m:2])


def test_random_warp_has_the_size_that_its_docstring_gives(nn):
    """Ten pixels off the middle, where nothing is clipped: 0.5 of shift, 0.8 elastic, 0.95 affine."""
    pixels, weights = nn.random_warp(2000, np.random.default_rng(0))
    assert weights[0].dtype == np.float32 and np.allclose(sum(weights), 1, atol=1e-5)
    r, c = pixels[0] // 28 + weights[2] + weights[3], pixels[0] % 28 + weights[1] + weights[3]
    spread = np.std([r[:, 14 * 28 + 4], c[:, 4 * 28 + 14]], axis=1)
    assert spread == pytest.approx([np.sqrt(0.5**2 + 0.8**2 + 0.95**2)] * 2, rel=0.05)


def test_deskew_stands_a_slanted_stroke_upright_and_leaves_others_alone(nn):
    slanted, upright = np.zeros((2, 28, 28), np.float32)
    upright[4:24, 13:15] = 1
    for row in range(4, 24):
        column = 14 + (14 - row) // 3
        slanted[row, column : column + 2] = 1
    rows = np.stack([slanted, upright, 0 * upright]).reshape(3, 784)
    out = nn.deskew(rows)
    square = out[0].reshape(28, 28)[5:23]
    assert np.std(square @ np.arange(28) / square.sum(axis=1)) < 0.4
    assert np.allclose(out[1:], rows[1:], atol=1e-5) and np.array_equal(nn.deskew(rows, chunk=2), out)


@pytest.mark.parametrize("warps", [False, True])
@pytest.mark.parametrize("numbers", [False, True])
def test_train_reader_repeats_itself_and_reads_plain_pixels(nn, toy, warps, numbers):
    how = {
        "warps": warps,
        "numbers": numbers,
        "units": 8,
        "finish": nn.smooth,
        "batch_size": 32,
        "rate": 0.02,
        "epochs": 12,
    }
    (layers, seconds), (again, _) = (nn.train_reader(3, *toy[:2], **how) for _ in range(2))
    assert all(
        P.tobytes() == Q.tobytes() and P.dtype == np.float32 for P, Q in zip(*map(arrays, (layers, again)))
    )
    assert [P.shape for P in arrays(layers)] == [(784, 8), (8,), (8, 10), (10,)] and seconds > 0
    assert nn.evaluate_layers(*toy[2:], layers)[1] > 0.9


def test_join_takes_members_of_any_size(nn, images, rng):
    members = [nn.init_layers([784, h, 10], rng) for h in (3, 8, 1)]
    joined = nn.join(members)
    mean = np.mean([nn.forward(images, *arrays(member))[2] for member in members], axis=0)
    assert np.allclose(nn.forward(images, *arrays(joined))[2], mean, atol=1e-5)
    assert joined[0][0].shape == (784, 12) and all(P.dtype == np.float32 for P in arrays(joined))


def test_noisy_shifted_rotated_and_barred_spoil_by_the_amount(nn, images, rng):
    grey = np.full((50, 784), 0.5, np.float32)
    assert np.std(nn.noisy(grey, 0.1, rng) - grey) == pytest.approx(0.1, rel=0.02)
    assert set(np.unique(nn.noisy(grey, 1e6, rng))) == {0, 1}
    ways = [(-2, 0), (2, 0), (0, -2), (0, 2), (-2, 0), (2, 0)]
    square, there = (X.reshape(-1, 28, 28) for X in (images, nn.shifted(images, 2, None)))
    assert all(np.array_equal(np.roll(a, way, (0, 1)), b) for a, way, b in zip(square, ways, there))
    assert np.allclose(nn.rotated(images, 180, None), images[:, ::-1], atol=0.01)
    assert ((nn.barred(0 * images, 3, rng) == 1).sum(axis=1) == 84).all()
