"""Section 15's promise: the whole notebook runs on anybody's images."""

import re

import nbformat
import numpy as np
from nbclient import NotebookClient
from notebook import PATH, ROOT


def own_images(rng, m):
    """m made-up images as rows `label,pixels`: not digits, but stripes at ten slopes, in noise."""
    y = rng.integers(10, size=m)
    row, column = np.mgrid[:28, :28] / 28
    angle = np.pi * y[:, None, None] / 10
    stripes = np.sin(20 * (row * np.cos(angle) + column * np.sin(angle)))
    pixels = np.clip(128 + 90 * stripes + rng.normal(0, 40, (m, 28, 28)), 0, 255).astype(int)
    return np.column_stack([y, pixels.reshape(m, 784)])


def test_the_whole_notebook_runs_on_own_images(tmp_path, rng):
    """The recipe of section 15, as it stands there, put behind the cell that loads MNIST."""
    (tmp_path / "data").mkdir()
    for name in ("drawn_digits.npz", "pad_model.npz"):
        (tmp_path / "data" / name).write_bytes((ROOT / "data" / name).read_bytes())
    (tmp_path / "mnist_model.npz").write_bytes((ROOT / "mnist_model.npz").read_bytes())
    for name, m in (("train.csv", 3000), ("test.csv", 500)):
        np.savetxt(tmp_path / name, own_images(rng, m), fmt="%d", delimiter=",")
    notebook = nbformat.read(PATH, 4)
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    recipe = re.search(r"```python\n(X_all, y_all = load_csv.*?)```", text, re.DOTALL).group(1)
    reader = next(cell.source for cell in notebook.cells if cell.source.startswith("def load_csv("))
    place = next(k for k, cell in enumerate(notebook.cells) if "source = load_mnist()" in cell.source)
    cells = [nbformat.v4.new_code_cell(code) for code in (reader, recipe)]
    notebook.cells[place + 1 : place + 1] = cells
    client = NotebookClient(notebook, timeout=600, resources={"metadata": {"path": tmp_path}})
    client.execute()
    outputs = "\n".join(out.get("text", "") for cell in notebook.cells for out in cell.get("outputs", []))
    assert "on my images" in outputs
    assert (tmp_path / "mnist_model.npz").read_bytes() == (ROOT / "mnist_model.npz").read_bytes()
