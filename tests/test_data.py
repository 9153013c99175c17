"""Whatever can be wrong with data and model files ends in one clear sentence or in a working fallback."""

import gzip
import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from notebook import ROOT, functions

FILES = list(functions().MNIST_FILES)


def idx(array):
    """An array as the bytes of an IDX file."""
    header = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    return header + array.tobytes()


@pytest.fixture
def small(nn, rng, monkeypatch):
    """Four small MNIST-like files {name: packed bytes}, which for this test are the ones the notebook knows."""
    sizes = {"train": 40, "t10k": 10}
    files = {}
    for name in FILES:
        m = sizes[name.split("-")[0]]
        shape = (m, 28, 28) if "images" in name else (m,)
        files[name] = gzip.compress(idx(rng.integers(10, size=shape).astype(np.uint8)))
    hashes = {name: hashlib.sha256(gzip.decompress(packed)).hexdigest() for name, packed in files.items()}
    for name, value in hashes.items():
        monkeypatch.setitem(nn.MNIST_FILES, name, value)
    return files


@pytest.fixture
def folder(tmp_path, small):
    """A data folder with the four small files and the stand-in."""
    path = tmp_path / "data"
    path.mkdir()
    for name, packed in small.items():
        (path / name).write_bytes(packed)
    (path / "drawn_digits.npz").write_bytes((ROOT / "data" / "drawn_digits.npz").read_bytes())
    return path


