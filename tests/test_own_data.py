"""Section 15's promise: are CSV files read or refused in a sentence, and does all run on anybody's images?"""

import re
import shutil

import numpy as np
import pytest
from page import PROSE, ROOT
from test_learner import excerpt, run


def table(rng, m, digits=10):
    """m made-up images as rows `label,pixels`: not digits, but stripes at ten slopes, in noise."""
    y, angle = np.arange(m) % digits, (np.arange(m) % digits * np.pi / 10)[:, None]
    row, column = np.mgrid[:28, :28].reshape(2, 1, 784) / 28
    stripes = np.sin(20 * (row * np.cos(angle) + column * np.sin(angle)))
    return np.column_stack([y, np.clip(128 + 90 * stripes + rng.normal(0, 40, (m, 784)), 0, 255).astype(int)])


def text(rows):
    """Rows as the text of a CSV file."""
    return "".join(",".join(map(str, row)) + "\n" for row in rows)


def put(row, column, field):
    """A function that gives the table's text with one field replaced."""
    return lambda t: text([*t[:row], [*t[row, :column], field, *t[row, column + 1 :]], *t[row + 1 :]])


HEADER = "label," + ",".join(f"pixel{k}" for k in range(784)) + "\n"
GOOD = {
    "plain": text,
    "quotes": lambda t: re.sub(r"(\w+)", r'"\1"', HEADER + text(t)),
    "mark and header": lambda t: "\ufeff" + HEADER + text(t),
    "Windows, blank lines": lambda t: text(t).replace("\n", "\r\n") + "\r\n\r\n",
    "floats": lambda t: text(t.astype(float)),
    "2.55e2": put(0, 9, "2.55e2"),
}
BAD = {  # what is wrong: the file, and what the message must say
    "a label of 10": (put(3, 0, 10), "row 3, column 0: 10 is no label"),
    "a pixel of 255.5": (put(2, 5, 255.5), "row 2, column 5: 255.5 is no pixel"),
    "a negative first label": (put(0, 0, -1), "row 0, column 0: -1 is no label"),
    "nan as first label": (put(0, 0, "nan"), "row 0, column 0: nan is no label"),
    "nan in the first line": (put(0, 9, "nan"), "row 0, column 9: nan is no pixel"),
    "hexadecimal in the first line": (put(0, 9, "0xff"), "'0xff'.* row 0"),
    "a column too few": (lambda t: text(t[:, :-1]), "785 columns.* 784"),
    "a column too few in one row": (lambda t: text([*t, t[0, 1:]]), "columns.* row"),
    "label last": (lambda t: text(np.roll(t * (np.arange(785) != 1), -1, axis=1)), "last in each row"),
    "nothing": (lambda t: "", "785 columns"),
    "no text": (lambda t: "\x00\x01\x02", "row 0"),
}


@pytest.mark.parametrize("form", GOOD)
@pytest.mark.parametrize("m", [1, 9])
def test_load_csv_reads_good_files(nn, rng, tmp_path, form, m):
    rows, path = table(rng, m), tmp_path / "a.csv"
    rows[0, 9] = 255
    path.write_text(GOOD[form](rows), encoding="utf-8", newline="")
    X, y = nn.load_csv(path)
    assert X.dtype == y.dtype == np.uint8 and np.array_equal(np.column_stack([y, X]), rows)


@pytest.mark.filterwarnings("ignore:.*no data")
@pytest.mark.parametrize("fault", BAD)
def test_load_csv_refuses_bad_files_by_name(nn, rng, tmp_path, fault):
    path, (write, message) = tmp_path / "a.csv", BAD[fault]
    path.write_text(write(table(rng, 9)), encoding="utf-8")
    with pytest.raises(ValueError, match=rf"(?s)a\.csv: .*{message}"):
        nn.load_csv(path)


def test_the_whole_notebook_runs_on_own_images(nn, tmp_path, rng, monkeypatch):
    """Section 15's two lines, as they stand there: one run beforehand, one behind the loading cell."""
    pack, unpack = re.findall(r"```python\n((?:np.savez|images, lab).*\n)```", PROSE)
    shutil.copytree(ROOT / "data", tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    for name in ("train.csv", "test.csv"):
        (tmp_path / name).write_text(text(table(rng, 20, digits=3)))
    exec(pack, vars(nn).copy())
    run(excerpt([("= load_mnist()", f"= load_mnist()\n{unpack}")], end=None), tmp_path)
    assert not (tmp_path / "mnist_model.npz").exists(), "a model was saved, though these images are not MNIST"
