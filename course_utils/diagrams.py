"""Draw blocks from their wiring: one list of shapes, as themed SVG or as a figure.

The language: identity path blue, thick, straight; residual branch vermillion,
looping to the right; plain trunk grey and dashed; a ⊕ at every merge; a norm is a
pill, on the loop (pre) or cutting the trunk (post).
"""

import html
from dataclasses import dataclass

from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyBboxPatch

from course_utils import plots
from course_utils.wiring import Wiring

# role: (light, dark)
COLOURS = {
    "identity": (plots.IDENTITY, "#56B4E9"),
    "branch": (plots.BRANCH, "#F0A35E"),
    "plain": (plots.PLAIN, "#B0B0B0"),
    "ink": ("#1B1B1B", "#ECECEC"),
    "paper": ("#FFFFFF", "#111111"),
}
WIDTHS = {"identity": 6.0, "branch": 2.5, "plain": 3.0, "ink": 1.5}
COLUMN, BLOCK, LOOP = 190, 104, 62  # distances in px: between nets, between blocks, trunk to branch
ROW = 34  # between two stops of a list of sublayers


@dataclass(frozen=True)
class Line:
    """A path through points, y upwards."""

    role: str
    points: tuple

    def rounded(self, radius=10, samples=6):
        """Points with each right-angled corner replaced by a quarter circle."""
        path = [self.points[0]]
        for before, corner, after in zip(
            self.points, self.points[1:], self.points[2:], strict=False
        ):
            start, end = _towards(corner, before, radius), _towards(corner, after, radius)
            for index in range(samples + 1):
                t = index / samples  # quadratic Bézier from start to end, pulled by the corner
                weights = ((1 - t) ** 2, 2 * t * (1 - t), t**2)
                path.append(
                    tuple(
                        sum(w * p[axis] for w, p in zip(weights, (start, corner, end), strict=True))
                        for axis in (0, 1)
                    )
                )
        return [*path, self.points[-1]]


def _towards(point, target, distance):
    dx, dy = target[0] - point[0], target[1] - point[1]
    length = (dx**2 + dy**2) ** 0.5
    return point[0] + distance * dx / length, point[1] + distance * dy / length


@dataclass(frozen=True)
class Box:
    """A rounded rectangle around its label; a pill is filled with its own colour."""

    role: str
    x: float
    y: float
    label: str
    pill: bool = False

    @property
    def size(self):
        """Width and height in px."""
        return (44, 18) if self.pill else (58, 28)


@dataclass(frozen=True)
class Merge:
    """The ⊕ where the branch returns to the trunk."""

    x: float
    y: float


@dataclass(frozen=True)
class Text:
    """A line of text, centred on (x, y)."""

    x: float
    y: float
    text: str
    weight: str = "normal"
    role: str = "ink"


def net(wiring: Wiring, title: str, blocks: int = 2, branch: str = "F", x: float = 0.0) -> list:
    """List the shapes of one net, input at the bottom.

    Parameters
    ----------
    wiring : Wiring
        Decides what is on the trunk, what is on the loop, and the gains.
    title : str
    blocks : int
    branch : str
        Letter of the residual branch.
    x : float
        Position of the trunk in px.

    Returns
    -------
    list of Line, Box, Merge and Text
        Drawn in this order.

    Examples
    --------
    >>> from course_utils.wiring import PLAIN, RESIDUAL
    >>> sum(isinstance(shape, Merge) for shape in net(RESIDUAL, "residual", blocks=3))
    3
    >>> sum(isinstance(shape, Merge) for shape in net(PLAIN, "plain", blocks=3))
    0
    """
    top = blocks * BLOCK + 24
    shapes = [Text(x + (LOOP / 2 if wiring.a else 0), top + 22, title, "bold")]
    trunk = "identity" if wiring.a else "plain"
    shapes.append(Line(trunk, ((x, 0), (x, top))))
    for index in range(blocks):
        low = index * BLOCK + 14
        label = f"{branch}{chr(0x2081 + index)}"  # subscript digits
        if wiring.a:
            shapes += _residual_block(wiring, label, x, low)
        else:
            shapes += _plain_block(wiring, label, x, low)
    middle = x + (LOOP / 2 if wiring.a else 0)
    shapes.append(Text(middle, -22, f"h ← {wiring.equation()}"))
    return shapes


