"""Where a net that is trained first stopped being finite."""

from dataclasses import dataclass

import torch
from torch.func import functional_call


@dataclass(frozen=True)
class Divergence:
    """Say where the numbers of one copy first stopped being finite.

    Attributes
    ----------
    learning_rate : float
    seed : int
    step : int
        Counted from 0.
    layer : str
        Name of the module, such as ``"1, block 187"``.
    in_pass : {"forward", "backward"}
    """

    learning_rate: float
    seed: int
    step: int
    layer: str
    in_pass: str

    def __str__(self):
        return (
            f"learning rate {self.learning_rate:g}, seed {self.seed}: not finite at step "
            f"{self.step} in the {self.in_pass} pass of {self.layer}"
        )


def first_nonfinite_layer(model, parameters, gradients, x, losses, copy):
    """Name the layer, and the pass, where one copy's numbers first are not finite."""
    if losses[copy].isfinite():
        return last_bad_gradient(model, parameters, gradients, copy), "backward"
    found = []

    def watch(name, module):
        def look(module, inputs, output):
            if not found and not output.isfinite().all():
                block = module.first_nonfinite(*inputs) if _is_deep(module) else None
                found.append(_name(name, module, block))

        return module.register_forward_hook(look)

    handles = [watch(name, module) for name, module in model.named_modules()]
    try:
        with torch.no_grad():
            functional_call(model, {n: p[copy] for n, p in parameters.items()}, (x[copy],))
    finally:
        for handle in handles:
            handle.remove()
    return found[0] if found else "the loss", "forward"


def last_bad_gradient(model, parameters, gradients, copy):
    """Name the layer nearest to the loss: the backward pass meets it first."""
    for name, gradient in reversed(list(zip(parameters, gradients, strict=True))):
        bad = ~gradient[copy].isfinite()
        if bad.any():
            owner = name.rpartition(".")[0]
            module, block = model.get_submodule(owner), None
            if _is_deep(module):
                block = bad.flatten(1).any(1).nonzero().max().item()
            return _name(owner, module, block)
    raise AssertionError("no gradient of a diverged copy is bad")


def _is_deep(module):
    """Whether one module holds many blocks, on axis 0 of each weight."""
    return hasattr(module, "first_nonfinite")


def _name(name, module, block):
    name = name or type(module).__name__
    return name if block is None else f"{name}, block {block}"
