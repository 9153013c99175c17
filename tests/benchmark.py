"""Time the notebook's training against the libraries people would reach for. Run by hand, not by pytest:

    pip install torch scikit-learn        # whichever is missing is skipped by name
    python tests/benchmark.py             # tables on the screen; tests/benchmark.md and .github/benchmark.png

Every contender lives in a process of its own and waits there with the same data (MNIST's 55,000 training images, a
float32 array in its memory). In each round they take turns, one epoch each, so that a machine whose speed drifts treats
all alike. Reported: the median, and the fastest and slowest round. A ratio is the median of the rounds' ratios.

The contenders: `notebook`, the functions of Part I, which sets NumPy to one thread, and once with all threads;
`two workers`, section 13's loop without warps; `floor`, the five matrix products of each step and nothing else;
`torch`, PyTorch in eager mode on tensors in memory, in a plain loop without DataLoader; `compile`, the same step
through torch.compile; `sklearn`, scikit-learn's MLPClassifier.
"""

import argparse
import contextlib
import importlib.metadata
import importlib.util
import math
import multiprocessing
import os
import platform
import statistics
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
TABLE, FIGURE = HERE / "benchmark.md", HERE.parent / ".github" / "benchmark.png"
SETTINGS = [(64, 64), (128, 64), (128, 128), (1024, 128)]  # hidden units, batch size
NEEDS = {
    "notebook": "numpy",
    "two workers": "numpy",
    "floor": "numpy",
    "torch": "torch",
    "compile": "torch",
    "sklearn": "sklearn",
}
CONTENDERS_AND_THREADS = [  # "all": as many threads as the library takes by itself
    ("notebook", 1),
    ("notebook", "all"),
    ("two workers", 1),
    ("floor", 1),
    ("torch", "all"),
    ("torch", 1),
    ("compile", "all"),
    ("compile", 1),
    ("sklearn", "all"),
    ("sklearn", 1),
]
OURS = ("notebook", 1)
RATE, GOAL, GOAL_HIDDEN = 0.5, 0.98, 256  # 256: of 64, 128, 256, ... the first width that reaches the goal


class Data:
    """The first m shuffled training images, 5,000 for validation, and the notebook's functions."""

    def __init__(self, m):
        import numpy as np
        from notebook import ROOT, functions

        self.nn = functions()
        X, y = self.nn.load_mnist(ROOT / "data")[:2]
        order = np.random.default_rng(0).permutation(len(X))
        train, val = order[5000 : 5000 + m], order[:5000]
        self.X, self.y = self.nn.as_rows(X[train]), y[train].astype(np.int64)
        self.X_val, self.y_val = self.nn.as_rows(X[val]), y[val].astype(np.int64)


class Notebook(Data):
    """The functions of the notebook, as they are."""

    def __init__(self, hidden, batch, m):
        import numpy as np

        super().__init__(m)
        self.rng, self.batch = np.random.default_rng(0), batch
        self.params = self.nn.init_params(784, hidden, 10, self.rng)

    def train(self, X_val, y_val, epochs):
        """The history of so many epochs of the notebook's `train`."""
        settings = {"epochs": epochs, "batch_size": self.batch, "rate": RATE, "report": None}
        data = self.X, self.y, X_val, y_val
        *self.params, history = self.nn.train(*data, *self.params, self.rng, **settings)
        return history

    def epoch(self):
        """One epoch, with nothing to measure but a single image."""
        self.train(self.X_val[:1], self.y_val[:1], 1)

    def inference(self):
        """The probabilities of 10,000 images."""
        self.nn.forward(self.X[:10_000], *self.params)

    def goal(self):
        """Seconds until validation accuracy reaches the goal, by the notebook's recipe."""
        history = self.train(self.X_val, self.y_val, 12)
        reached = zip(history["seconds"], history["val_accuracy"])
        return next((s for s, accuracy in reached if accuracy >= GOAL), math.nan)

    def profile(self, repeats=300):
        """Microseconds for each part of a training step: {part: microseconds}."""

        nn, rng, (W1, b1, W2, b2) = self.nn, self.rng, self.params
        Y = nn.one_hot(self.y)
        batches = [rng.integers(len(self.X), size=self.batch) for _ in range(repeats)]
        X_b, Y_b = self.X[batches[0]], Y[batches[0]]
        Z1, A1, Z2, Y_hat = nn.forward(X_b, *self.params)
        gradients = nn.backward(X_b, Y_b, Z1, A1, Y_hat, W2)
        dA1, dZ2, XW1 = A1.copy(), Y_hat - Y_b, X_b @ W1

        def update(gradients):
            for P, dP in zip(self.params, gradients):
                P -= 1e-9 * dP

        def step(batch):
            X_b, Y_b = self.X[batch], Y[batch]
            Z1, A1, _, Y_hat = nn.forward(X_b, *self.params)
            update(nn.backward(X_b, Y_b, Z1, A1, Y_hat, W2))

        parts = {
            "take the batch's rows": lambda batch: (self.X[batch], Y[batch]),
            "the five matrix products": lambda _: (X_b @ W1, A1 @ W2, A1.T @ dZ2, dZ2 @ W2.T, X_b.T @ dA1),
            "biases, ReLU, its slope": lambda _: (nn.relu(XW1 + b1), dA1 * (Z1 > 0), dA1.sum(axis=0)),
            "softmax and its gradient": lambda _: (
                nn.softmax(Z2 + b2),
                (Y_hat - Y_b) / len(Y_b),
                dZ2.sum(axis=0),
            ),
            "the update": lambda _: update(gradients),
            "a whole step": step,
        }
        times = {}
        for name, part in parts.items():
            begin = time.perf_counter()
            for batch in batches:
                part(batch)
            times[name] = 1e6 * (time.perf_counter() - begin) / repeats
        return times