def _residual_block(wiring, label, x, low):
    merge = low + 70
    right = x + LOOP
    shapes = [
        Line("branch", ((x, low), (right, low), (right, merge), (x, merge))),
        Box("branch", right, low + (47 if wiring.norm == "pre" else 35), label),
        Merge(x, merge),
    ]
    if wiring.norm == "pre":
        shapes.append(Box("plain", right, low + 17, "norm", pill=True))
    if wiring.norm == "peri":
        shapes += [Box("plain", right, low + y, "norm", pill=True) for y in (7, 63)]
    if wiring.norm == "post":
        shapes.append(Box("plain", x, merge + 20, "norm", pill=True))
    shapes += _gains(wiring, x - 20, right + 44, low + 35)
    return shapes


def _plain_block(wiring, label, x, low):
    shapes = [Box("plain", x, low + 35, label)]
    if wiring.norm != "none":
        for height in {"pre": (6,), "post": (64,), "peri": (6, 64)}[wiring.norm]:
            shapes.append(Box("plain", x, low + height, "norm", pill=True))
    return shapes + _gains(Wiring(1, wiring.b), x, x + 44, low + 35)


def _gains(wiring, trunk_x, branch_x, y):
    shapes = []
    if wiring.a != 1:
        shapes.append(Text(trunk_x, y, f"{wiring.a:.3g}·", role="identity"))
    if wiring.b != 1:
        shapes.append(Text(branch_x, y, f"{wiring.b:.3g}·", role="branch"))
    return shapes


def row(nets: dict, blocks: int = 2) -> list:
    """Set several nets side by side.

    Parameters
    ----------
    nets : dict of str to Wiring
        Title and wiring of each.
    blocks : int

    Returns
    -------
    list of shapes
    """
    shapes = []
    for column, (title, wiring) in enumerate(nets.items()):
        shapes += net(wiring, title, blocks, x=column * COLUMN)
    return shapes


def sublayers(wiring: Wiring, branches) -> tuple:
    """List the shapes of one block of several sublayers, to be read from top to bottom.

    Parameters
    ----------
    wiring : Wiring
        How each sublayer joins the stream: with a shortcut, and with at most one norm.
    branches : sequence of sequence of str
        For each sublayer the labels of the steps inside of it.

    Returns
    -------
    shapes : list of Line, Box, Merge and Text
        Drawn in this order.
    stops : list of Text, Box and Merge
        Those that stand for a tensor, in the order in which it passes them.

    Raises
    ------
    ValueError
        If the wiring has no shortcut, or two norms.

    Examples
    --------
    >>> shapes, stops = sublayers(Wiring(norm="post"), [["F"]])
    >>> [type(stop).__name__ for stop in stops]
    ['Text', 'Box', 'Merge', 'Box']
    """
    place = wiring.one_norm()
    if not wiring.a:
        raise ValueError(f"sublayers are drawn beside a shortcut, got {wiring}")
    stops, loops = [Text(0, 0, "h")], []
    for labels in branches:
        high = -ROW * (len(stops) - 0.5)
        if place == "pre":
            stops.append(Box("plain", LOOP, -ROW * len(stops), "norm", pill=True))
        for label in labels:
            stops.append(Box("branch", LOOP, -ROW * len(stops), label))
        merge = -ROW * len(stops)
        loops.append(Line("branch", ((0, high), (LOOP, high), (LOOP, merge), (0, merge))))
        stops.append(Merge(0, merge))
        if place == "post":
            stops.append(Box("plain", 0, -ROW * len(stops), "norm", pill=True))
    trunk = Line("identity", ((0, -0.4 * ROW), (0, -ROW * (len(stops) - 0.65))))
    return [trunk, *loops, *stops], stops


