"""The stream of a random stack, and the gradient that runs back along it, block by block."""

import numpy as np
from matplotlib.figure import Figure

from course_utils.plots.arms import BRANCH, IDENTITY, MUTED, PLAIN, look
from course_utils.plots.frame import Drawing, move_names, name_end, name_ends


def gradient_norms(norms):
    """Draw the size of the gradient before each block, for several nets.

    Parameters
    ----------
    norms : dict of str to ndarray, shape (depth + 1, seeds)
        Relative to the gradient at the output. `look` says how a name is drawn.

    Returns
    -------
    Figure

    Examples
    --------
    >>> figure = gradient_norms({"plain": np.ones((3, 2)), "residual": np.ones((3, 2))})
    >>> figure.axes[0].lines[1].get_xdata()
    array([0. , 0.5, 1. ])
    """
    figure = Figure()
    ax = figure.subplots()
    ax.plot([0, 1], [1, 1], color=MUTED, lw=1)
    for name, values in norms.items():
        colour, dash = look(name)
        # a logarithmic axis has no place for 0 and infinity
        middle = np.clip(np.median(values, axis=1), 1e-300, 1e300)
        ax.plot(np.linspace(0, 1, len(middle)), middle, ls=dash, color=colour)
        height = np.clip(middle[0], 3e-12, 3e11)  # the name stays in the frame
        ax.text(-0.01, height, name, color=colour, ha="right", va="center")
    # the output stands on the right, so the gradient runs from right to left
    ax.set(yscale="log", xlim=(-0.32, 1.02), ylim=(1e-12, 1e12), ylabel="size of the gradient")
    ax.set_xticks([0, 0.5, 1], ["input", "middle", "output"])
    ax.set_xlabel("position in the stack: the gradient runs from right to left")
    return figure


def decay(values, predicted, title, ylabel):
    """Draw how a quantity falls along the depth, on logarithmic axes, with a formula.

    Parameters
    ----------
    values : dict of str to ndarray, shape (depth + 1, seeds)
        The median is drawn.
    predicted : ndarray, shape (depth + 1,)
        Drawn as dots.
    title : str
        States the finding.
    ylabel : str

    Returns
    -------
    Figure

    Examples
    --------
    >>> figure = decay({"plain": np.ones((4, 3))}, np.ones(4), "Equal", "square")
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['plain']
    """
    figure = Figure()
    ax = figure.subplots()
    layers = np.arange(1, len(predicted))
    ends = {}
    for name, each in values.items():
        middle = np.median(each, axis=1)
        ax.plot(layers, middle[1:], color=PLAIN)  # the input, entry 0, has no layer
        ends[name] = layers[-1], middle[-1]
    ax.plot(layers, predicted[1:], ":", color="black", lw=1.6)
    name_ends(ax, ends, lambda one, other: 0.1 < one / other < 10, colour=PLAIN)
    ax.set(xscale="log", yscale="log", xlabel="layer", ylabel=ylabel, title=title)
    ax.set_xlim(1, layers[-1] ** 1.5)
    ax.set_xticks([1, 10, 100], ["1", "10", "100"])
    ax.minorticks_off()
    return figure


def draws(values, title, ylabel):
    """Draw one quantity along the depth for many draws of the weights.

    Parameters
    ----------
    values : ndarray, shape (depth + 1, seeds)
    title : str
        States the finding.
    ylabel : str

    Returns
    -------
    Figure
        A thin line for every third draw; mean and median of all are named.

    Examples
    --------
    >>> figure = draws(np.ones((3, 5)), "Equal", "length")
    >>> len(figure.axes[0].lines), [text.get_text() for text in figure.axes[0].texts]
    (4, ['mean', 'median'])
    """
    figure = Figure()
    ax = figure.subplots()
    ax.plot(values[:, ::3], color="#c4c4c4", lw=0.6)  # a third of them shows the spread
    for name, line, colour in (
        ("mean", values.mean(1), BRANCH),
        ("median", np.median(values, axis=1), PLAIN),
    ):
        ax.plot(line, color=colour, lw=2.2)
        name_end(ax, name, (len(line) - 1, line[-1]), colour=colour)
    ax.set(yscale="log", xlim=(0, 1.14 * (len(values) - 1)), xlabel="layer", ylabel=ylabel)
    ax.set_title(title)
    return figure


