"""Can a learner change anything, run cells in any order, and hand Part I out as an assignment?"""

import os
import re
import shlex
import shutil
import subprocess
import sys

import nbformat
import pytest
from nbclient import NotebookClient
from page import PATH, ROOT

FEW = "images, labels, test_images, y_test = images[:3000], labels[:3000], test_images[:1500], y_test[:1500]"
QUICK = [("[0.5] * 9 + [0.05] * 3", "[0.5] * 2"), ("= load_mnist()", f"= load_mnist()\n{FEW}")]
EDITS = {  # what is changed: the changes, and what the page must then say
    "hidden 16, rate 10, seed 7": ([("hidden = 128", "hidden = 16"), ("[0.5] * 2", "[10.0] * 2"),
        ("SEED = 0", "SEED = 7")], ["✗ not in this run: the network reads at least 97.9%"]),
    "only the digits 0 and 1": ([
        ("y_test[:1500]", "y_test[:1500]\nimages, labels = images[labels < 2], labels[labels < 2]\n"
         "test_images, y_test = test_images[y_test < 2], y_test[y_test < 2]")], ["✓ backward is right"]),
    "float64, tanh": ([
        ("astype(np.float32) / 255", "astype(np.float64) / 255"), ("A1 = relu(Z1)", "A1 = np.tanh(Z1)"),
        ("dZ1 = dA1 * (Z1 > 0)", "dZ1 = dA1 * (1 - A1**2)")], ["✓ backward is right in every parameter"]),
}  # fmt: skip
CROSSES_ON_THE_STAND_IN = [
    "the mean of five seeds is at least 98.0%",
    "the second half is easier, by more than half a point",
    "by its own recipe, each network comes within half a point of its claim, or above it",
]


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
    outputs = cell.outputs if cell.cell_type == "code" else []
    parts = [out.get("text", "") + str(out.get("data", "")) for out in outputs if out.get("name") != "stderr"]
    return re.sub(r"≈[\d.]+ s", "", "".join(parts))


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_stops_no_cell_and_crosses_say_what_no_longer_holds(edit):
    changes, sentences = EDITS[edit]
    text = run(excerpt([*QUICK, *changes]))
    assert all(sentence in text for sentence in sentences)


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
def test_on_the_stand_in_every_cell_runs_and_just_these_claims_get_a_cross(tmp_path):
    (tmp_path / "data").mkdir()
    shutil.copy(ROOT / "data" / "drawn_digits.npz", tmp_path / "data")
    text = run(excerpt([("load_mnist()", "load_mnist(mirrors=[])")], end=None), tmp_path)
    assert "THIS IS NOT MNIST" in text
    assert re.findall("✗ not in this run: (.*)", text) == CROSSES_ON_THE_STAND_IN


WRONG = {
    "relu": ("np.maximum(Z, 0)", "np.abs(Z)"),
    "softmax": ("E / E.sum(axis=1, keepdims=True)", "E / E.sum()"),
    "init_params": ("(2 / n_in) ** 0.5", "(2 / n_in)"),
    "forward": ("A1 @ W2 + b2", "Z1 @ W2 + b2"),
    "predict": (".argmax(axis=1)", ".argmin(axis=1)"),
    "cross_entropy": ("/ len(Y))", ")"),
    "backward": ("db1 = dZ1.sum(axis=0)", "db1 = dZ1.sum()"),
}


def test_the_readmes_line_makes_an_assignment_without_the_seven_functions(tmp_path):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    line = re.search(r"^jupyter (nbconvert .*solution.*)$", readme, re.M)[1]
    command = [sys.executable, "-m", *shlex.split(line), "--output-dir", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    left = {cell.id for cell in nbformat.read(tmp_path / "assignment.ipynb", 4).cells}
    gone = [cell.source for cell in excerpt(end=None).cells if cell.id not in left]
    assert [re.search(r"def (\w+)", source)[1] for source in gone] == list(WRONG)


@pytest.mark.parametrize("wrong", [None, *WRONG])
def test_the_assignments_checks_tell_right_answers_from_wrong_ones(wrong):
    answers = [WRONG[wrong]] if wrong else []
    text = run(excerpt([*QUICK, *answers], end="Formula and measurement agree"))
    crosses = re.findall("✗ not in this run: (.*)", text)
    assert any(wrong in sentence for sentence in crosses) if wrong else not crosses
