"""Explore how a gradient travels back through a plain and a residual stack.

Drawn in the browser, so that it follows the hand on a slow connection too. The kernel
measures every position of the sliders once and sends the result along.
"""

import functools
import threading
from pathlib import Path
from typing import ClassVar

import anywidget
import numpy as np
import traitlets

from course_utils import backprop, plots, probes
from course_utils.widgets.guard import guarded
from course_utils.widgets.still import Still
from course_utils.wiring import PLAIN, RESIDUAL

WIDTH, BATCH = 16, 8
# the positions of the sliders; sizes and gains are whole numbers of tenths and twentieths,
# so that their products can be listed
DEPTHS = tuple(range(5, 65, 5))
SIZES = tuple(i / 10 for i in range(16))
GAINS = tuple(j / 20 for j in range(21))
PRODUCTS = sorted({i * j for i in range(16) for j in range(21)})  # of size and gain, times 200

SENTENCE = (
    "{depth} blocks, branches of size {size}, b = {b}: in the plain stack the gradient reaches "
    "the input {plain} times as long, in the residual stack {residual}."
)
PRESETS = {
    "plain vanishes": {"depth": 50, "size": 0.7, "b": 0.15},
    "residual explodes": {"depth": 50, "size": 1.0, "b": 1.0},
    "both are calm": {"depth": 50, "size": 1.1, "b": 0.15},
}


@functools.cache
def _network():
    rng = np.random.default_rng(0)
    branches = [backprop.random_branch(rng, WIDTH) for _ in range(DEPTHS[-1])]
    return branches, *rng.normal(size=(2, BATCH, WIDTH))


def profiles(depth, size, b) -> dict:
    """Measure the gradient before each block, in both stacks.

    Parameters
    ----------
    depth : int
    size : float
        Length of F(x) relative to x.
    b : float
        Gain of the branch in the residual stack.

    Returns
    -------
    dict of str to ndarray, shape (depth + 1, 1)
    """
    branches, x, dH = _network()

    def measured(gain, wiring):
        sized = [branch._replace(W2=gain * branch.W2) for branch in branches[:depth]]
        return probes.gradient_norms(sized, x, dH, wiring)[:, None]

    # b·F is the branch of size b·size: one number for both sliders
    return {"plain": measured(size, PLAIN), "residual": measured(b * size, RESIDUAL)}


@functools.cache
def grid() -> bytes:
    """Measure every position of the sliders.

    For each depth: log10 of the plain profile at size 1, then of the residual profile for
    each of `PRODUCTS`; in thousandths, as int16. A plain stack without biases scales with
    its branches, so size s only adds log10(s) once for every block.

    Returns
    -------
    bytes
    """
    branches, x, dH = _network()
    sizes = np.array(PRODUCTS)[:, None, None] / 200
    sized = [branch._replace(W2=sizes * branch.W2) for branch in branches]
    parts = []
    for depth in DEPTHS:
        plain = probes.gradient_norms(branches[:depth], x, dH, PLAIN)[None]
        everywhere = np.broadcast_to(dH, (len(PRODUCTS), *dH.shape))
        residual = probes.gradient_norms(sized[:depth], x, everywhere, RESIDUAL).T
        parts += [plain.ravel(), residual.ravel()]
    return np.round(1000 * np.log10(np.concatenate(parts))).astype("<i2").tobytes()


class _Drawing(anywidget.AnyWidget):
    _esm = Path(__file__).with_name("gradient_norms.js")
    depth = traitlets.Int().tag(sync=True)
    size = traitlets.Float().tag(sync=True)
    b = traitlets.Float().tag(sync=True)
    grid = traitlets.Bytes().tag(sync=True)
    setting = traitlets.Dict().tag(sync=True)


class GradientNorms(Still):
    """Show both profiles; made by `gradient_norms`."""

    positions: ClassVar = {"depth": DEPTHS, "size": SIZES, "b": GAINS}  # of the sliders

    def __init__(self, **values):
        setting = {
            "depths": DEPTHS,
            "sizes": SIZES,
            "gains": GAINS,
            "products": PRODUCTS,
            "sentence": SENTENCE,
            "presets": PRESETS,
        }
        self._drawing = _Drawing(grid=grid(), setting=setting)
        self._lock = threading.RLock()  # hold_sync is not made for several threads
        self.set(**values)
        super().__init__([self._drawing])
        guarded(self)

    @property
    def values(self) -> dict:
        """Positions of the sliders, by name."""
        return {name: getattr(self._drawing, name) for name in self.positions}

    def set(self, **values):
        """Move the sliders.

        Parameters
        ----------
        **values
            `depth`, `size` or `b`.

        Returns
        -------
        GradientNorms
            Itself.

        Raises
        ------
        ValueError
            If a name is not one of the three, or a slider has no such position.
        """
        for name, value in values.items():
            if value not in self.positions.get(name, ()):
                have = self.positions.get(name, list(self.positions))
                raise ValueError(f"{name} takes one of {have}, got {value!r}")
        with self._lock, self._drawing.hold_sync():
            for name, value in values.items():
                setattr(self._drawing, name, value)
        return self

    @property
    def sentence(self) -> str:
        """What the picture shows now."""
        values = self.values  # once: they may move meanwhile
        return _describe(values, profiles(**values))

    def still(self):
        """Draw the picture as it is now, and describe it."""
        values = self.values
        measured = profiles(**values)
        return plots.png(plots.gradient_norms(measured)), _describe(values, measured)


def _describe(values, measured):
    plain, residual = (profile[0, 0] for profile in measured.values())
    return SENTENCE.format(
        depth=values["depth"],
        size=f"{values['size']:.1f}",
        b=f"{values['b']:.2f}",
        plain=f"{plain:.1e}" if plain else "0",
        residual=f"{residual:.1e}",
    )


def gradient_norms(depth=50, size=0.7, b=0.15) -> GradientNorms:
    """Move depth, size of the branches and branch gain; watch the gradient in both stacks.

    Both stacks hold the same branches, drawn once: a move of a slider changes nothing else.

    Parameters
    ----------
    depth : int
        Number of blocks: 5, 10, … 60.
    size : float
        Length of F(x) relative to x, on average: 0, 0.1, … 1.5.
    b : float
        Gain of the branch in the residual stack: 0, 0.05, … 1.

    Returns
    -------
    GradientNorms

    Examples
    --------
    >>> gradient_norms(depth=10, size=0.0).sentence[-65:]
    'reaches the input 0 times as long, in the residual stack 1.0e+00.'
    """
    return GradientNorms(depth=depth, size=size, b=b)
