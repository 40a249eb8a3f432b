"""Watch a learner's block in its first steps; every right one may be built in its own way."""

import torch

STEPS, TINY = 5, 1e-9  # a smaller gradient is rounding


def probe(answer, x, target):
    """Run a new block in both modes, then train it for a few steps.

    Parameters
    ----------
    answer : callable
        Makes a block of a width.
    x, target : ndarray, shape (batch, width)

    Returns
    -------
    dict
        The outputs of the new block, how many norms ran, the names of its matrices and of
        those that a gradient reached, and how far the trained block is from x.

    Raises
    ------
    TypeError
        If the block is no module.
    """
    x, target = torch.from_numpy(x), torch.from_numpy(target)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        block = answer(x.shape[1])
    if not isinstance(block, torch.nn.Module):
        raise TypeError("the block has to be an nn.Module, so that its parameters are found")
    block = block.double()
    ran = []
    for module in block.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            module.register_forward_hook(lambda module, inputs, output: ran.append(module))
    given = x.clone()
    with torch.no_grad():
        outputs = {"eval": block.eval()(given), "train": block.train()(given)}
        outputs["eval after train"] = block.eval()(given)
    result = {
        "after": {"x": given.numpy()},
        "norms": len(set(map(id, ran))),
        "matrices": [name for name, p in block.named_parameters() if p.ndim == 2],
        **outputs,
    }
    right = all(isinstance(y, torch.Tensor) and y.shape == x.shape for y in outputs.values())
    if not right:
        return result
    live, parameters = set(), dict(block.named_parameters())
    block.train()
    for _ in range(STEPS):
        y = block(x)
        if not y.requires_grad:
            break
        block.zero_grad()
        (y - target).square().mean().backward()
        with torch.no_grad():
            for name, p in parameters.items():
                if p.grad is not None and float(p.grad.abs().max()) > TINY:
                    live.add(name)
                    p -= 0.01 * p.grad
    with torch.no_grad():
        result["moved"] = float((block(x) - x).abs().max())
    result["live"] = sorted(live)
    return result
