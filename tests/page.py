"""What do the tests take from the notebook, and on which data do they run? A pytest plugin, named in pytest.ini.

On the stand-in (no MNIST in data/, and no mirror within reach) the stored outputs, which are MNIST's, can't be
compared. The notebook then runs as in nbval's lax mode: its errors count, its outputs do not.
"""

import json
import sys
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
PATH = ROOT / "neural_network_from_scratch.ipynb"
STORED = json.loads(PATH.read_text(encoding="utf-8"))
for cell in STORED["cells"]:
    cell["source"] = "".join(cell["source"])
CODE = [cell for cell in STORED["cells"] if cell["cell_type"] == "code"]
SOURCES = "\n\n".join(cell["source"] for cell in CODE)
PROSE = "\n\n".join(cell["source"] for cell in STORED["cells"] if cell["cell_type"] == "markdown")
OUTPUTS = [output for cell in CODE for output in cell["outputs"]]
PRINTED = "\n".join("".join(out.get("text", out.get("data", {}).get("text/plain", ""))) for out in OUTPUTS)


@cache
def functions():
    """Everything that the cells tagged `definitions` define, as attributes."""
    space, main = {"__name__": "notebook"}, sys.modules["__main__"]
    for number, cell in enumerate(CODE, 1):
        if "definitions" in cell["metadata"].get("tags", []):
            exec(compile(cell["source"], f"code cell {number}", "exec"), space)
    sys.modules["__main__"] = main  # where IPython, which the figures' settings start, has put its own
    return SimpleNamespace(**space)


@cache
def data():
    """What the notebook's load_mnist returns: four arrays, and whether they are MNIST."""
    return functions().load_mnist(ROOT / "data")


def pytest_configure(config):
    """Let nbval find its rules, whatever the folder pytest is started in."""
    config.option.nbval_sanitize_with = str(ROOT / "tests" / "sanitize.cfg")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Mark the notebook's cells as slow."""
    for item in items:
        if hasattr(item, "cell"):
            item.add_marker("slow")


def pytest_report_collectionfinish(config, items):
    """Before the notebook runs, look for MNIST as it does, and say on which data all runs."""
    cells = [item for item in items if hasattr(item, "cell")]
    if config.option.collectonly or not cells:
        return []
    if data()[-1]:
        return "data: MNIST; outputs are compared"
    for item in cells:
        item.options["check"] = False
    return "data: NOT MNIST but the stand-in; outputs are not compared, errors count"


@pytest.fixture(scope="session")
def nn():
    """The functions of the notebook."""
    return functions()


@pytest.fixture
def rng():
    """A generator that is the same for every test."""
    return np.random.default_rng(7)


@pytest.fixture(scope="session")
def mnist():
    """X_train, y_train, X_test, y_test: the real MNIST, as it is on disk."""
    *arrays, is_mnist = data()
    return arrays if is_mnist else pytest.skip("MNIST is not here, nor within reach")
