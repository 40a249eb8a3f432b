"""A stack as a sum over paths: how long those are that count."""

import numpy as np
from matplotlib.figure import Figure

from course_utils.plots.arms import BRANCH, IDENTITY, MUTED, PLAIN, look
from course_utils.plots.frame import Drawing


def path_lengths(shares, title, longest=14):
    """Draw how much of a gradient came along paths of each length, one picture for each net.

    Parameters
    ----------
    shares : dict of str to ndarray, shape (seeds, depth + 1)
        Bars are means, dots the seeds; shares may be negative.
    title : str
        States the finding.
    longest : int
        Where the axis ends.

    Returns
    -------
    Figure

    Examples
    --------
    >>> figure = path_lengths({"residual": np.full((3, 25), 0.04)}, "Equal")
    >>> len(figure.axes[0].patches), figure.axes[0].get_title()
    (15, 'residual')
    """
    figure = Figure()
    axes = figure.subplots(1, len(shares), squeeze=False)[0]
    lengths = np.arange(longest + 1)
    for ax, (name, each) in zip(axes, shares.items(), strict=True):
        shown, (colour, _) = each[:, : longest + 1], look(name)
        ax.bar(lengths, shown.mean(0), color=colour, alpha=0.6)
        ax.plot(np.tile(lengths, (len(each), 1)).T, shown.T, ".", color="black", ms=4)
        ax.axhline(0, color=MUTED, lw=1)
        ax.set_title(name, loc="center", weight="normal")
        ax.set(xlabel="branches on the path", xticks=range(0, longest + 1, 4))
    axes[0].set_ylabel("share of the gradient")
    figure.suptitle(title)
    return figure


def effective_depth(shares, kept, accuracies, title):
    """Draw which paths carry the gradient, and how many blocks the net can do without.

    Parameters
    ----------
    shares : ndarray, shape (lengths, seeds)
        From `probes.path_shares`.
    kept : sequence of int
        Numbers of blocks left in the net.
    accuracies : dict of str to ndarray, shape (kept, seeds)
    title : str
        States the finding.

    Returns
    -------
    Figure

    Examples
    --------
    >>> figure = effective_depth(np.eye(3), [0, 1, 10], {"all": np.ones((3, 3))}, "Equal")
    >>> [ax.get_xlabel() for ax in figure.axes]
    ['branches on the path', 'blocks kept']
    """
    figure = Figure()
    left, right = figure.subplots(1, 2)
    left.axhline(0, color=MUTED, lw=1)
    left.plot(shares, color=IDENTITY, lw=0.8, alpha=0.5)
    left.plot(shares.mean(1), "o-", color=IDENTITY)
    left.set(xlabel="branches on the path", ylabel="share of the gradient")
    left.set(xlim=(-0.5, 14.5), xticks=range(0, 15, 2))
    for name, values in accuracies.items():
        colour, dash = look(name)
        right.fill_between(kept, values.min(1), values.max(1), color=colour, alpha=0.2, lw=0)
        right.plot(kept, values.mean(1), "o", ls=dash, color=colour)
        # the curve of blocks kept by chance lies lower: named from below, on its way up
        point, place = (2, (8, -12)) if dash == "--" else (-2, (-14, 9))
        end = kept[point], values[point].mean()
        right.annotate(name, end, place, textcoords="offset points", color=colour)
    right.set(xlabel="blocks kept", ylabel="training accuracy")
    figure.suptitle(title)
    return figure


TOPS = np.array([0.12, 0.16, 0.2, 0.24, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0])  # where an axis may end


