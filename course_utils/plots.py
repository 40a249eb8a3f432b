"""Draw what `probes` measured: arrays in, figures out. Nothing here imports torch.

A `Drawing` keeps its frame and offers `update`, so that a panel redraws the very
figure that the lesson showed.
"""

import base64
import io
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files

import matplotlib as mpl
import matplotlib.style
import matplotlib.ticker
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

# one colour per idea, in every lesson; width and dashes say the same in grey
IDENTITY = "#0072B2"
BRANCH = "#C44E00"
PLAIN = "#5B5B5B"
MUTED = "#9A9A9A"


@dataclass(frozen=True)
class Drawing:
    """Keep a figure together with what moves in it.

    Attributes
    ----------
    figure : Figure
    artists : tuple of Artist
        What `update` changes.
    update : callable
        Takes the arrays of the probe and moves the artists; the frame stays.
    """

    figure: Figure
    artists: tuple
    update: Callable


def use_style():
    """Set the course's figure style for this process.

    Examples
    --------
    >>> use_style()
    >>> mpl.rcParams["axes.titlelocation"]
    'left'
    """
    mpl.style.use(str(files("course_utils") / "course.mplstyle"))


def png(figure) -> bytes:
    """Render a figure as an opaque PNG of 256 colours, a third of the usual size.

    Parameters
    ----------
    figure : Figure

    Returns
    -------
    bytes
    """
    raw, small = io.BytesIO(), io.BytesIO()
    # no Software entry: the bytes must not depend on the version's name
    figure.savefig(raw, format="png", metadata={"Software": None})
    Image.open(raw).convert("RGB").quantize(256).save(small, "png", optimize=True)
    return small.getvalue()


def show(figure, sentence):
    """Show a figure together with one sentence that says what it shows.

    Parameters
    ----------
    figure : Figure or Drawing
    sentence : str
        Read out where the picture cannot be seen; at least 40 characters.

    Raises
    ------
    ValueError
        If the sentence is too short to describe a figure.
    """
    from IPython.display import display

    if len(sentence) < 40:
        raise ValueError(f"a figure needs a sentence of at least 40 characters, got {sentence!r}")
    figure = figure.figure if isinstance(figure, Drawing) else figure
    data, metadata = bundle(png(figure), sentence)
    display(data, raw=True, metadata=metadata)


def bundle(image, sentence):
    """Pack a picture and its sentence as one output of a notebook.

    Parameters
    ----------
    image : bytes
        A PNG.
    sentence : str

    Returns
    -------
    data, metadata : dict
        By MIME type.

    Examples
    --------
    >>> bundle(b"", "A parabola.")
    ({'image/png': '', 'text/plain': 'A parabola.'}, {'image/png': {'alt': 'A parabola.'}})
    """
    data = {"image/png": base64.b64encode(image).decode(), "text/plain": sentence}
    return data, {"image/png": {"alt": sentence}}


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
        line.set_data(np.arange(len(errors)), np.abs(errors))
        note.set_text(f"learning rate {learning_rate:.2f}")

    update(errors, learning_rate)
    return Drawing(figure, (path, line, note), update)


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
    >>> lines = np.zeros((4, 5, 2))
    >>> len(pushed_grid(lines, lines, lines).artists)
    8
    """
    figure = Figure()
    drawn = []
    axes = figure.subplots(1, 2)
    for ax, name in zip(axes, ("plain: h ← b·F(h)", "residual: h ← h + b·F(h)"), strict=True):
        ax.set(xlim=(-3, 3), ylim=(-2.1, 2.1), aspect="equal", xlabel=name)
        ax.grid(False)
        for line in before:
            ax.plot(*line.T, color="#D8D8D8", lw=0.8)
        colour, dash = _line_style(name)
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
    for name, values in (("plain", plain), ("residual", residual)):
        colour, dash = _line_style(name)
        ax.plot(slopes, values, ls=dash, color=colour)
        _name_end(ax, name, (slopes[-1], values[-1]))
    ax.axhline(1, color=MUTED, lw=1)
    ax.set(yscale="log", ylim=(1e-13, 1e13), xlabel="slope f of every branch")
    ax.set_ylabel(f"gradient after {depth} blocks")
    ax.set_xlim(slopes[0], slopes[-1] + 0.45)  # room for the names
    return figure


def gradient_norms(norms):
    """Draw the size of the gradient before each block, for several nets.

    Parameters
    ----------
    norms : dict of str to ndarray, shape (depth + 1, seeds)
        Relative to the gradient at the output; a name that starts with "plain" is drawn
        grey and dashed, one that ends with "b = 1" blue and dash-dotted, any other blue.

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
        colour, dash = _line_style(name)
        middle = np.clip(np.median(values, axis=1), 1e-300, 1e300)
        ax.plot(np.linspace(0, 1, len(middle)), middle, ls=dash, color=colour)
        height = np.clip(middle[0], 3e-12, 3e11)  # the name stays in the frame
        ax.text(-0.01, height, name, color=colour, ha="right", va="center")
    # the output stands on the right, so the gradient runs from right to left
    ax.set(yscale="log", xlim=(-0.32, 1.02), ylim=(1e-12, 1e12), ylabel="size of the gradient")
    ax.set_xticks([0, 0.5, 1], ["input", "middle", "output"])
    ax.set_xlabel("position in the stack: the gradient runs from right to left")
    return figure


