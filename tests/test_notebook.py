"""Is the stored notebook a fresh, whole run, and do README, tables and site say what it printed?"""

import ast
import re
import subprocess
import sys

import nbformat
import numpy as np
import pytest
import store
from make_site import build
from page import CODE, OUTPUTS, PATH, PRINTED, PROSE, ROOT, SOURCES, STORED

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_file_is_a_fresh_run_that_store_py_has_tidied():
    assert (STORED["nbformat"], STORED["nbformat_minor"]) == (4, 5) and PATH.stat().st_size < 2_400_000
    assert len({cell["id"] for cell in STORED["cells"]}) == len(STORED["cells"])
    assert [cell["execution_count"] for cell in CODE] == list(range(1, len(CODE) + 1))
    assert not any(out["output_type"] == "error" or out.get("name") == "stderr" for out in OUTPUTS)
    assert not re.search(r"/(root|home|tmp|Users|usr|opt)/|[A-Z]:\\", PRINTED), "a path of some machine"
    assert store.tidy(nbformat.read(PATH, 4)) == nbformat.read(PATH, 4), "run python tests/store.py --no-run"


def test_no_claim_has_a_stored_cross():
    assert not re.findall("✗.*", PRINTED)


def test_code_fits_on_a_screen_says_what_it_does_and_needs_only_allowed_packages():
    """Nothing is pickled, and there is no global random state."""
    for number, cell in enumerate(CODE, 1):
        lines = [line for line in cell["source"].splitlines() if line.strip()]
        assert len(lines) <= 24 and max(map(len, lines)) <= 95, f"code cell {number}"
        for node in ast.parse(cell["source"]).body:
            assert not isinstance(node, ast.FunctionDef) or ast.get_docstring(node), node.name
    allowed = {"numpy", "matplotlib", "matplotlib_inline", "IPython", *sys.stdlib_module_names}
    assert {*re.findall(r"^ *(?:import|from) (\w+)", SOURCES, re.M)} <= allowed - {"pickle", "random"}
    assert SOURCES.count("np.load(") == SOURCES.count("allow_pickle=False")


def test_the_readme_shows_the_settings_and_the_whole_network_as_the_notebook_has_them():
    begins = "SEED = ", "rng = np.random.default_rng(SEED)\nW1 = "
    settings, network = (next(c["source"] for c in CODE if c["source"].startswith(begin)) for begin in begins)
    lines = f"{settings}\n{network}".splitlines()
    shown = [line for line in lines if not line.startswith(("assert", "one_cell"))]
    assert "```python\n" + "\n".join(shown) + "\n```" in README


def test_three_lines_use_a_saved_network_without_the_notebook(nn, rng, tmp_path):
    X, params = rng.random((50, 784), dtype=np.float32), nn.init_params(784, 8, 10, rng)
    nn.save_model(tmp_path / "my_model.npz", *params)
    np.save(tmp_path / "X.npy", X)
    [code] = re.findall(r"```python\n(import numpy as np\nW1, b1.*?)```", PROSE, re.S)
    code = code.replace("digits =", "X = np.load('X.npy')\ndigits =") + "print(*digits)"
    said = subprocess.check_output([sys.executable, "-I", "-c", code], cwd=tmp_path, text=True)
    assert said.split() == [str(digit) for digit in nn.predict(X, *params)]


def test_the_model_file_holds_the_network_of_the_stored_run(nn, mnist):
    params = nn.load_model(ROOT / "mnist_model.npz")
    accuracy = np.mean(nn.predict(mnist[2], *params) == mnist[3])
    printed = float(re.search(r"test accuracy ([\d.]+)%, test loss", PRINTED)[1])
    assert 100 * accuracy == pytest.approx(printed, abs=0.011), "copy my_model.npz to mnist_model.npz"


ROWS = {  # what a row of README's table must repeat: patterns in the stored outputs and the text
    "Part I: 128": [r"accuracy of at least 98.0% \(found ([\d.]+%)\)", r"standard deviation ([\d.]+) points"],
    "test loss": [r"loss of at most 0.075 \(([\d.]+)\)"],
    "Part II: two": [r"the mean of three seeds is ([\d.]+%)"],
}


@pytest.mark.parametrize("row", ROWS)
def test_the_readmes_results_repeat_what_the_run_and_the_benchmark_printed(row):
    line = next(line for line in README.splitlines() if line.startswith(f"| {row}"))
    printed = {re.search(pattern, PRINTED + PROSE)[1] for pattern in ROWS[row]}
    assert printed <= {*re.findall(r"[\d.]+%?", line)}, line
    table = (ROOT / "tests" / "benchmark.md").read_text(encoding="utf-8").split("\n\n")[0]
    assert table in PROSE and table in README


def test_maths_html_and_links_follow_githubs_rules():
    for text in (cell["source"] for cell in STORED["cells"] if cell["cell_type"] == "markdown"):
        code_free = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.S)
        without = re.sub(r"(?:^|\n\n)\$\$\n(?:.*\S.*\n)+?\$\$(?=\n\n|\n?$)", "", code_free)
        assert "$$" not in without, "$$ stands on lines of its own between empty ones, no empty line within"
        assert without.count("$") % 2 == 0, text[:60]
        assert not re.search(r"\\\(|\\\[|\\label|\\tag|\\newcommand|\\def\b", code_free), text[:60]
        assert not re.search(r"<(script|style|iframe|img)", text), "GitHub takes these out"
        assert not re.search(r"\]\(#|<a id=", text), "few viewers follow links inside the page"


@pytest.mark.slow
def test_the_site_is_two_whole_pages_that_ask_only_mathjax(tmp_path):
    build(tmp_path / "site")
    pages = {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "site").iterdir()}
    assert pages.pop("pad.html") == (ROOT / "data" / "digit_pad.html").read_text(encoding="utf-8")
    page = pages.pop("index.html")
    tags = "\n".join(re.findall(r"<[a-z][^>]*>", page))
    links = {*re.findall(r'\bhref="([^"]*)"', tags)}
    assert {link for link in links if not re.match("#|https://", link)} == {"pad.html"} and not pages
    sources = [source for source in re.findall(r'\bsrc="([^"]{1,200})', tags) if source[:5] != "data:"]
    assert len(sources) == 1 and "mathjax" in sources[0]
    styles = "".join(re.findall("(?s)<style.*?</style>", page))
    assert not re.search(r"url\([\"']?(?!data:|#)|@import", styles)
    assert len(re.findall(r'class="jp-Cell jp-', tags)) == len(STORED["cells"]) + 1
    assert "No description" not in page and page.count('alt="') >= tags.count("data:image/png;base64,")
    assert not re.search(r"/(root|home|tmp|Users|work)/|[A-Z]:\\", page), "a path of some machine"