class TwoWorkers(Notebook):
    """Section 13's loop without warps: each of two threads takes half of every batch."""

    goal = None

    def epoch(self):
        """One epoch, momentum included."""
        data = self.X, self.y, self.X_val[:1], self.y_val[:1]
        settings = {"epochs": 1, "strength": 0, "rate": RATE / 10, "batch_size": self.batch, "workers": 2}
        with contextlib.redirect_stdout(None):
            *self.params, _ = self.nn.train_augmented(*data, self.params, self.rng, **settings)

    def inference(self):
        """The probabilities of 10,000 images, half in each thread."""
        self.nn.in_parallel(lambda X: self.nn.forward(X, *self.params)[-1], self.X[:10_000])


class Floor(Notebook):
    """The five matrix products of every step, into arrays that are there already."""

    def epoch(self):
        """As many steps as an epoch has whole batches."""
        import numpy as np

        W1, _, W2, _ = self.params
        m, n = self.batch, W1.shape[1]
        Z1, Z2, dA1, dW1, dW2 = (
            np.zeros(s, np.float32) for s in ((m, n), (m, 10), (m, n), W1.shape, W2.shape)
        )
        for first in range(0, len(self.X) - m + 1, m):
            X = self.X[first : first + m]
            np.matmul(X, W1, out=Z1)
            np.matmul(Z1, W2, out=Z2)
            np.matmul(Z1.T, Z2, out=dW2)
            np.matmul(Z2, W2.T, out=dA1)
            np.matmul(X.T, dA1, out=dW1)


class Torch(Data):
    """PyTorch at its fair best for so small a network, as tried out: tensors in memory, a plain loop, the step by hand
    (quicker here than torch.optim.SGD, fused or not), hard targets (soft ones take longer; only `goal` has them)."""

    compiled = False

    def __init__(self, hidden, batch, m):
        import torch

        super().__init__(m)
        torch.manual_seed(0)
        self.batch = batch
        self.X, self.y, self.X_val, self.y_val = map(
            torch.from_numpy, (self.X, self.y, self.X_val, self.y_val)
        )
        self.model = torch.nn.Sequential(
            torch.nn.Linear(784, hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, 10)
        )
        self.call = torch.compile(self.model) if self.compiled else self.model
        self.params = list(self.model.parameters())
        self.loss = torch.nn.CrossEntropyLoss()

    def epoch(self, rate=lambda step: RATE, first_step=0):
        """One epoch of mini-batch gradient descent."""
        import torch

        order = torch.randperm(len(self.X))
        for step, batch in enumerate(order.split(self.batch), first_step):
            for P in self.params:
                P.grad = None
            self.loss(self.call(self.X[batch]), self.y[batch]).backward()
            with torch.no_grad():
                for P in self.params:
                    P -= rate(step) * P.grad

    def inference(self):
        """The probabilities of 10,000 images."""
        import torch

        with torch.inference_mode():
            self.call(self.X[:10_000]).softmax(dim=1)

    def goal(self):
        """Seconds until validation accuracy reaches the goal, by the notebook's recipe."""
        import torch

        for layer in self.model[0], self.model[2]:
            torch.nn.init.kaiming_normal_(layer.weight)
            torch.nn.init.zeros_(layer.bias)
        self.loss = torch.nn.CrossEntropyLoss(label_smoothing=0.05)
        steps = math.ceil(len(self.X) / self.batch)
        begin = time.perf_counter()
        for epoch in range(12):
            self.epoch(lambda step: RATE * (1 + math.cos(math.pi * step / steps / 12)) / 2, epoch * steps)
            with torch.inference_mode():
                answer = self.model(self.X_val).argmax(dim=1)
                self.loss(self.model(self.X[:5000]), self.y[:5000])
            if (answer == self.y_val).float().mean() >= GOAL:
                return time.perf_counter() - begin
        return math.nan


