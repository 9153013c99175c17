"""Train the network of the digit pad; write it to pad_model.npz and into digit_pad.html beside this script.

    python data/make_pad.py            trains, and writes both files
    python data/make_pad.py --page     puts the network of pad_model.npz into digit_pad.html again

MNIST's writers were Americans of the 1980s.  People elsewhere put a flag on the 1 and a bar through
the 7, or curl the tail of the 9.  So the network learns from two kinds of digit at once: MNIST's
training images, and digits that a simulated pen draws in the ways of the whole world
(make_drawn_digits.py, both of its tables).  Training is that of the notebook's section 14: batches
bent afresh each time they are used, principal components instead of pixels, momentum, rates along a
cosine.  Afterwards the components are folded into the first layer, which reads pixels again.

One thread computes and every random number comes from SEED, so on one machine the file comes out the
same each time; another processor may round its sums otherwise.  Nothing was chosen with MNIST's test
images in view: they only give the figure printed at the end.
"""

import os
import re
import sys
import time
from pathlib import Path

os.environ.update(OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1", OMP_NUM_THREADS="1")  # before numpy comes

import numpy as np
from make_drawn_digits import as_rows, draw_digits, notebook_functions, read_mnist

SEED = 1
N_DRAWN = 160_000
COMPONENTS, UNITS = 150, 512
RATE, EPOCHS, BATCH = 0.4, 26, 256
FOLDER = Path(__file__).resolve().parent
TARGET = FOLDER / "pad_model.npz"


def training_digits(rng):
    """The digits to learn from: rows (m, 784) uint8, a byte a pixel to save memory, and labels (m,)."""
    X, y = read_mnist(FOLDER, "train")
    images, labels = draw_digits(N_DRAWN, rng, world=True)
    X = np.rint(255 * X).astype(np.uint8)  # MNIST twice: an image of a person for about every drawn one
    X, y = np.concatenate([X, X, images.reshape(-1, 784)]), np.concatenate([y, y, labels])
    order = rng.permutation(len(X))
    return X[order], y[order]


def announced(rates):
    """Yield the rates, and print a line before each epoch."""
    for epoch, rate in enumerate(rates, 1):
        print(f"epoch {epoch} of {len(rates)}", flush=True)
        yield rate


def train_and_save(X, y, rng):
    """Train on X (m, 784) uint8, write TARGET, and return a function from images to the digits it reads.

    Here stands all that comes from the notebook.
    """
    net = notebook_functions()
    mean, P = net.components(as_rows(X[:10_000]), COMPONENTS)

    def prepare(X, Y, rng):
        warps = net.random_warp(-(-len(X) // 16), rng)  # each bends 16 images
        return (net.apply_warp(as_rows(X), *warps) - mean) @ P, Y

    (W1, b1), output = net.init_layers([784, UNITS, 10], rng)
    layers, _ = net.train_layers(
        X, y, [(P.T @ W1, b1), output], announced(net.cosine(RATE, EPOCHS)), rng, BATCH, prepare,
        update=net.momentum)  # fmt: skip
    (V, c), (W2, b2) = layers
    network = P @ V, c - mean @ P @ V, W2, b2
    net.save_model(TARGET, *network)
    return lambda images: net.predict(images, *network)


def write_page():
    """Put the network of TARGET into the pad's page, by the notebook's own pad_page."""
    net, page = notebook_functions(), FOLDER / "digit_pad.html"
    emptied = re.sub(
        r"(?m)^const NETWORKS = \[.*\];$", "const NETWORKS = [];", page.read_text(encoding="utf-8")
    )
    net.write_whole(page, emptied.encode())
    filled = net.pad_page(*net.load_model(TARGET), page).replace("your network", "the trained network", 1)
    net.write_whole(page, filled.replace("}, ];", "}];", 1).encode())


def main():
    """Train, save, and say how well the network reads digits that it has not seen."""
    if sys.argv[1:] == ["--page"]:
        return write_page()
    begin, rng = time.perf_counter(), np.random.default_rng(SEED)
    try:
        mnist = read_mnist(FOLDER, "t10k")
        X, y = training_digits(rng)
    except FileNotFoundError as missing:
        sys.exit(f"This needs MNIST's four files (data/README.md says how): there is no {missing.filename}.")
    with np.load(FOLDER / "drawn_digits.npz", allow_pickle=False) as file:
        stand_in = as_rows(file["test_images"]), file["test_labels"]
    print(f"{len(X):,} digits to learn from, after {time.perf_counter() - begin:.0f} s", flush=True)
    read = train_and_save(X, y, rng)
    for name, (images, labels) in {"MNIST's test set": mnist, "the stand-in's test digits": stand_in}.items():
        print(f"{name}: {np.mean(read(images) == labels):.2%} read correctly")
    write_page()
    print(f"{TARGET.name}: {TARGET.stat().st_size:,} bytes, after {time.perf_counter() - begin:.0f} s")


if __name__ == "__main__":
    main()
