"""Tokens that attention makes alike, and every tensor inside a transformer block."""

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from course_utils.plots.arms import MUTED, PLAIN, look
from course_utils.plots.frame import Drawing, move_names, name_end

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
        Geometric means over seeds; `update` takes `spreads` anew, with the same names
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
        colour, dash = look(name)
        (lines[name],) = ax.plot([], [], "o", ls=dash, ms=3, color=colour)
        names[name] = name_end(ax, name, (0, 1))
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
            # the mean of logarithms; what is below the rounding is drawn at it
            middle = np.exp(np.log(np.maximum(values, FLOAT64)).mean(1))
            lines[name].set_data(np.arange(len(middle)), middle)
            ends[name] = len(middle) - 1, middle[-1]
        move_names(names, ends, lambda one, other: 0.01 < one / other < 100)

    update(spreads)
    return Drawing(figure, (*lines.values(), *names.values()), update)


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
    # the innermost stack stands side by side, one around it from top to bottom
    axis, parts = -1 if array.ndim == 3 else -2, [_laid_out(each) for each in array]
    gap = np.full_like(parts[0].take([0], axis), np.nan)
    # a gap before each part, and the first one dropped
    return np.concatenate([part for each in parts for part in (gap, each)][1:], axis)
