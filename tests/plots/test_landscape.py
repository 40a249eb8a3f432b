import numpy as np

from course_utils import plots


def test_loss_slices_share_levels_and_colours_and_keep_the_axes_apart():
    flat, steep = np.full((5, 5), 0.2), np.full((5, 5), np.nan)
    steep[4, 2] = 0.2  # far along direction 1
    figure = plots.loss_slices({"plain": steep, "residual": flat}, "T", reach=0.5)
    left, right, bar = figure.axes
    first, second = left.collections[0], right.collections[0]
    assert first.levels.tolist() == second.levels.tolist()
    assert first.norm is not None
    assert (first.norm.vmin, first.norm.vmax) == (second.norm.vmin, second.norm.vmax)
    low = first.get_paths()[list(first.levels).index(0.1) + 1]  # the colour of 0.1 to 0.3
    assert low.vertices[:, 0].max() == 0.5
    assert abs(low.vertices[:, 1]).max() < 0.26
    assert bar.get_ylabel() == "training loss"
