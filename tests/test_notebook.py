"""The stored notebook: a fresh, whole run, whose figures are those of the model file and the README."""

import ast
import re
import sys

import numpy as np
import pytest
from notebook import MODEL, PATH, ROOT, code_cells, output_text, source, stored

ALLOWED = {"numpy", "matplotlib", "IPython", "ipywidgets"}


def test_format_and_kernel():
    notebook = stored()
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    assert "widgets" not in notebook["metadata"]
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids)


def test_stored_as_a_fresh_run():
    counts = [cell["execution_count"] for cell in code_cells()]
    assert counts == list(range(1, len(counts) + 1))


def test_no_error_no_stderr_no_machine_path():
    for number, cell in enumerate(code_cells(), 1):
        for output in cell["outputs"]:
            assert output["output_type"] != "error" and output.get("name") != "stderr", f"code cell {number}"
    assert not re.search(r"/(root|home|tmp|Users|usr|opt)/|[A-Z]:\\", output_text())


def test_imports_only_the_allowed_packages():
    for number, cell in enumerate(code_cells(), 1):
        for node in ast.walk(ast.parse(source(cell))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            for name in (name.split(".")[0] for name in names):
                assert name in ALLOWED | sys.stdlib_module_names, f"code cell {number} imports {name}"


def test_nothing_pickled_and_no_global_random_state():
    text = "\n".join(source(cell) for cell in code_cells())
    assert "allow_pickle=True" not in text and "import pickle" not in text
    assert text.count("np.load(") == text.count("allow_pickle=False")
    assert set(re.findall(r"np\.random\.(\w+)", text)) <= {"default_rng"}


def test_small_enough_and_cells_fit_on_a_screen():
    assert PATH.stat().st_size < 2_000_000
    for number, cell in enumerate(code_cells(), 1):
        assert len(source(cell).splitlines()) <= 45, f"code cell {number}"


def test_definition_cells_only_define():
    """So that the tests can take them out of the notebook without running the rest."""
    allowed = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.Assign, ast.For)
    for number, cell in enumerate(code_cells(), 1):
        if "definitions" in cell["metadata"].get("tags", []):
            kinds = {type(node) for node in ast.parse(source(cell)).body}
            assert kinds <= set(allowed), f"code cell {number}"
            assert not cell["outputs"], f"code cell {number}"


def test_every_function_has_a_docstring():
    for cell in code_cells():
        for node in ast.parse(source(cell)).body:
            assert not isinstance(node, ast.FunctionDef) or ast.get_docstring(node), node.name


def test_the_table_of_contents_links_to_anchors():
    text = "\n".join(source(cell) for cell in stored()["cells"] if cell["cell_type"] == "markdown")
    links = re.findall(r"\]\(#([\w-]+)\)", text)
    anchors = re.findall(r'<a id="([\w-]+)"></a>', text)
    assert links and set(links) <= set(anchors) and len(set(anchors)) == len(anchors)


def figures():
    """The figures kept in the model file: {name: text}."""
    with np.load(MODEL, allow_pickle=False) as file:
        return dict(zip(file["figure_names"].tolist(), file["figure_values"].tolist()))


def test_model_file_is_plain_float32(nn):
    W1, b1, W2, b2 = nn.load_model(MODEL)
    assert [P.shape for P in (W1, b1, W2, b2)] == [(784, 128), (128,), (128, 10), (10,)]
    assert {P.dtype for P in (W1, b1, W2, b2)} == {np.dtype(np.float32)}


def test_model_scores_what_it_says(nn, mnist):
    X, y = nn.as_rows(mnist[2]), mnist[3]
    loss, accuracy = nn.loss_and_accuracy(X, y, *nn.load_model(MODEL))
    stated = figures()
    assert accuracy >= 0.98
    stated_accuracy = float(stated["test accuracy, 128 hidden units"].rstrip("%"))
    assert 100 * accuracy == pytest.approx(stated_accuracy, abs=0.021)
    assert loss == pytest.approx(float(stated["test loss (cross-entropy)"]), abs=0.0011)


def test_notebook_shows_the_figures_of_the_model_file():
    """Beside the table at the top, the stored run itself printed these numbers."""
    text, stated = output_text(), figures()
    for name, value in stated.items():
        assert f"| {name} | {value} |" in text, name
        if name.startswith("test "):
            assert f"≈{value}" in text, f"the model file is not from the stored run: {name} {value}"
    mean = stated["the same, mean ± standard deviation of five seeds"].split(" ")[0]
    assert f"mean ≈{mean}" in text


def test_pad_network_scores_what_the_notebook_says(nn, mnist):
    network = nn.load_model(ROOT / "data" / "pad_model.npz")
    accuracy = nn.loss_and_accuracy(nn.as_rows(mnist[2]), mnist[3], *network)[1]
    stated = float(figures()["test accuracy, 256 hidden units, trained on warped images"].rstrip("%"))
    assert network[0].shape == (784, 256) and 100 * accuracy == pytest.approx(stated, abs=0.021)


def benchmark():
    """The text of the benchmark, and its first table as {contender: [(seconds, ratio) at each setting]}."""
    text = (ROOT / "tests" / "benchmark.md").read_text(encoding="utf-8").strip()
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.split("\n\n")[0].splitlines()
    ]
    numbers = {
        name: [(float(cell.split()[0]), float((re.findall(r"\((.*)\)", cell) or ["1"])[0])) for cell in cells]
        for name, *cells in rows[2:]
    }
    return text, numbers


def test_readme_and_notebook_show_the_benchmark_as_it_was_measured():
    text = benchmark()[0]
    epochs, *_, notes = text.split("\n\n")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text in output_text() and epochs in readme and notes in readme


def test_readme_shows_the_figures_of_the_model_file():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for name, value in figures().items():
        assert f"| {name} | {value} |" in readme, f"README: {name} should be {value}"


def test_what_we_say_of_the_benchmark():
    """README and section 16 in words: who is faster, on one thread and on all, and where a step's time goes."""
    text, numbers = benchmark()
    ratios = {name: [ratio for _, ratio in cells] for name, cells in numbers.items()}
    seconds = {name: [time for time, _ in cells] for name, cells in numbers.items()}
    assert all(0.45 <= ratio <= 0.78 for ratio in ratios["torch, 1 thread"][:3])
    level, wide = ratios["torch, all threads"][2:]
    assert ratios["torch, all threads"][0] < 0.75 and 0.9 < level < 1.1 and wide > 1.2
    ours, *both = (
        seconds[f"notebook, {how}"] for how in ("1 thread", "all threads", "section 13's two workers")
    )
    assert all(
        other[-1] < 0.9 * ours[-1] and min(a / b for a, b in zip(other, ours[:3])) > 0.95 for other in both
    )
    assert all(ratio < 2 for ratio in ratios["the matrix products alone"])
    step = {row.split("|")[1].strip(): row.split("|")[2:4] for row in text.split("\n\n")[2].splitlines()[2:]}
    shares = [float(a) / float(b) for a, b in zip(step["the five matrix products"], step["a whole step"])]
    assert 0.6 < shares[0] < 0.67 and 0.77 < shares[1] < 0.83
