"""Nets of one number: gradient descent on a parabola, and gains that multiply."""

import numpy as np
from matplotlib.figure import Figure

from course_utils.plots.arms import BRANCH, IDENTITY, MUTED, look
from course_utils.plots.frame import Drawing, name_end


def descent(errors, curvature, learning_rate):
    """Draw gradient descent on L(w) = ½ c w²: the path on the parabola, |w| against steps.

    Parameters
    ----------
    errors : ndarray, shape (steps + 1,)
        w before the first step and after each one.
    curvature : float
        c of the parabola.
    learning_rate : float
        Written into the picture.

    Returns
    -------
    Drawing
        Its `update(errors, learning_rate)` moves the path.

    Examples
    --------
    >>> drawing = descent(np.array([1.0, 0.5, 0.25]), 1.0, 0.5)
    >>> drawing.artists[1].get_ydata()
    array([1.  , 0.5 , 0.25])
    """
    figure = Figure()
    left, right = figure.subplots(1, 2)
    w = np.linspace(-1.6, 1.6, 200)
    left.plot(w, 0.5 * curvature * w**2, color=MUTED)
    (path,) = left.plot([], [], "o-", color=BRANCH, lw=1.2, ms=4)
    left.set(xlim=(-1.6, 1.6), ylim=(-0.05, 1.3 * curvature), xlabel="w", ylabel="L(w) = ½ c w²")
    (line,) = right.plot([], [], "o-", color=IDENTITY, ms=3)
    right.axhline(1, color=MUTED, lw=1)
    right.set(yscale="log", xlim=(0, 30), ylim=(1e-12, 1e6), xlabel="step", ylabel="|w|")
    note = right.text(0.97, 0.95, "", transform=right.transAxes, ha="right", va="top")

    def update(errors, learning_rate):
        path.set_data(errors, 0.5 * curvature * errors**2)
        # w = (1 − η c)^t · start: a straight line on a logarithmic axis
        line.set_data(np.arange(len(errors)), np.abs(errors))
        note.set_text(f"learning rate {learning_rate:.2f}")

    update(errors, learning_rate)
    return Drawing(figure, (path, line, note), update)


def scalar_gains(slopes, plain, residual, depth):
    """Draw the gradient after `depth` equal blocks against the slope f of each branch.

    Parameters
    ----------
    slopes : ndarray, shape (points,)
    plain, residual : ndarray, shape (points,)
        Sizes of the gradient.
    depth : int

    Returns
    -------
    Figure

    Examples
    --------
    >>> figure = scalar_gains(np.array([-1.0, 1.0]), np.ones(2), np.ones(2), 20)
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['plain', 'residual']
    """
    figure = Figure()
    ax = figure.subplots()
    # the same curve twice, f^L and (1 + f)^L: one slope apart
    for name, values in (("plain", plain), ("residual", residual)):
        colour, dash = look(name)
        ax.plot(slopes, values, ls=dash, color=colour)
        name_end(ax, name, (slopes[-1], values[-1]))
    ax.axhline(1, color=MUTED, lw=1)
    ax.set(yscale="log", ylim=(1e-13, 1e13), xlabel="slope f of every branch")
    ax.set_ylabel(f"gradient after {depth} blocks")
    ax.set_xlim(slopes[0], slopes[-1] + 0.45)  # room for the names
    return figure
