import numpy as np

from course_utils import plots


def test_rank_collapse_draws_the_geometric_mean_and_names_both_ends():
    spreads = {"plain": np.array([[1.0, 1.0], [1e-4, 1e-8]]), "residual": np.ones((2, 2))}
    drawing = plots.rank_collapse(spreads, "Title")
    plain, residual, *names = drawing.artists
    assert np.allclose(plain.get_ydata(), [1, 1e-6])
    assert [name.get_text() for name in names] == ["plain", "residual"]
    drawing.update({"plain": np.zeros((3, 2)), "residual": np.ones((3, 2))})
    assert np.allclose(plain.get_ydata(), plots.FLOAT64)
    assert np.allclose(residual.get_xdata(), [0, 1, 2])
    drawing.update({"plain": np.ones((2, 2)), "residual": np.ones((2, 2))})
    heights = [name.get_position()[1] for name in names]
    assert abs(heights[0] - heights[1]) >= 12, "names at one place stand one above the other"


def test_the_block_stepper_lays_matrices_side_by_side_and_marks_the_place():
    sketches = {
        "pre": (lambda ax: ax.plot([0, 0], [0, -300], color="black"), [(0, 0, 18, 18)]),
        "post": (lambda ax: ax.plot([50, 50], [0, -300], color="black"), [(60, -34, 58, 28)] * 2),
    }
    drawing = plots.block_stepper(sketches, {"tensor": (2.0, 0.5), "weights": (1.0, 9.0)})
    mark, block, image, title, low, high, gradient, *_, last = drawing.artists
    array = np.arange(24.0).reshape(2, 3, 4)
    drawing.update("pre", 0, "tensor", "name", array, -array)
    before = block.get_array().copy()
    assert np.array_equal(image.get_array()[:, :4], array[0])
    assert image.get_array().mask[:, 4].all()
    assert np.array_equal(gradient.get_array()[:, 5:], -array[1])
    assert image.get_clim() == (-2, 2)
    assert gradient.get_clim() == (-0.5, 0.5)
    assert (title.get_text(), low.get_text(), high.get_text()) == ("name, 2 × 3 × 4", "−2", "2")
    assert last.get_text() == "0.5"
    drawing.update("post", 1, "weights", "q", np.ones((3, 2, 5, 4)), np.ones((3, 2, 5, 4)))
    assert image.get_array().shape == (17, 9)
    assert image.get_array().mask[5].all()
    assert not np.array_equal(block.get_array(), before)
    assert mark.get_ydata() == [-34, -34]
    assert np.mean(mark.get_xdata()) == 60
    assert gradient.get_clim() == (-9, 9)
