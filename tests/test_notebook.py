"""Is the stored notebook a fresh, whole run, and do README and tables say what it printed?"""

import ast
import re
import sys

import numpy as np
import pytest
from notebook import MODEL, PATH, ROOT, code_cells, output_text, source, stored

ALLOWED = {"numpy", "matplotlib", "matplotlib_inline", "IPython"}


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
    assert PATH.stat().st_size < 3_500_000
    for number, cell in enumerate(code_cells(), 1):
        lines = [line for line in source(cell).splitlines() if line.strip()]
        assert len(lines) <= 24 and max(map(len, lines)) <= 95, f"code cell {number}"
        assert "source_hidden" not in str(cell["metadata"]), f"code cell {number} is folded"


def test_definition_cells_only_define():
    """So that the tests can take them out of the notebook without running the rest."""
    allowed = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.Assign, ast.For, ast.Expr)
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


def test_model_file_holds_the_network_of_part_one_and_nothing_else(nn, mnist):
    with np.load(MODEL, allow_pickle=False) as file:
        assert sorted(file.files) == ["W1", "W2", "b1", "b2"]
    params = nn.load_model(MODEL)
    assert [P.shape for P in params] == [(784, 128), (128,), (128, 10), (10,)]
    loss, accuracy = nn.loss_and_accuracy(nn.as_rows(mnist[2]), mnist[3], *params)
    printed = float(re.search(r"test accuracy ≈([\d.]+)%", output_text())[1])
    assert 100 * accuracy == pytest.approx(printed, abs=0.011), "the model is not the stored run's"


PRINTED = {  # what a row of the tables must repeat: a pattern in the stored outputs
    "Part I: 128": r"five seeds: mean ≈(?P<a>[\d.]+%), standard deviation ≈(?P<b>[\d.]+) points",
    "test loss": r"test accuracy ≈[\d.]+%, test loss ≈(?P<a>[\d.]+)",
    "training it": r"trained in ≈(?P<a>[\d.]+) s",
    "Part II: two": r"joined: test accuracy ≈(?P<a>[\d.]+%)",
    "training those": r"members trained in ≈(?P<a>[\d.]+) s",
    "*Run All*": r"from the first setting to here: ≈(?P<a>[\d.]+) s",
}


@pytest.mark.parametrize("row", PRINTED)
def test_the_tables_of_results_repeat_what_the_run_printed(row):
    groups = re.search(PRINTED[row], output_text()).groups()
    for text in (source(stored()["cells"][0]), (ROOT / "README.md").read_text(encoding="utf-8")):
        line = next(line for line in text.splitlines() if line.startswith(f"| {row}"))
        assert all(group in line for group in groups), f"{line} should say {groups}"


def test_readme_and_notebook_show_the_benchmark_as_it_was_measured():
    table = (ROOT / "tests" / "benchmark.md").read_text(encoding="utf-8").split("\n\n")[0]
    text = "\n".join(source(cell) for cell in stored()["cells"] if cell["cell_type"] == "markdown")
    assert table in text and table in (ROOT / "README.md").read_text(encoding="utf-8")