class Compiled(Torch):
    """The same through torch.compile."""

    compiled = True
    goal = None


class Sklearn(Data):
    """scikit-learn's MLPClassifier, solver "sgd" without momentum or penalty."""

    goal = None

    def __init__(self, hidden, batch, m):
        from sklearn.neural_network import MLPClassifier

        super().__init__(m)
        still = {"solver": "sgd", "momentum": 0, "alpha": 0, "learning_rate_init": 0.1}
        self.model = MLPClassifier((hidden,), batch_size=batch, random_state=0, **still)

    def epoch(self):
        """One pass of partial_fit."""
        self.model.partial_fit(self.X, self.y, classes=range(10))

    def inference(self):
        """The probabilities of 10,000 images."""
        self.model.predict_proba(self.X[:10_000])


CONTENDERS = {
    "notebook": Notebook,
    "two workers": TwoWorkers,
    "floor": Floor,
    "torch": Torch,
    "compile": Compiled,
    "sklearn": Sklearn,
}


def work(pipe, name, threads, hidden, batch, m):
    """A process's life: set the threads, prepare, then time whatever method it is told to run."""
    for variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.pop(variable, None)
        if threads == 1:
            os.environ[variable] = "1"
    sys.path.insert(0, str(HERE))
    contender = CONTENDERS[name](hidden, batch, m)
    pipe.send("ready")
    for method in iter(pipe.recv, None):
        begin = time.perf_counter()
        result = getattr(contender, method)()
        pipe.send(time.perf_counter() - begin if result is None else result)
    try:
        import resource

        pipe.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    except ImportError:  # Windows
        pipe.send(math.nan)


class Worker:
    """A contender in a process of its own."""

    def __init__(self, name, threads, hidden, batch, m=55_000):
        context = multiprocessing.get_context("spawn")
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=work, args=(other, name, threads, hidden, batch, m))
        self.process.start()
        other.close()
        self.pipe.recv()

    def run(self, method):
        """The seconds that a method took."""
        self.pipe.send(method)
        return self.pipe.recv()

    def stop(self):
        """Its peak memory in MB."""
        self.pipe.send(None)
        megabytes = self.pipe.recv()
        self.process.join()
        return megabytes


def in_turns(workers, method, rounds):
    """Seconds of each round for each worker, after one warm-up round: {label: [seconds]}."""
    times = {label: [] for label in workers}
    for turn in range(rounds + 1):
        for label, worker in workers.items():
            seconds = worker.run(method)
            if turn:
                times[label].append(seconds)
    return times


def summary(times):
    """Median, fastest and slowest of a list of seconds."""
    return [statistics.median(times), min(times), max(times)]


def ratio(ours, theirs):
    """The median of the rounds' ratios."""
    return statistics.median(a / b for a, b in zip(ours, theirs))


