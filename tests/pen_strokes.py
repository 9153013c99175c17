"""How do people write digits? Seeded strokes of a pen, to draw on the digit pad."""

import numpy as np

# A digit a line, from 0 to 9. Strokes are parted by /, and a stroke is its points x,y in a box of 100 x 100.
DIGITS = """
50,0 22,12 8,50 22,88 50,100 78,88 92,50 78,12 50,0
50,0 50,50 50,100
14,26 26,6 52,0 78,12 80,36 58,62 14,98 50,96 88,98
16,12 42,0 74,8 76,32 42,46 78,58 84,82 52,100 14,88
30,0 24,30 18,58 84,54 / 72,14 68,60 64,100
26,2 22,42 52,36 82,54 78,86 46,100 12,90 / 26,3 56,3 86,2
66,0 36,20 16,60 26,92 54,100 80,84 76,60 50,52 22,70
12,4 50,4 86,2 62,44 40,100
76,14 48,0 22,20 42,44 74,66 74,92 46,100 22,82 42,54 74,30 72,8
76,20 52,0 22,16 24,44 52,50 76,22 72,60 66,100
""".strip().split("\n")


def pen_strokes(digit, rng, sloppy=1.0):
    """One drawing: a list of strokes, arrays (n, 2) of x and y on 280 x 280 pixels, in the pen's order."""
    turn, slant = np.deg2rad(rng.normal(0, 7 * sloppy)), rng.normal(-0.08, 0.12 * sloppy)
    wide, size = np.exp(rng.normal(0, 0.16 * sloppy)) * (0.75 if digit != 1 else 1), rng.uniform(1.1, 2.2)
    rotate = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    strokes = []
    for stroke in DIGITS[digit].split("/"):
        points = np.array([point.split(",") for point in stroke.split()], float)
        points += rng.normal(-50, 4 * sloppy, points.shape)
        strokes.append(size * points @ np.array([[wide, slant], [0, 1]]).T @ rotate.T)
    low, high = np.min(np.vstack(strokes), axis=0), np.max(np.vstack(strokes), axis=0)
    corner = 12 + np.maximum(256 - (high - low), 0) * rng.uniform(0.2, 0.8, 2)  # somewhere on the canvas
    return [np.clip(stroke - low + corner, 4, 276) for stroke in strokes]
