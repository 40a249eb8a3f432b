"""Explore one training loop: the learning rate on a parabola."""

from course_utils import plots, probes
from course_utils.widgets.panel import Panel, slider

CURVATURE = 1.0


def descent(learning_rate=0.4) -> Panel:
    """Move the learning rate of gradient descent on L(w) = ½ w².

    Parameters
    ----------
    learning_rate : float
        Where the slider starts.

    Returns
    -------
    Panel

    Examples
    --------
    >>> descent(0.5).sentence
    'Each step multiplies w by 1 - 0.50 = 0.50: |w| shrinks, to 9.3e-10 after 30 steps.'
    """

    def compute(learning_rate):
        return probes.descent(learning_rate, CURVATURE), learning_rate

    return Panel(
        {"learning_rate": slider("learning rate", learning_rate, 0.0, 2.5, 0.05)},
        compute,
        plots.descent(probes.descent(learning_rate, CURVATURE), CURVATURE, learning_rate),
        _describe,
        {
            "too small": {"learning_rate": 0.05},
            "in one step": {"learning_rate": 1.0},
            "oscillates": {"learning_rate": 1.7},
            "diverges": {"learning_rate": 2.2},
        },
    )


def _describe(values, arrays):
    factor = 1 - values["learning_rate"] * CURVATURE
    last = abs(arrays[0][-1])
    opening = f"Each step multiplies w by 1 - {values['learning_rate']:.2f} = {factor:.2f}"
    if factor == 0:
        return f"{opening}: w is 0 after one step."
    if factor == 1:
        return f"{opening}: w does not move."
    fate = "stays at 1" if factor == -1 else "grows" if last > 1 else "shrinks"
    sides = " and w jumps from side to side" if factor < 0 else ""
    return f"{opening}: |w| {fate}, to {last:.1e} after {len(arrays[0]) - 1} steps{sides}."