TERMS = ("shortcut", "branch", "cross term", "sum")


def variance_ledger(shares, predicted):
    """Draw what each block does to the squared length: its terms, and the whole stack.

    Parameters
    ----------
    shares : ndarray, shape (3, depth, seeds)
        From `probes.variance_ledger`.
    predicted : sequence of 4 floats
        Shortcut, branch, cross term and their sum, as the formula has them.

    Returns
    -------
    Drawing
        Its `update(shares, predicted)` moves the bars and the lines.

    Examples
    --------
    >>> drawing = variance_ledger(np.full((3, 2, 5), 0.5), (1, 1, 0, 2))
    >>> drawing.artists[3].get_height()
    np.float64(1.5)
    """
    figure = Figure()
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.2))
    bars = left.bar(TERMS, [0] * 4, width=0.6, color=(IDENTITY, BRANCH, MUTED, PLAIN))
    (ticks,) = left.plot([], [], "_", color="black", ms=22, mew=1.5)
    left.axhline(0, color="#777777", lw=0.8)
    left.set(ylim=(-0.5, 3.6), ylabel="factor for the squared length")
    left.tick_params(axis="x", labelsize=8)
    left.set_title("average block (dash: formula)", loc="center", weight="normal")
    (measured,) = right.plot([], [], color=PLAIN)
    (formula,) = right.plot([], [], ":", color="black", lw=1.5)
    right.set(yscale="log", xlim=(0, 50), ylim=(1e-9, 1e18), xlabel="block")
    right.set_title("whole stack (dots: formula)", loc="center", weight="normal")
    right.set_ylabel("squared length, relative to x")

    def update(shares, predicted):
        means = [*shares.mean((1, 2)), shares.sum(0).mean()]
        for bar, height in zip(bars.patches, means, strict=True):
            bar.set_height(np.clip(height, -0.5, 3.6))
        ticks.set_data(np.arange(4), np.clip(predicted, -0.5, 3.6))
        # a block multiplies the squared length by the sum of its terms
        whole = np.median(np.cumprod(shares.sum(0), axis=0), axis=1)
        blocks = np.arange(len(whole) + 1)
        measured.set_data(blocks, np.r_[1, whole])
        formula.set_data(blocks, float(predicted[3]) ** blocks)

    update(shares, predicted)
    return Drawing(figure, (*bars.patches, ticks, measured, formula), update)


def signal(lengths, gradients, factors, title):
    """Draw the squared length of stream and gradient along the depth, beside the formula.

    Parameters
    ----------
    lengths : dict of str to ndarray, shape (depth + 1, seeds)
        Of the stream, relative to the input.
    gradients : dict of str to ndarray, shape (depth + 1, seeds)
        Of the gradient, relative to the output.
    factors : dict of str to float
        By which each block multiplies the squared length, as the formula has it.
    title : str
        States the finding.

    Returns
    -------
    Figure

    Examples
    --------
    >>> ones = {"plain": np.ones((3, 4)), "residual": np.ones((3, 4))}
    >>> figure = signal(ones, ones, {"plain": 1.0, "residual": 1.0}, "Equal")
    >>> [ax.get_title() for ax in figure.axes]
    ['forward: the stream', 'backward: the gradient']
    """
    figure = Figure()
    axes = figure.subplots(1, 2, sharey=True)
    for ax, values, head in (
        (axes[0], lengths, "forward: the stream"),
        (axes[1], gradients, "backward: the gradient"),
    ):
        for name, each in values.items():
            colour, dash = look(name)
            depth = len(each) - 1
            squared = (each**2).mean(1)
            formula = factors[name] ** np.arange(depth + 1.0)
            ax.plot(squared, ls=dash, color=colour)
            # the gradient sets out from the output: it has passed depth − l blocks before block l
            ax.plot(formula if ax is axes[0] else formula[::-1], ":", color="black", lw=1.2)
        ax.set(yscale="log", xlabel="block")
        ax.set_title(head, loc="center", weight="normal")
    ends = {name: (depth, (each[-1] ** 2).mean()) for name, each in lengths.items()}
    name_ends(axes[0], ends, lambda one, other: 0.01 < one / other < 100)
    axes[0].set_xlim(0, 1.75 * depth)
    axes[1].set_xlim(0, depth)
    axes[0].set_xticks(axes[1].get_xticks()[axes[1].get_xticks() <= depth])
    axes[0].set_ylim(bottom=1e-3)
    axes[0].set_ylabel("mean squared length (dots: formula)")
    figure.suptitle(title)
    return figure


