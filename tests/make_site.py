"""Build a page to try without installing: the notebook as index.html, with its pad in section 9, and the pad alone.

    python tests/make_site.py          # into site/, or into the folder named behind it

Only the formulas need the internet: MathJax sets them, and without it they stay as they are typed.
"""

import ast
import html
import re
import shutil
import sys
from pathlib import Path

import nbformat
from nbconvert import HTMLExporter

ROOT = Path(__file__).resolve().parent.parent
HEADER = "Draw a digit on [the pad](pad.html), or read how the network behind it works."


def descriptions(cell):
    """Return a text for each figure of a cell: the title that the code gives it, where it has one."""
    figures = sum("image/png" in output.get("data", {}) for output in cell.get("outputs", []))
    calls = [
        node for node in ast.walk(ast.parse(cell.source if figures else "")) if isinstance(node, ast.Call)
    ]
    titles = []
    for call in sorted(calls, key=lambda call: call.lineno):
        name = getattr(call.func, "attr", getattr(call.func, "id", ""))
        titles += {"suptitle": call.args[:1], "title": call.args[:1], "show_digits": call.args[3:4]}.get(
            name, []
        )
        titles += [word.value for word in call.keywords if word.arg == "title" and name == "set"]
    texts = [ast.unparse(title).strip("f'\"") for title in titles[-figures:]]
    return (texts + ["The text below says what this figure shows"] * figures)[:figures]


def build(folder):
    """Write index.html and pad.html into a new folder, or into one that has nothing else in it."""
    folder.mkdir(parents=True, exist_ok=True)
    if others := sorted({path.name for path in folder.iterdir()} - {"index.html", "pad.html"}):
        sys.exit(f"{folder} holds other files: {', '.join(others)}")
    notebook = nbformat.read(ROOT / "neural_network_from_scratch.ipynb", 4)
    notebook.metadata.title = "A neural network from scratch"
    notebook.cells.insert(0, nbformat.v4.new_markdown_cell(HEADER))
    described = iter([text for cell in notebook.cells for text in descriptions(cell)])
    page, _ = HTMLExporter(require_js_url="data:text/javascript,").from_notebook_node(notebook)
    page = re.sub(
        'alt="No description has been provided for this image"',
        lambda _: f'alt="{html.escape(next(described))}"',
        page,
    )
    (folder / "index.html").write_text(page, encoding="utf-8")
    shutil.copyfile(ROOT / "data" / "digit_pad.html", folder / "pad.html")


if __name__ == "__main__":
    build(Path(*sys.argv[1:2] or [ROOT / "site"]))
