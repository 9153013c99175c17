"""The notebook as the tests see it: its cells, and the functions that its `definitions` cells define."""

import json
import sys
from functools import cache
from pathlib import Path
from types import SimpleNamespace

ROOT = Path(__file__).resolve().parent.parent
PATH = ROOT / "neural_network_from_scratch.ipynb"
STORED = json.loads(PATH.read_text(encoding="utf-8"))
for cell in STORED["cells"]:
    cell["source"] = "".join(cell["source"])
CODE = [cell for cell in STORED["cells"] if cell["cell_type"] == "code"]
PROSE = "\n\n".join(cell["source"] for cell in STORED["cells"] if cell["cell_type"] == "markdown")
PRINTED = "\n".join(
    "".join(output.get("text", output.get("data", {}).get("text/plain", "")))
    for cell in CODE
    for output in cell["outputs"]
)


@cache
def functions():
    """Everything that the cells tagged `definitions` define, as attributes."""
    space, main = {"__name__": "notebook"}, sys.modules["__main__"]
    for number, cell in enumerate(CODE, 1):
        if "definitions" in cell["metadata"].get("tags", []):
            exec(compile(cell["source"], f"code cell {number}", "exec"), space)
    sys.modules["__main__"] = main  # where IPython, which the figures' settings start, has put its own
    return SimpleNamespace(**space)
