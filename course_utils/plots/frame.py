"""What every figure is made of: its style, how it is shown, and lines named at their ends.

A `Drawing` keeps its frame and offers `update`, so that a panel redraws the very
figure that the lesson showed.
"""

import base64
import io
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files

import matplotlib.style
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from course_utils.plots.arms import look


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
    >>> matplotlib.rcParams["axes.titlelocation"]
    'left'
    """
    matplotlib.style.use(str(files("course_utils") / "course.mplstyle"))


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


def against(ax, xs, measured, near=lambda one, other: 0.5 < one / other < 2):
    """Draw one line per net: the mean, the range over seeds as a band, the name at its end.

    Parameters
    ----------
    ax : Axes
    xs : sequence of float, shape (points,)
    measured : dict of str to ndarray, shape (points, seeds)
        The looks follow from the names.
    near : callable
        Whether two heights are so near that names there would overlap.

    Examples
    --------
    >>> ax = Figure().subplots()
    >>> against(ax, [5, 50], {"plain": np.array([[1.0, 3.0], [0.0, 0.0]])})
    >>> ax.lines[0].get_ydata()
    array([2., 0.])
    """
    ends = {}
    for name, values in measured.items():
        colour, dash = look(name)
        ax.fill_between(xs, values.min(1), values.max(1), color=colour, alpha=0.2, lw=0)
        ax.plot(xs, values.mean(1), "o", ls=dash, color=colour)
        ends[name] = xs[-1], values[-1].mean()
    name_ends(ax, ends, near)


def name_end(ax, name, end, shift=0, colour=None, side="right", gap=8):
    """Write a line's name beside its end.

    Parameters
    ----------
    ax : Axes
    name : str
    end : tuple of two floats
        In data coordinates.
    shift : float
        Points above the end.
    colour : str, optional
        That of the arm's look if not given.
    side : {"right", "left"}
    gap : float
        Points between end and name.

    Returns
    -------
    Annotation

    Examples
    --------
    >>> name_end(Figure().subplots(), "plain", (1, 0), side="left").get_position()
    (-8, 0)
    """
    return ax.annotate(
        name,
        end,
        xytext=(gap if side == "right" else -gap, shift),
        textcoords="offset points",
        ha="left" if side == "right" else "right",
        va="center",
        color=colour or look(name).colour,
    )


def name_ends(ax, ends, near, **how):
    """Name each line at its end; where lines end near each other, names move apart.

    Parameters
    ----------
    ax : Axes
    ends : dict of str to tuple of two floats
        In data coordinates.
    near : callable
        Whether two heights are so near that names there would overlap.
    **how
        As for `name_end`.

    Examples
    --------
    >>> ax = Figure().subplots()
    >>> name_ends(ax, {"a": (1, 5.0), "b": (1, 5.1), "c": (1, 9.0)}, lambda y, z: abs(y - z) < 1)
    >>> [text.get_position()[1] for text in ax.texts]
    [-6, 6, 0]
    """
    together = []
    for name in sorted(ends, key=lambda name: ends[name][1]):
        # a chain of near ends is one group, even where its first and last are far apart
        if not together or not near(ends[together[-1][-1]][1], ends[name][1]):
            together.append([])
        together[-1].append(name)
    # 12 points between neighbours, centred on the group
    shifts = {name: 2 * i - len(g) + 1 for g in together for i, name in enumerate(g)}
    for name, end in ends.items():
        name_end(ax, name, end, 6 * shifts[name], **how)


def move_names(names, ends, near):
    """Take names along to where their lines end now, and apart where those are near.

    Parameters
    ----------
    names : dict of str to Annotation
        From `name_end`.
    ends : dict of str to tuple of two floats
        With the same names.
    near : callable
        Whether two heights are so near that names there would overlap.

    Examples
    --------
    >>> name = name_end(Figure().subplots(), "plain", (0, 0))
    >>> move_names({"plain": name}, {"plain": (3, 1)}, lambda one, other: True)
    >>> name.xy
    (3, 1)
    """
    order = sorted(ends, key=lambda name: ends[name][1])
    for i, name in enumerate(order):
        beside = [j for j, other in enumerate(order) if near(ends[other][1], ends[name][1])]
        names[name].xy = ends[name]
        gap, _ = names[name].get_position()
        # 6 points up for each name below, 6 down for each above
        names[name].set_position((gap, 6 * sum(np.sign(i - j) for j in beside)))


def leave_room(ax, end):
    """Leave room for names right of a linear axis that ends at `end`.

    Parameters
    ----------
    ax : Axes
    end : float

    Examples
    --------
    >>> ax = Figure().subplots()
    >>> leave_room(ax, 100)
    >>> float(ax.get_xlim()[1])
    180.0
    """
    ax.set_xticks([tick for tick in ax.get_xticks() if 0 <= tick <= end])
    ax.set_xlim(0, 1.8 * end)
