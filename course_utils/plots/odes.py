"""A stack as Euler's method: points on their way, beside the flow that they follow."""

import numpy as np
from matplotlib.figure import Figure

from course_utils.plots.arms import BRANCH, IDENTITY, MUTED, PLAIN
from course_utils.plots.frame import Drawing, name_end


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
    # Euler's error falls like dt = 1/L
    guide = errors[0] / np.asarray(depths)
    right.plot(depths, guide, "--", color=PLAIN, lw=1)
    name_end(right, "1/L", (depths[-1], guide[-1]), colour=PLAIN)
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
    # a line breaks at nan
    gap = np.full((1, *paths.shape[1:]), np.nan)
    return np.concatenate([paths, gap]).swapaxes(0, 1).reshape(-1, 2).T
