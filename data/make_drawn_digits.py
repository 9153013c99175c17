"""Draw digits with a simulated pen and write them to drawn_digits.npz beside this script.

No pixel here comes from MNIST.  Every digit starts as a few hand-written control points (the
table STROKES), and the pen then does what pens do: it wobbles, slants, stretches, presses harder
or softer.  How much of each was set by hand, after looking at how people wrote the digits of
MNIST's training and validation parts, and with the help of averages over the first and of the
accuracy on the second.  The result is brought to MNIST's form: 28 x 28 grey pixels, ink bright on
black, the longer side 20 pixels, the centre of mass in the middle.

    python make_drawn_digits.py                  writes drawn_digits.npz
    python make_drawn_digits.py --measure test   trains networks on drawn digits and on MNIST, and
                                                 says how well each reads the other kind

The file holds four arrays with MNIST's own shapes and types:

    train_images (m, 28, 28) uint8      train_labels (m,) uint8
    test_images  (k, 28, 28) uint8      test_labels  (k,) uint8

What is guaranteed: the same seed gives the same arrays.  All that could differ in its last bit
from one processor or NumPy to another (normal deviates, sines, matrix products) is computed in
float64 and then rounded to 1/1024 of a pixel.  What follows is +, -, *, /, square root, minimum
and sums of integers, and IEEE 754 leaves no choice in those.  A last bit can still matter where a
number lies on the very edge of a rounding step: for the whole file that is a chance of less than
one in a million (errors a million times larger, tried on purpose, changed no pixel).  The file
itself is the same byte for byte wherever zlib is; another compression library (zlib-ng, say)
packs the same arrays differently.
"""

import argparse
import gzip
import io
import os
import struct
import sys
import zipfile
from pathlib import Path

import numpy as np

SEED = 2024
N_TRAIN, N_TEST = 24_000, 4_000
MAX_BYTES = 2_000_000
N_POINTS = 128  # points at which the pen touches the paper, per digit
GREY_STEP = 51  # few grey levels pack well: 0, 51, 102, ..., 255
TARGET = Path(__file__).resolve().parent / "drawn_digits.npz"