def loss_against_depth(depths, losses, title):
    """Draw the loss of several nets against their depth: mean and range over seeds.

    Parameters
    ----------
    depths : sequence of int
    losses : dict of str to ndarray, shape (depths, seeds)
        A name that starts with "plain" is drawn grey and dashed, any other blue.
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
    _against(ax, depths, losses)
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
        _against(ax, angles, {name: values[index] for name, values in losses.items()})
        ax.set_title(f"{depth} block{'s' if depth > 1 else ''}", loc="center", weight="normal")
        ax.set(xlim=(0, 6), xlabel="angle of the target (radians)")
        ax.set_xticks([0, np.pi / 2, np.pi], ["0", "π/2", "π"])
    axes[0].set_ylabel("mean squared error")
    figure.suptitle(title)
    return figure


def _line_style(name):
    if name.startswith("plain"):
        return PLAIN, "--"
    if name.startswith("post"):
        return BRANCH, "--"
    return IDENTITY, "-." if name.endswith("b = 1") else "-"


def _against(ax, xs, measured, near=lambda one, other: 0.5 < one / other < 2):
    """One line per net: the mean, with the range over seeds as a band and the name at its end."""
    ends = {}
    for name, values in measured.items():
        colour, dash = _line_style(name)
        ax.fill_between(xs, values.min(1), values.max(1), color=colour, alpha=0.2, lw=0)
        ax.plot(xs, values.mean(1), "o", ls=dash, color=colour)
        ends[name] = xs[-1], values[-1].mean()
    _name_ends(ax, ends, near)


def _name_ends(ax, ends, near, **how):
    """Name each line at its end (x, y); where lines end near each other, names move apart."""
    together = []
    for name in sorted(ends, key=lambda name: ends[name][1]):
        if not together or not near(ends[together[-1][-1]][1], ends[name][1]):
            together.append([])
        together[-1].append(name)
    shifts = {name: 2 * i - len(g) + 1 for g in together for i, name in enumerate(g)}
    for name, end in ends.items():
        _name_end(ax, name, end, 6 * shifts[name], **how)


def _name_end(ax, name, end, shift=0, colour=None, side="right"):
    """Write a line's name beside its end, `shift` points higher."""
    ax.annotate(
        name,
        end,
        xytext=(8 if side == "right" else -8, shift),
        textcoords="offset points",
        ha="left" if side == "right" else "right",
        va="center",
        color=colour or _line_style(name)[0],
    )


