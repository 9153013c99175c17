"""Does loading end in the right arrays, or in one clear sentence?"""

import gzip
import hashlib
import io
import os
import socket
import subprocess
import sys
import threading
import time
import tracemalloc
import zipfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from notebook import ROOT, functions

FILES = list(functions().MNIST_FILES)
STAND_IN, LFS = ROOT / "data" / "drawn_digits.npz", b"version https://git-lfs.github.com/spec/v1\n"


@pytest.fixture
def small(nn, rng, tmp_path, monkeypatch):
    """Four small files {name: packed bytes}, which are MNIST for this test. They lie in tmp_path/data."""
    small.arrays, files = [], {}
    (tmp_path / "data").mkdir()
    for name, shape in zip(FILES, [(40, 28, 28), (40,), (10, 28, 28), (10,)]):
        array = rng.integers(10, size=shape).astype(np.uint8)
        content = bytes([0, 0, 8, array.ndim]) + np.array(shape, ">u4").tobytes() + array.tobytes()
        monkeypatch.setitem(nn.MNIST_FILES, name, hashlib.sha256(content).hexdigest())
        small.arrays.append(array.reshape(-1, 784) if array.ndim == 3 else array)
        files[name] = gzip.compress(content)
        (tmp_path / "data" / name).write_bytes(files[name])
    return files


@pytest.fixture
def folder(small, tmp_path):
    """A data folder with the four small files and the stand-in."""
    (tmp_path / "data" / "drawn_digits.npz").write_bytes(STAND_IN.read_bytes())
    return tmp_path / "data"


@pytest.fixture
def modest():
    """The test takes less than 150 MB."""
    tracemalloc.start()
    yield
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 150e6


def right(loaded):
    """Whether these are the arrays of the small files, as rows of bytes, called MNIST."""
    same = [a.dtype == np.uint8 and np.array_equal(a, b) for a, b in zip(loaded, small.arrays)]
    return same == [True] * 4 and loaded[4:] == (True,)


