"""How do people write digits? Seeded strokes of a pen, to draw on the digit pad.

A drawing takes one of a digit's five ways of being written, moves its control points, curves through them,
slants, squeezes, turns and resizes the result, and adds the slow wobble of a hand.
"""

import numpy as np

# Five ways a digit, from 0 to 9. Strokes are parted by /, and a stroke is its control points x,y in a box of
# 100 x 100 (y grows downwards). A point that ends in ! is a corner, all others are smooth.
WAYS = """
50,0 22,12 8,50 22,88 50,100 78,88 92,50 78,12 50,0
52,2 80,14 92,50 78,88 48,100 20,86 8,48 24,10 56,3
70,8 40,0 12,30 14,74 44,100 80,84 90,40 72,10 50,6
40,6 16,40 22,84 50,98 80,76 84,34 62,4 46,8
60,0 30,10 18,50 26,90 48,100 72,84 80,44 70,8 56,0
50,0 50,50 50,100
62,0 52,50 40,100
28,26 44,14! 56,0! 54,50 52,100
30,24 54,0! 54,100 / 28,100 80,100
46,0 48,50 52,100
14,26 26,6 52,0 78,12 80,36 58,62 14,98! 50,96 88,98
12,28 24,6 54,0 80,16 76,42 48,70 12,100! 90,98
16,20 40,0 74,8 80,34 54,66 24,92 12,84 26,74 48,86 70,98 92,90
10,14! 50,4 82,20 70,54 40,80 12,98! 52,90 90,100
18,32 20,10 46,0 72,10 74,34 50,64 16,96! 50,98 84,92
16,12 42,0 74,8 76,32 42,46! 78,58 84,82 52,100 14,88
14,2! 82,2! 44,40! 80,52 84,82 52,100 12,90
18,16 46,0 76,14 68,38 46,46 70,52 86,74 62,98 14,92
20,8 54,0 78,20 50,44 40,48 64,50 84,72 66,96 34,100 12,84
16,6! 48,0 76,18 44,44! 82,62 70,92 40,100 16,94
30,0 24,30 18,58! 84,54 / 72,14 68,60 64,100
22,4 20,34 28,54 54,56 80,48 / 80,0 78,50 76,100
64,0! 10,66! 92,66 / 66,30 66,70 66,100
66,100 66,50 68,0! 36,36 10,68! 50,66 94,66
28,2 14,56! 60,56 90,52 / 62,20 58,60 54,100
26,2! 22,42! 52,36 82,54 78,86 46,100 12,90 / 26,3 56,3 86,2
84,2! 28,2! 22,44! 54,38 82,58 76,88 44,100 12,88
82,4 52,2 28,6! 24,40 50,42 78,58 74,88 44,98 14,94
30,0! 20,48! 60,42 84,66 66,96 14,96 / 30,2 58,6 90,0
78,6! 34,4! 26,38! 60,46 76,70 60,94 18,100
66,0 36,20 16,60 26,92 54,100 80,84 76,60 50,52 22,70
54,0 30,34 20,70 36,98 64,98 78,76 62,58 36,62 24,78
74,6 46,4 20,40 16,76 40,100 76,92 82,66 56,54 22,66
46,0 26,36 18,74 34,100 64,94 70,70 48,60 24,76
80,2 50,16 26,48 20,80 46,100 74,88 70,64 44,60 24,76
12,4! 50,4 86,2! 62,44 40,100
14,16 16,2! 84,4! 58,50 46,100
12,4! 84,4! 60,46 38,100 / 34,52 78,48
10,8 40,4 80,2 76,20 54,56 42,100
16,2! 82,6! 46,100
76,14 48,0 22,20 42,44 74,66 74,92 46,100 22,82 42,54 74,30 72,8
50,48 24,28 34,4 64,2 76,24 52,48 24,70 28,94 60,100 80,78 50,48
50,0 26,12 28,36 50,46 72,34 72,12 50,0 / 50,46 22,60 22,88 50,100 78,88 78,60 50,46
68,10 44,0 26,18 46,42 70,66 62,96 34,98 26,76 50,50 74,24 64,6
80,6 50,2 30,22 50,46 70,72 52,98 24,90 30,68 54,46 80,10
76,20 52,0 22,16 24,44 52,50 76,22! 72,60 66,100
74,10 42,2 22,30 40,52 70,40 78,8! 74,54 70,100
76,24 60,0 28,10 22,38 46,52 74,34 78,18 78,60 64,92 28,98
70,16 44,0 24,24 40,48 66,36 72,10! 66,60 50,100
60,4 30,8 26,40 56,48 76,22 64,4 74,30 74,70 72,100
""".strip().split("\n")


def control_points(stroke):
    """The points of a stroke string, and whether each is a corner."""
    words = stroke.split()
    points = np.array([[float(n) for n in word.rstrip("!").split(",")] for word in words])
    return points, np.array([word.endswith("!") for word in words])


def curve(points, corner, steps=10):
    """Points along a Catmull-Rom curve through `points`, which stops and turns at the corners."""
    tangent = np.zeros_like(points)
    tangent[1:-1] = (points[2:] - points[:-2]) / 2
    tangent[corner] = 0
    u = np.linspace(0, 1, steps, endpoint=False)[:, None]
    a, b, c, d = 2 * u**3 - 3 * u**2 + 1, u**3 - 2 * u**2 + u, 3 * u**2 - 2 * u**3, u**3 - u**2
    pairs = zip(points[:-1], points[1:], tangent[:-1], tangent[1:])
    pieces = [a * p + b * s + c * q + d * t for p, q, s, t in pairs]
    return np.concatenate([*pieces, points[-1:]])


def pen_strokes(digit, rng, way=None, sloppy=1.0):
    """One drawing: a list of strokes, arrays (n, 2) of x and y on 280 x 280 pixels, in the pen's order."""
    way = WAYS[5 * digit + (rng.integers(5) if way is None else way)]
    parts = [control_points(stroke) for stroke in way.split("/")]
    strokes = [curve(p + rng.normal(0, 4 * sloppy, p.shape), c) - 50 for p, c in parts]

    turn, slant = np.deg2rad(rng.normal(0, 7 * sloppy)), rng.normal(-0.08, 0.12 * sloppy)
    wide = np.exp(rng.normal(0, 0.16 * sloppy)) * (0.75 if digit != 1 else 1)
    rotate = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    matrix = rotate @ np.array([[wide, slant], [0, 1]])
    size = rng.uniform(110, 240)  # the height, about, in pixels
    strokes = [stroke @ matrix.T * size / 100 for stroke in strokes]

    for stroke in strokes:  # the hand wobbles, slowly
        wobble = rng.normal(0, size / 60 * sloppy, (len(stroke) // 6 + 3, 2))
        at = np.linspace(0, len(wobble) - 1, len(stroke))
        for axis in range(2):
            stroke[:, axis] += np.interp(at, np.arange(len(wobble)), wobble[:, axis])

    low = np.min([stroke.min(0) for stroke in strokes], axis=0)
    high = np.max([stroke.max(0) for stroke in strokes], axis=0)
    room = np.maximum(280 - 24 - (high - low), 0)
    corner = 12 + room * rng.uniform(0.2, 0.8, 2)  # somewhere on the canvas, all of it
    return [np.clip(stroke - low + corner, 4, 276) for stroke in strokes]
