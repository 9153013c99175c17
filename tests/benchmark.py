"""How fast is the notebook's training beside other libraries? Run by hand, not by pytest:

    pip install torch scikit-learn        # whichever is missing is skipped by name
    python tests/benchmark.py             # writes tests/benchmark.md and .github/benchmark.png

Each contender lives in a process of its own, with the same images, first weights (scikit-learn draws its own)
and rate. They take turns, one epoch each, so that a machine whose speed drifts treats all alike; the first
round does not count. A ratio is the median of the rounds' ratios. Nothing else should run meanwhile.
"""

import argparse
import multiprocessing
import os
import platform
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib.metadata import distributions
from pathlib import Path
from statistics import median

HERE = Path(__file__).resolve().parent
TABLE, FIGURE = HERE / "benchmark.md", HERE.parent / ".github" / "benchmark.png"
SETTINGS = [(64, 64), (128, 64), (128, 128), (1024, 128)]  # hidden units, batch size
RATE = 0.5


class Contender:
    """Data, first weights, the functions. A subclass adds `epoch` and `read` (probabilities)."""

    def __init__(self, hidden, batch):
        import numpy as np
        from notebook import ROOT, functions

        self.nn, self.batch, self.rng = functions(), batch, np.random.default_rng(0)
        images, y, *_, is_mnist = self.nn.load_mnist(ROOT / "data")
        if not is_mnist:
            sys.exit("The benchmark needs MNIST, not its stand-in.")
        X, y = self.nn.as_rows(images), y.astype(np.int64)
        self.X, self.y, self.validation = X[:55_000], y[:55_000], (X[-1:], y[-1:])
        self.params = self.nn.init_params(784, hidden, 10, self.rng)

    def inference(self):
        self.read(self.X[:10_000])


class Notebook(Contender):
    """The notebook's `train` as it is, one epoch a call, with a single image for validation."""

    def epoch(self):
        self.params, _ = self.nn.train(
            self.X, self.y, *self.validation, self.params, [RATE], self.batch, self.rng, report=None
        )

    def read(self, X):
        return self.nn.forward(X, *self.params)[-1]


class Products(Notebook):
    """Only the five matrix products of each step, into arrays that are there already: the floor."""

    def epoch(self):
        import numpy as np

        W1, _, W2, _ = self.params
        Z1, Z2, dA1 = (np.zeros((self.batch, n), np.float32) for n in (len(W2), 10, len(W2)))
        dW1, dW2 = np.zeros_like(W1), np.zeros_like(W2)
        for first in range(0, len(self.X) - self.batch + 1, self.batch):
            X = self.X[first : first + self.batch]
            np.matmul(X, W1, out=Z1)
            np.matmul(Z1, W2, out=Z2)
            np.matmul(Z1.T, Z2, out=dW2)
            np.matmul(Z2, W2.T, out=dA1)
            np.matmul(X.T, dA1, out=dW1)


class Torch(Contender):
    """The notebook's twin in PyTorch, without DataLoader; the update by hand is quicker than optim.SGD."""

    def __init__(self, hidden, batch, by_select=False):
        import torch

        self.torch, threads = torch, torch.get_num_threads()  # before the notebook asks for one
        super().__init__(hidden, batch)
        torch.set_num_threads(threads)
        self.X, self.y = torch.from_numpy(self.X), torch.from_numpy(self.y)
        self.rows = partial(self.X.index_select, 0) if by_select else self.X.__getitem__
        layers = torch.nn.Linear(784, hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, 10)
        self.model, self.loss = torch.nn.Sequential(*layers), torch.nn.CrossEntropyLoss()
        for P, start in zip(self.model.parameters(), self.params):
            P.data = torch.from_numpy(start.T.copy())

    def epoch(self):
        order, params = self.torch.from_numpy(self.rng.permutation(len(self.X))), [*self.model.parameters()]
        for batch in order.split(self.batch):
            for P in params:
                P.grad = None
            self.loss(self.model(self.rows(batch)), self.y[batch]).backward()
            with self.torch.no_grad():
                for P in params:
                    P.sub_(P.grad, alpha=RATE)

    def read(self, X):
        with self.torch.inference_mode():
            return self.model(X).softmax(dim=1)


class Sklearn(Contender):
    """scikit-learn's MLPClassifier without momentum and penalty."""

    def __init__(self, hidden, batch):
        from sklearn.neural_network import MLPClassifier  # before the notebook asks for one thread

        super().__init__(hidden, batch)
        plain = {"solver": "sgd", "momentum": 0, "alpha": 0, "learning_rate_init": RATE}
        self.model = MLPClassifier((hidden,), batch_size=batch, random_state=0, **plain)

    def epoch(self):
        self.model.partial_fit(self.X, self.y, classes=range(10))

    def read(self, X):
        return self.model.predict_proba(X)