# How to write each digit: (how common, strokes).  Strokes are separated by "|"; a stroke is a list
# of points "x,y" that the pen passes, in hundredths of the height, y downwards.  Between points
# the path is smooth, at a point marked "*" it turns a corner.
STROKES = {
    0: [
        (4, "35,0 10,15 0,50 10,85 35,100 60,85 70,50 60,15 33,0"),
        (2, "52,8 25,2 4,32 5,72 28,100 58,88 70,50 62,16 40,0 18,6"),
        (2, "25,8 50,1 72,28 70,68 42,100 12,88 0,55 10,20 34,4 46,8"),
        (1, "52,14 30,0 5,30 3,72 30,100 60,80 68,40 52,10 40,18"),
        (1, "40,10 16,12 0,50 14,90 46,98 82,76 92,40 74,10 40,8 30,20"),
        (1, "60,0 24,26 2,70 20,98 56,78 76,30 60,2"),
        (1, "56,22 40,2 10,20 0,60 22,98 58,88 74,46 54,8 26,4 12,16"),
    ],
    1: [
        (12, "10,0 10,50 10,100"),
        (1, "0,14 14,0* 13,50 12,100"),
        (1, "-8,22 16,0* 16,50 16,100"),
        (1, "-8,22 16,0* 16,50 16,100 | -12,100 44,100"),
        (1, "2,20 16,0* 16,50 16,100 | -8,98 36,98"),
        (1, "4,26 22,2 26,0* 22,50 18,100"),
    ],
    2: [
        (3, "4,24 30,0 62,14 58,45 30,78 2,100* 36,98 74,96"),
        (3, "4,18 32,0 60,16 52,50 26,88 6,96 4,80 22,76 48,92 78,94"),
        (2, "2,20 30,0 58,12 54,42 30,74 6,96* 30,88 54,98 86,92"),
        (2, "6,12 34,0 56,14 46,52 20,88 4,94 8,78 30,82 56,98 90,84"),
        (1, "0,8 34,2 58,16 42,56 0,96* 40,96 70,96"),
        (2, "8,22 30,0 56,16 46,56 22,92 -4,94 -2,74 24,74 50,86 84,72"),
        (1, "10,10 24,0 42,16 36,54 12,90 -6,92 4,74 30,86 50,100 66,92"),
        (1, "12,4 34,2 42,24 28,64 10,92* 30,92 68,86"),
        (1, "0,32 24,10 50,16 46,50 22,84 0,92* 40,88 100,80"),
        (3, "2,28 20,2 52,2 66,26 56,58 30,86 4,96 2,80 24,74 52,86 80,98"),
        (2, "6,24 26,2 54,6 60,34 44,68 16,92 0,86 12,72 40,78 94,82"),
        (2, "0,26 14,6 44,2 58,26 48,60 22,88 -6,96* 24,86 60,92 92,90"),
        (2, "10,28 8,8 34,0 56,16 52,44 28,78 4,94 0,82 18,74 44,88 72,96 92,88"),
        (1, "4,20 22,2 40,10 38,46 20,78 0,96* 24,84 48,92 76,100"),
        (2, "4,30 18,4 44,2 54,24 48,60 24,92 4,96 4,78 22,72 46,84 62,98"),
        (2, "6,10 30,0 54,14 56,42 40,74 12,94 2,82 18,72 44,80 72,92"),
        (1, "2,34 26,4 58,10 56,42 28,78 0,86 10,70 40,78 84,66"),
    ],
    3: [
        (3, "4,14 32,0 58,16 46,40 22,48* 52,54 66,76 42,100 0,88"),
        (2, "4,12 34,0 58,18 44,42 24,50 42,50 66,70 50,96 20,100 0,90"),
        (2, "6,14 32,0 56,14 46,36 26,48 24,44 44,48 62,72 44,98 2,94"),
        (1, "4,4 56,2* 26,42* 54,50 64,76 40,100 0,92"),
        (1, "2,10 40,0 60,10 24,46* 54,52 58,80 30,100 -10,96"),
        (2, "0,12 36,0 62,10 50,34 18,48* 54,46 76,64 64,90 30,102 -4,86"),
        (1, "0,18 26,2 48,14 40,38 16,46* 44,50 54,74 34,98 -12,92"),
        (1, "8,10 34,0 54,14 40,40 10,54 6,48 30,44 58,60 56,88 26,100 -6,84"),
        (2, "0,10 34,0 70,8 60,30 26,44* 62,44 84,62 66,88 24,100 -10,94"),
        (1, "6,20 26,2 50,6 52,26 34,44 14,50* 40,48 60,62 54,88 28,100 -4,96"),
        (2, "8,12 30,0 56,12 50,34 26,46* 50,50 56,74 40,96 20,100 4,92"),
    ],
    4: [
        (6, "12,4 4,40 14,56 40,54 66,44 | 62,0 56,50 50,100"),
        (4, "14,0 2,54* 36,56 76,52 | 60,4 56,50 52,100"),
        (3, "52,0 24,34 0,64* 36,64 76,60 | 54,0 52,50 50,100"),
        (1, "6,6 6,34 18,50 44,46 60,10* 56,54 52,100"),
        (1, "56,4 30,26 6,52 30,58 78,54 | 58,2 52,50 46,100"),
        (1, "10,10 2,48* 30,54 58,40 62,8* 58,50 52,100"),
        (2, "22,8 0,52* 44,54 100,44 | 74,0 54,48 34,100"),
    ],
    5: [
        (3, "66,2 18,4* 12,44* 40,38 62,62 50,90 24,100 0,90"),
        (2, "14,6 10,46* 36,38 60,58 56,86 28,100 0,92 | 14,6 40,4 70,0"),
        (2, "74,0 36,4 22,8* 14,40* 44,46 56,70 36,94 0,98"),
        (1, "80,2 46,4 28,16 24,36 46,52 54,74 34,96 0,96"),
        (1, "60,2 16,2* 10,46* 34,44 54,56 54,82 32,98 2,100"),
        (2, "12,10 8,48* 40,36 72,54 70,86 36,102 -4,88 | 14,10 40,6 66,4"),
        (1, "20,14 12,40* 40,44 54,64 40,90 10,98 -2,86 | 24,14 50,8 90,2"),
        (1, "54,6 14,2 6,24 14,40 44,48 58,68 48,94 18,100 -4,80"),
        (1, "92,0 60,4 36,10* 20,36* 46,44 52,62 30,86 -10,94"),
        (2, "26,12 16,40* 38,38 52,58 40,88 2,98 | 28,12 56,8 86,0"),
        (2, "16,8 12,44* 34,42 52,58 46,86 20,100 -6,94 | 18,8 50,10 96,6"),
        (1, "70,0 20,6 18,36* 40,38 54,58 42,86 0,96"),
        (1, "60,6 24,2* 12,40* 32,42 46,60 34,86 6,98 | 24,4 40,6 72,0"),
    ],
    6: [
        (3, "50,0 22,24 2,64 12,94 40,98 58,78 48,58 26,58 6,80"),
        (2, "36,0 14,34 0,72 18,98 48,94 56,74 40,62 16,68 6,84"),
        (2, "58,2 28,16 4,56 8,88 34,100 60,84 58,60 36,52 10,70"),
        (1, "24,0 8,36 0,78 20,100 46,92 50,72 32,62 10,74 4,82"),
        (1, "48,0 18,30 4,70 20,98 46,90 52,68 34,60 10,86"),
        (2, "14,0 2,36 4,80 26,100 62,88 72,64 54,48 26,62 14,88"),
        (1, "22,0 4,40 2,82 18,98 50,86 66,62 54,46 34,60 26,92"),
        (1, "60,0 24,30 0,70 14,96 50,98 84,80 76,58 44,56 8,78"),
        (2, "10,4 0,40 4,84 26,98 56,84 66,60 50,52 28,70 16,94"),
        (1, "12,0 2,40 4,88 24,98 50,84 62,66 44,58 22,76"),
        (1, "44,0 16,30 0,66 8,94 28,98 42,84 44,66 28,62 10,82"),
    ],
    7: [
        (4, "0,8 30,6 62,2* 44,40 26,100"),
        (2, "2,20 6,4* 34,6 66,4* 46,46 34,100"),
        (2, "0,10 30,2 58,8 56,34 36,66 24,100"),
        (1, "0,8 30,6 62,4* 46,40 26,100 | 14,52 40,50 66,46"),
        (1, "2,14 28,2 60,4 58,26 40,60 30,100 | 18,54 40,52 62,50"),
        (1, "0,14 12,4 36,10 62,2* 48,40 40,100"),
        (2, "0,30 14,8 38,4 50,22 44,60 32,100"),
        (2, "0,26 6,6* 28,16 54,6* 44,50 38,100"),
        (1, "0,12 48,8 96,2 84,30 54,56 34,88"),
        (1, "0,34 10,6* 36,12 62,4* 40,50 22,100"),
        (1, "0,28 6,8* 30,10 52,4* 40,46 24,100 | 10,56 34,50 62,48"),
        (1, "0,22 18,4 46,2 60,18 48,48 28,76 18,100"),
        (1, "0,12 24,8 60,4* 50,46 34,100 | 26,50 44,48 76,44"),
    ],
    8: [
        (3, "58,14 34,0 10,18 26,42 54,64 52,90 24,100 4,84 18,60 46,40 60,16"),
        (2, "56,8 28,2 10,22 30,46 50,68 44,94 18,98 4,80 22,54 50,32 64,6"),
        (2, "34,46 12,26 32,0 54,22 32,46 6,74 30,100 56,76 34,46"),
        (1, "60,10 40,0 14,14 20,38 46,60 44,92 16,98 4,80 24,54 58,30 54,6 38,2"),
        (2, "54,14 34,0 16,18 26,40 40,62 36,92 14,100 4,84 16,60 44,36 56,8"),
        (2, "66,6 34,2 14,20 28,42 44,66 34,94 10,96 4,80 20,58 50,36 80,10"),
        (1, "38,50 18,38 16,14 38,0 60,14 56,38 36,50 12,62 8,88 34,100 58,86 58,62 38,50"),
        (1, "50,12 30,2 12,22 36,44 62,66 48,96 18,94 14,72 34,50 46,28 48,10"),
        (1, "34,48 20,22 38,0 56,16 44,44 24,66 6,88 24,100 46,84 34,48"),
        (2, "62,12 40,0 14,10 20,34 42,54 46,84 22,100 6,84 22,58 48,34 68,4"),
        (2, "64,14 36,0 4,14 10,36 38,52 46,78 30,100 12,86 22,62 50,40 66,10"),
        (1, "52,22 30,4 12,18 26,40 44,62 40,90 16,98 6,80 22,58 62,26 84,14"),
    ],
    9: [
        (3, "56,14 32,0 6,20 12,48 36,48 54,22 56,10* 52,50 46,100"),
        (2, "58,10 34,0 6,22 14,46 40,42 58,14 52,56 34,90 6,98"),
        (2, "50,8 24,2 4,26 14,48 38,42 54,12 50,50 44,100"),
        (1, "54,20 34,0 8,14 6,40 30,48 52,26 54,50 46,82 24,100"),
        (1, "54,6 20,12 4,36 22,50 50,30 60,4* 44,56 28,100"),
        (2, "40,6 12,14 0,34 16,44 42,24 48,4* 42,50 34,100"),
        (1, "56,8 20,6 4,30 24,44 54,36 62,18* 44,58 20,100"),
        (1, "44,22 38,2 12,0 0,20 14,38 36,32 44,20 44,60 40,100"),
        (1, "60,24 40,0 4,12 2,40 28,52 56,38 62,22 60,64 44,92 14,100 4,88"),
        (1, "50,10 16,8 8,30 26,42 54,36 | 54,8 46,54 36,100"),
        (4, "52,16 40,2 14,10 2,34 14,48 36,38 52,12* 46,50 34,100"),
        (2, "60,4 30,6 4,30 10,50 34,44 58,8* 46,50 30,100"),
        (2, "48,18 30,2 8,16 6,40 26,46 44,26 50,14 46,50 40,100"),
        (2, "44,12 22,4 2,24 10,44 32,42 48,20 46,4* 42,50 42,100"),
        (1, "58,10 26,6 2,26 14,44 42,38 60,18 46,56 24,80 0,100"),
        (2, "46,10 28,0 6,10 4,34 22,44 42,30 48,10* 50,54 48,100"),
        (1, "50,20 36,4 10,8 0,30 16,44 38,36 52,20 50,50 56,100"),
    ],
}

