"""What each layer of one trained net does, and what is lost without it."""

import numpy as np
from matplotlib.figure import Figure

from course_utils.plots.arms import BRANCH, IDENTITY, MUTED, PLAIN, look
from course_utils.plots.frame import Drawing, against, leave_room, name_end, name_ends
from course_utils.plots.training import SMOOTH, smooth


def degradation(losses, gradients, title):
    """Draw the training loss of several nets, and beside it the gradient along their depth.

    Parameters
    ----------
    losses : dict of str to ndarray, shape (steps, seeds)
        Drawn as means of 20 steps and over seeds.
    gradients : dict of str to ndarray, shape (layers, seeds)
        Length of ∂L/∂h after each layer, relative to the last; the median is drawn. With the
        names of `losses`.
    title : str
        States the finding.

    Returns
    -------
    Figure

    Examples
    --------
    >>> nets = {"plain-20": np.ones((40, 3)), "residual-20": np.ones((40, 3))}
    >>> [ax.get_xlabel() for ax in degradation(nets, nets, "Equal").axes]
    ['steps', 'layer']
    """
    figure = Figure()
    left, right = figure.subplots(1, 2)
    ends, starts = {}, {}
    for name, values in losses.items():
        colour, dash = look(name)
        means = smooth(values).mean(1)
        left.plot(SMOOTH + np.arange(len(means)), means, ls=dash, color=colour)
        ends[name] = SMOOTH + len(means), means[-1]
        middle = np.median(gradients[name], axis=1)
        # a block has two layers
        right.plot(2 * np.arange(len(middle)) + 1, middle, ls=dash, color=colour)
        starts[name] = 1, middle[0]
    name_ends(left, ends, lambda one, other: abs(one - other) < 0.2)
    leave_room(left, ends[name][0])
    left.set(ylim=(-0.12, 2.5), xlabel="steps", ylabel="training loss")
    name_ends(right, starts, lambda one, other: 0.3 < one / other < 3, side="left")
    right.set(yscale="log", xlabel="layer", xlim=(-33, 57), ylim=(0.3, 2e5))
    right.set(ylabel="gradient, relative to the last", xticks=[1, 20, 40, 56])
    figure.suptitle(title)
    return figure


def layer_gradients(layers, factor):
    """Draw the gradient along the depth of one net.

    Parameters
    ----------
    layers : int
        Length of the axis.
    factor : float
        By which the formula lets the gradient grow per layer; drawn as dots.

    Returns
    -------
    Drawing
        Its `update(gradients)` takes an array of shape (blocks + 1,): the length after the
        first layer and after each block of two, relative to the last.

    Examples
    --------
    >>> drawing = layer_gradients(56, 1.2)
    >>> drawing.update(np.ones(4))
    >>> drawing.artists[0].get_xdata()
    array([1., 3., 5., 7.])
    """
    figure = Figure()
    ax = figure.subplots()
    (line,) = ax.plot([], [], "o-", color=IDENTITY, ms=4)
    (dots,) = ax.plot([], [], ":", color="black", lw=1.2)
    ax.axhline(1, color=MUTED, lw=1)
    ax.set(yscale="log", xlim=(0, layers), ylim=(1e-2, 1e6), xlabel="layer")
    ax.set(ylabel="gradient, relative to the last", title="Where the gradient goes (dots: formula)")

    def update(gradients):
        places = 1.0 + 2 * np.arange(len(gradients))
        line.set_data(places, np.asarray(gradients, float).clip(1e-300))
        dots.set_data(places, factor ** (places[-1] - places))  # backwards, so from the last one

    return Drawing(figure, (line, dots), update)


def lesions(counts, accuracies, title):
    """Draw what is left of the accuracy when blocks are deleted after training.

    Parameters
    ----------
    counts : sequence of int
        Blocks deleted.
    accuracies : dict of str to ndarray, shape (len(counts), seeds)
    title : str
        States the finding.

    Returns
    -------
    Figure

    Examples
    --------
    >>> figure = lesions([0, 1], {"plain": np.ones((2, 3))}, "Equal")
    >>> figure.axes[0].get_xlabel()
    'blocks deleted'
    """
    figure = Figure()
    ax = figure.subplots()
    ax.axhline(0.1, color=MUTED, lw=1)
    against(ax, counts, accuracies, lambda one, other: abs(one - other) < 0.08)
    leave_room(ax, counts[-1])
    ax.set(ylim=(0, 1.09), xlabel="blocks deleted", title=title)
    ax.set_ylabel("test accuracy (grey: guessing)")
    return figure


