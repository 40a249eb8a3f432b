import pytest
import torch

from course_utils.recipes import RECIPES, classifier


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_maps_pixels_to_classes(name):
    net = classifier(name, depth=7, width=8)
    assert net(torch.randn(3, 64)).shape == (3, 10)
    assert net[1].layers.shape == (7, 8, 9)


def test_gains_follow_the_depth():
    assert RECIPES["residual, 1/L"](50, 4).wiring.b == 1 / 50
    assert RECIPES["residual, 1/√L"](16, 4).wiring.b == 1 / 4
    torch.manual_seed(0)
    assert RECIPES["Fixup-like"](100, 64).layers.std() < RECIPES["ReZero"](100, 64).layers.std() / 9


def test_recipes_that_start_as_the_identity():
    h = torch.randn(5, 8)
    assert torch.equal(RECIPES["ReZero"](30, 8)(h), h)
    assert torch.allclose(RECIPES["LayerScale"](30, 8)(h), h, atol=0.1)
    assert not torch.allclose(RECIPES["residual, b = 1"](30, 8)(h), h, atol=1)


def test_an_unknown_recipe_is_refused():
    with pytest.raises(ValueError, match="got 'ResNet'"):
        classifier("ResNet", depth=2)
