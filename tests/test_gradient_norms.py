"""The panel that is drawn in the browser: what it is sent is what the probe measures."""

import numpy as np
import pytest

from course_utils.widgets import gradient_norms as hero


def sent(depth, size, b):
    """Read a state from the grid, as the browser does."""
    grid = np.frombuffer(hero.grid(), "<i2") / 1000
    start = sum((d + 1) * (1 + len(hero.PRODUCTS)) for d in hero.DEPTHS if d < depth)
    rows = grid[start : start + (depth + 1) * (1 + len(hero.PRODUCTS))].reshape(-1, depth + 1)
    product = hero.PRODUCTS.index(round(size * 10) * round(b * 20))
    plain = rows[0] + np.arange(depth, -1, -1) * np.log10(size)
    return {"plain": 10**plain, "residual": 10 ** rows[1 + product]}


@pytest.mark.parametrize("depth", [5, 30, 60])
@pytest.mark.parametrize("size", [0.1, 0.7, 1.5])
@pytest.mark.parametrize("b", [0.0, 0.15, 1.0])
def test_the_grid_holds_what_the_probe_measures(depth, size, b):
    measured = hero.profiles(depth, size, b)
    for name, values in sent(depth, size, b).items():
        assert np.allclose(values, measured[name][:, 0], rtol=0.01)


def test_the_grid_has_a_row_for_every_position_of_the_sliders():
    rows = sum((depth + 1) * (1 + len(hero.PRODUCTS)) for depth in hero.DEPTHS)
    assert len(hero.grid()) == 2 * rows
    assert {round(size * 10) * round(b * 20) for size in hero.SIZES for b in hero.GAINS} == set(
        hero.PRODUCTS
    )


def test_without_branches_the_residual_gradient_is_flat_and_the_plain_one_gone():
    panel = hero.gradient_norms(depth=30, size=1.0, b=0.0)
    assert panel.sentence.endswith("in the residual stack 1.0e+00.")
    assert "reaches the input 0 times" in panel.set(size=0.0).sentence


def test_what_a_drag_sends_changes_the_sentence():
    panel = hero.gradient_norms()
    before = panel.sentence
    panel._drawing.set_state({"b": 1.0, "size": 1.0})
    assert panel.values == {"depth": 50, "size": 1.0, "b": 1.0}
    assert panel.sentence != before


def test_every_preset_is_a_position_and_shows_something_else():
    panel = hero.gradient_norms()
    assert len({panel.set(**values).sentence for values in hero.PRESETS.values()}) == 3


@pytest.mark.parametrize("values", [{"depth": 7}, {"size": 0.75}, {"gain": 1.0}], ids=str)
def test_a_position_that_is_none_is_refused(values):
    with pytest.raises(ValueError, match="takes one of"):
        hero.gradient_norms().set(**values)