def lesion_bench(depth, longest_step):
    """Draw how far each block moves the stream, and the accuracy without it.

    Parameters
    ----------
    depth : int
        Blocks of the deepest net.
    longest_step : float
        Length of the axis.

    Returns
    -------
    Drawing
        Its `update(name, steps, deleted, single, now, untouched)` takes the name of a net, which
        is drawn as `look` says; the step of each block, shape (blocks,), from
        `probes.block_steps`; a bool for each block, whose bar is then hollow; the accuracy
        without each single block, shape (blocks,); and two numbers, the accuracy of the net as
        it is now and of the untouched one.

    References
    ----------
    Veit et al. (2016), "Residual Networks Behave Like Ensembles of Relatively Shallow
    Networks", figure 3. Used in notebooks/07_many_paths.ipynb.

    Examples
    --------
    >>> drawing = lesion_bench(3, 1.0)
    >>> drawing.update("plain", np.ones(2), np.array([True, False]), np.ones(2), 0.5, 1.0)
    >>> drawing.artists[0].get_data().values[::2]
    array([0., 1., 0.])
    """
    figure = Figure()
    left, right = figure.subplots(1, 2)
    # bar, gap, bar, ...: one artist is drawn sooner than one for each block
    edges = (1 + np.arange(depth)[:, None] + [-0.4, 0.4]).ravel()
    nothing = np.zeros(2 * depth - 1)
    kept = left.stairs(nothing, edges, fill=True, alpha=0.6)
    gone = left.stairs(nothing, edges, lw=1)
    left.set(xlim=(0, depth + 1), ylim=(0, 1.08 * longest_step), xlabel="block (hollow: deleted)")
    left.set_ylabel("step, relative to the stream")
    (profile,) = right.plot([], [], "o", ms=3, lw=1)
    lines = {
        "untouched": right.plot([], [], color=MUTED, lw=1)[0],
        "now": right.plot([], [], color=BRANCH)[0],
    }
    names = {
        name: name_end(right, name, (depth + 1, 1), colour=colour, gap=6)
        for name, colour in (("untouched", PLAIN), ("now", BRANCH))
    }
    right.plot([0, depth + 1], [0.1, 0.1], color=MUTED, lw=1, ls=":")
    name_end(right, "guessing", (depth + 1, 0.1), colour=PLAIN, gap=6)
    # room for the names
    right.set(xlim=(0, 1.45 * (depth + 1)), ylim=(0, 1.09), xlabel="block left out (dots)")
    right.set_ylabel("test accuracy")
    for ax in (left, right):
        ax.set_xticks([k for k in (1, 6, 12, 18, 24, 36, 48) if k <= depth] or [1])
    figure.suptitle("Blocks that take small steps can be spared")

    def update(name, steps, deleted, single, now, untouched):
        colour, dash = look(name)
        heights, outlines = np.zeros(2 * depth - 1), np.full(2 * depth - 1, np.nan)
        heights[: 2 * len(steps) : 2] = np.where(deleted, 0, steps)
        outlines[: 2 * len(steps) : 2] = np.where(deleted, steps, np.nan)
        kept.set_data(heights)
        gone.set_data(outlines)
        kept.set_color(colour)
        gone.set_edgecolor(colour)
        profile.set_data(1 + np.arange(len(single)), single)
        profile.set(color=colour, ls=dash)
        values = {"untouched": untouched, "now": now}
        for which, line in lines.items():
            line.set_data([0, depth + 1], [values[which]] * 2)
            names[which].xy = depth + 1, values[which]
        apart = 6 * (np.sign(untouched - now) or 1) * (abs(untouched - now) < 0.12)
        # what is close to guessing makes way for its name
        lift = 9 * (np.sign(now - 0.1) or 1) * (abs(now - 0.1) < 0.07)
        names["untouched"].set_position((6, apart))
        names["now"].set_position((6, lift - apart))

    artists = kept, gone, profile, *lines.values(), *names.values()
    return Drawing(figure, artists, update)
