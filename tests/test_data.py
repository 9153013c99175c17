"""Does loading, of MNIST or of a model, end in the right arrays or in one clear sentence?"""

import gzip
import hashlib
import os
import re
import socket
import threading
import time
import tracemalloc
import urllib.request
import zlib
from contextlib import suppress
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from unittest.mock import Mock

import numpy as np
import pytest
from make_drawn_digits import make
from page import ROOT, SOURCES, functions

FILES, SHAPES = list(functions().MNIST_FILES), [(40, 28, 28), (40,), (10, 28, 28), (10,)]
STAND_IN, LFS = ROOT / "data" / "drawn_digits.npz", b"version https://git-lfs.github.com/spec/v1\n"
DRAWN = [*np.load(STAND_IN, allow_pickle=False).values()]
DAMAGE = {  # what becomes of a packed file, or of a model's
    "nothing": lambda whole: b"",
    "a web page": lambda whole: b"<html><script>alert(1)</script>503</html>",
    "its header in front": lambda whole: b"HTTP/1.1 200 OK\r\n" + whole,
    "half of it": lambda whole: whole[: len(whole) // 2],
    "Git LFS pointer": lambda whole: LFS,
}


class Mirror(StreamRequestHandler):
    """A web server that behaves badly in the way that its address names."""

    def handle(self):
        """Answer, well or badly."""
        self.server.asked.append(self.rfile.readline().decode().split()[1])
        _, how, name = self.server.asked[-1].split("/")
        data = b"<!DOCTYPE html>" if how == "web-page" else self.server.files[name]
        parts = [data[k : k + 1000] for k in range(0, len(data), 1000)]
        if how == "endless":
            parts, data = [bytes(1_000_000)] * 300, range(10**15)
        status = "404 Not Found" if how == "404" else "200 OK"
        with suppress(OSError):  # when the reader has hung up
            self.wfile.write(f"HTTP/1.0 {status}\r\nContent-Length: {len(data)}\r\n\r\n".encode())
            for part in parts[: len(parts) // 2] if how in ("stalls", "closes-half-way") else parts:
                self.wfile.write(part)
                time.sleep(0.1 if how == "slow" else 0)  # 10 kB a second
        self.server.over.wait(60 if how == "stalls" else 0)


@pytest.fixture
def load(nn, rng, tmp_path, monkeypatch):
    """load(mirrors, folder): True if it gives four small arrays, MNIST for this test, False if the stand-in's.

    load.files are their files {name: packed bytes}; they lie in tmp_path, beside the stand-in. load.at("404") is a
    mirror that answers 404; load.asked is what mirrors were asked. We bear a second of silence, not ten, and 1 MB."""

    def load(mirrors=(), folder=tmp_path):
        *arrays, is_mnist = nn.load_mnist(folder, mirrors)
        for array, right in zip(arrays, small if is_mnist else DRAWN, strict=True):
            assert array.dtype == np.uint8 and array.ndim < 3 and array.tobytes() == right.tobytes()
        return is_mnist

    files, small = {}, [rng.integers(10, size=shape).astype(np.uint8) for shape in SHAPES]
    for name, array in zip(FILES, small):
        content = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()
        monkeypatch.setitem(nn.MNIST_FILES, name, hashlib.sha256(content).hexdigest())
        files[name] = gzip.compress(content)
        (tmp_path / name).write_bytes(files[name])
    (tmp_path / STAND_IN.name).write_bytes(STAND_IN.read_bytes())
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(nn.find_file, "__defaults__", (1_000_000,))
    opened = urllib.request.urlopen
    monkeypatch.setattr(urllib.request, "urlopen", lambda url, timeout: opened(url, timeout=timeout / 10))
    with ThreadingTCPServer(("127.0.0.1", 0), Mirror) as server:
        server.files, server.asked, server.over = load.files, load.asked, _ = files, [], threading.Event()
        load.at = lambda how="works": f"http://127.0.0.1:{server.server_address[1]}/{how}"
        threading.Thread(target=server.serve_forever, args=[0.05], daemon=True).start()
        tracemalloc.start()
        yield load
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        server.over.set()
        server.shutdown()
    assert peak < 100e6


@pytest.mark.parametrize("change", [("", ""), ("-idx", ".idx")], ids=["dash", "dot"])
@pytest.mark.parametrize("packed", [True, False])
def test_load_mnist_uses_files_packed_or_not_with_a_dash_or_a_dot(load, tmp_path, capsys, change, packed):
    for name, data in load.files.items():
        (tmp_path / name).unlink()
        other = name.replace(*change).removesuffix("" if packed else ".gz")
        (tmp_path / other).write_bytes(data if packed else gzip.decompress(data))
    assert load() and capsys.readouterr().out == ""


def test_your_own_mirrors_come_first_and_a_slow_one_shows_progress(load, tmp_path, monkeypatch, capsys):
    """Only what is missing is fetched, the folder is made, and only silence of ten seconds is given up."""
    assert "timeout=10" in SOURCES, "the notebook's own patience"
    monkeypatch.setenv("MNIST_MIRROR", f"{load.at('slow')} {load.at('works/')}")
    own, begin = functions.__wrapped__().MIRRORS[:2], time.monotonic()
    (tmp_path / FILES[0]).unlink()
    assert load(own[:1]) and load.asked == [f"/slow/{FILES[0]}"], "too much was fetched"
    assert capsys.readouterr().out.startswith(".") and time.monotonic() - begin > 1
    assert load(own[1:], tmp_path / "a" / "b")
    for path in (tmp_path, tmp_path / "a" / "b"):
        assert {name: (path / name).read_bytes() for name in FILES} == load.files


def bomb(packed):
    """200 MB of nothing in 1 MB."""
    packer = zlib.compressobj(1, wbits=31)
    return b"".join([packer.compress(bytes(1_000_000)) for _ in range(200)]) + packer.flush()


BAD_FILES = DAMAGE | {
    "bomb": bomb,
    "last byte off": lambda packed: gzip.compress(gzip.decompress(packed)[:-1] + b"\xff"),
}


@pytest.mark.parametrize("kind", BAD_FILES)
def test_a_bad_file_is_named_and_replaced(load, tmp_path, capsys, kind):
    path = tmp_path / FILES[0]
    path.write_bytes(BAD_FILES[kind](load.files[FILES[0]]))
    assert not load(), "something was loaded without a mirror"
    said = capsys.readouterr().out
    assert f"{path.as_uri()} is skipped" in said and "THIS IS NOT MNIST" in said
    assert f"Put the four MNIST files into {tmp_path}" in said
    assert load([load.at()]) and path.read_bytes() == load.files[FILES[0]]


BAD_MIRRORS = {"404": "Not Found", "stalls": "timed out"}
BAD_MIRRORS |= dict.fromkeys(["closes-half-way", "web-page", "endless"], "SHA-256 differs")


@pytest.mark.parametrize("how", BAD_MIRRORS)
def test_a_bad_mirror_is_named_and_the_next_one_asked(load, tmp_path, capsys, how):
    (tmp_path / "new").mkdir()
    for name in FILES[1:]:
        (tmp_path / name).rename(tmp_path / "new" / name)
    assert load([load.at(how), load.at()], tmp_path / "new")
    said = [line for line in capsys.readouterr().out.splitlines() if "is skipped" in line]
    assert len(said) == 1 and load.at(how) in said[0] and BAD_MIRRORS[how] in said[0]
    assert sorted(os.listdir(tmp_path / "new")) == sorted(FILES), "something half-written is left"


@pytest.mark.parametrize("stand_in", [None, LFS])
def test_with_nothing_at_all_one_sentence_says_what_to_do(nn, tmp_path, monkeypatch, capsys, stand_in):
    """The mirrors' names are unknown here; a password in an address is not shown."""
    unknown = Mock(side_effect=socket.gaierror(-2, "Name or service not known"))
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    if stand_in:
        (tmp_path / STAND_IN.name).write_bytes(stand_in)
    with pytest.raises(OSError, match=f"Put the four MNIST files into {tmp_path} and run again"):
        nn.load_mnist(tmp_path, ["http://mnist.example/", "http://me:secret@mnist.example/"])
    said = capsys.readouterr().out
    assert "http://mnist.example" in said and "not known" in said and "secret" not in said


@pytest.mark.parametrize("where", [(Path, "write_bytes"), (os, "replace"), (os, "mkdir")])
def test_a_full_disk_or_a_read_only_folder(nn, load, tmp_path, monkeypatch, capsys, where):
    (tmp_path / "model.npz").write_bytes(b"old")
    before = sorted(os.listdir(tmp_path))
    monkeypatch.setattr(*where, Mock(side_effect=OSError(28, "No space left on device")))
    assert load([load.at()], tmp_path / "new") and "is skipped" not in capsys.readouterr().out
    with pytest.raises(OSError, match="No space"):
        nn.write_whole(tmp_path / "model.npz", b"new")
    assert (tmp_path / "model.npz").read_bytes() == b"old"
    assert sorted({*os.listdir(tmp_path)} - {"new"}) == before, "something half-written is left"


def test_the_stand_in_is_what_its_script_draws():
    """Array by array; the packed bytes may differ where Python has another compression library."""
    assert STAND_IN.stat().st_size <= 2_000_000
    for made, shipped in zip(make().values(), DRAWN, strict=True):
        assert made.dtype == shipped.dtype and np.array_equal(made, shipped)


W1, b1, W2, b2 = functions().init_params(784, 8, 10, np.random.default_rng(7))
MODEL = {"W1": W1, "b1": b1, "W2": W2, "b2": b2}
WRONG = "finite float32"
BAD_MODELS = {  # what is written to the file instead of these parameters, and the sentence about it
    "a single array": (lambda file: np.save(file, W1), "is damaged, or is not an .npz file"),
    "no names": (lambda file: np.savez(file, W1), "lacks W1, b1, W2, b2"),
    "no b2": (lambda file: np.savez(file, W1=W1, b1=b1, W2=W2), "lacks b2"),
    "100 MB": (lambda file: np.savez_compressed(file, W1=np.zeros(10**8, np.int8)), "is too large"),
    "pickled": (lambda file: np.savez(file, **MODEL | {"W1": np.array([{}], object)}), "is damaged"),
    "float64": (lambda file: np.savez(file, **MODEL | {"W1": W1.astype(float)}), WRONG),
    "short W2": (lambda file: np.savez(file, **MODEL | {"W2": W2[:-1]}), WRONG),
    "flat W1": (lambda file: np.savez(file, **MODEL | {"W1": W1.ravel()}), WRONG),
    "numbers": (lambda file: np.savez(file, **dict.fromkeys(MODEL, np.float32(1))), WRONG),
    "NaN": (lambda file: np.savez(file, **MODEL | {"b2": b2 * np.float32("nan")}), WRONG),
}


@pytest.mark.parametrize("kind", [*BAD_MODELS, *DAMAGE])
def test_load_model_refuses_bad_files_in_a_sentence(nn, tmp_path, kind):
    path = tmp_path / "model.npz"
    nn.save_model(path, *MODEL.values())
    spoil, sentence = BAD_MODELS.get(kind, (None, "is damaged, or is not an .npz file"))
    whole = path.read_bytes()
    with open(path, "wb") as file:
        spoil(file) if spoil else file.write(DAMAGE[kind](whole))
    with pytest.raises(ValueError, match=rf"model\.npz .*{sentence}") as refused:
        nn.load_model(path)
    assert "allow_pickle" not in str(refused.getrepr(style="value"))


def test_what_save_model_writes_comes_back_and_what_it_refuses_is_not_written(nn, tmp_path):
    path = tmp_path / "model.npz"
    for no_file in (path, tmp_path):
        with pytest.raises(OSError, match=re.escape(str(no_file))):
            nn.load_model(no_file)
    with pytest.raises(ValueError, match=r"model\.npz is not written"):
        nn.save_model(path, *(P * np.float32("nan") for P in MODEL.values()))
    assert not path.exists()
    nn.save_model(path, *(P.astype(float) for P in MODEL.values()))
    assert all(map(np.array_equal, nn.load_model(path), MODEL.values()))
