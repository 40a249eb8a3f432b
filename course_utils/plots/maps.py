"""A net as a map: what becomes of a grid of points."""

from matplotlib.figure import Figure

from course_utils.plots.arms import look
from course_utils.plots.frame import Drawing


def pushed_grid(before, plain, residual):
    """Draw a grid of points of the plane after a plain and after a residual stack.

    Parameters
    ----------
    before, plain, residual : ndarray, shape (lines, points, 2)
        The same grid lines at the input and at the two outputs.

    Returns
    -------
    Drawing
        Its `update(plain, residual)` moves the two outputs.

    Examples
    --------
    >>> import numpy as np
    >>> lines = np.zeros((4, 5, 2))
    >>> len(pushed_grid(lines, lines, lines).artists)
    8
    """
    figure = Figure()
    drawn = []
    axes = figure.subplots(1, 2)
    equations = {"plain": "h ← b·F(h)", "residual": "h ← h + b·F(h)"}
    for ax, (arm, equation) in zip(axes, equations.items(), strict=True):
        ax.set(xlim=(-3, 3), ylim=(-2.1, 2.1), aspect="equal", xlabel=f"{arm}: {equation}")
        ax.grid(False)
        for line in before:
            ax.plot(*line.T, color="#D8D8D8", lw=0.8)
        colour, dash = look(arm)
        # the marker shows where a line has shrunk to a point
        style = {"color": colour, "ls": dash, "lw": 1.3, "marker": "." if dash == "--" else ""}
        style |= {"markevery": [0], "ms": 4}
        drawn.append([ax.plot([], [], **style)[0] for _ in before])

    def update(plain, residual):
        for artists, lines in zip(drawn, (plain, residual), strict=True):
            for artist, line in zip(artists, lines, strict=True):
                artist.set_data(*line.T)

    update(plain, residual)
    return Drawing(figure, (*drawn[0], *drawn[1]), update)
