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


def parts(name):
    """What a net of this recipe is made of, with weights from the same draws."""
    torch.manual_seed(0)
    stack = RECIPES[name](6, 8)
    gate = None if stack.gate is None else stack.gate.tolist()
    made = {"wiring": stack.wiring, "activation": stack.activation, "gate": gate}
    return made | {"weights": stack.layers.tolist()}


@pytest.mark.parametrize(
    ("one", "other", "differ"),
    [
        ("plain, He", "plain, PyTorch", {"weights"}),
        ("plain, He", "plain, LayerNorm", {"wiring"}),
        ("plain, He", "residual, b = 1", {"wiring"}),
        ("plain, He", "plain, orthogonal tanh", {"weights", "activation"}),
        ("plain, orthogonal tanh", "plain, near identity", {"weights"}),
        ("plain, orthogonal tanh", "residual tanh, b = 1", {"wiring"}),
        ("residual tanh, b = 1", "residual tanh, 1/√L", {"wiring"}),
        ("residual, b = 1", "residual, 1/√L", {"wiring"}),
        ("residual, b = 1", "residual, 1/L", {"wiring"}),
        ("residual, b = 1", "post-norm", {"wiring"}),
        ("residual, b = 1", "ReZero", {"gate"}),
        ("post-norm", "pre-norm", {"wiring"}),
        ("pre-norm", "pre-norm, 1/√L", {"wiring"}),
        ("ReZero", "LayerScale", {"gate"}),
        ("ReZero", "Fixup-like", {"gate", "weights"}),
    ],
)
def test_compared_arms_differ_in_what_is_said_and_in_nothing_else(one, other, differ):
    one, other = parts(one), parts(other)
    assert {part for part in one if one[part] != other[part]} == differ


def test_an_unknown_recipe_is_refused():
    with pytest.raises(ValueError, match="got 'ResNet'"):
        classifier("ResNet", depth=2)
