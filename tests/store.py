"""Run the whole notebook in a fresh kernel and store it with its outputs, as small and as plain as it gets.

    python tests/store.py              # with --no-run: keep the outputs, for a change of text alone

Jupyter's time stamps and an editor's marks are left out, so that a diff shows what has changed. Figures are stored
with at most 256 colours each, which nobody can tell apart, and which takes less than half the space.
"""

import base64
import io
import os
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from PIL import Image

PATH = Path(__file__).resolve().parent.parent / "neural_network_from_scratch.ipynb"
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def smaller(png):
    """A PNG (base64 text) with at most 256 colours, if that is smaller. A second time changes nothing."""
    image = Image.open(io.BytesIO(base64.b64decode(png)))
    if image.mode == "P":
        return png
    image = image.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    image.save(packed := io.BytesIO(), "PNG", optimize=True)
    return min(base64.b64encode(packed.getvalue()).decode(), png.replace("\n", ""), key=len)


def tidy(notebook):
    """The notebook without what an editor or a run adds to it, and with smaller figures."""
    notebook.metadata = METADATA
    for cell in notebook.cells:
        if not cell.get("attachments"):
            cell.pop("attachments", None)
        cell.metadata = {"tags": cell.metadata.tags} if cell.metadata.get("tags") else {}
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                output.data["image/png"] = smaller(output.data["image/png"])
    return notebook


def main():
    """Run, tidy, and replace the file when all is done."""
    notebook, folder = nbformat.read(PATH, 4), {"metadata": {"path": str(PATH.parent)}}
    if sys.argv[1:] != ["--no-run"]:
        NotebookClient(notebook, record_timing=False, coalesce_streams=True, resources=folder).execute()
    part = PATH.with_name(PATH.name + ".part")
    nbformat.write(tidy(notebook), part)
    os.replace(part, PATH)
    print(f"{PATH.name}: {PATH.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
