"""Panels that a lesson hands its trained nets, here with nets that have learnt nothing."""

import torch

from course_utils import data, recipes
from course_utils.widgets.lesion_bench import lesion_bench


def bench_of_new_nets():
    """A lesion bench of three nets, one of them shallower."""
    torch.manual_seed(0)
    depths = {"residual, 1/√L": 24, "plain, He": 24, "pre-norm": 6}
    nets = {name: recipes.classifier(name, depth) for name, depth in depths.items()}
    return lesion_bench(nets, data.digits().x_test, data.digits().y_test)