# How far each digit leans to the right (shear), and half the usual width of its line in pixels.
HABITS = {
    0: (0.22, 1.38),
    1: (0.27, 1.34),
    2: (0.15, 1.22),
    3: (0.05, 1.20),
    4: (0.15, 1.14),
    5: (0.07, 1.16),
    6: (0.09, 1.16),
    7: (0.02, 1.26),
    8: (0.05, 1.10),
    9: (0.06, 1.10),
}


# --- from the table to a path -------------------------------------------------------------------


def parse_stroke(text):
    """Points (p, 2) float64 in units of the height, and whether each is a corner (p,) bool."""
    words = text.split()
    points = [[float(c) for c in word.rstrip("*").split(",")] for word in words]
    return np.array(points) / 100, np.array([word.endswith("*") for word in words])


def spline_weights(points, corners, n):
    """Matrix (n, p): a place on the stroke is a weighted mean of its p control points.

    Each span between two points is a cubic whose slope at a point is half the step from the
    point before to the point after (Catmull-Rom).  At ends and corners the slope is the step
    of the span itself.
    """
    p = len(points)
    step = np.hypot(*np.diff(points, axis=0).T)
    length = np.concatenate([[0], np.cumsum(step)])
    place = np.linspace(0, length[-1], n)
    span = np.minimum(np.searchsorted(length, place, side="right") - 1, p - 2)
    t = ((place - length[span]) / step[span])[:, None]
    stop = corners.copy()
    stop[[0, -1]] = True
    unit = np.eye(p)
    before, after = unit[span], unit[span + 1]
    slope_0 = np.where(stop[span, None], after - before, (after - unit[span - 1]) / 2)
    beyond = unit[np.minimum(span + 2, p - 1)]
    slope_1 = np.where(stop[span + 1, None], after - before, (beyond - before) / 2)
    return (
        (2 * t**3 - 3 * t**2 + 1) * before
        + (t**3 - 2 * t**2 + t) * slope_0
        + (3 * t**2 - 2 * t**3) * after
        + (t**3 - t**2) * slope_1
    )


