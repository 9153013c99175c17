"""How fast is the notebook's training beside other libraries? Run by hand, not by pytest:

    pip install torch scikit-learn        # whichever is missing is left out
    python tests/benchmark.py             # writes tests/benchmark.md; --help only prints this

Each contender lives in a process of its own, with the same images, first weights (scikit-learn draws its own)
and rate. They take turns, one epoch each, so that a machine whose speed drifts treats all alike; the first
round does not count. A ratio is the median of the rounds' ratios. Nothing else should run meanwhile.
"""

import importlib
import multiprocessing
import os
import platform
import re
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from statistics import median

SETTINGS = [(64, 64), (128, 64), (128, 128), (1024, 128)]  # hidden units, batch size
ROUNDS, RATE = 7, 0.5


def notebook_epoch(nn, X, y, params, batch, rng):
    """The notebook's `train` as it is, one epoch a call, with a single image for validation."""

    def epoch():
        nonlocal params
        params, _ = nn.train(X, y, X[:1], y[:1], params, [RATE], batch, rng, report=None)

    return epoch


def products_epoch(nn, X, y, params, batch, rng):
    """Only the five matrix products of each step, into arrays that are there already: the floor."""
    np, (W1, _, W2, _) = nn.np, params
    Z1, Z2, dA1 = (np.zeros((batch, n), np.float32) for n in (len(W2), 10, len(W2)))
    dW1, dW2 = np.zeros_like(W1), np.zeros_like(W2)

    def epoch():
        for first in range(0, len(X) - batch + 1, batch):
            rows = X[first : first + batch]
            np.matmul(rows, W1, out=Z1)
            np.matmul(Z1, W2, out=Z2)
            np.matmul(Z1.T, Z2, out=dW2)
            np.matmul(Z2, W2.T, out=dA1)
            np.matmul(rows.T, dA1, out=dW1)

    return epoch


def torch_epoch(nn, X, y, params, batch, rng):
    """The notebook's twin in PyTorch, without DataLoader; the update by hand is quicker than optim.SGD."""
    import torch

    X, y = torch.from_numpy(X), torch.from_numpy(y)
    layers = torch.nn.Linear(784, len(params[1])), torch.nn.ReLU(), torch.nn.Linear(len(params[1]), 10)
    model, loss = torch.nn.Sequential(*layers), torch.nn.CrossEntropyLoss()
    weights = list(model.parameters())
    for P, start in zip(weights, params):
        P.data = torch.from_numpy(start.T.copy())

    def epoch():
        for rows in torch.from_numpy(rng.permutation(len(X))).split(batch):
            loss(model(X[rows]), y[rows]).backward()
            for P in weights:
                P.data.sub_(P.grad, alpha=RATE)
                P.grad = None

    return epoch


def sklearn_epoch(nn, X, y, params, batch, rng):
    """scikit-learn's MLPClassifier without momentum and penalty."""
    from sklearn.neural_network import MLPClassifier

    plain = {"solver": "sgd", "momentum": 0, "alpha": 0, "learning_rate_init": RATE, "batch_size": batch}
    model = MLPClassifier(len(params[1]), random_state=0, **plain)
    return lambda: model.partial_fit(X, y, classes=range(10))


OURS, FLOOR = "this notebook", "the bare products"
ALL = {  # who: package, threads (None: its own choice), what to call
    OURS: ("numpy", 1, notebook_epoch),
    "PyTorch": ("torch", None, torch_epoch),
    "scikit-learn": ("sklearn", None, sklearn_epoch),
    FLOOR: ("numpy", 1, products_epoch),
    "PyTorch, one thread": ("torch", 1, torch_epoch),
}
PACKAGES = {"numpy": "numpy", "scikit-learn": "sklearn", "torch": "torch"}
FOUND = [name for name, (package, *_) in ALL.items() if find_spec(package)]


def prepare(name, hidden, batch):
    """In a new process: set the threads, load the package before the notebook asks for one, make the epoch."""
    global epoch
    package, threads, make = ALL[name]
    for variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.pop(variable, None)
        if threads:
            os.environ[variable] = str(threads)
    importlib.import_module(package)
    import numpy as np
    from page import ROOT, functions

    nn, rng = functions(), np.random.default_rng(0)
    images, y, *_, is_mnist = nn.load_mnist(ROOT / "data")
    assert is_mnist, "The benchmark needs MNIST, not its stand-in."
    X, y = nn.as_rows(images[:55_000]), y[:55_000].astype(np.int64)
    epoch = make(nn, X, y, nn.init_params(784, hidden, 10, rng), batch, rng)


def seconds():
    """In that process: the seconds of an epoch."""
    begin = time.perf_counter()
    epoch()
    return time.perf_counter() - begin


def take_turns(setting):
    """Seconds of an epoch in each round but the first, {name: [seconds]}."""
    spawn = multiprocessing.get_context("spawn")
    pools = [ProcessPoolExecutor(1, spawn, prepare, (name, *setting)) for name in FOUND]
    turns = [[pool.submit(seconds).result() for pool in pools] for _ in range(ROUNDS + 1)]
    for pool in pools:
        pool.shutdown()
    return dict(zip(FOUND, zip(*turns[1:])))


def table(times, names):
    """Markdown: the median seconds of each, and the notebook's divided by them."""
    title = ["seconds per epoch (ours ÷ theirs)", *(f"{hidden} / {batch}" for hidden, batch in SETTINGS)]
    rows = [title, [":--", *["--:"] * len(SETTINGS)]]
    for name in names:
        ratios = [median(ours / theirs for ours, theirs in zip(t[OURS], t[name])) for t in times]
        said = [f"{median(t[name]):.2f} ({ratio:.2f})" for t, ratio in zip(times, ratios)]
        rows.append([name, *(text.removesuffix(" (1.00)") if name == OURS else text for text in said)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def machine():
    """What this runs on."""
    info = Path("/proc/cpuinfo").read_text() if sys.platform == "linux" else ""
    model = re.search(r"model name\s*: (.*)|$", info)[1] or platform.machine()
    versions = [f"{name} {version(name)}" for name, module in PACKAGES.items() if find_spec(module)]
    return ", ".join([model, f"{os.cpu_count()} cores", f"Python {platform.python_version()}", *versions])


if __name__ == "__main__":
    if sys.argv[1:]:
        sys.exit(print(__doc__))
    measured = [take_turns(setting) for setting in SETTINGS]
    notes = f"Hidden units / batch size; medians of {ROUNDS} rounds. {machine()}."
    several, one = [[n for n in FOUND if n == OURS or ("one thread" in n) == yes] for yes in (False, True)]
    text = "\n\n".join([table(measured, several), table(measured, one), notes]) + "\n"
    Path(__file__).with_name("benchmark.md").write_text(text, encoding="utf-8")
