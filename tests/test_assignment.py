"""Does the assignment hide the solutions, and do checks and claims blame the right function, in the right words?"""

import re
import shutil
from contextlib import suppress

import assignment
import nbformat
import numpy as np
import pytest
from page import CODE, PATH, PROSE, ROOT, SOURCES
from test_learner import QUICK, run

NAMES = ["softmax", "cross_entropy", "relu", "init_params", "forward", "predict", "backward"]
CELLS = [c for c in nbformat.read(PATH, 4).cells if "solution" in c.metadata.get("tags", [])]
SOLVED = {re.search(r"def (\w+)", cell.source)[1]: cell.source for cell in CELLS}
MADE = assignment.make()
CHECKS = [cell for cell in MADE.cells if "check" in cell.metadata.get("tags", [])]


def lines_in(text):
    """Return the lines of code in a text, without comments and blank lines."""
    return {line.split("  #")[0].strip() for line in text.splitlines() if line.strip()}


def test_nothing_of_the_solution_is_left_and_every_edit_finds_its_text(tmp_path):
    for pattern in [*assignment.EDITS, *assignment.LEFT_OUT.split("|")]:
        assert re.search(pattern, f"{SOURCES}\n{PROSE}", re.M | re.S), pattern
    nbformat.write(MADE, tmp_path / "mine.ipynb")
    nbformat.validate(made := nbformat.read(tmp_path / "mine.ipynb", 4))
    text = "\n".join(cell.source for cell in made.cells)
    code = [cell for cell in made.cells if cell.cell_type == "code"]
    assert all("raises-exception" in cell.metadata.tags and not cell.outputs for cell in code)
    for source in SOLVED.values():
        head, doc, body = source.split('"""')
        assert f'{head}"""{doc}"""\n    # your code here\n    raise' in text
        assert not lines_in(body) & lines_in(text)
    whole = next(source for source in SOURCES.split("\n\n") if "one_cell = " in source)
    assert not {line for line in lines_in(whole) if "@" in line} & lines_in(text)
    assert not re.search(r"one_cell|<details>|np\.maximum\((X|Z)|changes = |# Part II|## 8", text)
    assert re.findall(r'Error\("(\w+): section (.)"\)', text) == list(zip(NAMES, "3344445"))


VARIANTS = """
relu | np.maximum(Z, 0) | Z * (Z > 0) | right
cross_entropy | np.maximum(Y_hat, smallest) | Y_hat + 1e-8 | right
predict | forward(as_rows(X), W1, b1, W2, b2)[-1] | (np.maximum(as_rows(X) @ W1 + b1, 0) @ W2 + b2) | right
relu | return | Z[Z < 0] = 0; return | expected its inputs to stay as they are, found one changed
✗ relu | np.maximum(Z, 0) | np.abs(Z) | found [[2.0, 0.0, 3.0], [0.5, 0.5, 1.0]]
relu | return | raise ValueError("no") # | expected a result, found ValueError (no)
relu | return | raise NotImplementedError("relu: section 4") # | not written yet
relu | return | raise NotImplementedError("softmax: section 3") # | because it calls softmax, which is not written yet
✗ softmax | Z - Z.max(axis=1, keepdims=True) | Z | found [[nan, nan, 0.0]
✗ softmax | E.sum(axis=1, keepdims=True) | E.sum(axis=0) | expected probabilities [[0.731, 0.269, 0.0], [0.333,
✗ cross_entropy | np.maximum(Y_hat, smallest) | Y_hat | found nan
✗ cross_entropy | / len(Y)) | / Y.size) | expected a mean loss of 1.498, found 0.749
cross_entropy | float(-np | -np.log((Y * Y_hat).sum(axis=1)) # | found [0.693, 2.303]
init_params | np.float32) * (2 / n_in) | float) * (2 / n_in) | (400, 300) of spread 0.07, found float64 (400, 300)
✗ init_params | (2 / n_in) ** 0.5 | (2 / n_in) | expected W1 float32 (400, 300) of spread 0.07, found
init_params | (2 / n_hidden) ** 0.5 | 1 | expected W2 float32 (300, 50) of spread 0.08, found
init_params | np.zeros(n_hidden, np.float32) | np.float32(rng.normal(size=n_hidden)) | expected b1 float32 (300,) of
init_params | np.zeros(n_out, | np.zeros((1, n_out), | expected b2 float32 (50,) of spread 0, found
forward | return Z1, A1, | return | expected 4 arrays (Z1, A1, Z2, Y_hat), found 2
forward | return | _ = | found None
✗ forward | relu(Z1) | Z1 | expected A1 [[1.0, 2.0], [0.0, 0.0], [0.0, 2.0]], found [[1.0, 2.0], [-1.0,
✗ forward | softmax(Z2) | softmax(A1) | expected Y_hat
forward | X @ W1 + b1 | (X @ W1 + b1)[:1] | expected Z1
✗ predict | axis=1) | axis=1)[:, None] | expected the digits [7, 2, 5], found [[7], [2], [5]]
predict | axis=1) | axis=1).astype(float) | found [7.0, 2.0, 5.0]
predict | as_rows(X) | X | expected the digits [7, 2, 5], found int
predict | as_rows(X) | X.reshape(len(X), -1) | expected the digit [7], found
✗ backward | / len(X) |  | expected dW1 [[-0.3, 0.0], [1.2, -2.4], [-0.2, -0.8]], found [[-0.6, 0.0]
✗ backward | db1 = dZ1.sum(axis=0) | db1 = dZ1.sum() | expected db1 [0.1, -0.8], found -0.7
✗ backward | dA1 = dZ2 | W2 -= dW2; dA1 = dZ2 | found one changed
✗ backward | db1, dW2, db2 | db1, dW2 | expected 4 arrays (dW1, db1, dW2, db2), found 3
"""  # a function, what is changed in it, what stands there instead, and what its check then says; ✗: its claim too