def parse_variant(text):
    """All strokes: control points (p, 2), inner neighbours (p,) and spline matrix (N_POINTS, p).

    A stroke's end has the point next to it as its inner neighbour, any other point itself.
    """
    strokes = [parse_stroke(part) for part in text.split("|")]
    lengths = [np.hypot(*np.diff(points, axis=0).T).sum() for points, _ in strokes]
    cuts = np.round(N_POINTS * np.cumsum([0, *lengths]) / sum(lengths)).astype(int)
    points = np.vstack([points for points, _ in strokes])
    inner = np.arange(len(points))
    weights = np.zeros((N_POINTS, len(points)))
    first = 0
    for (stroke, corners), start, stop in zip(strokes, cuts[:-1], cuts[1:]):
        last = first + len(stroke)
        weights[start:stop, first:last] = spline_weights(stroke, corners, stop - start)
        inner[[first, last - 1]] = first + 1, last - 2
        first = last
    return points, inner, weights


# --- the hand: every digit a little different ---------------------------------------------------


def wobble(points, inner, rng, n):
    """n copies (n, p, 2) of control points (p, 2): points a little off, ends early or late."""
    off = rng.normal(0, 1, (n, len(points) + 2, 2))
    off = (off[:, :-2] + 2 * off[:, 1:-1] + off[:, 2:]) / np.sqrt(6)  # neighbours go together
    size = 0.042 * rng.uniform(0.4, 1.4, (n, 1, 1))
    reach = 0.1 * rng.normal(0, 1, (n, len(points), 1))
    return points + size * off + reach * (points - points[inner])


