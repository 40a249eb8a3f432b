"""Run a learner's shortcut both ways, in train mode, with weights set from outside."""

import torch


def probe(answer, x, v, K, gamma, beta):
    """Measure the value, the gradient and the parameters of a shortcut.

    Parameters
    ----------
    answer : callable
        Makes a shortcut from two numbers of channels.
    x : ndarray, shape (batch, c_in, size, size)
    v : ndarray, shape (batch, c_out, size / 2, size / 2)
        A gradient that arrives at the output.
    K : ndarray, shape (c_out, c_in)
        The 1×1 kernel.
    gamma, beta : ndarray, shape (c_out,)
        The gain and the bias of the norm.

    Returns
    -------
    dict
        The output, what of `v` reaches x, and the sizes of the parameters. The output alone
        where it has not the shape of `v`.

    Raises
    ------
    TypeError
        If the shortcut is no module, or has other kernels.
    """
    c_out, c_in = K.shape
    block = answer(c_in, c_out)
    if not isinstance(block, torch.nn.Module):
        raise TypeError("the shortcut has to be an nn.Module, so that its parameters are found")
    block = block.double().train()
    kernels = [p for p in block.parameters() if p.ndim == 4]
    if [tuple(p.shape) for p in kernels] != [(c_out, c_in, 1, 1)]:
        shapes = ", ".join(str(tuple(p.shape)) for p in kernels) or "none"
        raise TypeError(f"it needs one kernel, of shape {(c_out, c_in, 1, 1)}, it has {shapes}")
    with torch.no_grad():
        kernels[0].copy_(torch.from_numpy(K)[:, :, None, None])
        for module in block.modules():
            if isinstance(module, torch.nn.BatchNorm2d) and module.affine:
                module.weight.copy_(torch.from_numpy(gamma))
                module.bias.copy_(torch.from_numpy(beta))
    x = torch.from_numpy(x).requires_grad_()
    given = x.clone()
    y = block(given)
    result = {"y": y, "after": {"x": given.detach().numpy()}}
    if not isinstance(y, torch.Tensor) or tuple(y.shape) != v.shape:
        return result
    gradient = torch.zeros_like(x)
    if y.requires_grad:
        found = torch.autograd.grad(y, x, torch.from_numpy(v), allow_unused=True)[0]
        gradient = gradient if found is None else found
    result["gradient that reaches x"] = gradient
    sizes = sorted(float(p.numel()) for p in block.parameters())
    result["sizes of the parameters"] = torch.tensor(sizes, dtype=torch.float64)
    return result