class Mirror(BaseHTTPRequestHandler):
    """A web server that can behave badly in every way we know: `how` says in which."""

    def do_GET(self):
        """Answer as `how` says."""
        server, how, packed = self.server, self.server.how, self.server.files[self.path.rsplit("/", 1)[-1]]
        server.asked.append(self.path)
        if how in ("404", "503"):
            return self.send_error(int(how))
        if how == "hangs":
            return server.release.wait(60)
        bad = {
            "web page": b"<!DOCTYPE html>",
            "garbage": b"\x1f\x8b\x08",
            "never ends": b"0",
            "redirects": b"",
        }
        packed = bad.get(how, packed)
        self.send_response(302 if how == "redirects" else 200)
        self.send_header("Location", self.path)
        self.send_header("Content-Length", str(10**15 if how == "never ends" else len(packed)))
        self.end_headers()
        sent = {"closes half way": len(packed) // 2, "stalls": 20}.get(how, len(packed))
        try:
            for start in range(0, sent, 1000):
                self.wfile.write(packed[start : min(start + 1000, sent)])
                time.sleep(0.05 if how == "slow" else 0)  # 20 kB a second
            for _ in range(300 if how == "never ends" else 0):
                self.wfile.write(bytes(1_000_000))
        except OSError:
            server.left.set()
        if how == "stalls":
            server.release.wait(60)

    def log_message(self, *args):
        """Say nothing."""


@pytest.fixture
def mirror(nn, small, monkeypatch):
    """mirror("404") starts a mirror of the small files and gives its URL. We bear 0.3 s of silence."""
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setitem(nn.load_mnist.__globals__, "fetch", partial(nn.fetch, silence=0.3))

    def start(how="works"):
        server = ThreadingHTTPServer(("127.0.0.1", 0), Mirror)
        server.how, server.files, server.asked = how, small, []
        server.release, server.left = threading.Event(), threading.Event()
        threading.Thread(target=server.serve_forever, args=[0.05], daemon=True).start()
        start.servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/mnist/"

    start.servers = []
    yield start
    for server in start.servers:
        server.release.set()
        server.shutdown()
        server.server_close()


def test_files_in_the_folder_packed_or_not_are_used_as_they_are(nn, folder, small, capsys):
    assert right(nn.load_mnist(folder, []))
    (folder / FILES[0]).unlink()
    (folder / FILES[0].removesuffix(".gz")).write_bytes(gzip.decompress(small[FILES[0]]))
    assert right(nn.load_mnist(folder, [])) and capsys.readouterr().out == ""


def test_missing_files_come_from_the_mirror_and_the_folder_is_made(nn, folder, mirror, small):
    (folder / FILES[1]).unlink()
    assert right(nn.load_mnist(folder, [mirror()]))
    assert right(nn.load_mnist(folder / "a" / "b", [mirror()[:-1]]))
    assert mirror.servers[0].asked == [f"/mnist/{FILES[1]}"], "only what is missing is fetched"
    for path in folder, folder / "a" / "b":
        assert {name: (path / name).read_bytes() for name in FILES} == small


DAMAGE = {
    "cut short": lambda packed, files: packed[: len(packed) // 2],
    "web page": lambda packed, files: b"<html><script>alert(1)</script>503</html>",
    "swapped": lambda packed, files: files[FILES[2]],
    "one bit off": lambda packed, files: gzip.compress(gzip.decompress(packed)[:-1] + b"\xff"),
    "empty": lambda packed, files: b"",
    "bomb": lambda packed, files: b"".join([gzip.compress(bytes(1_000_000), 1)] * 300),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_bad_file_is_named_and_replaced_but_not_lost(nn, folder, mirror, small, modest, capsys, kind):
    path, aside = folder / FILES[0], folder / f"{FILES[0]}.bad"
    path.write_bytes(bad := DAMAGE[kind](small[FILES[0]], small))
    assert nn.load_mnist(folder, [])[4] is False, "without a mirror, the stand-in"
    said = capsys.readouterr().out
    assert all(
        words in said for words in (f"{path} is not used", "THIS IS NOT MNIST", "put the four MNIST files")
    )
    assert right(nn.load_mnist(folder, [mirror()])) and aside.name in capsys.readouterr().out
    assert path.read_bytes() == small[FILES[0]] and aside.read_bytes() == bad
    path.write_bytes(b"a second bad one")
    assert right(nn.load_mnist(folder, [mirror()])) and "could not be saved" in capsys.readouterr().out
    assert path.read_bytes() == b"a second bad one" and aside.read_bytes() == bad


def test_no_random_damage_is_ever_believed(nn, tmp_path, small, rng):
    refused = 0
    for _ in range(200):
        name, other = rng.choice(FILES, 2, replace=False)
        whole = small[name] if rng.random() < 0.7 else gzip.decompress(small[name])
        flipped, at = bytearray(whole), rng.integers(len(whole))
        flipped[at] ^= rng.integers(1, 256)
        bad = [flipped, whole[:at], small[other], b"HTTP/1.1 200 OK\r\n" + whole, b""][rng.integers(5)]
        (tmp_path / "data" / name).write_bytes(bad)
        try:
            assert right(nn.load_mnist(tmp_path / "data", [])), "some bytes of a packed file mean nothing"
        except OSError as problem:
            refused += "put the four MNIST files into" in str(problem)
        (tmp_path / "data" / name).write_bytes(small[name])
    assert refused > 180


BAD_MIRRORS = {"404": "404", "503": "503", "redirects": "redirect", "hangs": "", "stalls": "timed out"}
BAD_MIRRORS |= {"closes half way": "ended before", "garbage": "ended before", "web page": "another SHA-256"}


@pytest.mark.parametrize("how", [*BAD_MIRRORS, "never ends"])
def test_the_next_mirror_takes_over(nn, tmp_path, mirror, modest, capsys, how):
    bad, good, folder = mirror(how), mirror(), tmp_path / "new"
    assert right(nn.load_mnist(folder, [bad, good]))
    said = [line for line in capsys.readouterr().out.splitlines() if "not used" in line]
    assert len(said) == 1 and bad[:-1] in said[0], "one sentence, and it is asked no more"
    assert BAD_MIRRORS.get(how, "another SHA-256") in said[0]
    assert sorted(os.listdir(folder)) == sorted(FILES), "nothing half-written is left"
    assert how != "never ends" or mirror.servers[0].left.wait(5), "we have hung up"


def test_slow_but_steady_is_not_silent_and_yet_not_for_ever(nn, mirror, small):
    url, begin = mirror("slow") + FILES[0], time.monotonic()
    assert nn.fetch(url, silence=0.3) == small[FILES[0]] and time.monotonic() - begin > 0.6
    begin = time.monotonic()
    assert len(nn.fetch(url, longest=0.2)) < len(small[FILES[0]]) and time.monotonic() - begin < 0.5


@pytest.mark.parametrize("seconds", [0, 3])
def test_a_name_that_is_not_found_or_looked_up_for_ever(nn, folder, mirror, monkeypatch, capsys, seconds):
    def look_up(*args, **kwargs):
        time.sleep(seconds)
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    (folder / FILES[3]).unlink()
    begin = time.monotonic()
    assert nn.load_mnist(folder, ["http://mnist.example/"])[4] is False and time.monotonic() - begin < 2
    assert ("no answer" if seconds else "Name or service not known") in capsys.readouterr().out


def test_silent_mirrors_cost_at_most_20_seconds_in_all(nn, folder, mirror, monkeypatch, capsys):
    monkeypatch.setitem(nn.load_mnist.__globals__, "fetch", nn.fetch)
    (folder / FILES[0]).unlink()
    silent, begin = [mirror("stalls"), *(mirror("hangs") for _ in nn.MIRRORS[1:])], time.monotonic()
    X_train, *_, y_test, is_mnist = nn.load_mnist(folder, silent)
    assert time.monotonic() - begin < 20 and is_mnist is False
    said = capsys.readouterr().out
    assert all(url[:-1] in said for url in silent) and "THIS IS NOT MNIST" in said
    with np.load(STAND_IN, allow_pickle=False) as drawn:
        assert np.array_equal(X_train, drawn["train_images"].reshape(-1, 784))
        assert np.array_equal(y_test, drawn["test_labels"])


def test_without_stand_in_one_sentence_says_what_to_do(nn, tmp_path, capsys):
    with pytest.raises(OSError, match=r"put the four MNIST files into .*data"):
        nn.load_mnist(tmp_path / "data", [])
    (tmp_path / "drawn_digits.npz").write_bytes(LFS)
    with pytest.raises(ValueError, match=r"drawn_digits\.npz is damaged") as refused:
        nn.load_mnist(tmp_path, [])
    assert "allow_pickle" not in str(refused.value) + capsys.readouterr().out


@pytest.mark.parametrize("where", [(Path, "write_bytes"), (os, "replace"), (os, "mkdir")])
def test_a_full_disk_or_read_only_folder_costs_a_sentence(nn, tmp_path, mirror, monkeypatch, capsys, where):
    (tmp_path / "model.npz").write_bytes(b"old")
    monkeypatch.setattr(*where, Mock(side_effect=OSError(28, "No space left on device")))
    assert right(nn.load_mnist(tmp_path, [mirror()])) and "could not be saved" in capsys.readouterr().out
    with pytest.raises(OSError, match="No space"):
        nn.write_whole(tmp_path / "model.npz", b"new")
    assert sorted(os.listdir(tmp_path)) == ["data", "model.npz"]
    assert (tmp_path / "model.npz").read_bytes() == b"old"


def test_two_at_once_never_see_halves(nn, tmp_path, mirror):
    path, urls = tmp_path / "file", [mirror() for _ in range(4)]
    nn.write_whole(path, b"-" * 3_000_000)
    with ThreadPoolExecutor(4) as pool:
        writers = [pool.submit(nn.write_whole, path, c * 3_000_000) for c in (b"a", b"b") * 20]
        while not all(writer.done() for writer in writers):
            seen = path.read_bytes()
            assert seen == seen[:1] * 3_000_000
        assert [writer.result() for writer in writers] == [None] * 40
        assert all(map(right, pool.map(lambda url: nn.load_mnist(tmp_path / "new", [url]), urls)))
    assert sorted(os.listdir(tmp_path / "new")) == sorted(FILES)


def test_a_killed_download_is_not_believed(nn, tmp_path, mirror):
    """Killed half way, it leaves no file; the next start gets all (and MNIST_MIRROR is asked first)."""
    code = f"from notebook import functions; functions().load_mnist({str(tmp_path)!r})"
    environment = {"MNIST_MIRROR": mirror("stalls"), "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen([sys.executable, "-c", code], env=os.environ | environment)
    while not mirror.servers[0].asked and process.poll() is None:
        time.sleep(0.05)
    process.kill()
    process.wait()
    assert os.listdir(tmp_path) == ["data"] and mirror.servers[0].asked
    assert right(nn.load_mnist(tmp_path, [mirror()]))


def test_the_stand_in_is_what_its_script_draws(monkeypatch):
    """Array by array; the packed bytes may differ where Python has another compression library."""
    monkeypatch.syspath_prepend(ROOT / "data")
    drawn = __import__("make_drawn_digits").make()
    with np.load(STAND_IN, allow_pickle=False) as shipped:
        assert list(drawn) == shipped.files and STAND_IN.stat().st_size <= 2_000_000
        assert all(a.dtype == np.uint8 and np.array_equal(a, shipped[name]) for name, a in drawn.items())


def npz(**arrays):
    """The bytes of an .npz file; what can't be written otherwise is pickled."""
    np.savez(buffer := io.BytesIO(), **arrays)
    return buffer.getvalue()


def texts(names):
    """A zip of files with the right names that are no arrays."""
    with zipfile.ZipFile(buffer := io.BytesIO(), "w") as file:
        for name in names:
            file.writestr(name, "text")
    return buffer.getvalue()


BAD_MODELS = {
    "junk": (lambda p: b"not a zip at all", "is damaged"),
    "empty": (lambda p: b"", "is damaged"),
    "Git LFS pointer": (lambda p: LFS, "is damaged"),
    "no names": (lambda p: npz(arr_0=p["W1"]), "does not hold W1, b1, W2, b2"),
    "pickled": (lambda p: npz(**p | {"W1": np.array([{}], object)}), "is damaged"),
    "no arrays": (texts, "four finite float32 arrays"),
    "float64": (lambda p: npz(**p | {"W1": p["W1"].astype(float)}), "four finite float32 arrays"),
    "short W2": (lambda p: npz(**p | {"W2": p["W2"][:-1]}), "four finite float32 arrays"),
    "flat W1": (lambda p: npz(**p | {"W1": p["W1"].ravel()}), "four finite float32 arrays"),
    "numbers": (lambda p: npz(**dict.fromkeys(p, np.float32(1))), "four finite float32 arrays"),
    "NaN": (lambda p: npz(**p | {"b2": p["b2"] * np.float32("nan")}), "four finite float32 arrays"),
}


def named(nn, rng):
    """A small network's W1, b1, W2, b2 by name."""
    return dict(zip(("W1", "b1", "W2", "b2"), nn.init_params(784, 8, 10, rng)))


@pytest.mark.parametrize("kind", BAD_MODELS)
def test_load_model_refuses_bad_files_in_a_sentence(nn, tmp_path, rng, kind):
    spoil, sentence = BAD_MODELS[kind]
    (tmp_path / "model.npz").write_bytes(spoil(named(nn, rng)))
    with pytest.raises(ValueError, match=rf"model\.npz .*{sentence}") as refused:
        nn.load_model(tmp_path / "model.npz")
    assert "allow_pickle" not in str(refused.getrepr(style="value"))


def test_a_saved_model_comes_back_or_is_refused_whatever_the_damage(nn, tmp_path, rng):
    path, params, refused = tmp_path / "model.npz", named(nn, rng), 0
    with pytest.raises(FileNotFoundError, match=r"There is no model .*model\.npz"):
        nn.load_model(path)
    nn.save_model(path, *(P.astype(float) for P in params.values()))
    whole = path.read_bytes()
    assert all(map(np.array_equal, nn.load_model(path), params.values()))
    for _ in range(200):
        damaged = bytearray(whole)
        damaged[at := rng.integers(len(whole))] ^= rng.integers(1, 256)
        path.write_bytes(damaged if rng.random() < 0.8 else whole[:at])
        try:
            assert all(map(np.array_equal, nn.load_model(path), params.values()))
        except ValueError as problem:
            refused += "model.npz" in str(problem) and "allow_pickle" not in str(problem)
    assert refused > 150