def describe(nets: dict) -> str:
    """Say in one sentence what the picture of these nets shows.

    Parameters
    ----------
    nets : dict of str to Wiring

    Returns
    -------
    str

    Examples
    --------
    >>> describe({"residual": Wiring()})
    'Block diagrams. residual, h ← h + F(h): the identity path runs unbroken from input to output.'
    """
    parts = []
    for title, wiring in nets.items():
        if wiring.keeps_identity:
            path = "the identity path runs unbroken from input to output"
        elif wiring.a == 0:
            path = "there is no identity path"
        elif wiring.norm == "post":
            path = "a norm cuts the identity path after every block"
        else:
            path = f"the identity path is multiplied by {wiring.a:.3g} in every block"
        parts.append(f"{title}, h ← {wiring.equation()}: {path}")
    return f"Block diagrams. {'; '.join(parts)}."


def svg(nets: dict, blocks: int = 2) -> str:
    """Write nets as an SVG that follows the reader's light or dark theme.

    Parameters
    ----------
    nets : dict of str to Wiring
    blocks : int

    Returns
    -------
    str

    Examples
    --------
    >>> svg({"residual": Wiring()}).startswith("<svg")
    True
    """
    left, bottom, width, height = _frame(nets, blocks)
    light = "".join(f"--{role}:{pair[0]};" for role, pair in COLOURS.items())
    dark = "".join(f"--{role}:{pair[1]};" for role, pair in COLOURS.items())
    sentence = html.escape(describe(nets), quote=True)
    shapes = "".join(_svg_shape(shape) for shape in row(nets, blocks))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{left} {-bottom - height} {width} '
        f'{height}" width="{width}" class="course-diagram" role="img" aria-label="{sentence}">'
        f"<style>.course-diagram{{{light}font:13px system-ui,sans-serif;max-width:100%}}"
        f"@media (prefers-color-scheme:dark){{.course-diagram{{{dark}}}}}"
        f'[data-jp-theme-light="true"] .course-diagram{{{light}}}'
        f'[data-jp-theme-light="false"] .course-diagram{{{dark}}}</style>'
        f"<title>{sentence}</title>{shapes}</svg>\n"
    )


def _frame(nets, blocks):
    left, bottom = -60, -44
    return left, bottom, COLUMN * (len(nets) - 1) + 60 + LOOP + 66, blocks * BLOCK + 24 + 40 + 44


def _svg_shape(shape):
    match shape:
        case Line(role):
            dash = ' stroke-dasharray="7 5"' if role == "plain" else ""
            path = "M" + " L".join(f"{x:g},{-y:g}" for x, y in shape.rounded())
            return (
                f'<path d="{path}" fill="none" stroke="var(--{role})" stroke-linejoin="round" '
                f'stroke-width="{WIDTHS[role]}"{dash}/>'
            )
        case Box(role, x, y, label, pill):
            width, height = shape.size
            fill, ink = (role, "paper") if pill else ("paper", "ink")
            return (
                f'<rect x="{x - width / 2:g}" y="{-y - height / 2:g}" width="{width}" '
                f'height="{height}" rx="{9 if pill else 6}" fill="var(--{fill})" '
                f'stroke="var(--{role})" stroke-width="2"/>'
                f'<text x="{x:g}" y="{-y + 4.5:g}" text-anchor="middle" fill="var(--{ink})"'
                f' font-size="{11 if pill else 13}">{html.escape(label)}</text>'
            )
        case Merge(x, y):
            cross = f"M{x - 5:g},{-y:g} h10 M{x:g},{-y - 5:g} v10"
            return (
                f'<circle cx="{x:g}" cy="{-y:g}" r="9" fill="var(--paper)" stroke="var(--ink)" '
                f'stroke-width="1.5"/><path d="{cross}" stroke="var(--ink)" stroke-width="1.5"/>'
            )
        case Text(x, y, text, weight, role):
            return (
                f'<text x="{x:g}" y="{-y + 4.5:g}" text-anchor="middle" font-weight="{weight}" '
                f'fill="var(--{role})">{html.escape(text)}</text>'
            )