def compare(names, rounds):
    """Epochs and inference of all contenders, at every setting: one row for each contender and setting."""
    rows = []
    for hidden, batch in SETTINGS:
        labels = [label for label in CONTENDERS_AND_THREADS if label[0] in names]
        workers = {label: Worker(*label, hidden, batch) for label in labels}
        epochs = in_turns(workers, "epoch", rounds)
        infer = in_turns({k: w for k, w in workers.items() if k[0] != "floor"}, "inference", 3 * rounds)
        for label, worker in workers.items():
            rows.append(
                {
                    "hidden": hidden,
                    "batch": batch,
                    "label": label,
                    "epoch": summary(epochs[label]),
                    "ratio": ratio(epochs[OURS], epochs[label]),
                    "inference": summary(infer[label]) if label in infer else None,
                    "megabytes": worker.stop(),
                }
            )
            print(rows[-1], flush=True)
    return rows


def reach_goal(names, rounds):
    """Seconds of training to the goal, notebook and PyTorch with the same recipe: {label: summary}."""
    labels = [OURS, ("torch", "all"), ("torch", 1)]
    times = {label: [] for label in labels if label[0] in names}
    for _ in range(rounds):
        for label, seconds in times.items():
            worker = Worker(*label, GOAL_HIDDEN, 64)
            worker.run("inference")
            seconds.append(worker.run("goal"))
            worker.stop()
            print(f"{GOAL:.0%} on validation: {label} {seconds[-1]:.2f} s", flush=True)
    return {label: summary(seconds) for label, seconds in times.items()}


def profiles(rounds):
    """Where a step's time goes in the notebook's `train`: {(hidden, batch): {part: microseconds}}, medians."""
    result = {}
    for setting in SETTINGS[1::2]:
        worker = Worker(*OURS, *setting)
        runs = [worker.run("profile") for _ in range(rounds + 1)][1:]
        worker.stop()
        result[setting] = {part: statistics.median(run[part] for run in runs) for part in runs[0]}
        print(setting, result[setting], flush=True)
    return result


def growth(names, rounds):
    """How an epoch's seconds grow with width, batch and number of images: {quantity: {name: [[x, seconds]]}}."""
    cases = {
        "hidden units": [(n, 64, 55_000) for n in (32, 128, 512, 1024)],
        "batch size": [(128, n, 55_000) for n in (16, 64, 256, 1024)],
        "images": [(128, 64, n) for n in (3_000, 12_000, 55_000)],
    }
    result = {}
    for quantity, (column, points) in zip(cases, enumerate(cases.values())):
        result[quantity] = {name: [] for name in names if name in ("notebook", "torch")}
        for point in points:
            workers = {
                name: Worker(name, 1 if name == "notebook" else "all", *point) for name in result[quantity]
            }
            for name, seconds in in_turns(workers, "epoch", rounds).items():
                result[quantity][name].append([point[column], statistics.median(seconds)])
            for worker in workers.values():
                worker.stop()
        print(quantity, result[quantity], flush=True)
    return result


def machine():
    """One sentence on what this ran on."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        model = lines[0].split(":", 1)[1].strip() if lines else model
    packages = {"numpy": "NumPy", "torch": "PyTorch", "scikit-learn": "scikit-learn"}
    versions = [
        f"{label} {importlib.metadata.version(name)}"
        for name, label in packages.items()
        if importlib.util.find_spec(NEEDS.get(name, "sklearn" if name == "scikit-learn" else name))
    ]
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}, {', '.join(versions)}"


def shown(label):
    """A contender's name in the tables."""
    name, threads = label
    if name in ("two workers", "floor"):
        return {"two workers": "notebook, section 13's two workers", "floor": "the matrix products alone"}[
            name
        ]
    return name + {1: ", 1 thread", "all": ", all threads"}[threads]


def markdown(rows):
    """A table of rows of cells, the first the head."""
    head, *rows = rows
    return "\n".join(
        "| " + " | ".join(cells) + " |" for cells in [head, [":--", *["--:"] * (len(head) - 1)], *rows]
    )