def cosines(values, title):
    """Draw how alike two examples are along the depth, for several nets.

    Parameters
    ----------
    values : dict of str to ndarray, shape (depth + 1, seeds)
    title : str
        States the finding.

    Returns
    -------
    Figure
        The median of each net, with the range of the middle four fifths.

    Examples
    --------
    >>> figure = cosines({"plain": np.ones((3, 4))}, "Equal")
    >>> figure.axes[0].get_ylabel()
    'cosine between two examples'
    """
    figure = Figure()
    ax = figure.subplots()
    for name, each in values.items():
        colour, dash = look(name)
        # quantiles: a few nets of fifty may lie far off
        low, middle, high = np.quantile(each, (0.1, 0.5, 0.9), axis=1)
        blocks = np.arange(len(each))
        ax.fill_between(blocks, low, high, color=colour, alpha=0.15, lw=0)
        ax.plot(blocks, middle, ls=dash, color=colour)
    ends = {name: (blocks[-1], np.median(each[-1])) for name, each in values.items()}
    name_ends(ax, ends, lambda one, other: abs(one - other) < 0.1)
    ax.set(xlim=(0, 1.35 * blocks[-1]), ylim=(0, 1.1), xlabel="block", title=title)
    ax.set_xticks(np.linspace(0, blocks[-1], 6).round())
    ax.set_ylabel("cosine between two examples")
    return figure


def dilution(left, turned, predicted, title):
    """Draw what is left of the input along the depth, and how far each block turns the stream.

    Parameters
    ----------
    left, turned : dict of str to ndarray, shapes (depth + 1, seeds) and (depth, seeds)
        From `probes.dilution`.
    predicted : dict of str to tuple of two ndarray
        What the formulas say, for the same names.
    title : str
        States the finding.

    Returns
    -------
    Drawing
        Means over seeds, formulas dotted; `update` takes the first three anew, with the same
        names and any depth up to the first one's.

    Examples
    --------
    >>> half = {"pre": np.full((5, 3), 0.5)}
    >>> drawing = dilution(half, half, {"pre": (np.ones(5), np.ones(5))}, "Equal")
    >>> [ax.get_ylabel() for ax in drawing.figure.axes]
    ['share of the input', 'part that a block turns']
    """
    figure = Figure()
    axes = figure.subplots(1, 2)
    depth = len(next(iter(turned.values())))
    lines, dots, names = {}, {}, {}
    for ax, label in zip(axes, ("share of the input", "part that a block turns"), strict=True):
        names[label] = {}
        for name in left:
            colour, dash = look(name)
            (lines[name, label],) = ax.plot([], [], ls=dash, color=colour)
            (dots[name, label],) = ax.plot([], [], ":", color="black", lw=1.2)
            names[label][name] = name_end(ax, name, (1, 1), gap=6)
        ax.set(yscale="log", xscale="log", xlim=(1, 3.2 * depth), xlabel="block", ylabel=label)
        ax.set_xticks([1, 3, 10, 30, 96], labels=["1", "3", "10", "30", "96"])
        ax.minorticks_off()
    axes[0].set_ylim(1e-6, 1.6)
    axes[1].set_ylim(3e-3, 1.6)
    figure.suptitle(title)

    def update(left, turned, predicted):
        for k, (values, ax) in enumerate(zip((left, turned), axes, strict=True)):
            label, low = ax.get_ylabel(), ax.get_ylim()[0]
            ends = {}
            for name, each in values.items():
                # of the shares, entry 0 stands before block 1, where all is left
                each, formula = each[1 - k :], predicted[name][k][1 - k :]
                blocks, mean = np.arange(1, len(each) + 1), each.mean(1)
                lines[name, label].set_data(blocks, mean)
                dots[name, label].set_data(blocks, formula)
                # a name stays in the frame where its line leaves it
                ends[name] = blocks[-1], max(mean[-1], 2 * low)
            move_names(names[label], ends, lambda one, other: 0.4 < one / other < 2.5)

    update(left, turned, predicted)
    texts = [text for some in names.values() for text in some.values()]
    return Drawing(figure, (*lines.values(), *dots.values(), *texts), update)