class Mirror(BaseHTTPRequestHandler):
    """A web server that can behave badly in every way we know: `how` says in which."""

    def do_GET(self):
        """Answer as `how` says."""
        server, name = self.server, self.path.rsplit("/", 1)[-1]
        server.asked.append(name)
        packed = server.files.get(name, b"")
        if server.how == "redirects for ever":
            self.send_response(302)
            self.send_header("Location", self.path)
            self.end_headers()
        elif server.how in ("404", "503"):
            self.send_error(int(server.how))
        elif server.how == "hangs":
            server.release.wait(30)
        else:
            page = b"<!DOCTYPE html><title>Sorry</title>"
            packed = {"sends a web page": page, "sends garbage": b"\x1f\x8b" + b"0" * 99}.get(
                server.how, packed
            )
            self.send_response(200)
            self.send_header("Content-Length", str(len(packed)))
            self.end_headers()
            self.wfile.write(packed[: len(packed) // 2] if server.how == "closes half way" else packed)

    def log_message(self, *args):
        """Say nothing."""


@pytest.fixture
def mirror(small):
    """Start a mirror of the small files: mirror("404") gives its URL; its server is mirror.servers[-1]."""
    servers = []

    def start(how="works"):
        server = ThreadingHTTPServer(("127.0.0.1", 0), Mirror)
        server.how, server.files, server.asked, server.release = how, small, [], threading.Event()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/"

    start.servers = servers
    yield start
    for server in servers:
        server.release.set()
        server.shutdown()
        server.server_close()


def names(folder):
    """The files in the folder, without the stand-in."""
    return sorted(path.name for path in folder.iterdir() if path.name != "drawn_digits.npz")


def test_files_in_the_folder_are_used_as_they_are(nn, folder):
    X_train, y_train, X_test, y_test, source = nn.load_mnist(folder, mirrors=[])
    assert [a.shape for a in (X_train, y_train, X_test, y_test)] == [(40, 784), (40,), (10, 784), (10,)]
    assert {a.dtype for a in (X_train, y_train, X_test, y_test)} == {np.dtype(np.uint8)}
    assert source == f"{folder}/" and names(folder) == sorted(FILES)


def test_unpacked_files_are_fine_too(nn, folder):
    for name in FILES:
        packed = folder / name
        (folder / name.removesuffix(".gz")).write_bytes(gzip.decompress(packed.read_bytes()))
        packed.unlink()
    assert nn.load_mnist(folder, mirrors=[])[0].shape == (40, 784)


def test_missing_files_come_from_the_mirror(nn, folder, mirror, small):
    for name in FILES[:2]:
        (folder / name).unlink()
    assert nn.load_mnist(folder, [mirror()])[0].shape == (40, 784)
    assert mirror.servers[0].asked == FILES[:2], "only what is missing is fetched"
    assert names(folder) == sorted(FILES) and (folder / FILES[0]).read_bytes() == small[FILES[0]]


def test_the_folder_is_made_if_it_is_missing(nn, tmp_path, mirror):
    address = mirror().rstrip("/")  # with or without a slash at the end
    assert nn.load_mnist(tmp_path / "new" / "data", [address])[-1] == "the mirrors"
    assert names(tmp_path / "new" / "data") == sorted(FILES)


DAMAGE = {
    "cut short": (lambda packed, files: packed[: len(packed) // 2], "cut short or damaged"),
    "web page": (lambda packed, files: b"<html>503 Service Unavailable</html>", "a web page, not data"),
    "swapped": (lambda packed, files: files["t10k-images-idx3-ubyte.gz"], "files are swapped"),
    "wrong magic": (lambda packed, files: gzip.compress(b"\1\2\3\4" + bytes(999)), "another SHA-256"),
    "one bit off": (
        lambda packed, files: gzip.compress(gzip.decompress(packed)[:-1] + b"\xff"),
        "another SHA-256",
    ),
    "empty": (lambda packed, files: b"", "another SHA-256"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_bad_file_is_named_set_aside_and_fetched_again(nn, folder, mirror, small, capsys, kind):
    damage, sentence = DAMAGE[kind]
    name = FILES[0]
    (folder / name).write_bytes(damage(small[name], small))
    assert nn.load_mnist(folder, [mirror()])[0].shape == (40, 784)
    said = capsys.readouterr().out
    assert name in said and sentence in said and "Set aside as" in said
    assert (folder / name).read_bytes() == small[name] and (folder / f"{name}.bad").exists()


def test_a_bad_file_is_never_trained_on(nn, folder, capsys):
    (folder / FILES[1]).write_bytes(b"nonsense")
    source = nn.load_mnist(folder, mirrors=[])[-1]
    assert source.endswith("drawn_digits.npz")
    assert "THIS IS NOT MNIST" in capsys.readouterr().out


BAD_MIRRORS = {
    "404": "404",
    "503": "503",
    "redirects for ever": "redirect",
    "hangs": "no answer",
    "closes half way": "cut short",
    "sends a web page": "web page",
    "sends garbage": "cut short or damaged",
}


@pytest.mark.parametrize("how", BAD_MIRRORS)
def test_the_next_mirror_takes_over(nn, tmp_path, mirror, small, monkeypatch, how):
    monkeypatch.setitem(nn.from_mirrors.__globals__, "MIRRORS", range(18))  # patience with each is 18 s / 18
    bad, good = mirror(how), mirror()
    problems = []
    content = nn.from_mirrors(FILES[0], tmp_path, [bad, good], problems)
    assert content == gzip.decompress(small[FILES[0]])
    assert len(problems) == 1 and bad in problems[0] and BAD_MIRRORS[how] in problems[0].lower()
    assert names(tmp_path) == [FILES[0]], "nothing half-written is left"


def test_no_mirror_at_all_falls_back_loudly(nn, folder, mirror, capsys):
    (folder / FILES[3]).unlink()
    arrays = nn.load_mnist(folder, [mirror("404"), "http://127.0.0.1:9/"])
    assert arrays[-1].endswith("drawn_digits.npz") and len(arrays[0]) > 10_000
    said = capsys.readouterr().out
    assert "THIS IS NOT MNIST" in said and "404" in said and "put the four MNIST files into" in said


def test_without_stand_in_one_sentence_says_what_to_do(nn, tmp_path):
    with pytest.raises(OSError, match=r"no MNIST in .* put the four MNIST files into .*data"):
        nn.load_mnist(tmp_path / "data", mirrors=[])


def test_silent_mirrors_cost_at_most_20_seconds_in_all(nn, folder, mirror):
    for name in FILES:
        (folder / name).unlink()
    begin = time.monotonic()
    arrays = nn.load_mnist(folder, [mirror("hangs") for _ in nn.MIRRORS])
    assert time.monotonic() - begin < 20 and arrays[-1].endswith("drawn_digits.npz")


def unwritable(*args, **kwargs):
    """What writing to a full disk does."""
    raise OSError(28, "No space left on device")


def test_a_full_disk_or_read_only_folder_does_not_stop_us(nn, tmp_path, mirror, monkeypatch, capsys):
    monkeypatch.setitem(nn.load_mnist.__globals__, "write_whole", unwritable)
    assert nn.load_mnist(tmp_path / "data", [mirror()])[0].shape == (40, 784)
    assert "could not be saved" in capsys.readouterr().out


def test_a_write_that_fails_half_way_leaves_the_old_file(nn, tmp_path, monkeypatch):
    path = tmp_path / "model.npz"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "replace", unwritable)
    with pytest.raises(OSError, match="No space"):
        nn.write_whole(path, b"new")
    assert path.read_bytes() == b"old" and names(tmp_path) == ["model.npz"]


@pytest.mark.skipif(os.name == "nt", reason="killing works by a POSIX signal")
def test_a_killed_download_is_not_believed(nn, tmp_path, mirror, small):
    """Kill a process in the middle of its download; nothing is in the folder, and a second start gets it all."""
    code = "from notebook import functions; functions().fetch({!r}, 20)"
    mirror_url = mirror("hangs")
    process = subprocess.Popen(
        [sys.executable, "-c", code.format(mirror_url + FILES[0])],
        cwd=ROOT / "tests",
        stderr=subprocess.DEVNULL,
    )
    while not mirror.servers[0].asked:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    (tmp_path / f"{FILES[0]}.part").write_bytes(small[FILES[0]][:100])  # as if killed while writing
    assert nn.load_mnist(tmp_path, [mirror()])[0].shape == (40, 784)
    assert names(tmp_path) == sorted(FILES)


def test_images_and_labels_must_belong_together(nn):
    images, labels = np.zeros((3, 28, 28), np.uint8), np.zeros(2, np.uint8)
    with pytest.raises(ValueError, match="do not belong together"):
        nn.images_and_labels([images, labels, images, labels])


def test_idx_files_must_be_whole(nn):
    with pytest.raises(ValueError, match="cut short"):
        nn.read_idx(idx(np.zeros((3, 28, 28), np.uint8))[:-1])


def test_the_stand_in_is_what_its_script_draws():
    """Array by array; the packed bytes may differ where Python has another compression library."""
    sys.path.insert(0, str(ROOT / "data"))
    import make_drawn_digits

    with np.load(ROOT / "data" / "drawn_digits.npz", allow_pickle=False) as file:
        shipped = {name: file[name] for name in file.files}
    drawn = make_drawn_digits.make()
    assert list(drawn) == list(shipped)
    for name, array in drawn.items():
        assert array.dtype == np.uint8 and np.array_equal(array, shipped[name]), name
    assert (ROOT / "data" / "drawn_digits.npz").stat().st_size <= 2_000_000


# --- model files ---


def saved(path, **arrays):
    """Write arrays as an .npz file, pickling what can't be written otherwise."""
    np.savez(path, **arrays)
    return path


@pytest.fixture
def params(nn, rng):
    """W1, b1, W2, b2 by name."""
    return dict(zip(("W1", "b1", "W2", "b2"), nn.init_params(784, 8, 10, rng)))


BAD_MODELS = {
    "missing key": (lambda p: p.pop("b1"), "b1"),
    "wrong shape": (lambda p: p.update(W2=p["W2"][:-1]), "do not fit together"),
    "wrong dimensions": (lambda p: p.update(W1=p["W1"].ravel()), "do not fit together"),
    "wrong dtype": (lambda p: p.update(W1=p["W1"].astype(np.float64)), "float32"),
    "NaN": (lambda p: p["W1"].__setitem__((0, 0), np.nan), "not numbers"),
    "pickled object": (lambda p: p.update(W1=np.array([{"a": 1}], dtype=object)), "allow_pickle=False"),
}


@pytest.mark.parametrize("kind", BAD_MODELS)
def test_bad_model_files_are_refused_in_a_sentence(nn, tmp_path, params, kind):
    spoil, sentence = BAD_MODELS[kind]
    spoil(params)
    path = saved(tmp_path / "model.npz", **params)
    with pytest.raises(ValueError, match=sentence) as refused:
        nn.load_model(path)
    assert "model.npz" in str(refused.value)


@pytest.mark.parametrize("content", [b"", b"not a zip at all", b"PK\x03\x04 cut short"])
def test_files_that_are_no_zip_are_refused(nn, tmp_path, content):
    (tmp_path / "model.npz").write_bytes(content)
    with pytest.raises(ValueError, match=r"model\.npz can't be read as a model"):
        nn.load_model(tmp_path / "model.npz")


def test_a_missing_model_file(nn, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no model file .*run the notebook"):
        nn.load_model(tmp_path / "model.npz")


# --- CSV ---

ROW = ["7"] + ["0"] * 783 + ["255"]


def csv(tmp_path, *rows, header=None):
    """Write rows of fields as a CSV file."""
    path = tmp_path / "digits.csv"
    path.write_text("\n".join(",".join(row) for row in ([header] if header else []) + list(rows)) + "\n")
    return path


@pytest.mark.parametrize("header", [None, ["label"] + [f"pixel{i}" for i in range(784)]])
def test_csv_with_and_without_header(nn, tmp_path, header):
    X, y = nn.load_csv(csv(tmp_path, ROW, ["3"] + ["1"] * 784, header=header))
    assert X.shape == (2, 784) and X.dtype == y.dtype == np.uint8
    assert y.tolist() == [7, 3] and X[0, -1] == 255 and X[0, :-1].sum() == 0 and (X[1] == 1).all()


BAD_ROWS = {
    "too few columns": (ROW[:-1], "785 numbers wanted"),
    "too many columns": ([*ROW, "0"], "785 numbers wanted"),
    "label 11": (["11", *ROW[1:]], "label is 11"),
    "pixel 300": ([*ROW[:-1], "300"], "not within 0 to 255"),
    "pixel -1": ([*ROW[:-1], "-1"], "not within 0 to 255"),
    "text": ([*ROW[:-1], "ink"], "whole number"),
}


@pytest.mark.parametrize("kind", BAD_ROWS)
def test_bad_csv_lines_are_named(nn, tmp_path, kind):
    row, sentence = BAD_ROWS[kind]
    with pytest.raises(ValueError, match=rf"digits\.csv, line 2: .*{sentence}"):
        nn.load_csv(csv(tmp_path, ROW, row))


def test_empty_csv(nn, tmp_path):
    with pytest.raises(ValueError, match="holds no images"):
        nn.load_csv(csv(tmp_path))


# --- images given to the network ---


@pytest.mark.parametrize(
    "images", [np.zeros((3, 100)), np.zeros((784, 3)), np.zeros(()), np.zeros((28, 28, 3))]
)
def test_images_of_another_size_are_refused(nn, images):
    with pytest.raises(ValueError, match="28 x 28 pixels or rows of 784"):
        nn.as_rows(images)


@pytest.mark.parametrize("pixel", [255.0, -0.5, np.nan])
def test_pixels_out_of_range_are_refused(nn, pixel):
    with pytest.raises(ValueError, match="from 0 to 1"):
        nn.as_rows(np.full((1, 784), pixel))


def test_whole_numbers_of_any_type_are_pixels_up_to_255(nn):
    for dtype in (np.uint8, np.int64):
        assert nn.as_rows(np.full((28, 28), 255, dtype)).tolist() == [[1.0] * 784]