def accuracy_against_depth(depths, groups, title):
    """Draw accuracy against depth, one picture for each group of nets.

    Parameters
    ----------
    depths : sequence of int
    groups : dict of str to dict of str to ndarray, shape (depths, seeds)
        Names of groups, then of nets; "plain" as in `loss_against_depth`.
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
        _against(ax, depths, measured, near)
        ax.set_title(group, loc="center", weight="normal")
        ax.set(xscale="log", xlabel="depth (layers)")
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
            colour, dash = _line_style(name)
            smooth = _smooth(values)
            xs = (SMOOTH + np.arange(len(smooth))) * (1.0 if ax is axes[0] else costs[name])
            ax.plot(xs, smooth.mean(1), ls=dash, color=colour)
            ends[name] = (xs[-1], smooth[-1].mean())
        if ax is axes[0]:
            _name_ends(ax, ends, lambda one, other: abs(one - other) < 0.08)
            _room(ax, max(x for x, _ in ends.values()))
        ax.set(ylim=(0, 1.09), xlabel=label)
    if costs is not None:
        first, end = min(ends.items(), key=lambda line: line[1][0])
        place = {"xytext": (0, 6), "textcoords": "offset points", "ha": "right"}
        axes[1].annotate(first, end, color=_line_style(first)[0], **place)
        axes[1].set_xscale("log")
        axes[1].minorticks_off()
    axes[0].set_ylabel("accuracy on the batch")
    figure.suptitle(title)
    return figure


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
        colour, dash = _line_style(name)
        smooth = _smooth(values).mean(1)
        left.plot(SMOOTH + np.arange(len(smooth)), smooth, ls=dash, color=colour)
        ends[name] = SMOOTH + len(smooth), smooth[-1]
        middle = np.median(gradients[name], axis=1)
        right.plot(2 * np.arange(len(middle)) + 1, middle, ls=dash, color=colour)
        starts[name] = 1, middle[0]
    _name_ends(left, ends, lambda one, other: abs(one - other) < 0.2)
    _room(left, ends[name][0])
    left.set(ylim=(-0.12, 2.5), xlabel="steps", ylabel="training loss")
    _name_ends(right, starts, lambda one, other: 0.3 < one / other < 3, side="left")
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
        dots.set_data(places, factor ** (places[-1] - places))

    return Drawing(figure, (line, dots), update)


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
        ax.plot(each, np.full(len(each), row), "o", color=_line_style(name)[0], ms=7, alpha=0.7)
    ax.axvline(mark[1], color=PLAIN, ls="--")
    ax.annotate(mark[0], (mark[1], 0.5), xytext=(-6, 0), textcoords="offset points", ha="right")
    ax.set(xlabel=xlabel, title=title, ylim=(len(values) - 0.5, -0.5))
    ax.set_yticks(range(len(values)), values)
    return figure


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
        shown, (colour, _) = each[:, : longest + 1], _line_style(name)
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
        dash = "--" if name.startswith("random") else "-"
        right.fill_between(kept, values.min(1), values.max(1), color=IDENTITY, alpha=0.2, lw=0)
        right.plot(kept, values.mean(1), "o", ls=dash, color=IDENTITY)
        point, place = (2, (8, -12)) if name.startswith("random") else (-2, (-14, 9))
        end = kept[point], values[point].mean()
        right.annotate(name, end, place, textcoords="offset points", color=IDENTITY)
    right.set(xlabel="blocks kept", ylabel="training accuracy")
    figure.suptitle(title)
    return figure


SMOOTH = 20  # steps of one point


def _smooth(curves):
    """Average `SMOOTH` steps, the first axis, at a time."""
    kept = np.cumsum(np.concatenate([np.zeros((1, curves.shape[1])), curves]), 0)
    return (kept[SMOOTH:] - kept[:-SMOOTH]) / SMOOTH


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
        shown = [_smooth(before).mean(1), *_smooth(now).T]
        for line, values in zip((before_line, *lines), shown, strict=True):
            line.set_data(SMOOTH + np.arange(len(values)), values)

    return Drawing(figure, (before_line, *lines), update)


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
        ax.plot(layers, middle[1:], color=PLAIN)
        ends[name] = layers[-1], middle[-1]
    ax.plot(layers, predicted[1:], ":", color="black", lw=1.6)
    _name_ends(ax, ends, lambda one, other: 0.1 < one / other < 10, colour=PLAIN)
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
        _name_end(ax, name, (len(line) - 1, line[-1]), colour=colour)
    ax.set(yscale="log", xlim=(0, 1.14 * (len(values) - 1)), xlabel="layer", ylabel=ylabel)
    ax.set_title(title)
    return figure


def _room(ax, end):
    """Leave room for names right of a linear axis that ends at `end`."""
    ax.set_xticks([tick for tick in ax.get_xticks() if 0 <= tick <= end])
    ax.set_xlim(0, 1.8 * end)


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
            colour, dash = _line_style(name)
            depth = len(each) - 1
            squared = (each**2).mean(1)
            formula = factors[name] ** np.arange(depth + 1.0)
            ax.plot(squared, ls=dash, color=colour)
            ax.plot(formula if ax is axes[0] else formula[::-1], ":", color="black", lw=1.2)
        ax.set(yscale="log", xlabel="block")
        ax.set_title(head, loc="center", weight="normal")
    ends = {name: (depth, (each[-1] ** 2).mean()) for name, each in lengths.items()}
    _name_ends(axes[0], ends, lambda one, other: 0.01 < one / other < 100)
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
        colour, dash = _line_style(name)
        low, middle, high = np.quantile(each, (0.1, 0.5, 0.9), axis=1)
        blocks = np.arange(len(each))
        ax.fill_between(blocks, low, high, color=colour, alpha=0.15, lw=0)
        ax.plot(blocks, middle, ls=dash, color=colour)
    ends = {name: (blocks[-1], np.median(each[-1])) for name, each in values.items()}
    _name_ends(ax, ends, lambda one, other: abs(one - other) < 0.1)
    ax.set(xlim=(0, 1.35 * blocks[-1]), ylim=(0, 1.1), xlabel="block", title=title)
    ax.set_xticks(np.linspace(0, blocks[-1], 6).round())
    ax.set_ylabel("cosine between two examples")
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
        axis.set_minor_locator(mpl.ticker.NullLocator())
    return figure


FLOAT64 = 2e-16  # where a spread is rounding alone


def rank_collapse(spreads, title):
    """Draw how alike the tokens become along the depth, for several nets.

    Parameters
    ----------
    spreads : dict of str to ndarray, shape (depth + 1, seeds)
        From `probes.rank_collapse`.
    title : str
        States the finding.

    Returns
    -------
    Drawing
        Geometric mean and range over seeds; `update` takes `spreads` anew, with the same names
        and any depth up to the first one's.

    Examples
    --------
    >>> drawing = rank_collapse({"plain": np.full((5, 3), 0.5)}, "Equal")
    >>> drawing.update({"plain": np.full((3, 3), 0.1)})
    >>> drawing.artists[0].get_xydata()[-1]
    array([2. , 0.1])
    """
    figure = Figure()
    ax = figure.subplots()
    depth = len(next(iter(spreads.values()))) - 1
    lines, names = {}, {}
    for name in spreads:
        colour, dash = _line_style(name)
        (lines[name],) = ax.plot([], [], "o", ls=dash, ms=3, color=colour)
        names[name] = ax.annotate(
            name, (0, 1), xytext=(8, 0), textcoords="offset points", va="center", color=colour
        )
    ax.axhline(FLOAT64, color=MUTED, lw=1, ls=":")
    ax.annotate("rounding of float64", (0, FLOAT64), xytext=(4, -12),
                textcoords="offset points", color=PLAIN)  # fmt: skip
    ax.set(yscale="log", xlim=(0, 1.6 * depth), ylim=(1e-18, 9), xlabel="layer", title=title)
    ax.set_yticks([1e-15, 1e-10, 1e-5, 1])
    ax.set_xticks(np.unique(np.linspace(0, depth, 7).round()))
    ax.set_ylabel("spread of the tokens")

    def update(spreads):
        ends = {}
        for name, values in spreads.items():
            middle = np.exp(np.log(np.maximum(values, FLOAT64)).mean(1))
            lines[name].set_data(np.arange(len(middle)), middle)
            ends[name] = len(middle) - 1, middle[-1]
        order = sorted(ends, key=lambda name: ends[name][1])
        for i, name in enumerate(order):
            y = ends[name][1]
            near = [j for j, other in enumerate(order) if 0.01 < ends[other][1] / y < 100]
            names[name].xy = ends[name]
            names[name].set_position((8, 6 * sum(np.sign(i - j) for j in near)))

    update(spreads)
    return Drawing(figure, (*lines.values(), *names.values()), update)


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
        for name in left:
            colour, dash = _line_style(name)
            (lines[name, label],) = ax.plot([], [], ls=dash, color=colour)
            (dots[name, label],) = ax.plot([], [], ":", color="black", lw=1.2)
            names[name, label] = ax.annotate(
                name, (1, 1), xytext=(6, 0), textcoords="offset points", va="center", color=colour
            )
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
                each, formula = (
                    each[1 - k :],
                    predicted[name][k][1 - k :],
                )  # before block 1 all is left
                blocks, mean = np.arange(1, len(each) + 1), each.mean(1)
                lines[name, label].set_data(blocks, mean)
                dots[name, label].set_data(blocks, formula)
                ends[name] = blocks[-1], max(mean[-1], 2 * low)
            order = sorted(ends, key=lambda name: ends[name][1])
            for i, name in enumerate(order):
                near = [j for j, o in enumerate(order) if 0.4 < ends[o][1] / ends[name][1] < 2.5]
                names[name, label].xy = ends[name]
                names[name, label].set_position((6, 6 * sum(np.sign(i - j) for j in near)))

    update(left, turned, predicted)
    return Drawing(figure, (*lines.values(), *dots.values(), *names.values()), update)


def autocorrelation(measured, predicted, title, noise=None):
    """Draw how alike gradients are against their distance on a line of inputs.

    Parameters
    ----------
    measured : dict of str to ndarray, shape (points, seeds)
        By lag, from 0 on; from `probes.by_lag` or `probes.autocorrelation`. The mean over seeds
        is drawn, with their range as a band. Names as in `gradient_norms`.
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
        colour, dash = _line_style(name)
        lags = np.arange(1, len(values) // 2 + 1)
        low, middle, high = values.min(1)[lags], values.mean(1)[lags], values.max(1)[lags]
        ax.fill_between(lags, low, high, color=colour, alpha=0.15, lw=0)
        ax.plot(lags, middle, ls=dash, color=colour)
        ends[name] = lags[-1], middle[-1]
    for values in predicted.values():
        ax.plot(lags, values[lags], ":", color="black", lw=1.2)
    _name_ends(ax, ends, lambda one, other: abs(one - other) < 0.08)
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
        Each is divided by its own root mean square. Names as in `gradient_norms`.
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
        ax.plot(x, _of_size_1(values), color=_line_style(name)[0], lw=1)
        ax.set(xlim=(x[0], x[-1]), ylim=(-3.2, 3.2), xlabel="x")
        ax.set_title(name, loc="center", weight="normal")
    axes[0].set_ylabel("dy/dx, relative to its size")
    figure.suptitle(title)
    return figure


def _of_size_1(values):
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
        for line, values in zip((middle, low, high, dots), shown, strict=True):
            line.set_data(distance, values[1:])

    update(slopes, measured, predicted)
    return Drawing(figure, (slope, middle, low, high, dots), update)


def loss_slices(slices, title, reach=1.0, levels=(0.03, 0.1, 0.3, 1, 3, 10, 30, 100)):
    """Draw the loss on a plane around several nets, side by side, all in one colour scale.

    Parameters
    ----------
    slices : dict of str to ndarray, shape (points, points)
        The loss, from `probes.losses_at` on `probes.plane`.
    title : str
        States the finding.
    reach : float
        Half the side of the plane.
    levels : sequence of float
        Where contours run, in increasing order. Below the first is drawn as just above it.

    Returns
    -------
    Figure

    Examples
    --------
    >>> figure = loss_slices({"plain": np.eye(3), "residual": np.eye(3)}, "Equal")
    >>> [ax.get_title() for ax in figure.axes]
    ['plain', 'residual', '']
    """
    figure = Figure()
    axes = figure.subplots(1, len(slices), sharey=True, squeeze=False)[0]
    for ax, (name, losses) in zip(axes, slices.items(), strict=True):
        side = np.linspace(-reach, reach, len(losses))
        shown = np.nan_to_num(losses.T, nan=np.inf).clip(levels[0] * 1.001, levels[-1] * 2)
        # dark is low, in grey as well; "max" has a colour for what lies above
        filled = ax.contourf(side, side, shown, levels, extend="max", cmap="cividis", norm="log")
        ax.contour(side, side, shown, levels, colors="white", linewidths=0.6)
        ax.plot(0, 0, "+", color="white", ms=8)
        ax.set(aspect="equal", xlabel="along direction 1", xticks=(-reach, 0, reach))
        ax.set_title(name, loc="center", weight="normal")
        ax.grid(False)
    axes[0].set(ylabel="along direction 2", yticks=(-reach, 0, reach))
    bar = figure.colorbar(filled, ax=list(axes), label="training loss", shrink=0.85)
    bar.set_ticks(levels, labels=[f"{level:g}" for level in levels])
    bar.minorticks_off()
    figure.suptitle(title)
    return figure


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
    _against(ax, counts, accuracies, lambda one, other: abs(one - other) < 0.08)
    _room(ax, counts[-1])
    ax.set(ylim=(0, 1.09), xlabel="blocks deleted", title=title)
    ax.set_ylabel("test accuracy (grey: guessing)")
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
        top = TOPS[min(np.searchsorted(TOPS, max(shares.max(), measured.max(initial=0))), 9)]
        heights = np.zeros(2 * longest + 1)
        heights[: 2 * depth + 1 : 2] = shares / top
        bars.set_data(heights)
        marks.set_data(np.repeat(lengths, measured.shape[1]), measured.ravel() / top)
        for label, part in zip(labels, (0, 0.5, 1), strict=True):
            label.set_text(f"{part * top:.2f}")
        mean = (lengths * shares).sum()
        middle.set_data([mean, mean], [0, 1.15])
        name.set_text(f"mean {mean:.1f}")
        on_the_left = mean > 0.5 * longest
        name.set(x=mean + (-0.03 if on_the_left else 0.03) * longest, y=1.13)
        name.set_ha("right" if on_the_left else "left")

    update(depth, gain, shares, measured)
    return Drawing(figure, (count, square, bars, marks, middle, name, *labels), update)


def _binomials(depth):
    """How many paths of each length run through `depth` blocks."""
    steps = np.arange(1, depth + 1)
    return np.cumprod(np.r_[1.0, (depth + 1 - steps) / steps]).round()


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
        is drawn grey if it starts with "plain"; the step of each block, shape (blocks,), from
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
        name: right.annotate(
            name, (depth + 1, 1), xytext=(6, 0), textcoords="offset points", va="center",
            color=BRANCH if name == "now" else PLAIN,
        )
        for name in lines
    }  # fmt: skip
    right.plot([0, depth + 1], [0.1, 0.1], color=MUTED, lw=1, ls=":")
    right.annotate("guessing", (depth + 1, 0.1), xytext=(6, 0), textcoords="offset points",
                   va="center", color=PLAIN)  # fmt: skip
    # room for the names
    right.set(xlim=(0, 1.45 * (depth + 1)), ylim=(0, 1.09), xlabel="block left out (dots)")
    right.set_ylabel("test accuracy")
    for ax in (left, right):
        ax.set_xticks([k for k in (1, 6, 12, 18, 24, 36, 48) if k <= depth] or [1])
    figure.suptitle("Blocks that take small steps can be spared")

    def update(name, steps, deleted, single, now, untouched):
        colour, dash = _line_style(name)
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