PART_I = CODE[: next(k for k, cell in enumerate(CODE) if cell["source"].startswith("def evaluate("))]
DEFINITIONS = [cell["source"] for cell in PART_I if "definitions" in cell["metadata"].get("tags", [])]
CLAIMS = [c["source"] for c in PART_I if re.search(rf'^claim\(f?"({"|".join(NAMES)})', c["source"], re.M)]
BIG = np.array([[1000, 999, 0], [1, 1, 1]], np.float32)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("row", VARIANTS.strip().splitlines())
def test_checks_and_claims_blame_the_function_at_fault_alone(row, capsys, rng):
    name, old, new, words = row.removeprefix("✗ ").split(" | ")
    space = {"__name__": "assignment", "SEED": 0, "hidden": 8, "big": BIG}
    space |= {"test_images": rng.integers(256, size=(99, 784)), "y_test": rng.integers(10, size=99)}
    for source in DEFINITIONS:
        exec(source.replace(old, new) if source == SOLVED[name] else source, space)
    for cell in CHECKS:
        exec(cell.source, space)
    said = dict(line.split(": ", 1) for line in capsys.readouterr().out.splitlines())
    assert old in SOLVED[name] and words in said.pop(name)
    assert said.pop("checks passed") == f"{6 + (words == 'right')} of 7" and {*said.values()} == {"right"}
    for source in CLAIMS:
        with suppress(Exception):  # where nothing can be claimed
            exec(source, space)
    crosses = re.findall("✗ not in this run: (.*)", capsys.readouterr().out)
    calls = {"relu": "backward", "forward": "backward"}  # which no longer fits what forward computes
    blamed = name, calls.get(name, name)
    assert not crosses if words == "right" else crosses or row[0] != "✗"
    assert all(sentence.startswith(blamed) for sentence in crosses) or row[0] != "✗", crosses


@pytest.mark.slow
@pytest.mark.parametrize("count, solved", [(0, {}), (7, {cell.id: cell.source for cell in CELLS})])
def test_the_whole_assignment_runs_to_its_count(tmp_path, count, solved):
    shutil.copytree(ROOT / "data", tmp_path / "data", ignore=shutil.ignore_patterns("*ubyte*"))
    made = assignment.make()
    for cell in made.cells:
        cell.source = solved.get(cell.id, cell.source)
        for old, new in [*QUICK, ("load_mnist()", "load_mnist(mirrors=[])")]:
            cell.source = cell.source.replace(old, new)
    assert run(made, tmp_path).endswith(f"checks passed: {count} of 7\n")
