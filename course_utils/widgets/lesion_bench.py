"""Delete blocks of a trained net, swap others, and see what it still knows."""

from copy import deepcopy

import numpy as np
import torch

from course_utils import data, plots, probes, recipes, training
from course_utils.fast import DeepStack
from course_utils.widgets.panel import Panel, choice, slider

MAX_SWAPS = 40


def lesion_bench(nets, x, y, first=5, many=4, swaps=0) -> Panel:
    """Choose a net, the blocks to delete and how often two neighbours change places.

    Nothing is trained again. Blocks past the end of a net are not there to be deleted. The swaps
    are always the same sequence, applied to the blocks that are left.

    Parameters
    ----------
    nets : dict of str to nn.Sequential
        Each is trained, and made of a layer, a `blocks.DeepStack` and a layer. `plots.look`
        says how a name is drawn.
    x : Tensor or ndarray, shape (batch, features)
    y : Tensor or ndarray, shape (batch,)
        The class of each example.
    first : int
        First block to delete, counted from 1.
    many : int
        Blocks to delete.
    swaps : int
        At most 40.

    Returns
    -------
    Panel

    Raises
    ------
    ValueError
        If there is no net, or one has other parts.

    References
    ----------
    Veit et al. (2016), "Residual Networks Behave Like Ensembles of Relatively Shallow
    Networks", sections 4.1 and 4.2. Used in notebooks/07_many_paths.ipynb.

    Examples
    --------
    >>> nets = {"ReZero": recipes.classifier("ReZero", 4)}
    >>> panel = lesion_bench(nets, np.ones((2, 64)), np.zeros(2))
    >>> panel.set(first=2, many=9).sentence[:31]
    'ReZero: blocks 2 to 4 deleted: '
    """
    subjects = {name: _Subject(_checked(name, net), x, y) for name, net in nets.items()}
    if not subjects:
        raise ValueError("at least one net is needed, got an empty dict")
    depth = max(subject.depth for subject in subjects.values())
    first, many = min(first, depth), min(many, depth)
    middle, half = max(1, depth // 2), max(1, depth // 4)

    def compute(net, first, many, swaps):
        subject = subjects[net]
        order, deleted = subject.order(first, many, swaps)
        now = subject.accuracy(order)
        return net, subject.steps, deleted, subject.single, now, subject.untouched

    drawing = plots.lesion_bench(depth, max(0.1, *(s.steps.max() for s in subjects.values())))
    spared = {"many": 0, "swaps": 0}
    return Panel(
        {
            "net": choice("net", next(iter(nets)), nets),
            "first": slider("from block", first, 1, depth, 1),
            "many": slider("how many", many, 0, depth, 1),
            "swaps": slider("swaps of neighbours", swaps, 0, MAX_SWAPS, 1),
        },
        compute,
        drawing,
        _describe,
        {  # of whichever net is chosen
            "untouched": spared,
            "without the first": spared | {"first": 1, "many": 1},
            "without the middle one": spared | {"first": middle, "many": 1},
            "half": spared | {"first": 1 + half, "many": middle},
            "40 swaps": spared | {"swaps": 40},
        },
    )


def example() -> Panel:
    """Make a bench of three nets that have learnt nothing, one of them shallower.

    Returns
    -------
    Panel
    """
    depths = {"residual, 1/√L": 24, "plain, He": 24, "pre-norm": 6}
    with torch.random.fork_rng(devices=[]):  # the notebook's own draws stay as they are
        torch.manual_seed(0)
        nets = {name: recipes.classifier(name, depth) for name, depth in depths.items()}
    return lesion_bench(nets, data.digits().x_test, data.digits().y_test)


def _checked(name, net):
    if len(net) != 3 or not isinstance(net[1], DeepStack):
        parts = [type(part).__name__ for part in net]
        raise ValueError(f"a net is a layer, a DeepStack and a layer, {name!r} has {parts}")
    return net


class _Subject:
    """One net, what is measured of it, and what it can be asked."""

    def __init__(self, net, x, y):
        first, self._stack, self._last = deepcopy(net).eval()
        self._y, self.depth = torch.as_tensor(y), len(self._stack.layers)
        with torch.no_grad():
            self._h = first(torch.as_tensor(x, dtype=self._stack.layers.dtype))
        self.steps = probes.block_steps(self._stack, self._h)
        self.untouched = self.accuracy(range(self.depth))
        # takes longer than a move, so once
        blocks = range(self.depth)
        self.single = np.array([self.accuracy(np.delete(blocks, i)) for i in blocks])

    def accuracy(self, order):
        """Test the net with these blocks alone, in this order."""
        with torch.no_grad():
            h = self._stack.only(order)(self._h) if len(order) else self._h
            return training.accuracy(self._last(h)[None], self._y[None]).item()

    def order(self, first, many, swaps):
        """Name the blocks that are left, in their order, and mark the others."""
        blocks = np.arange(self.depth)
        deleted = (blocks >= first - 1) & (blocks < first - 1 + many)
        left = blocks[~deleted]
        if len(left) > 1:
            for part in np.random.default_rng(0).random(MAX_SWAPS)[:swaps]:
                i = int(part * (len(left) - 1))
                left[[i, i + 1]] = left[[i + 1, i]]
        return left, deleted


def _describe(values, arrays):
    net, _, deleted, _, now, untouched = arrays
    gone = 1 + np.flatnonzero(deleted)
    if len(gone) == len(deleted):
        what = "all blocks deleted"
    elif len(gone) > 1:
        what = f"blocks {gone[0]} to {gone[-1]} deleted"
    else:
        what = f"block {gone[0]} deleted" if len(gone) else "no block deleted"
    swaps = values["swaps"]
    if swaps and len(deleted) - len(gone) < 2:
        what += ", none left to swap"
    elif swaps:
        what += f" and {swaps} swap{'s' if swaps > 1 else ''} of neighbours"
    return f"{net}: {what}: accuracy {now:.2f}; untouched {untouched:.2f}."
