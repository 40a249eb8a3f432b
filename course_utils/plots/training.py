"""What training reaches: curves over steps, and losses, accuracies and steps over depth."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from course_utils.plots.arms import BRANCH, IDENTITY, MUTED, PLAIN, look
from course_utils.plots.frame import Drawing, against, leave_room, name_ends

SMOOTH = 20  # steps of one point


def smooth(curves):
    """Average `SMOOTH` steps at a time.

    Parameters
    ----------
    curves : ndarray, shape (steps, seeds)

    Returns
    -------
    ndarray, shape (steps − SMOOTH + 1, seeds)
        Entry i is the mean over the steps i to i + SMOOTH; empty if there are too few.

    Examples
    --------
    >>> smooth(np.arange(22.0)[:, None])[:, 0]
    array([ 9.5, 10.5, 11.5])
    """
    # a mean over a window is the difference of two sums from the start
    kept = np.cumsum(np.concatenate([np.zeros((1, curves.shape[1])), curves]), 0)
    return (kept[SMOOTH:] - kept[:-SMOOTH]) / SMOOTH


def loss_against_depth(depths, losses, title):
    """Draw the loss of several nets against their depth: mean and range over seeds.

    Parameters
    ----------
    depths : sequence of int
    losses : dict of str to ndarray, shape (depths, seeds)
        `look` says how a name is drawn.
    title : str
        States the finding.

    Returns
    -------
    Figure

    Examples
    --------
    >>> losses = {"plain": np.ones((2, 3)), "residual": np.ones((2, 3))}
    >>> figure = loss_against_depth([1, 4], losses, "Equal")
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['plain', 'residual']
    """
    figure = Figure()
    ax = figure.subplots()
    against(ax, depths, losses)
    ax.set(xscale="log", yscale="log", xlabel="depth (blocks)", title=title)
    ax.set_ylabel("mean squared error")
    ax.set_xticks(depths, labels=[str(depth) for depth in depths])
    ax.set_xlim(depths[0] * 0.9, depths[-1] * 2.1)  # room for the names
    ax.minorticks_off()
    return figure


def loss_against_angle(angles, depths, losses, title):
    """Draw the loss of several nets against the angle by which the target turns.

    Parameters
    ----------
    angles : sequence of float
        In radians, from 0 to π.
    depths : sequence of int
        One picture for each.
    losses : dict of str to ndarray, shape (depths, angles, seeds)
    title : str
        States the finding.

    Returns
    -------
    Figure

    Examples
    --------
    >>> losses = {"plain": np.ones((2, 3, 4))}
    >>> [ax.get_title() for ax in loss_against_angle([0, 1, 2], (1, 8), losses, "Equal").axes]
    ['1 block', '8 blocks']
    """
    figure = Figure()
    axes = figure.subplots(1, len(depths), sharey=True)
    for index, (ax, depth) in enumerate(zip(axes, depths, strict=True)):
        ax.set_yscale("log")
        against(ax, angles, {name: values[index] for name, values in losses.items()})
        ax.set_title(f"{depth} block{'s' if depth > 1 else ''}", loc="center", weight="normal")
        ax.set(xlim=(0, 6), xlabel="angle of the target (radians)")
        ax.set_xticks([0, np.pi / 2, np.pi], ["0", "π/2", "π"])
    axes[0].set_ylabel("mean squared error")
    figure.suptitle(title)
    return figure


def accuracy_against_depth(depths, groups, title):
    """Draw accuracy against depth, one picture for each group of nets.

    Parameters
    ----------
    depths : sequence of int
    groups : dict of str to dict of str to ndarray, shape (depths, seeds)
        Names of groups, then of nets.
    title : str
        States the finding.

    Returns
    -------
    Figure

    Examples
    --------
    >>> groups = {"without": {"plain": np.ones((2, 3))}, "with": {"ReZero": np.ones((2, 3))}}
    >>> [ax.get_title() for ax in accuracy_against_depth([5, 50], groups, "Equal").axes]
    ['without', 'with']
    """
    figure, axes = _by_group(depths, groups, 0.1, lambda one, other: abs(one - other) < 0.12)
    for ax in axes:
        ax.set_ylim(0, 1.09)
    axes[0].set_ylabel("training accuracy (grey: guessing)")
    figure.suptitle(title)
    return figure


def steps_against_depth(depths, groups, most, title):
    """Draw how many steps nets of several depths take, one picture for each group of nets.

    Parameters
    ----------
    depths : sequence of int
    groups : dict of str to dict of str to ndarray, shape (depths, seeds)
        Names of groups, then of nets.
    most : int
        Steps after which training ended; a net that has as many did not arrive.
    title : str
        States the finding.

    Returns
    -------
    Figure

    Examples
    --------
    >>> groups = {"one": {"pre-norm": np.full((2, 3), 50)}, "other": {"ReZero": np.ones((2, 3))}}
    >>> [ax.get_title() for ax in steps_against_depth([6, 24], groups, 400, "Equal").axes]
    ['one', 'other']
    """
    figure, axes = _by_group(depths, groups, most, lambda one, other: 0.8 < one / other < 1.25)
    for ax in axes:
        ax.set(yscale="log", ylim=(0.9 * most / 16, 1.2 * most))
        # who did not arrive lies on the last tick: a depth too much, not a number of steps
        ticks = [most // 16, most // 8, most // 4, most // 2, most]
        ax.set_yticks(ticks, labels=[*map(str, ticks[:-1]), f"not in {most}"])
        ax.minorticks_off()
    axes[0].set_ylabel("steps to an accuracy of 0.99")
    figure.suptitle(title)
    return figure


def _by_group(depths, groups, level, near):
    """One picture for each group of nets: lines against the depth, and one at a known level."""
    figure = Figure()
    axes = figure.subplots(1, len(groups), sharey=True)
    for ax, (group, measured) in zip(axes, groups.items(), strict=True):
        ax.axhline(level, color=MUTED, lw=1)
        against(ax, depths, measured, near)
        ax.set_title(group, loc="center", weight="normal")
        ax.set(xscale="log", xlabel="depth (layers)")
        # on a logarithmic axis the names get three quarters of the lines' own length
        ax.set_xlim(depths[0] * 0.85, depths[-1] * (depths[-1] / depths[0]) ** 0.75)
        ax.set_xticks(depths, labels=[str(depth) for depth in depths])
        ax.minorticks_off()
    return figure, axes


def learning_curves(curves, costs, title):
    """Draw the accuracy of several nets while they train, against steps and, if told, compute.

    Parameters
    ----------
    curves : dict of str to ndarray, shape (steps, seeds)
        On the batch of each step; drawn as the mean of 20 steps.
    costs : dict of str to float, or None
        What a step of each net costs, in operations; None leaves the second picture out.
    title : str
        States the finding.

    Returns
    -------
    Figure

    Examples
    --------
    >>> figure = learning_curves({"plain": np.ones((40, 3))}, {"plain": 1e6}, "Equal")
    >>> figure.axes[1].lines[0].get_xdata()[[0, -1]] / 1e6
    array([20., 40.])
    """
    figure = Figure()
    labels = ("steps",) if costs is None else ("steps", "compute (operations)")
    axes = figure.subplots(1, len(labels), sharey=True, squeeze=False)[0]
    for ax, label in zip(axes, labels, strict=True):
        ends = {}
        for name, values in curves.items():
            colour, dash = look(name)
            means = smooth(values)
            # a point stands at the last step of its mean, in steps or in what they have cost
            xs = (SMOOTH + np.arange(len(means))) * (1.0 if ax is axes[0] else costs[name])
            ax.plot(xs, means.mean(1), ls=dash, color=colour)
            ends[name] = (xs[-1], means[-1].mean())
        if ax is axes[0]:
            name_ends(ax, ends, lambda one, other: abs(one - other) < 0.08)
            leave_room(ax, max(x for x, _ in ends.values()))
        ax.set(ylim=(0, 1.09), xlabel=label)
    if costs is not None:
        # the net that ends first: on this axis there is room for one name
        first, end = min(ends.items(), key=lambda line: line[1][0])
        place = {"xytext": (0, 6), "textcoords": "offset points", "ha": "right"}
        axes[1].annotate(first, end, color=look(first).colour, **place)
        axes[1].set_xscale("log")
        axes[1].minorticks_off()
    axes[0].set_ylabel("accuracy on the batch")
    figure.suptitle(title)
    return figure


def training_curve(steps, title):
    """Draw the accuracy of one net while it trains, beside that of the net before it.

    Parameters
    ----------
    steps : int
        Length of the axis.
    title : str

    Returns
    -------
    Drawing
        Its `update(now, before)` takes two arrays of shape (steps so far, seeds), drawn as
        means of 20 steps.

    Examples
    --------
    >>> drawing = training_curve(100, "Train it")
    >>> drawing.update(np.ones((30, 3)), np.ones((0, 3)))
    >>> [len(line.get_xdata()) for line in drawing.artists]
    [0, 11, 11, 11]
    """
    figure = Figure()
    ax = figure.subplots()
    ax.axhline(0.1, color=MUTED, lw=1)
    before_line = ax.plot([], [], color=MUTED, lw=2)[0]
    lines = [ax.plot([], [], color=BRANCH, lw=1.6)[0] for _ in range(3)]
    ax.set(xlim=(0, steps), ylim=(0, 1.05), xlabel="steps", title=title)
    ax.set_ylabel("accuracy on the batch")

    def update(now, before):
        # one line for the net before, three for the seeds now
        shown = [smooth(before).mean(1), *smooth(now).T]
        for line, values in zip((before_line, *lines), shown, strict=True):
            line.set_data(SMOOTH + np.arange(len(values)), values)

    return Drawing(figure, (before_line, *lines), update)


def ranked(values, mark, title, xlabel):
    """Draw one row of dots for each net: its seeds, and a line where another net stands.

    Parameters
    ----------
    values : dict of str to ndarray, shape (seeds,)
        Drawn from top to bottom.
    mark : tuple of str and float
        Name and place of the line.
    title : str
        States the finding.
    xlabel : str

    Returns
    -------
    Figure

    Examples
    --------
    >>> figure = ranked({"a": np.ones(3), "b": np.zeros(3)}, ("guessing", 0.5), "Equal", "accuracy")
    >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
    ['a', 'b']
    """
    figure = Figure()
    ax = figure.subplots()
    for row, (name, each) in enumerate(values.items()):
        ax.plot(each, np.full(len(each), row), "o", color=look(name).colour, ms=7, alpha=0.7)
    ax.axvline(mark[1], color=PLAIN, ls="--")
    ax.annotate(mark[0], (mark[1], 0.5), xytext=(-6, 0), textcoords="offset points", ha="right")
    ax.set(xlabel=xlabel, title=title, ylim=(len(values) - 0.5, -0.5))
    ax.set_yticks(range(len(values)), values)
    return figure


def depth_rule(measured, predicted, fitted, title):
    """Draw measured against predicted depths, each named.

    Parameters
    ----------
    measured, predicted : dict of str to float
        With the same names.
    fitted : collection of str
        Names that the rule was fitted to; drawn hollow.
    title : str
        States the finding.

    Returns
    -------
    Figure

    Examples
    --------
    >>> figure = depth_rule({"a": 5.0, "b": 9.0}, {"a": 5.0, "b": 10.0}, {"a"}, "Close")
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['a (fitted)', 'b']
    """
    figure = Figure()
    ax = figure.subplots()
    # on the diagonal the rule is exact, in the band right within a factor of 1.5
    ends = np.array([4.0, 60.0])
    ax.plot(ends, ends, color=MUTED, lw=1)
    ax.fill_between(ends, ends / 1.5, ends * 1.5, color=MUTED, alpha=0.15, lw=0)
    for name, depth in measured.items():
        face = "white" if name in fitted else IDENTITY
        ax.plot(predicted[name], depth, "o", color=IDENTITY, mfc=face, ms=7)
        text = f"{name} (fitted)" if name in fitted else name
        side = {"xytext": (7, -13)} if name in fitted else {"xytext": (-8, 4), "ha": "right"}
        ax.annotate(text, (predicted[name], depth), textcoords="offset points", **side)
    ax.set(xscale="log", yscale="log", xlim=ends, ylim=ends, title=title)
    ax.set(xlabel="predicted depth (band: a factor of 1.5)", ylabel="measured depth")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_ticks([5, 10, 20, 40], labels=["5", "10", "20", "40"])
        axis.set_minor_locator(NullLocator())
    return figure