OURS, FLOOR = "this notebook", "the bare products"
ALL = {  # class, package, threads (None: its own choice); names without a comma make the short table
    OURS: (Notebook, "numpy", 1),
    "PyTorch": (Torch, "torch", None),
    "scikit-learn": (Sklearn, "scikit-learn", None),
    FLOOR: (Products, "numpy", 1),
    "PyTorch, one thread": (Torch, "torch", 1),
    "PyTorch, index_select": (partial(Torch, by_select=True), "torch", None),
}
VERSIONS = {package.name: package.version for package in distributions()}
FOUND = [name for name, (_, package, _) in ALL.items() if package in VERSIONS]


def prepare(name, setting):
    """In a new process: set the threads, then make the contender."""
    global contender
    kind, _, threads = ALL[name]
    for variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.pop(variable, None)
        if threads:
            os.environ[variable] = str(threads)
    contender = kind(*setting)


def work(method):
    """In that process: what a method returns, or the seconds it took."""
    begin = time.perf_counter()
    result = getattr(contender, method)()
    return time.perf_counter() - begin if result is None else result


def take_turns(setting, rounds):
    """Seconds of an epoch and of inference in each round but the first: {method: {name: [seconds]}}."""
    spawn, times = multiprocessing.get_context("spawn"), {}
    pools = {name: ProcessPoolExecutor(1, spawn, prepare, (name, setting)) for name in FOUND}
    for method in ("epoch", "inference"):
        turns = [[pool.submit(work, method).result() for pool in pools.values()] for _ in range(rounds + 1)]
        times[method] = dict(zip(FOUND, zip(*turns[1:])))
        print(setting, method, times[method], flush=True)
    for pool in pools.values():
        pool.shutdown()
    return times


def speed(times, name):
    """How many times as fast as the notebook, round by round."""
    return [ours / theirs for ours, theirs in zip(times[OURS], times[name])]


def table(title, times, names, form="{:.2f} [{:.2f}, {:.2f}]"):
    """Markdown: seconds (median, fastest, slowest), and the notebook's divided by them."""
    rows = [
        [title, *(f"{hidden} / {batch}" for hidden, batch in SETTINGS)],
        [":--"] + ["--:"] * len(SETTINGS),
    ]
    for name in names:
        seconds = [form.format(median(t[name]), min(t[name]), max(t[name])) for t in times]
        compared = ["" if name == OURS else f" ({median(speed(t, name)):.2f})" for t in times]
        rows.append([name, *map(str.__add__, seconds, compared)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def draw(epochs):
    """The figure: speed relative to the notebook's; its title claims only what held in every round."""
    import matplotlib.pyplot as plt

    fig, ax = plt.subplots(figsize=(9, 3.6), layout="constrained")
    shown = [(n, colour) for n, colour in zip(ALL, ("", "#E69F00", "#009E73", "0.7")) if n in FOUND][1:]
    for k, (name, colour) in enumerate(shown, -1):
        heights = [median(speed(times, name)) for times in epochs]
        bars = ax.bar([x + 0.27 * k for x in range(len(epochs))], heights, 0.25, color=colour, label=name)
        ax.bar_label(bars, fmt="%.2f", label_type="center")
    ax.axhline(1, color="#0072B2", linewidth=2, label=OURS)
    labels = [f"{h} / {b}\n{median(t[OURS]):.2f} s here" for (h, b), t in zip(SETTINGS, epochs)]
    ax.set_xticks(range(len(epochs)), labels)
    rivals = [name for name in FOUND if name not in (OURS, FLOOR)]
    won = all(max(speed(times, name)) < 1 for times in epochs[:2] for name in rivals)
    title = "In batches of 64 the notebook is the fastest" if won else "Speed against the notebook's"
    ax.set(title=title, xlabel="hidden units / batch size", ylabel="epochs while the notebook does one")
    fig.legend(loc="outside right center")
    fig.savefig(FIGURE, dpi=160)


def machine():
    """What this ran on."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    model = next((line.split(": ")[1] for line in lines if line.startswith("model name")), platform.machine())
    versions = [f"{name} {VERSIONS[name]}" for name in ("numpy", "torch", "scikit-learn") if name in VERSIONS]
    return ", ".join([model, f"{os.cpu_count()} cores", f"Python {platform.python_version()}", *versions])


def main():
    """Measure, and write table and figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7, help="rounds of each comparison (7)")
    rounds = parser.parse_args().rounds
    print("not installed:", [name for name in ALL if name not in FOUND])
    times = [take_turns(setting, rounds) for setting in SETTINGS]
    epochs, inference = ([t[method] for t in times] for method in ("epoch", "inference"))
    tables = [
        table("seconds an epoch (ours ÷ theirs)", epochs, [n for n in FOUND if "," not in n], "{:.2f}"),
        table("an epoch [fastest, slowest round]", epochs, FOUND),
        table("10,000 images read", inference, [n for n in FOUND if n != FLOOR], "{:.3f} [{:.3f}, {:.3f}]"),
    ]
    notes = f"Hidden units / batch size; medians of {rounds} rounds. {machine()}."
    TABLE.write_text("\n\n".join([*tables, notes]) + "\n", encoding="utf-8")
    draw(epochs)


if __name__ == "__main__":
    main()
