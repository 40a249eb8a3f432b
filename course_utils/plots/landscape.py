"""The loss as a function of the weights, on planes around a net."""

import numpy as np
from matplotlib.figure import Figure


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
        # direction 1 runs along the rows of the array, but to the right in the picture
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
