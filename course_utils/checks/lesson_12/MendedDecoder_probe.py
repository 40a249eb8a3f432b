"""Run a learner's decoder block both ways, with weights set from outside."""

import torch

NAMES = ("q1", "k1", "v1", "q2", "k2", "v2")


def probe(answer, h, memory, v, W):
    """Measure the value of a block, and the gradient at stream, memory and each weight.

    Parameters
    ----------
    answer : callable
        Makes a block of a width.
    h, v : ndarray, shape (batch, seq, d_model)
        The stream, and a gradient that arrives at the output.
    memory : ndarray, shape (batch, keys, d_model)
    W : ndarray, shape (6, d_model, d_model)
        In the order of `NAMES`.

    Returns
    -------
    dict
        The output, and what of `v` reaches h, the memory and the weights. The output alone
        where it could not have a gradient.

    Raises
    ------
    TypeError
        If the block is no module, or has other weights.
    """
    h, memory, v, W = (torch.from_numpy(part) for part in (h, memory, v, W))
    block = answer(h.shape[2])
    if not isinstance(block, torch.nn.Module):
        raise TypeError("the block has to be an nn.Module, so that its parameters are found")
    block = block.double()
    weights = {name: tuple(p.shape) for name, p in block.named_parameters()}
    wanted = {f"{name}.weight": tuple(W.shape[1:]) for name in NAMES}
    if weights != wanted:
        raise TypeError(
            f"it needs the weights {', '.join(wanted)}, each of shape "
            f"{tuple(W.shape[1:])}; leave __init__ as it is"
        )
    parameters = [getattr(block, name).weight for name in NAMES]
    with torch.no_grad():
        for parameter, value in zip(parameters, W, strict=True):
            parameter.copy_(value)
        given = [h.clone(), memory.clone()]
        y = block(*given)
    after = {"h": given[0].numpy(), "memory": given[1].numpy()}
    result = {"y": y, "after": after}
    right = isinstance(y, torch.Tensor) and y.shape == h.shape and y.dtype == h.dtype
    if not right or not (torch.equal(given[0], h) and torch.equal(given[1], memory)):
        return result  # autograd could not go on
    starts = [h.clone().requires_grad_(), memory.clone().requires_grad_()]
    moved = block(*(start.clone() for start in starts))
    sources = starts + parameters
    gradients = [torch.zeros_like(source) for source in sources]
    if moved.requires_grad:
        live = [i for i, source in enumerate(sources) if source.requires_grad]
        found = torch.autograd.grad(moved, [sources[i] for i in live], v, allow_unused=True)
        for i, gradient in zip(live, found, strict=True):
            gradients[i] = gradients[i] if gradient is None else gradient
    result["gradient that reaches h"] = gradients[0]
    result["gradient that reaches the memory"] = gradients[1]
    result["gradient that reaches the weights"] = torch.stack(gradients[2:])
    return result