def figure(nets: dict, blocks: int = 2) -> Figure:
    """Draw nets as a figure on light ground, for stored outputs.

    Parameters
    ----------
    nets : dict of str to Wiring
    blocks : int

    Returns
    -------
    Figure
    """
    left, bottom, width, height = _frame(nets, blocks)
    fig = Figure(figsize=(width / 100, height / 100), layout="none")
    ax = fig.add_axes((0, 0, 1, 1))
    ax.set(xlim=(left, left + width), ylim=(bottom, bottom + height), aspect="equal")
    ax.axis("off")
    draw(ax, row(nets, blocks))
    return fig


def chains(blocks: dict, wiring: Wiring) -> Figure:
    """Draw blocks of several sublayers side by side, on light ground.

    Parameters
    ----------
    blocks : dict of str to sequence of str
        Titles, and a label for each sublayer.
    wiring : Wiring
        How each sublayer joins the stream, as for `sublayers`.

    Returns
    -------
    Figure

    Examples
    --------
    >>> figure = chains({"encoder": ["attend", "feed"]}, Wiring(norm="post"))
    >>> figure.axes[0].get_title()
    'encoder'
    """
    drawn = {
        title: sublayers(wiring, [[name] for name in names]) for title, names in blocks.items()
    }
    height = ROW * max(len(stops) for _, stops in drawn.values())
    fig = Figure(figsize=(2.2 * len(blocks), (height + 40) / 100), layout="none")
    for column, (title, (shapes, _)) in enumerate(drawn.items()):
        ax = fig.add_axes((column / len(blocks), 0, 1 / len(blocks), height / (height + 40)))
        draw(ax, shapes)
        ax.set(xlim=(-80, 140), ylim=(20 - height, 20), aspect="equal")
        ax.set_title(title, loc="center")
        ax.axis("off")
    return fig


def draw(ax, shapes):
    """Draw shapes on light ground; 100 px of them are meant to be an inch.

    Parameters
    ----------
    ax : Axes
    shapes : list of Line, Box, Merge and Text
    """
    for order, shape in enumerate(shapes):
        _draw(ax, shape, order)


def _draw(ax, shape, order):
    light = {role: pair[0] for role, pair in COLOURS.items()}
    match shape:
        case Line(role):
            style = "--" if role == "plain" else "-"
            xs, ys = zip(*shape.rounded(), strict=True)
            # points are 1/72 in, a px of the drawing is 1/100 in
            ax.plot(
                xs,
                ys,
                style,
                color=light[role],
                lw=WIDTHS[role] * 0.72,
                zorder=order,
                solid_joinstyle="round",
                solid_capstyle="butt",
            )
        case Box(role, x, y, label, pill):
            width, height = shape.size
            corner = (x - width / 2 + 6, y - height / 2 + 6)
            ax.add_patch(
                FancyBboxPatch(
                    corner,
                    width - 12,
                    height - 12,
                    boxstyle="round,pad=6",
                    fc=light[role] if pill else light["paper"],
                    ec=light[role],
                    lw=1.5,
                    zorder=order,
                )
            )
            ink = light["paper"] if pill else light["ink"]
            ax.text(
                x,
                y,
                label,
                ha="center",
                va="center",
                color=ink,
                size=8 if pill else 10,
                zorder=order + 0.5,
            )
        case Merge(x, y):
            ax.add_patch(Circle((x, y), 9, fc=light["paper"], ec=light["ink"], zorder=order))
            ax.plot([x - 5, x + 5], [y, y], color=light["ink"], lw=1.2, zorder=order)
            ax.plot([x, x], [y - 5, y + 5], color=light["ink"], lw=1.2, zorder=order)
        case Text(x, y, text, weight, role):
            ax.text(x, y, text, ha="center", va="center", weight=weight, color=light[role], size=10)
