"""The notebook as the tests see it: its cells, and the functions that its `definitions` cells define."""

import json
import sys
from functools import cache
from pathlib import Path
from types import SimpleNamespace

ROOT = Path(__file__).resolve().parent.parent
PATH = ROOT / "neural_network_from_scratch.ipynb"
MODEL = ROOT / "mnist_model.npz"


def stored():
    """The stored notebook, as the dictionary that its JSON is."""
    return json.loads(PATH.read_text(encoding="utf-8"))


def source(cell):
    """The text of a cell."""
    return "".join(cell["source"])


def code_cells():
    """The code cells, in order."""
    return [cell for cell in stored()["cells"] if cell["cell_type"] == "code"]


def output_text():
    """All that the stored run printed or displayed as text."""
    texts = []
    for cell in code_cells():
        for output in cell["outputs"]:
            data = output.get("data", {})
            texts += [output.get("text", ""), data.get("text/markdown", ""), data.get("text/plain", "")]
    return "\n".join("".join(text) for text in texts)


@cache
def functions():
    """Everything that the cells tagged `definitions` define, as attributes."""
    space, main = {"__name__": "notebook"}, sys.modules["__main__"]
    for number, cell in enumerate(code_cells(), 1):
        if "definitions" in cell["metadata"].get("tags", []):
            exec(compile(source(cell), f"code cell {number}", "exec"), space)
    sys.modules["__main__"] = main  # where IPython, which the figures' settings start, has put its own
    return SimpleNamespace(**space)
