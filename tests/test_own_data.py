"""Section 16's promise: are anybody's images read, or refused in a sentence, and does all run on them?"""

import gzip
import re
import shutil
import struct

import numpy as np
import pytest
from page import PROSE, ROOT
from PIL import Image
from test_learner import QUICK, excerpt, run


def table(rng, m, digits=10):
    """m made-up images as rows `label,pixels`: not digits, but stripes at ten slopes, in noise."""
    y, angle = np.arange(m) % digits, (np.arange(m) % digits * np.pi / 10)[:, None]
    row, column = np.mgrid[:28, :28].reshape(2, 1, 784) / 28
    stripes = np.sin(20 * (row * np.cos(angle) + column * np.sin(angle)))
    return np.column_stack([y, np.clip(90 + 90 * stripes + rng.normal(0, 40, (m, 784)), 0, 255).astype(int)])


def text(rows):
    """Rows as the text of a CSV file."""
    return "".join(",".join(map(str, row)) + "\n" for row in rows)


def put(row, column, field):
    """A function that gives the table's text with one field replaced."""
    return lambda t: text([*t[:row], [*t[row, :column], field, *t[row, column + 1 :]], *t[row + 1 :]])


HEADER = "label," + ",".join(f"{row}x{column}" for row in range(1, 29) for column in range(1, 29)) + "\n"
GOOD = {
    "plain": text,
    "quotes": lambda t: re.sub(r"(\w+)", r'"\1"', HEADER + text(t)),
    "a mark, and no header": lambda t: "\ufeff" + text(t),
    "header after a blank line and a comment": lambda t: "\n  \n# made by hand, in 2020\n" + HEADER + text(t),
    "a header in Latin-1": lambda t: "étiquette" + HEADER[5:] + text(t),
    "Windows, blank lines": lambda t: text(t).replace("\n", "\r\n") + "\r\n   \r\n",
    "floats": lambda t: text(t.astype(float)),
}
BAD = {  # what is wrong: the file, and what the message must say
    "a label of 10": (put(3, 0, 10), "line 4: expected a label 0 to 9, found 10"),
    "a pixel of 255.5": (put(2, 5, 255.5), "line 3: expected pixels 0 to 255"),
    "a negative first label": (put(0, 0, -1), "line 1: expected a label.*-1"),
    "nan in the first line": (put(0, 9, "nan"), "line 1: expected pixels"),
    "a column too few in one row": (lambda t: text([*t, t[0, 1:]]), "line 10: .* found 784"),
    "an index before the label": (
        lambda t: text(np.column_stack([range(len(t)), t])),
        "line 1: .* found 786",
    ),
    "label last": (lambda t: text(np.roll(t * (np.arange(785) != 1), -1, axis=1)), "seems to be last"),
    "no text": (lambda t: "\x00\x01,2", "line 1"),
}


@pytest.mark.parametrize("form", GOOD)
def test_load_csv_reads_good_files(nn, rng, tmp_path, form):
    rows, path = table(rng, 19), tmp_path / "a.csv"
    rows[0, 9] = 255
    path.write_bytes(GOOD[form](rows).encode("latin-1" if "Latin" in form else "utf-8"))
    X, y = nn.load_csv(path)
    assert X.dtype == y.dtype == np.uint8 and np.array_equal(np.column_stack([y, X]), rows)


@pytest.mark.parametrize("fault", BAD)
def test_load_csv_refuses_bad_files_by_line(nn, rng, tmp_path, fault):
    path, (write, message) = tmp_path / "a.csv", BAD[fault]
    path.write_text(write(table(rng, 9)), encoding="utf-8")
    with pytest.raises(ValueError, match=rf"(?s)a\.csv.*{message}"):
        nn.load_csv(path)


