"""Can a learner change anything, and run cells in any order?"""

import os
import re
import shutil

import nbformat
import pytest
from nbclient import NotebookClient
from page import PATH, ROOT

pytestmark = pytest.mark.slow
FEW = "images, labels, test_images, y_test = images[:3000], labels[:3000], test_images[:1500], y_test[:1500]"
LOAD = "= load_mnist()"
QUICK = [
    ("[0.5] * 9 + [0.05] * 3", "[0.5] * 2"),
    (LOAD, f"{LOAD}\n{FEW}"),
    ("in range(1, 5):", "in range(1, 2):"),
]
CHECKED = "✓ backward agrees with the measured slopes"  # whatever is changed


def forward_with(a1, dz1):
    """The edits that put another activation into the cell of section 2, into forward and into backward."""
    return [
        ("A1 = np.maximum(Z1, 0)", f"A1 = {a1}"), ("A1 = relu(Z1)", f"A1 = {a1}"),
        ("dZ1 = dZ2 @ W2.T * (Z1 > 0)", f"dA1 = dZ2 @ W2.T\n        dZ1 = {dz1}"),
        ("dZ1 = dA1 * (Z1 > 0)\n    dW1", f"dZ1 = {dz1}\n    dW1"),
    ]  # fmt: skip


EDITS = {  # what is changed: every (old, new) text
    "hidden 16, rate 10, seed 7": [
        ("hidden = 128", "hidden = 16"), ("[0.5] * 2", "[10.0] * 2"), ("SEED = 0", "SEED = 7")],
    "rate 1e30, no seed": [("[0.5] * 2", "[1e30] * 2"), ("SEED = 0", "SEED = None")],
    "one hidden unit, not scaled": [("hidden = 128", "hidden = 1"), ("/ np.float32(255), labels", ", labels")],
    "only the digits 0 and 1, standardised": [
        ("y_test[:1500]", "y_test[:1500]\nimages, labels = images[labels < 2], labels[labels < 2]\n"
         "test_images, y_test = test_images[y_test < 2], y_test[y_test < 2]"),
        ("X_test = test_images / np.float32(255)", "X_test = (test_images - 33) / np.float32(78)")],
    "float64, tanh": [("np.float32(255), labels", "255, labels"), *forward_with("np.tanh(Z1)", "dA1 * (1 - A1**2)")],
    "sigmoid": forward_with("1 / (1 + np.exp(-Z1))", "dA1 * A1 * (1 - A1)"),
    "leaky ReLU, labels shuffled": [("y_test[:1500]", "y_test[:1500]\nnp.random.default_rng(1).shuffle(labels[:600])"),
        *forward_with("np.where(Z1 > 0, Z1, 0.1 * Z1)", "dA1 * np.where(Z1 > 0, 1, 0.1)")],
    "ten images": [("images[:3000], labels[:3000]", "images[:10], labels[:10]")],
    "batches of 1": [("batch_size = 64", "batch_size = 1"), ("[0.5] * 2", "[0.01]")],
    "batches larger than the data": [("batch_size = 64", "batch_size = 100_000")],
}  # fmt: skip
SAID = {
    "hidden 16, rate 10, seed 7": "✗ not in this run: the five networks reach",
    "rate 1e30, no seed": "is not written",
}
CROSSES_ON_THE_STAND_IN = (
    "the five networks reach", "the second half of the test set", "with our additions", "100 numbers beat pixels",
)  # fmt: skip


def excerpt(edits=(), end="# Part II"):
    """The notebook up to the cell that begins with `end` (None: all of it), with every edit (old, new) made."""
    notebook = nbformat.read(PATH, 4)
    stop = end and next(k for k, cell in enumerate(notebook.cells) if cell.source.startswith(end))
    notebook.cells = notebook.cells[:stop]
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for old, new in edits:
        assert any(old in cell.source for cell in code), old
        for cell in code:
            cell.source = cell.source.replace(old, new)
    return notebook


def run(notebook, folder=ROOT):
    """Run a notebook in a fresh kernel; all that its cells show."""
    NotebookClient(notebook, timeout=900, resources={"metadata": {"path": str(folder)}}).execute()
    return "\n".join(shown(cell) for cell in notebook.cells)


def shown(cell):
    """All that a cell shows, figures included, but for warnings and the time it took."""
    outputs = [out for out in cell.get("outputs", []) if out.get("name") != "stderr"]
    return "".join(out.get("text", "") + str(out.get("data", "")) for out in outputs)


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_stops_no_cell_and_crosses_say_what_no_longer_holds(edit):
    text = run(excerpt([*QUICK, *EDITS[edit]]))
    assert CHECKED in text and SAID.get(edit, "") in text


def test_edits_in_part_2_stop_no_cell():
    edits = [
        ("try_rates = [0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10]", "try_rates = []"),
        ("(noisy, [0, 0.15, 0.3, 0.45])", "(noisy, [0.2])"),
        ('    "pixels": {"warps": False, "numbers": False},\n', ""),
        ("units=1024, epochs=50", "units=1, epochs=0"),
        ("[8], [32], [128], [512], ", "[1], "),
    ]
    run(excerpt([*QUICK, *edits], end=None))


def test_any_cell_run_again_shows_what_it_showed():
    """After the last cell, all run again, from the last to the first."""
    notebook = excerpt(QUICK)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    again = [cell.copy() for cell in code]
    notebook.cells += again[::-1]
    run(notebook)
    for number, (first, second) in enumerate(zip(code, again), 1):
        assert shown(first) == shown(second), f"code cell {number}"


@pytest.mark.skipif(not os.environ.get("CI"), reason="takes minutes: only in CI")
def test_on_the_stand_in_every_cell_runs_and_only_claims_about_mnist_get_a_cross(tmp_path):
    shutil.copytree(ROOT / "data", tmp_path / "data", ignore=shutil.ignore_patterns("*ubyte*"))
    text = run(excerpt([("load_mnist()", "load_mnist(mirrors=[])")], end=None), tmp_path)
    assert "THIS IS NOT MNIST" in text
    crosses = re.findall("✗ not in this run: (.*)", text)
    assert crosses and all(cross.startswith(CROSSES_ON_THE_STAND_IN) for cross in crosses), crosses


NO_THREADS = """
import threading
def start(thread, start=threading.Thread.start):
    if not type(thread).__module__.startswith("zmq."):      # which carries what the cells show
        raise RuntimeError("can't start new thread")
    start(thread)
threading.Thread.start = start
"""


def test_part_1_runs_on_a_machine_without_threads():
    """As in a browser, with Pyodide."""
    assert CHECKED in run(excerpt([*QUICK, ("import base64\n", f"{NO_THREADS}import base64\n")]))
