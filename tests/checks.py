"""The checks of the assignment: each part, from one `# %%` to the next, becomes a cell behind its function.

The expected numbers come from paper. A check lends its function right answers in place of the other functions, so that
their mistakes are not blamed on it."""

# %% helpers
from unittest.mock import patch

import numpy as np

passed = {}  # for each check that has run, whether its function is right


def said(value):
    """Return numbers as text, rounded, or a large array in a few words, or else the kind of thing it is."""
    if not isinstance(value, (np.ndarray, np.number, float, int)):
        return "None" if value is None else f"a {type(value).__name__}"
    if np.size(value) > 24:
        return f"{value.dtype} {value.shape} of spread {np.mean(np.square(value)) ** 0.5:.1g}"
    value = np.asarray(value)
    return str((np.round(value.astype(float), 3) + 0 if value.dtype.kind == "f" else value).tolist())


def mistake(function, given, expected):
    """Return a sentence if the function's results, as text, are not the expected ones."""
    found = function(*[np.broadcast_to(P, np.shape(P)) if np.ndim(P) else P for P in given])  # read-only
    found = [found] if len(expected) == 1 else found
    count = len(found) if isinstance(found, (tuple, list)) else said(found)
    if count != len(expected):
        return f"expected {len(expected)} arrays ({', '.join(expected)}), found {count}"
    for F, (name, E) in zip(found, expected.items()):
        E = said(np.array(E)) if isinstance(E, list) else E
        if not (E(F) if callable(E) else said(F) == E):
            return f"expected {name}{'' if callable(E) else ' ' + E}, found {said(F)}"


@np.errstate(all="ignore")
def check(name, *cases, **lent):
    """Try the student's function in cases (inputs, results) and say what came out; never stop the run."""
    passed[name], words = False, "not written yet"
    try:
        with patch.dict(globals(), lent):
            words = next(filter(None, (mistake(globals()[name], *case) for case in cases)), "right")
    except NotImplementedError as problem:
        other = str(problem).partition(":")[0] or name
        words = words if other == name else f"not checked, because it calls {other}, which is not written yet"
    except Exception as problem:
        if "read-only" in str(problem):
            words = "expected its inputs to stay as they are, found one changed"
        elif name in globals():
            words = f"expected a result, found {type(problem).__name__} ({problem})"
    passed[name] = words == "right"
    print(f"{name}: {words}")


def knows(question, answer):
    """Return a function that knows one answer, to one question."""
    return lambda Z: np.array(answer) * (1 if said(Z) == said(np.array(question)) else np.nan)


# %% softmax
given = [[[1000.0, 999, 0], [1, 1, 1]]]
expected = {"probabilities": [[0.731, 0.269, 0], [0.333, 0.333, 0.333]]}
check("softmax", (given, expected))

# %% cross_entropy
given = [[1.0, 0], [1, 0]]  # the first class is the true one, twice
check(
    "cross_entropy",
    (([[0.5, 0.5], [0.1, 0.9]], given), {"a mean loss of": "1.498"}),
    ((given, given), {"for sure and right answers a loss of": "0.0"}),
    (np.float32([[[0, 1]], [[1, 0]]]), {"for probability 0 a large, finite loss": lambda L: 10 < L < 1e9}),
)

# %% relu
check("relu", ([[[-2, 0, 3], [0.5, -0.5, 1]]], {"the array": [[0.0, 0, 3], [0.5, 0, 1]]}))

# %% init_params
expected = {"W1": "float32 (400, 300) of spread 0.07", "b1": "float32 (300,) of spread 0"}
expected |= {"W2": "float32 (300, 50) of spread 0.08", "b2": "float32 (50,) of spread 0"}
check("init_params", ((400, 300, 50, np.random.default_rng(0)), expected))

# %% forward
given = [[1.0, 2], [3, 0], [0, 1]], [[1.0, -1], [2, 1]], [-4.0, 1], [[1.0, 0, -1], [0, 2, 1]], [0.0, -3, 1]
expected = {"Z1": [[1.0, 2], [-1, -2], [-2, 2]], "A1": [[1.0, 2], [0, 0], [0, 2]]}
expected |= {"Z2": [[1.0, 1, 2], [0, -3, 1], [0, 1, 3]]}
expected |= {"Y_hat": [[0.212, 0.212, 0.576], [0.265, 0.013, 0.721], [0.042, 0.114, 0.844]]}
own = {"relu": knows(expected["Z1"], expected["A1"]), "softmax": knows(expected["Z2"], expected["Y_hat"])}
check("forward", (given, expected), **own)

# %% predict
given = np.zeros((3, 28, 28), np.uint8), np.eye(784, 10), np.zeros(10), np.eye(10), np.zeros(10)
given[0][[0, 1, 2], 0, [7, 2, 5]] = 255  # one bright pixel each; its place is the network's answer
cases = (given, {"the digits": [7, 2, 5]}), ((given[0][0], *given[1:]), {"the digit": [7]})
check("predict", *cases, forward=lambda X, W1, b1, W2, b2: (X[:, :10],) * 4)

# %% backward
given = [[1.0, 0, 2], [0, 3, 1]], [[1.0, 0, 0], [0, 0, 1]], [[1.0, -1], [2, 3]], [[1.0, 0], [2, 3]]
given += [[0.6, 0.2, 0.2], [0.2, 0.4, 0.4]], [[2.0, 1, 0], [-1, 1, 3]]  # X, Y, Z1, A1, then Y_hat, W2
expected = {"dW1": [[-0.3, 0], [1.2, -2.4], [-0.2, -0.8]], "db1": [0.1, -0.8]}
expected |= {"dW2": [[0, 0.5, -0.5], [0.3, 0.6, -0.9]], "db2": [-0.1, 0.3, -0.2]}
check("backward", (given, expected))

# %% count
print(f"checks passed: {sum(passed.values())} of 7")
