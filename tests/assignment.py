"""Make the assignment, Part I with checks.py in place of seven functions: python tests/assignment.py [path]"""

import re
import sys
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell

ROOT = Path(__file__).resolve().parent.parent
FIRST = """**Assignment.** Write seven functions, where it says `# your code here`. Their formulas stand above them. The
cell behind each one checks it, and says *not written yet*, *right*, or what was expected and what was found. Choose
*Run All* as often as you like: a cell that needs a missing function shows an error, and the next one runs all the same.
The last line counts the checks passed. Section 8 and Part II are left out, because they hold the answers."""
LEFT_OUT = "And here is|rng = .*one_cell|show_digits.*answers|That is all of it|start = init_params"
EDITS = {  # what gives an answer away, or speaks of what is left out, and what takes its place
    r"^(d[AWZb][12] = [^\n]*\n)+": "# your code here\n",
    r'\nclaim\("(forward finds|train ends).*': "",
    r'^claim\("backward.*': r'if passed.get("relu") and passed.get("forward"):  # it calls them\n    \g<0>',
    r"\n*<details>.*?</details>|To use the network elsewhere.*?(?=\*\*What you can do now)": "",
    r"The whole network in one cell": "Settings",
    r", 8 How wrong can `backward` be\?|\n+\*Part II, experiments.*|, as in section 2(?=\.)": "",
    r"The network and its accuracy are the same as in section 2:": "",
}


def make():
    """Return the assignment as a notebook."""
    text = (ROOT / "tests" / "checks.py").read_text(encoding="utf-8")
    parts = re.findall(r"^# %% (\w+)\n(.*?)\s*(?=^# %%|\Z)", text, re.M | re.S)
    checks = {n: new_code_cell(part, id=f"check_{n}", metadata={"tags": ["check"]}) for n, part in parts}
    body = rf'^(def ({"|".join(checks)})\([^"]*""".*?""")(\n+    [^\n]*)*'  # and the lines before it
    notebook = nbformat.read(ROOT / "neural_network_from_scratch.ipynb", 4)
    cells, section = [new_markdown_cell(FIRST, id="assignment")], 0
    for cell in notebook.cells:
        section = (re.match(r"## (\d+)", cell.source) or [0, section])[1]
        if cell.source.startswith("# Part II"):
            break
        if section == "8" or re.match(LEFT_OUT, cell.source, re.S):
            continue
        for pattern, new in EDITS.items():
            cell.source = re.sub(pattern, new, cell.source, flags=re.M | re.S)
        if "# your code here" in cell.source:  # a step of section 5: its numbers stay
            cell.source += "\n# expected: " + cell.outputs[0].text.strip()
        cells.append(cell)
        if "solution" in cell.metadata.get("tags", []):
            name = re.search(body, cell.source, re.M | re.S)[2]
            stub = rf'\1\n    # your code here\n    raise NotImplementedError("\2: section {section}")'
            cell.source = re.sub(body, stub, cell.source, flags=re.M | re.S)
            cells += [checks.pop(n) for n in ("helpers", name) if n in checks]
    notebook.cells = [*cells, checks["count"]]
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.update(outputs=[], execution_count=None)
            cell.metadata.tags = [*cell.metadata.get("tags", []), "raises-exception"]
    return notebook


if __name__ == "__main__":
    nbformat.write(make(), sys.argv[1] if len(sys.argv) > 1 else ROOT / "assignment.ipynb")