def rebalance(P, rng):
    """Enlarge the upper or the lower part of paths P (n, k, 2), in height and in width."""
    n = len(P)
    x, y = P[..., 0], P[..., 1]
    middle = x.mean(axis=1, keepdims=True)
    widen = rng.normal(0, 0.25, (n, 1))
    bend = rng.normal(0, 0.06, (n, 1))
    x = middle + (x - middle) * (1 + widen * (y - 0.5))
    return np.stack([x, y + bend * np.sin(np.pi * y)], axis=-1)


def warp(P, rng):
    """Bend the paper under paths P (n, k, 2) with two slow waves of random direction."""
    n = len(P)
    for _ in range(2):
        angle, phase = rng.uniform(0, 2 * np.pi, (2, n, 1))
        waves = rng.uniform(0.3, 0.9, (n, 1))
        push = rng.normal(0, 0.04, (n, 1, 2))
        along = P[..., 0] * np.cos(angle) + P[..., 1] * np.sin(angle)
        P = P + push * np.sin(2 * np.pi * waves * along + phase)[..., None]
    return P


def tilt(P, lean, spread, rng):
    """Stretch paths P (n, k, 2) sideways, slant them by lean on average, and turn them a little."""
    n = len(P)
    shear = rng.normal(lean, spread, (n, 1))
    stretch = np.exp(rng.normal(0, 0.18, (n, 1)))
    turn = rng.normal(0, 0.08, (n, 1))
    x, y = P[..., 0] * stretch, P[..., 1] - 0.5
    x = x - y * shear
    cos, sin = np.cos(turn), np.sin(turn)
    return np.stack([x * cos - y * sin, x * sin + y * cos], axis=-1)


def pressure(width, rng, n):
    """Half the line's width in pixels at every point (n, N_POINTS): about width, it swells."""
    usual = np.clip(width * np.exp(rng.normal(0, 0.24, (n, 1))), 0.7, 2.8)
    swell = rng.uniform(0, 0.15, (n, 1))
    phase = rng.uniform(0, 2 * np.pi, (n, 1))
    speed = rng.uniform(1, 3, (n, 1))
    s = np.linspace(0, 1, N_POINTS)
    return usual * (1 + swell * np.sin(2 * np.pi * speed * s + phase))


def fit_box(P, radius):
    """Scale paths P (n, k, 2) so that the ink just fits a 20 x 20 box, and centre them in it."""
    low, high = P.min(axis=1, keepdims=True), P.max(axis=1, keepdims=True)
    longest = (high - low).max(axis=2, keepdims=True)
    room = 20 - 2 * radius.max(axis=1)[:, None, None]
    return (P - (low + high) / 2) * (room / longest) + 10


