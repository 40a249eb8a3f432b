"""How alike the gradients at two inputs are, and how depth pulls them apart."""

import numpy as np
from matplotlib.figure import Figure

from course_utils.plots.arms import BRANCH, IDENTITY, MUTED, look
from course_utils.plots.frame import Drawing, name_ends


def autocorrelation(measured, predicted, title, noise=None):
    """Draw how alike gradients are against their distance on a line of inputs.

    Parameters
    ----------
    measured : dict of str to ndarray, shape (points, seeds)
        By lag, from 0 on; from `probes.by_lag` or `probes.autocorrelation`. The mean over seeds
        is drawn, with their range as a band. `look` says how a name is drawn.
    predicted : dict of str to ndarray, shape (points,)
        Drawn as dots.
    title : str
        States the finding.
    noise : dict of str to ndarray, shape (points,), optional
        Other series to hold them against, drawn thin and light.

    Returns
    -------
    Figure
        The lags up to half of the line, on a logarithmic axis.

    Examples
    --------
    >>> figure = autocorrelation({"plain": np.ones((9, 3))}, {"plain": np.ones(9)}, "Equal")
    >>> figure.axes[0].lines[-1].get_xdata()
    array([1, 2, 3, 4])
    """
    figure = Figure()
    ax = figure.subplots()
    ax.axhline(0, color=MUTED, lw=1)
    ends = {}
    for name, values in (noise or {}).items():
        lags = np.arange(1, len(values) // 2 + 1)
        ax.plot(lags, values[lags], color=MUTED, lw=1)
        place = {"xytext": (-4, -11), "textcoords": "offset points", "ha": "right"}
        ax.annotate(name, (lags[-1] / 4, values[lags[-1] // 4]), color=MUTED, **place)
    for name, values in measured.items():
        colour, dash = look(name)
        # lag 0 is 1 for every net, and at long lags few pairs are left to average over
        lags = np.arange(1, len(values) // 2 + 1)
        low, middle, high = values.min(1)[lags], values.mean(1)[lags], values.max(1)[lags]
        ax.fill_between(lags, low, high, color=colour, alpha=0.15, lw=0)
        ax.plot(lags, middle, ls=dash, color=colour)
        ends[name] = lags[-1], middle[-1]
    for values in predicted.values():
        ax.plot(lags, values[lags], ":", color="black", lw=1.2)
    name_ends(ax, ends, lambda one, other: abs(one - other) < 0.08)
    ax.set(xscale="log", xlim=(1, lags[-1] * 5), ylim=(-0.35, 1.05), title=title)
    ax.set_xlabel("points between the two inputs")
    ax.set_ylabel("how alike two gradients are")
    ticks = [2**k for k in range(0, 20, 2) if 2**k <= lags[-1]]
    ax.set_xticks(ticks, labels=[str(tick) for tick in ticks])
    ax.minorticks_off()
    return figure


def gradients_along(x, gradients, title):
    """Draw the slope dy/dx of several nets along a line of inputs, side by side.

    Parameters
    ----------
    x : ndarray, shape (points,)
    gradients : dict of str to ndarray, shape (points,)
        Each is divided by its own root mean square. `look` says how a name is drawn.
    title : str
        States the finding.

    Returns
    -------
    Figure

    Examples
    --------
    >>> x = np.linspace(-2, 2, 5)
    >>> figure = gradients_along(x, {"plain": x, "residual": 3 * x}, "Equal")
    >>> [float(ax.lines[-1].get_ydata()[-1].round(3)) for ax in figure.axes]
    [1.414, 1.414]
    """
    figure = Figure()
    axes = figure.subplots(1, len(gradients), sharey=True, squeeze=False)[0]
    for ax, (name, values) in zip(axes, gradients.items(), strict=True):
        ax.axhline(0, color=MUTED, lw=1)
        ax.plot(x, _of_size_1(values), color=look(name).colour, lw=1)
        ax.set(xlim=(x[0], x[-1]), ylim=(-3.2, 3.2), xlabel="x")
        ax.set_title(name, loc="center", weight="normal")
    axes[0].set_ylabel("dy/dx, relative to its size")
    figure.suptitle(title)
    return figure


def _of_size_1(values):
    # what counts is how a slope jumps about, not how large it is
    size = np.sqrt((values**2).mean())
    return values / (size or 1)


def shattered_gradients(x, slopes, measured, predicted):
    """Draw the slope of one net along a line of inputs, and how alike its gradients are.

    Parameters
    ----------
    x : ndarray, shape (points,)
    slopes : ndarray, shape (points,)
        dy/dx; drawn relative to its root mean square.
    measured : ndarray, shape (points, seeds)
        Cosines by lag, from `probes.by_lag`; the mean is drawn, with the range as thin lines.
    predicted : ndarray, shape (points,)

    Returns
    -------
    Drawing
        Its `update(slopes, measured, predicted)` moves the lines.

    Examples
    --------
    >>> x = np.linspace(-2, 2, 4)
    >>> drawing = shattered_gradients(x, x, np.ones((4, 2)), np.ones(4))
    >>> [len(line.get_xdata()) for line in drawing.artists]
    [4, 3, 3, 3, 3]
    """
    figure = Figure()
    left, right = figure.subplots(1, 2, width_ratios=(1.2, 1))
    left.axhline(0, color=MUTED, lw=1)
    (slope,) = left.plot([], [], color=BRANCH, lw=1)
    left.set(xlim=(x[0], x[-1]), ylim=(-3.4, 3.4), xlabel="x")
    left.set(ylabel="dy/dx, relative to its size")
    left.set_title("the gradient of one net", loc="center", weight="normal")
    distance = (x - x[0])[1:]
    right.axhline(0, color=MUTED, lw=1)
    (middle,) = right.plot([], [], color=IDENTITY)
    low, high = (right.plot([], [], color=IDENTITY, lw=0.7, alpha=0.6)[0] for _ in range(2))
    (dots,) = right.plot([], [], ":", color="black", lw=1.5)
    right.set(xlim=(0, distance[-1]), ylim=(-0.4, 1.05), xlabel="distance on the line")
    right.set_ylabel("cosine of two gradients")
    right.set_title("how alike (dots: formula)", loc="center", weight="normal")

    def update(slopes, measured, predicted):
        slope.set_data(x, np.clip(_of_size_1(slopes), -3.4, 3.4))
        shown = measured.mean(1), measured.min(1), measured.max(1), predicted
        # at distance 0 a gradient meets itself: nothing to show
        for line, values in zip((middle, low, high, dots), shown, strict=True):
            line.set_data(distance, values[1:])

    update(slopes, measured, predicted)
    return Drawing(figure, (slope, middle, low, high, dots), update)