def flow(paths, exact, depths, errors, error):
    """Draw points on their way through a stack, over the flow, and the error by depth.

    Parameters
    ----------
    paths : ndarray, shape (depth + 1, points, 2)
        From `probes.flow`; a dot for each block, joined by lines up to 32 blocks.
    exact : ndarray, shape (steps + 1, points, 2)
        From `probes.exact_flow`.
    depths : sequence of int
    errors : ndarray, shape (len(depths),)
        Distance at the end. A dashed guide falls like 1/depth from the first of them.
    error : float
        The same at the depth of `paths`.

    Returns
    -------
    Drawing
        Its `update(paths, exact, errors, error)` moves all but the guide.

    References
    ----------
    Haber and Ruthotto (2017), "Stable Architectures for Deep Neural Networks", section 2.
    Derived in notebooks/07_many_paths.ipynb.

    Examples
    --------
    >>> still = np.zeros((3, 1, 2))
    >>> drawing = flow(still, still, [1, 2, 4], np.array([1.0, 0.5, 0.25]), 0.5)
    >>> drawing.artists[-1].get_xydata()
    array([[2. , 0.5]])
    """
    figure = Figure()
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.25))
    (stream,) = left.plot([], [], color=MUTED, lw=1)
    (blocks,) = left.plot([], [], "o-", color=IDENTITY, ms=2.5, lw=1)
    (starts,) = left.plot([], [], "o", color="black", mfc="white", ms=4)
    left.set(xlim=(-3.3, 3.3), ylim=(-3.3, 3.3), aspect="equal")
    left.set(xlabel="grey: the flow; dots: blocks", xticks=(-2, 0, 2), yticks=(-2, 0, 2))
    guide = errors[0] / np.asarray(depths)
    right.plot(depths, guide, "--", color=PLAIN, lw=1)
    _name_end(right, "1/L", (depths[-1], guide[-1]), colour=PLAIN)
    (curve,) = right.plot([], [], color=IDENTITY)
    (now,) = right.plot([], [], "o", color=BRANCH, ms=7)
    right.set(xscale="log", yscale="log", xlabel="depth (blocks; dot: now)")
    right.set(xlim=(depths[0] * 0.8, depths[-1] * 3), ylim=(2e-4, 40))
    right.set_ylabel("distance from the flow")
    ticks = [2**k for k in range(0, 20, 2) if depths[0] <= 2**k <= depths[-1]]
    right.set_xticks(ticks, labels=[str(tick) for tick in ticks])
    right.minorticks_off()
    figure.suptitle("With steps of 1/L, more blocks come closer to the flow")

    def update(paths, exact, errors, error):
        stream.set_data(*_with_gaps(exact))
        blocks.set_data(*_with_gaps(paths))
        # hundreds of long jumps are slow to draw, and a thicket
        blocks.set_linestyle("-" if len(paths) <= 33 else "")
        starts.set_data(*paths[0].T)
        curve.set_data(depths, errors)
        now.set_data([len(paths) - 1], [error])

    update(paths, exact, errors, error)
    return Drawing(figure, (stream, blocks, starts, curve, now), update)