# --- the paper: from paths to pixels ------------------------------------------------------------


def round_to_grid(a):
    """Round to 1/1024 and go to float32, which holds such numbers exactly."""
    return (np.round(a * 1024) / 1024).astype(np.float32)


def ink(P, radius):
    """Grey images (n, 20, 20) uint8 of a pen along paths P (n, k, 2), half width radius (n, k).

    How dark a pixel gets depends on its distance to the line: black inside, white outside, and
    a soft edge of about a pixel between.  With a pen of one width the nearest point of the path
    is the one of smallest d**2; where the width changes, d**2 + first**2 - radius**2 takes its
    place, where first is the radius at the first point.
    """
    first = radius[:, :1]
    centres = np.arange(20, dtype=np.float32) + np.float32(0.5)
    dx2 = np.square(centres - P[..., :1]) + (first * first - radius * radius)[..., None]
    dy2 = np.square(centres - P[..., 1:])
    nearest = np.full((len(P), 20, 20), np.inf, dtype=np.float32)
    for k in range(P.shape[1]):
        np.minimum(nearest, dy2[:, k, :, None] + dx2[:, k, None, :], out=nearest)
    distance = np.sqrt(np.maximum(nearest, 0))
    cover = (first[..., None] - distance) / np.float32(1.1) + np.float32(0.5)
    level = np.floor(np.clip(cover, 0, 1) * np.float32(255 // GREY_STEP) + np.float32(0.5))
    return level.astype(np.uint8) * np.uint8(GREY_STEP)


def corner(weight):
    """Where 20 pixels with column (or row) sums weight (n, 20) start, so that 14 is their mean."""
    total = weight.sum(axis=1)
    moment = (weight * np.arange(20)).sum(axis=1)
    return np.clip(14 - (2 * moment + total) // (2 * total), 0, 8)  # the mean, rounded half up


def centre_mass(small):
    """Put images (n, 20, 20) into frames (n, 28, 28), the centre of mass at pixel (14, 14)."""
    top = corner(small.sum(axis=2, dtype=np.int64))
    left = corner(small.sum(axis=1, dtype=np.int64))
    rows = (top[:, None] + np.arange(20))[:, :, None]
    columns = (left[:, None] + np.arange(20))[:, None, :]
    images = np.zeros((len(small), 28, 28), dtype=np.uint8)
    images[np.arange(len(small))[:, None, None], rows, columns] = small
    return images


# --- all together -------------------------------------------------------------------------------


def draw(digit, text, rng, n):
    """n images (n, 28, 28) uint8 of one way to write a digit."""
    lean, width = HABITS[digit]
    points, inner, weights = parse_variant(text)
    P = weights @ wobble(points, inner, rng, n)
    P = warp(rebalance(P, rng), rng)
    P = tilt(P, lean, 0.26 if digit == 1 else 0.22, rng)
    radius = pressure(width, rng, n)
    P, radius = round_to_grid(fit_box(P, radius)), round_to_grid(radius)
    batches = [ink(P[i : i + 256], radius[i : i + 256]) for i in range(0, n, 256)]
    return centre_mass(np.concatenate(batches))


def draw_digits(m, rng):
    """m images (m, 28, 28) and their labels (m,), both uint8, in random order."""
    images = np.zeros((m, 28, 28), dtype=np.uint8)
    labels = rng.integers(0, 10, m).astype(np.uint8)
    for digit, variants in STROKES.items():
        bounds = np.cumsum([weight for weight, _ in variants])
        ticket = rng.integers(0, bounds[-1], m)
        variant = np.searchsorted(bounds, ticket, side="right")
        for v, (_, text) in enumerate(variants):
            chosen = np.flatnonzero((labels == digit) & (variant == v))
            if len(chosen):
                images[chosen] = draw(digit, text, rng, len(chosen))
    return images, labels


def make(seed=SEED, n_train=N_TRAIN, n_test=N_TEST):
    """The four arrays by name; training and test digits come from separate random streams."""
    train = draw_digits(n_train, np.random.default_rng([seed, 0]))
    test = draw_digits(n_test, np.random.default_rng([seed, 1]))
    names = "train_images", "train_labels", "test_images", "test_labels"
    return dict(zip(names, (*train, *test)))


def npy_bytes(array):
    """A uint8 array as an .npy file, version 1.0, whose header no version of NumPy words anew."""
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {array.shape}, }}"
    header = header.ljust(117) + "\n"  # magic, version, length and header make 128 bytes
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + array.tobytes()


def npz_bytes(arrays):
    """What np.savez_compressed writes, but with a fixed date, so that only arrays matter."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(name + ".npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3  # the same bytes on Windows
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, npy_bytes(array), compresslevel=9)
    return content.getvalue()


def write_file(path, content):
    """Write bytes under a temporary name and move them into place only when complete."""
    part = path.with_name(path.name + ".part")
    try:
        part.write_bytes(content)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


# --- how real are they? -------------------------------------------------------------------------


def notebook_functions():
    """The functions of the notebook, taken from its cells by the same code as the tests use."""
    sys.path.insert(0, str(TARGET.parent.parent / "tests"))
    from page import functions

    return functions()


def read_mnist(folder, name):
    """Images (m, 784) float32 in [0, 1] and labels (m,) of MNIST's "train" or "t10k" files."""
    contents = []
    for kind, header in (("images-idx3", 16), ("labels-idx1", 8)):
        packed = (Path(folder) / f"{name}-{kind}-ubyte.gz").read_bytes()
        contents.append(np.frombuffer(gzip.decompress(packed), dtype=np.uint8, offset=header))
    images, labels = contents
    return as_rows(images.reshape(-1, 28, 28)), labels


def as_rows(images):
    """Images (m, 28, 28) uint8 as rows (m, 784) float32 in [0, 1]."""
    return images.reshape(len(images), 784) / np.float32(255)


def accuracy_after(net, X, y, others, seed):
    """Train a 784-128-10 network on X, y; its accuracy on each of others = [(X, y), ...]."""
    rng = np.random.default_rng(seed)
    few = X[:100], y[:100]  # what `train` reports on; nothing is chosen by it here
    rates = [0.5] * 9 + [0.05] * 3
    params, _ = net.train(X, y, *few, net.init_params(784, 128, 10, rng), rates, 64, rng, report=None)
    return [float((net.predict(A, *params) == b).mean()) for A, b in others]


def measure(folder, part, seeds=(0, 1, 2)):
    """Print what networks trained on one kind of digit read of the other kind."""
    net = notebook_functions()
    X, y = read_mnist(folder, "train")
    order = np.random.default_rng(0).permutation(len(X))
    val, train = order[:5000], order[5000:]
    real = (X[val], y[val]) if part == "validation" else read_mnist(folder, "t10k")
    with np.load(TARGET, allow_pickle=False) as f:
        drawn_X, drawn_y = as_rows(f["train_images"]), f["train_labels"]
        drawn = as_rows(f["test_images"]), f["test_labels"]
    runs = {
        "drawn digits": [accuracy_after(net, drawn_X, drawn_y, [real, drawn], s) for s in seeds],
        "MNIST": [accuracy_after(net, X[train], y[train], [real, drawn], s) for s in seeds],
    }
    for kind, results in runs.items():
        for name, values in zip((f"MNIST {part}", "drawn test"), zip(*results)):
            each = ", ".join(f"{v:.2%}" for v in values)
            print(f"trained on {kind}, reads {name}: {np.mean(values):.2%} ({each})")


def main():
    """Write the file, or measure with --measure."""
    parser = argparse.ArgumentParser(description="Draw digits, or measure how real they are.")
    parser.add_argument("--measure", choices=("validation", "test"), help="measure, on this part")
    parser.add_argument("--mnist", default=TARGET.parent, help="folder of MNIST's four .gz files")
    args = parser.parse_args()
    if args.measure:
        measure(args.mnist, args.measure)
    else:
        content = npz_bytes(make())
        assert len(content) <= MAX_BYTES, f"{len(content):,} bytes are too many: draw fewer digits"
        write_file(TARGET, content)
        print(f"{TARGET.name}: {len(content):,} bytes")


if __name__ == "__main__":
    main()
