"""Does loading, of MNIST or of a model, end in the right arrays or in one clear sentence?"""

import gzip
import hashlib
import io
import os
import re
import socket
import threading
import time
import tracemalloc
import urllib.request
from contextlib import suppress
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import repeat
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from make_drawn_digits import make
from page import ROOT, SOURCES, functions

FILES, SHAPES = list(functions().MNIST_FILES), [(40, 28, 28), (40,), (10, 28, 28), (10,)]
STAND_IN, LFS = ROOT / "data" / "drawn_digits.npz", b"version https://git-lfs.github.com/spec/v1\n"


@cache
def drawn():
    """The stand-in's four arrays."""
    with np.load(STAND_IN, allow_pickle=False) as file:
        return [*file.values()]


@pytest.fixture
def small(nn, rng, tmp_path, monkeypatch):
    """Four small files {name: packed bytes} that are MNIST for this test; in tmp_path, beside the stand-in."""
    files = {}
    for name, shape in zip(FILES, SHAPES):
        array = rng.integers(10, size=shape).astype(np.uint8)
        content = bytes([0, 0, 8, array.ndim]) + np.array(shape, ">u4").tobytes() + array.tobytes()
        monkeypatch.setitem(nn.MNIST_FILES, name, hashlib.sha256(content).hexdigest())
        files[name] = gzip.compress(content)
        (tmp_path / name).write_bytes(files[name])
    (tmp_path / STAND_IN.name).write_bytes(STAND_IN.read_bytes())
    return files


@pytest.fixture
def load(nn, small, tmp_path):
    """load(mirrors, folder): True if it gives the small files' arrays, False if the stand-in's. No others may come."""

    def load(mirrors=(), folder=tmp_path):
        *arrays, is_mnist = nn.load_mnist(folder, mirrors)
        shapes = SHAPES if is_mnist else [a.shape for a in drawn()]
        contents = map(gzip.decompress, small.values()) if is_mnist else [a.tobytes() for a in drawn()]
        for array, shape, content in zip(arrays, shapes, contents, strict=True):
            assert array.shape == (shape[0], 784)[: len(shape)] and array.dtype == np.uint8
            assert content.endswith(array.tobytes())
        return is_mnist

    return load


@pytest.fixture
def modest():
    """The test takes less than 150 MB."""
    tracemalloc.start()
    yield
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 150e6