def _with_gaps(paths):
    """Join the lines of many points into one, with a gap after each: drawn sooner."""
    gap = np.full((1, *paths.shape[1:]), np.nan)
    return np.concatenate([paths, gap]).swapaxes(0, 1).reshape(-1, 2).T


def block_stepper(sketches, limits):
    """Draw a transformer block, one tensor inside it, and the gradient that comes back there.

    Parameters
    ----------
    sketches : dict of str to tuple
        By placement: a callable that draws the block into an Axes with the limits `SKETCH`, and
        for each step the (x, y, width, height) of its place there.
    limits : dict of str to tuple of float
        By kind of tensor: where the colours of tensor and gradient end, on both sides of 0.

    Returns
    -------
    Drawing
        Its `update(placement, step, kind, name, tensor, gradient)` marks the step and shows both
        arrays, of one shape (rows, columns), (n, rows, columns) or (m, n, rows, columns): n stand
        side by side, m one below the other.

    Examples
    --------
    >>> sketch = (lambda ax: ax.plot(0, 0), [(0, 0, 1, 1)])
    >>> drawing = block_stepper({"pre": sketch}, {"tensor": (1.0, 0.1)})
    >>> drawing.update("pre", 0, "tensor", "stream h", np.ones((5, 8)), np.ones((5, 8)))
    >>> drawing.artists[3].get_text()
    'stream h, 5 × 8'
    """
    figure = Figure(figsize=(7.0, 3.6), layout="none")
    # drawn once: boxes and letters would take a third of a move
    pictures = {placement: _picture(sketch) for placement, (sketch, _) in sketches.items()}
    ax = figure.add_axes((0.1 / 7.0, 0.1 / 3.6, 1.5 / 7.0, 3.4 / 3.6))
    (mark,) = ax.plot([], [], color="#F5C518", solid_capstyle="round", zorder=1)
    block = ax.imshow(
        next(iter(pictures.values())), extent=SKETCH, interpolation="nearest", zorder=2
    )
    ax.axis("off")
    views = [_tensor_view(figure, left) for left in (0.285, 0.655)]

    def update(placement, step, kind, name, tensor, gradient):
        block.set_data(pictures[placement])
        x, y, width, height = sketches[placement][1][step]
        mark.set_linewidth(0.72 * height + 9)  # the ends are round, half as long as it is thick
        mark.set_data([x - (width - height) / 2, x + (width - height) / 2], [y, y])
        titles = f"{name}, {' × '.join(map(str, tensor.shape))}", "gradient there"
        for (image, title, *ends), array, limit, text in zip(
            views, (tensor, gradient), limits[kind], titles, strict=True
        ):
            image.set_data(_laid_out(array))
            image.set_clim(-limit, limit)
            title.set_text(text)
            for end, sign in zip(ends, ("−", ""), strict=True):
                end.set_text(f"{sign}{limit:.2g}")

    return Drawing(figure, (mark, block, *views[0], *views[1]), update)


