"""Can a learner change anything, run cells in any order, and do without MNIST or threads?"""

import re
import shutil

import nbformat
import pytest
from nbclient import NotebookClient
from page import PATH, ROOT

pytestmark = pytest.mark.slow
FEW = "images, labels, test_images, y_test = images[:1200], labels[:1200], test_images[:600], y_test[:600]"
LOAD = "= load_mnist()"
QUICK = [
    ("[0.5] * 9 + [0.05] * 3", "[0.5] * 2"),
    (LOAD, f"{LOAD}\n{FEW}"),
    ("in range(1, 5):", "in range(1, 2):"),
    ('"retina"', '"png"'),
    ('"constrained_layout.use": True', '"constrained_layout.use": False'),
]
CHECKED = "✓ backward agrees with the measured slope"  # whatever is changed


def forward_with(a1, dz1):
    """The edits that put another activation into the cell of section 2, into forward and into backward."""
    return [
        ("A1 = np.maximum(Z1, 0)", f"A1 = {a1}"), ("A1 = relu(Z1)", f"A1 = {a1}"),
        ("dZ1 = dZ2 @ W2.T * (Z1 > 0)", f"dA1 = dZ2 @ W2.T\n        dZ1 = {dz1}"),
        ("dZ1 = dA1 * (Z1 > 0)\n    dW1", f"dZ1 = {dz1}\n    dW1"),
    ]  # fmt: skip


EDITS = {  # what is changed: what the page then says, and every (old, new) text
    "one hidden unit, rate 10, seed 7": (
        "✗ not in this run: the five networks reach",
        [("hidden = 128", "hidden = 1"), ("[0.5] * 2", "[10.0] * 2"), ("SEED = 0", "SEED = 7")]),
    "not scaled, rate 1e30, no seed": (
        "is not written",
        [("/ np.float32(255), labels", ", labels"), ("[0.5] * 2", "[1e30] * 2"), ("SEED = 0", "SEED = None")]),
    "only the digits 0 and 1, standardised, batches of 1": (
        CHECKED,
        [("y_test[:600]", "y_test[:600]\nimages, labels = images[labels < 2], labels[labels < 2]\n"
          "test_images, y_test = test_images[y_test < 2], y_test[y_test < 2]"),
         ("X_test = test_images / np.float32(255)", "X_test = (test_images - 33) / np.float32(78)"),
         ("batch_size = 64", "batch_size = 1"), ("[0.5] * 2", "[0.01]")]),
    "float64, tanh, ten images, larger batches": (
        CHECKED,
        [("np.float32(255), labels", "255, labels"), *forward_with("np.tanh(Z1)", "dA1 * (1 - A1**2)"),
         ("images[:1200], labels[:1200]", "images[:10], labels[:10]"), ("batch_size = 64", "batch_size = 100_000")]),
    "leaky ReLU, labels shuffled": (
        CHECKED,
        [("y_test[:600]", "y_test[:600]\nnp.random.default_rng(1).shuffle(labels[:600])"),
         *forward_with("np.where(Z1 > 0, Z1, 0.1 * Z1)", "dA1 * np.where(Z1 > 0, 1, 0.1)")]),
}  # fmt: skip


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
    words, edits = EDITS[edit]
    text = run(excerpt([*QUICK, *edits]))
    assert CHECKED in text and words in text


NO_THREADS = """
import threading
def start(thread, start=threading.Thread.start):
    if not type(thread).__module__.startswith("zmq."):      # which carries what the cells show
        raise RuntimeError("can't start new thread")
    start(thread)
threading.Thread.start = start
"""


def test_part_1_needs_no_threads_and_any_cell_run_again_shows_what_it_showed():
    """As in a browser, with Pyodide. After the last cell, all run again, from the last to the first."""
    notebook = excerpt([*QUICK, ("import base64\n", f"{NO_THREADS}import base64\n")])
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    again = [cell.copy() for cell in code]
    notebook.cells += again[::-1]
    assert CHECKED in run(notebook)
    for number, (first, second) in enumerate(zip(code, again), 1):
        assert shown(first) == shown(second), f"code cell {number}"


SHORT_PART_2 = [  # fewer images, seeds and epochs, and some cases less
    (LOAD, "= load_mnist(mirrors=[])"),
    ("try_rates = [0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10]", "try_rates = []"),
    ("(noisy, [0, 0.15, 0.3, 0.45])", "(noisy, [0.2])"),
    ('    "pixels": {"warps": False, "numbers": False},\n', ""),
    ("units=1024,\n    epochs=50", "units=1, epochs=0"),
    ("[8], [32], [128], [512], ", "[1], "),
    ("range(5)", "range(2)"), ("range(8)", "range(2)"), ("(rate, 20)", "(rate, 1)"),
    ("* 23", "* 1"), ("* 25", "* 1"), ("* 10, 32", "* 1, 32"), ("[rate] * 4", "[rate]"),
]  # fmt: skip
ABOUT_LEARNING = (  # the claims that so little training, or another test set, may refute
    "the five networks reach", "the second half of the test set", "with our additions", "batches of 256",
    "512 units beat 128", "label smoothing", "100 numbers beat pixels", "the joined network", "on noise",
)  # fmt: skip


def test_on_the_stand_in_every_cell_runs_and_only_claims_about_learning_get_a_cross(tmp_path):
    """In a folder without MNIST, with no mirror, and with edits in Part II."""
    shutil.copytree(ROOT / "data", tmp_path / "data", ignore=shutil.ignore_patterns("*ubyte*"))
    text = run(excerpt([*QUICK, *SHORT_PART_2], end=None), tmp_path)
    assert "THIS IS NOT MNIST" in text and CHECKED in text
    crosses = re.findall("✗ not in this run: (.*)", text)
    assert crosses and all(cross.startswith(ABOUT_LEARNING) for cross in crosses), crosses
