"""Train a net of any depth in front of the reader."""

from course_utils.recipes import RECIPES, classifier
from course_utils.widgets.panel import choice, slider
from course_utils.widgets.training_panel import TrainingPanel

MAX_DEPTH = 100


def train_live(recipe="plain, He", depth=50, learning_rate=1e-3) -> TrainingPanel:
    """Choose recipe, depth and learning rate, and train three seeds for 150 steps.

    Parameters
    ----------
    recipe : str
        One of `recipes.RECIPES`.
    depth : int
        Layers of the stack, at most 100.
    learning_rate : float
        One of 1e-4, 3e-4, 1e-3, 3e-3, 1e-2.

    Returns
    -------
    TrainingPanel

    Examples
    --------
    >>> train_live("ReZero", depth=2).sentence[:51]
    'ReZero, 2 layers, learning rate 0.001: accuracy 0.9'
    """
    values = {"recipe": recipe, "depth": depth, "learning_rate": learning_rate}
    return TrainingPanel(
        {
            "recipe": choice("recipe", recipe, RECIPES),
            "depth": slider("depth (layers)", depth, 1, MAX_DEPTH, 1),
            "learning_rate": choice("learning rate", learning_rate, (1e-4, 3e-4, 1e-3, 3e-3, 1e-2)),
        },
        lambda chosen: classifier(chosen["recipe"], chosen["depth"]),
        lambda chosen: f"{chosen['recipe']}, {_layers(chosen['depth'])}",
        {
            "PyTorch's default": values | {"recipe": "plain, PyTorch", "depth": 20},
            "He": values | {"recipe": "plain, He", "depth": 50},
            "orthogonal tanh": values | {"recipe": "plain, orthogonal tanh", "depth": 100},
            "b = 1": values | {"recipe": "residual, b = 1", "depth": 100},
            "ReZero": values | {"recipe": "ReZero", "depth": 100},
        },
    )


def example() -> TrainingPanel:
    """Begin with two layers, which train in a moment.

    Returns
    -------
    TrainingPanel
    """
    return train_live(depth=2)


def _layers(depth):
    return "1 layer" if depth == 1 else f"{depth} layers"