def table(results):
    """The results as three Markdown tables, the same for README and notebook, and a line on machine and versions."""
    cells = {(row["label"], row["hidden"], row["batch"]): row for row in results["rows"]}
    labels = list(dict.fromkeys(label for label, *_ in cells))
    epochs = [["seconds an epoch (ours ÷ theirs)", *[f"{hidden} / {batch}" for hidden, batch in SETTINGS]]]
    rest = [
        ["", *[f"{h}: 10,000 images, ms" for h in (128, 1024)], f"{GOAL:.0%} ({GOAL_HIDDEN} / 64), s", "MB"]
    ]
    for label in labels:
        rows = [cells[(label, *setting)] for setting in SETTINGS]
        times = ["{:.2f} [{:.2f}, {:.2f}]".format(*row["epoch"]) for row in rows]
        ratios = ["" if label == OURS else f" ({row['ratio']:.2f})" for row in rows]
        epochs.append([shown(label), *[time + ratio for time, ratio in zip(times, ratios)]])
        if label[0] != "floor":
            reads = [f"{1000 * rows[k]['inference'][0]:.0f}" for k in (1, 3)]
            goal = results["goal"].get(label)
            goal = "{:.1f} [{:.1f}, {:.1f}]".format(*goal) if goal else ""
            rest.append([shown(label), *reads, goal, f"{rows[1]['megabytes']:.0f}"])
    profile = [["part of a step", *[f"{h} / {b}, µs" for h, b in results["profiles"]]]]
    for part in next(iter(results["profiles"].values())):
        profile.append([part, *[f"{times[part]:.0f}" for times in results["profiles"].values()]])
    notes = f"Medians of {results['rounds']} rounds [fastest, slowest]. {results['machine']}."
    return "\n\n".join([*map(markdown, (epochs, rest, profile)), notes]) + "\n"


def draw(results):
    """The figure: epochs side by side, and how they grow."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    colours = {
        ("floor", 1): "0.6",
        ("notebook", 1): "#0072B2",
        ("two workers", 1): "#56B4E9",
        ("torch", "all"): "#E69F00",
        ("compile", "all"): "#009E73",
        ("sklearn", "all"): "#CC3311",
    }
    marks = {"notebook": "o-", "torch": "s--"}
    fig, axes = plt.subplots(1, 4, figsize=(13, 3.4), layout="constrained", width_ratios=[2, 1, 1, 1])
    labels = [label for label in colours if any(row["label"] == label for row in results["rows"])]
    for k, label in enumerate(labels):
        mine = [row["epoch"] for row in results["rows"] if row["label"] == label]
        places = [i + (k - len(labels) / 2 + 0.5) * 0.14 for i in range(len(mine))]
        axes[0].bar(places, [e[0] for e in mine], 0.14, color=colours[label], label=label[0])
    axes[0].set_xticks(range(len(SETTINGS)), [f"{h} / {b}" for h, b in SETTINGS])
    axes[0].set(
        xlabel="hidden units / batch size",
        ylabel="seconds an epoch",
        yscale="log",
        title="One epoch of 55,000 images",
    )
    axes[0].legend(fontsize=8, ncols=2)
    for ax, (quantity, lines) in zip(axes[1:], results["growth"].items()):
        for name, points in lines.items():
            colour = colours[name, 1 if name == "notebook" else "all"]
            ax.plot(*zip(*points), marks[name], color=colour, label=name)
        ax.set(xlabel=quantity, xscale="log", yscale="log", title=f"an epoch against {quantity}")
        places = [x for x, _ in next(iter(lines.values()))]
        ax.set_xticks(places, [f"{x:,}" for x in places])
        ax.grid(alpha=0.3)
    for ax in axes:
        ax.minorticks_off()
        low, high = ax.get_ylim()
        heights = [t for t in (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 4) if low <= t <= high]
        ax.set_yticks(heights, [str(t) for t in heights])
    axes[1].legend(fontsize=8)
    fig.savefig(FIGURE, dpi=80)


def main():
    """Measure, print, and write the results."""
    parser = argparse.ArgumentParser(description="Time the notebook against other libraries.")
    parser.add_argument("--rounds", type=int, default=7, help="rounds of each comparison (7)")
    rounds = parser.parse_args().rounds
    names = [name for name, package in NEEDS.items() if importlib.util.find_spec(package)]
    for name in NEEDS.keys() - set(names):
        print(f"skipped: {name} ({NEEDS[name]} is not installed)")
    results = {"machine": machine(), "rounds": rounds, "rows": compare(names, rounds)}
    results["goal"] = reach_goal(names, max(3, rounds // 2))
    results["profiles"] = profiles(rounds)
    results["growth"] = growth(names, max(3, rounds // 2))
    TABLE.write_text(table(results), encoding="utf-8")
    draw(results)
    print(table(results))


if __name__ == "__main__":
    main()