def test_own_data_and_load_csv_take_images_and_labels_of_many_kinds(nn, rng, tmp_path):
    rows = table(rng, 20)
    X, y = rows[:, 1:].astype(np.uint8), rows[:, 0]
    for images in (X, X.reshape(-1, 28, 28), (X / 255).astype(np.float32), X.astype(int), list(X)):
        for labels in (y, y.astype(float), y.astype(str), y[:, None], [*map(str, y)]):
            own = nn.own_data(images, labels)
            assert [P.dtype for P in own] == [np.uint8] * 2 and all(map(np.array_equal, own, (X, y)))
    (tmp_path / "ink.csv").write_text(text(np.column_stack([y, X // 128])))
    assert set(np.unique(nn.load_csv(tmp_path / "ink.csv")[0])) == {0, 255}, "0 and 1 are paper and ink"


@pytest.mark.parametrize("labels, message", [([1], "one label per image"), ([1, 12], r"found \['?12'?\]"),
    ([1, 2.5], "found"), (["a", "b"], "found"), (np.eye(10)[:2], "one label per image")])  # fmt: skip
def test_own_data_refuses_labels_and_asks_when_images_are_dark_on_light(nn, capsys, labels, message):
    with pytest.raises(ValueError, match=message):
        nn.own_data(np.zeros((2, 784)), labels)
    nn.own_data(np.full((2, 28, 28), 200), [1, 2])
    assert "255 - images" in capsys.readouterr().out


def idx(values, kind=8):
    """The bytes of a gzipped IDX file."""
    head = struct.pack(f">HBB{values.ndim}i", 0, kind, values.ndim, *values.shape)
    return gzip.compress(head + values.astype(">i4" if kind == 12 else np.uint8).tobytes())


def test_each_line_for_a_known_collection_reads_it(nn, rng, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = table(rng, 20)
    images, labels = rows[:, 1:].reshape(-1, 28, 28).astype(np.uint8), rows[:, 0].astype(np.uint8)
    np.savez("mnist.npz", x_train=images, y_train=labels)
    (tmp_path / "train.csv").write_text(HEADER + text(rows))
    for name, values, kind in (("train-images-idx3-ubyte.gz", images, 8), ("train-labels-idx1-ubyte.gz", labels, 8),
            ("emnist-digits-train-images-idx3-ubyte.gz", images.transpose(0, 2, 1), 8),
            ("emnist-digits-train-labels-idx1-ubyte.gz", labels, 8), ("qmnist-train-images-idx3-ubyte.gz", images, 8),
            ("qmnist-train-labels-idx2-int.gz", np.pad(labels[:, None], [(0, 0), (0, 7)]), 12)):  # fmt: skip
        (tmp_path / name).write_bytes(idx(values, kind))
    for k, (image, label) in enumerate(zip(images, labels)):
        (tmp_path / f"train/{label}").mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(f"train/{label}/{k:02}.png")
    [block] = re.findall(r"```python\n(# Keras.*?)```", PROSE, re.S)
    found = [eval(line, vars(nn)) for line in re.split(r"^#.*\n", block, flags=re.M)[1:]]
    assert len(found) == 6
    for X, y in found:
        assert sorted(map(tuple, np.column_stack([y, X]).tolist())) == sorted(map(tuple, rows.tolist()))
    (tmp_path / "a.gz").write_bytes(idx(np.zeros(8), kind=13))
    with pytest.raises(ValueError, match="type 13"):
        nn.read_idx_file(tmp_path / "a.gz")


@pytest.mark.slow
def test_the_whole_notebook_runs_on_own_images(nn, tmp_path, rng, monkeypatch):
    """Section 16's two lines, as they stand there: one run beforehand, one behind the loading cell."""
    pack, unpack = re.findall(r"```python\n((?:np.savez|images, lab).*\n)```", PROSE)
    shutil.copytree(ROOT / "data", tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    for name in ("train.csv", "test.csv"):
        (tmp_path / name).write_text(text(table(rng, 20, digits=3)))
    exec(pack, vars(nn).copy())
    run(excerpt([("= load_mnist()", f"= load_mnist()\n{unpack}"), *QUICK[-2:]], end=None), tmp_path)