def unrolled(depth, gain, shares, measured=None, longest=None):
    """Draw the paths through a stack by their length: how many, how strong, and what they carry.

    Parameters
    ----------
    depth : int
        L, the number of blocks.
    gain : float
        g: a branch multiplies the squared length by g² on average.
    shares : ndarray, shape (depth + 1,)
        Of the squared length, by path length; from `probes.path_length_shares`.
    measured : ndarray, shape (depth + 1, seeds), optional
        The same in random stacks, one thin mark for each seed.
    longest : int, optional
        End of the axes; `depth` if not given.

    Returns
    -------
    Drawing
        Its `update` takes the first four anew, `depth` up to `longest`. The axis of the shares
        keeps its length, and its labels change.

    References
    ----------
    Veit et al. (2016), "Residual Networks Behave Like Ensembles of Relatively Shallow
    Networks", figure 6. Derived in notebooks/07_many_paths.ipynb.

    Examples
    --------
    >>> drawing = unrolled(2, 1.0, np.array([0.25, 0.5, 0.25]))
    >>> drawing.artists[0].get_ydata()
    array([1., 2., 1.])
    """
    figure = Figure()
    number, strength, product = figure.subplots(1, 3, width_ratios=(1, 1, 1.4))
    longest = longest or depth
    (count,) = number.plot([], [], "o", ls="--", ms=3, color=PLAIN)
    (square,) = strength.plot([], [], "o-", ms=3, color=BRANCH)
    most = float(_binomials(longest).max())
    number.set(yscale="log", ylim=(0.5, max(10.0, 9 * most)), ylabel="number of paths")
    strength.set(yscale="log", ylim=(1e-24, 1e20), ylabel="squared gain of one path")
    # bar, gap, bar, ...: one artist is drawn sooner than 55
    edges = (np.arange(longest + 1)[:, None] + [-0.4, 0.4]).ravel()
    bars = product.stairs(np.zeros(2 * longest + 1), edges, fill=True, color=IDENTITY, alpha=0.5)
    (marks,) = product.plot([], [], "_", color="black", ms=4, mew=0.8)
    (middle,) = product.plot([], [], ":", color=BRANCH)
    name = product.text(0, 0.99, "", color=BRANCH, va="top")
    product.set_ylim(0, 1.15)
    product.set_yticks([0, 0.5, 1], ["0.00"] * 3, alpha=0)  # holds the place of the labels
    product.set_ylabel("share of the squared length")
    beside = {"transform": product.get_yaxis_transform(), "ha": "right", "va": "center"}
    labels = [product.text(-0.04, y, "", color="#555555", **beside) for y in (0, 0.5, 1)]
    for ax in (number, strength, product):
        ax.set(xlim=(-0.03 * longest - 0.5, 1.03 * longest + 0.5))
    strength.set_xlabel("branches on a path")
    product.set_xlabel("" if measured is None else "marks: measured")
    figure.suptitle("Which lengths count: how many paths, times the squared gain of each")

    def update(depth, gain, shares, measured=None):
        lengths = np.arange(depth + 1)
        count.set_data(lengths, _binomials(depth))
        square.set_data(lengths, float(gain) ** (2 * lengths))
        measured = np.empty((depth + 1, 0)) if measured is None else measured
        # the axis keeps its length: what changes is the shares' unit, and its labels
        top = TOPS[min(np.searchsorted(TOPS, max(shares.max(), measured.max(initial=0))), 9)]
        heights = np.zeros(2 * longest + 1)
        heights[: 2 * depth + 1 : 2] = shares / top
        bars.set_data(heights)
        marks.set_data(np.repeat(lengths, measured.shape[1]), measured.ravel() / top)
        for label, part in zip(labels, (0, 0.5, 1), strict=True):
            label.set_text(f"{part * top:.2f}")
        mean = (lengths * shares).sum()  # the shares add up to 1
        middle.set_data([mean, mean], [0, 1.15])
        name.set_text(f"mean {mean:.1f}")
        on_the_left = mean > 0.5 * longest
        name.set(x=mean + (-0.03 if on_the_left else 0.03) * longest, y=1.13)
        name.set_ha("right" if on_the_left else "left")

    update(depth, gain, shares, measured)
    return Drawing(figure, (count, square, bars, marks, middle, name, *labels), update)


def _binomials(depth):
    """How many paths of each length run through `depth` blocks."""
    # C(L, k) = C(L, k − 1) · (L + 1 − k) / k
    steps = np.arange(1, depth + 1)
    return np.cumprod(np.r_[1.0, (depth + 1 - steps) / steps]).round()