class Mirror(BaseHTTPRequestHandler):
    """A web server that behaves badly in the way that its address names."""

    def do_GET(self):
        """Answer, well or badly."""
        _, how, name = self.path.split("/")
        self.server.asked.append(self.path)
        if how == "404":
            return self.send_error(404)
        if how.startswith("hangs"):
            return self.server.over.wait(60)
        data = {"web-page": b"<!DOCTYPE html>", "junk": b"\x1f\x8b\x08"}.get(how, self.server.files[name])
        self.send_response(200)
        self.send_header("Content-Length", str(10**15 if how == "never-ends" else len(data)))
        self.end_headers()
        if how in ("stalls", "closes-half-way"):
            data = data[: len(data) // 2]
        parts = [data[k : k + 1000] for k in range(0, len(data), 1000)]
        with suppress(OSError):  # when the reader has hung up
            for part in repeat(bytes(1_000_000), 300) if how == "never-ends" else parts:
                self.wfile.write(part)
                time.sleep(0.1 if how == "slow" else 0)  # 10 kB a second
        if how == "stalls":
            self.server.over.wait(60)

    log_message = Mock()


@pytest.fixture
def mirror(nn, small, monkeypatch):
    """mirror.at("404") is the address of a mirror that answers 404. We bear a second of silence, not ten."""
    monkeypatch.setenv("no_proxy", "*")
    opened = urllib.request.urlopen
    monkeypatch.setattr(urllib.request, "urlopen", lambda url, timeout: opened(url, timeout=timeout / 10))
    with ThreadingHTTPServer(("127.0.0.1", 0), Mirror) as server:
        server.files, server.asked, server.over = small, [], threading.Event()
        server.at = lambda how="works": f"http://127.0.0.1:{server.server_port}/{how}"
        threading.Thread(target=server.serve_forever, args=[0.05], daemon=True).start()
        yield server
        server.over.set()
        server.shutdown()


@pytest.mark.parametrize("change", [("", ""), ("-idx", ".idx")], ids=["dash", "dot"])
@pytest.mark.parametrize("packed", [True, False])
def test_load_mnist_uses_files_packed_or_not_with_a_dash_or_a_dot(
    load, small, tmp_path, capsys, change, packed
):
    for name, data in small.items():
        (tmp_path / name).unlink()
        other = name.replace(*change).removesuffix("" if packed else ".gz")
        (tmp_path / other).write_bytes(data if packed else gzip.decompress(data))
    assert load() and capsys.readouterr().out == ""


def test_load_mnist_fetches_what_is_missing_and_makes_the_folder(load, small, mirror, tmp_path):
    (tmp_path / FILES[1]).unlink()
    assert load([mirror.at()]) and mirror.asked == [f"/works/{FILES[1]}"], "too much was fetched"
    assert load([mirror.at("works/")], tmp_path / "a" / "b")
    for path in (tmp_path, tmp_path / "a" / "b"):
        assert {name: (path / name).read_bytes() for name in FILES} == small


def test_mirrors_begin_with_your_own(monkeypatch):
    monkeypatch.setenv("MNIST_MIRROR", "http://one.example/ http://two.example/")
    assert functions.__wrapped__().MIRRORS[:2] == ["http://one.example/", "http://two.example/"]


DAMAGE = {
    "web page": lambda packed: b"<html><script>alert(1)</script>503</html>",
    "last byte off": lambda packed: gzip.compress(gzip.decompress(packed)[:-1] + b"\xff"),
    "bomb": lambda packed: b"".join([gzip.compress(bytes(1_000_000), 1)] * 300),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_bad_file_is_named_and_replaced(load, small, mirror, tmp_path, modest, capsys, kind):
    path = tmp_path / FILES[0]
    path.write_bytes(DAMAGE[kind](small[FILES[0]]))
    assert not load(), "something was loaded without a mirror"
    said = capsys.readouterr().out
    assert f"{path.as_uri()} is skipped" in said and "THIS IS NOT MNIST" in said
    assert f"Put the four MNIST files into {tmp_path}" in said
    assert load([mirror.at()]) and path.read_bytes() == small[FILES[0]]


def damaged(whole, rng, *others):
    """These bytes with one flipped, cut, with a header before them, none; or those of another file."""
    flipped, at = bytearray(whole), rng.integers(len(whole))
    flipped[at] ^= rng.integers(1, 256)
    return [flipped, whole[:at], b"HTTP/1.1 200 OK\r\n" + whole, b"", *others][rng.integers(4 + len(others))]


def test_200_random_corruptions_give_the_right_arrays_or_one_sentence(load, small, tmp_path, rng):
    (tmp_path / STAND_IN.name).unlink()
    refused = 0
    for _ in range(200):
        name, other = rng.choice(FILES, 2, replace=False)
        whole = small[name] if rng.random() < 0.7 else gzip.decompress(small[name])
        (tmp_path / name).write_bytes(damaged(whole, rng, small[other]))
        try:
            load()  # some bytes of a packed file mean nothing
        except OSError as problem:
            refused += f"Put the four MNIST files into {tmp_path}" in str(problem)
        (tmp_path / name).write_bytes(small[name])
    assert refused > 180


BAD_MIRRORS = {"404": "Not Found", "hangs": "timed out", "stalls": "timed out"}
BAD_MIRRORS |= dict.fromkeys(["closes-half-way", "junk", "web-page", "never-ends"], "SHA-256 differs")


@pytest.mark.parametrize("how", BAD_MIRRORS)
def test_a_bad_mirror_is_named_and_the_next_one_asked(load, tmp_path, mirror, modest, capsys, how):
    (tmp_path / "new").mkdir()
    for name in FILES[1:]:
        (tmp_path / name).rename(tmp_path / "new" / name)
    assert load([mirror.at(how), mirror.at()], tmp_path / "new")
    said = [line for line in capsys.readouterr().out.splitlines() if "is skipped" in line]
    assert len(said) == 1 and mirror.at(how) in said[0] and BAD_MIRRORS[how] in said[0]
    assert sorted(os.listdir(tmp_path / "new")) == sorted(FILES), "something half-written is left"


def test_a_silent_mirror_gets_ten_seconds_and_a_slow_one_shows_progress(nn, load, mirror, tmp_path, capsys):
    assert "timeout=10" in SOURCES, "the notebook's own patience"
    (tmp_path / FILES[0]).unlink()
    begin = time.monotonic()
    assert load([mirror.at("slow")]) and time.monotonic() - begin > 1
    assert capsys.readouterr().out.startswith(".")


def test_an_unknown_name_or_a_password_in_an_address(load, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(
        socket, "getaddrinfo", Mock(side_effect=socket.gaierror(-2, "Name or service not known"))
    )
    (tmp_path / FILES[3]).unlink()
    assert not load(["http://mnist.example/", "http://me:secret@mnist.example/"])
    said = capsys.readouterr().out
    assert "http://mnist.example" in said and "not known" in said and "secret" not in said


@pytest.mark.parametrize("stand_in", [None, LFS])
def test_with_nothing_at_all_one_sentence_says_what_to_do(nn, tmp_path, stand_in):
    if stand_in:
        (tmp_path / STAND_IN.name).write_bytes(stand_in)
    with pytest.raises(OSError, match=f"Put the four MNIST files into {tmp_path} and run again"):
        nn.load_mnist(tmp_path, [])


@pytest.mark.parametrize("where", [(Path, "write_bytes"), (os, "replace"), (os, "mkdir")])
def test_a_full_disk_or_a_read_only_folder(nn, load, mirror, tmp_path, monkeypatch, capsys, where):
    (tmp_path / "model.npz").write_bytes(b"old")
    before = sorted(os.listdir(tmp_path))
    monkeypatch.setattr(*where, Mock(side_effect=OSError(28, "No space left on device")))
    assert load([mirror.at()], tmp_path / "new") and "is skipped" not in capsys.readouterr().out
    with pytest.raises(OSError, match="No space"):
        nn.write_whole(tmp_path / "model.npz", b"new")
    assert (tmp_path / "model.npz").read_bytes() == b"old"
    assert sorted({*os.listdir(tmp_path)} - {"new"}) == before, "something half-written is left"


def test_the_stand_in_is_what_its_script_draws():
    """Array by array; the packed bytes may differ where Python has another compression library."""
    assert STAND_IN.stat().st_size <= 2_000_000
    for made, shipped in zip(make().values(), drawn(), strict=True):
        assert made.dtype == shipped.dtype and np.array_equal(made, shipped)


def npz(save=np.savez, *array, **arrays):
    """The bytes of an .npz file (or, with np.save, .npy); what can't be written otherwise is pickled."""
    save(buffer := io.BytesIO(), *array, **arrays)
    return buffer.getvalue()


BAD_MODELS = {
    "Git LFS pointer": (lambda p: LFS, "is damaged, or is not an .npz file"),
    "a single array": (lambda p: npz(np.save, p["W1"]), "is damaged, or is not an .npz file"),
    "no names": (lambda p: npz(arr_0=p["W1"]), "lacks W1, b1, W2, b2"),
    "no b2": (lambda p: npz(**{name: p[name] for name in ("W1", "b1", "W2")}), "lacks b2"),
    "100 MB of zeros, packed": (
        lambda p: npz(np.savez_compressed, W1=np.zeros(10**8, np.int8)),
        "is too large",
    ),
    "pickled": (lambda p: npz(**p | {"W1": np.array([{}], object)}), "is damaged"),
    "float64": (lambda p: npz(**p | {"W1": p["W1"].astype(float)}), "finite float32"),
    "short W2": (lambda p: npz(**p | {"W2": p["W2"][:-1]}), "finite float32"),
    "flat W1": (lambda p: npz(**p | {"W1": p["W1"].ravel()}), "finite float32"),
    "numbers": (lambda p: npz(**dict.fromkeys(p, np.float32(1))), "finite float32"),
    "NaN": (lambda p: npz(**p | {"b2": p["b2"] * np.float32("nan")}), "finite float32"),
}


@pytest.fixture
def model(nn, rng):
    """A small network's W1, b1, W2, b2 by name."""
    return dict(zip(("W1", "b1", "W2", "b2"), nn.init_params(784, 8, 10, rng)))


@pytest.mark.parametrize("kind", BAD_MODELS)
def test_load_model_refuses_bad_files_in_a_sentence(nn, tmp_path, model, kind):
    spoil, sentence = BAD_MODELS[kind]
    (tmp_path / "model.npz").write_bytes(spoil(model))
    with pytest.raises(ValueError, match=rf"model\.npz .*{sentence}") as refused:
        nn.load_model(tmp_path / "model.npz")
    assert "allow_pickle" not in str(refused.getrepr(style="value"))


def test_save_model_and_load_model_give_it_back_or_refuse_whatever_the_damage(nn, tmp_path, model, rng):
    path, refused = tmp_path / "model.npz", 0
    with pytest.raises(FileNotFoundError, match=r"model\.npz"):
        nn.load_model(path)
    with pytest.raises(OSError, match=re.escape(str(tmp_path))):  # a folder: it may not be read
        nn.load_model(tmp_path)
    with pytest.raises(ValueError, match=r"model\.npz is not written"):
        nn.save_model(path, *(P * np.float32("nan") for P in model.values()))
    assert not path.exists()
    nn.save_model(path, *(P.astype(float) for P in model.values()))
    whole = path.read_bytes()
    assert all(map(np.array_equal, nn.load_model(path), model.values()))
    for _ in range(200):
        path.write_bytes(damaged(whole, rng))
        try:
            assert all(map(np.array_equal, nn.load_model(path), model.values()))
        except ValueError as problem:
            refused += "model.npz" in str(problem) and "allow_pickle" not in str(problem)
    assert refused > 150
