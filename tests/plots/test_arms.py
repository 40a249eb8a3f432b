import pytest

from course_utils import plots
from course_utils.plots import arms
from course_utils.recipes import RECIPES


@pytest.mark.parametrize("name", RECIPES)
def test_the_look_of_a_recipe_tells_what_becomes_of_its_identity_path(name):
    wiring = RECIPES[name](2, 4).wiring
    colour, dash = plots.look(name)
    if wiring.a == 0:
        assert (colour, dash) == (plots.PLAIN, "--")
    elif wiring.norm == "post":
        assert (colour, dash) == (plots.BRANCH, "--")
    else:
        assert colour == plots.IDENTITY
        assert dash in ("-", "-.")


def test_a_name_is_looked_up_whole_then_without_its_details_then_has_an_identity_path():
    assert plots.look("residual, b = 1") == arms.LOUD
    assert plots.look("plain, 50 layers, He") == plots.look("plain") == arms.NO_PATH
    assert plots.look("post-norm, warm-up") == arms.CUT_PATH
    for name in ("residual, 1/√L", "quiet post-norm", "plainer", "now", ""):
        assert plots.look(name) == arms.WHOLE_PATH
