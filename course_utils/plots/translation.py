"""What an encoder-decoder looks at, and what it writes without its skips."""

import itertools

import numpy as np
from matplotlib.figure import Figure

from course_utils.plots.arms import BRANCH, IDENTITY, MUTED
from course_utils.plots.frame import Drawing


def which_skip(alone, intact, total):
    """Draw what a decoder looks at for one number, and how many numbers come out right.

    Parameters
    ----------
    alone : dict of str to int
        How many are right with only that kind of skip removed.
    intact : int
        How many are right with every skip.
    total : int
        Of how many.

    Returns
    -------
    Drawing
        Its `update(weights, words, digits, right)` takes the attention weights, shape
        (rows, columns), a name for each of the first rows and of the first columns, and how many
        are right now. The shape stays that of the first call, whose frame is 8 words and 6 digits.

    Examples
    --------
    >>> drawing = which_skip({"encoder attention": 3}, 9, total=10)
    >>> drawing.update(np.ones((8, 6)), ["twelve"], ["1", "2", "end"], 5)
    >>> drawing.artists[1].get_width(), drawing.artists[2].get_text()
    (5, '5')
    """
    figure = Figure(layout="none")
    left = figure.add_axes((0.13, 0.12, 0.25, 0.7))
    right = figure.add_axes((0.65, 0.12, 0.31, 0.7))
    rows, columns = 8, 6
    image = left.imshow(
        np.zeros((rows, columns)), cmap="Blues", vmin=0, vmax=1, aspect="auto",
        extent=(-0.5, columns - 0.5, rows - 0.5, -0.5), interpolation="nearest",
    )  # fmt: skip
    left.set(xticks=[], yticks=[])
    left.grid(False)
    left.set_title("what a digit looks at\n(stronger colour: more)", loc="center", weight="normal")
    said = [left.text(-0.7, row, "", ha="right", va="center") for row in range(rows)]
    written = [
        left.text(column, rows - 0.3, "", ha="center", va="top") for column in range(columns)
    ]
    names = ["every skip", "now", *alone]
    # a row stays empty for the words above the kinds
    places = [0, 1, *range(3, 3 + len(alone))]
    counts = [intact, 0, *alone.values()]
    colours = [IDENTITY, BRANCH, *[MUTED] * len(alone)]
    bars = right.barh(places, counts, color=colours)
    for place, count in zip(places, counts, strict=True):
        if place != 1:
            right.text(count + 0.02 * total, place, str(count), va="center")
    count_now = right.text(0, 1, "", va="center", color=BRANCH)
    right.set(xlim=(0, 1.2 * total), xticks=(0, total), ylim=(places[-1] + 0.6, -0.6))
    right.set_yticks([*places, 2], labels=[*names, "one kind removed:"])
    right.tick_params(axis="y", length=0)
    right.grid(False)
    right.set_title(f"numbers right, of {total}", loc="center", weight="normal")

    def update(weights, words, digits, right):
        image.set_data(weights)
        for texts, labels in ((said, words), (written, digits)):
            for text, label in itertools.zip_longest(texts, labels, fillvalue=""):
                text.set_text(label)
        bars[1].set_width(right)
        count_now.set(x=right + 0.02 * total, text=str(right))

    return Drawing(figure, (image, bars[1], count_now, *said, *written), update)