SKETCH = -46, 104, -318, 22  # left, right, bottom, top: 100 to an inch


def _picture(sketch):
    """Draw a sketch as pixels on a transparent ground."""
    left, right, bottom, top = SKETCH
    figure = Figure(figsize=((right - left) / 100, (top - bottom) / 100), layout="none")
    figure.patch.set_alpha(0)
    ax = figure.add_axes((0, 0, 1, 1))
    sketch(ax)
    ax.set(xlim=(left, right), ylim=(bottom, top))
    ax.axis("off")
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.array(canvas.buffer_rgba())


def _tensor_view(figure, left):
    """Make a heatmap without values yet, its title, and the two ends of the bar below it."""
    ax = figure.add_axes((left, 0.24, 0.33, 0.64))
    ax.spines[:].set_visible(False)
    colours = {"cmap": "RdBu_r", "interpolation": "nearest", "aspect": "auto"}
    image = ax.imshow([[0.0]], extent=(0, 1, 0, 1), **colours)
    bar = figure.add_axes((left + 0.06, 0.09, 0.21, 0.04))
    bar.imshow(np.linspace(-1, 1, 101)[None], extent=(0, 1, 0, 1), **colours)
    for each in (ax, bar):
        each.set(xticks=[], yticks=[])
        each.grid(False)
    ax.set(xlabel="features (or tokens looked at)", ylabel="tokens")
    title = ax.text(0, 1.03, "", transform=ax.transAxes, va="bottom")
    sides = (-0.05, "right"), (1.05, "left")
    ends = [bar.text(x, 0.4, "", ha=ha, va="center", size=9) for x, ha in sides]
    return image, title, *ends


def _laid_out(array):
    """Matrices side by side, groups of them one below the other, with empty lines between."""
    if array.ndim == 2:
        return array
    axis, parts = -1 if array.ndim == 3 else -2, [_laid_out(each) for each in array]
    gap = np.full_like(parts[0].take([0], axis), np.nan)
    return np.concatenate([part for each in parts for part in (gap, each)][1:], axis)


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
