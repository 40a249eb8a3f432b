"""Put a learner's block around a branch of the probe's own, and run it both ways."""

import torch


class Branch(torch.nn.Module):
    """Compute F(x) = tanh(x A) B.

    Its last layer is linear, so that adding into F's fresh output is allowed, as it is in a
    convolutional block.

    Parameters
    ----------
    A : Tensor, shape (width, hidden)
    B : Tensor, shape (hidden, width)
    """

    def __init__(self, A, B):
        super().__init__()
        self.A, self.B = torch.nn.Parameter(A), torch.nn.Parameter(B)

    def forward(self, x):
        """Map x, shape (batch, width), to F(x) of the same shape."""
        return torch.tanh(x @ self.A) @ self.B


def probe(answer, x, v, A, B):
    """Measure the value, the gradients and the parameters of a block around F.

    Parameters
    ----------
    answer : callable
        Makes a block of a branch.
    x, v : ndarray, shape (batch, width)
        The input, and a gradient that arrives at the output.
    A : ndarray, shape (width, hidden)
    B : ndarray, shape (hidden, width)

    Returns
    -------
    dict
        The output, what of `v` reaches x and F's matrices, and the sizes of the block's
        parameters. Without gradients where the output could not have any.

    Raises
    ------
    TypeError
        If the block is no module.
    """
    x, v, A, B = (torch.from_numpy(part) for part in (x, v, A, B))
    branch = Branch(A, B)
    block = answer(branch)
    if not isinstance(block, torch.nn.Module):
        raise TypeError("the block has to be an nn.Module, so that its parameters are found")
    given = x.clone()
    with torch.no_grad():
        y = block.eval()(given)
    result = {"y": y, "after": {"x": given.numpy()}}
    right = isinstance(y, torch.Tensor) and y.shape == x.shape and y.dtype == x.dtype
    if not right or not torch.equal(given, x):
        return result  # autograd could not go on
    start = x.clone().requires_grad_()
    moved = block.train()(start.clone())  # both modes are to be right
    sources = [start, branch.A, branch.B]
    gradients = [torch.zeros_like(source) for source in sources]
    if moved.requires_grad:
        live = [i for i, source in enumerate(sources) if source.requires_grad]
        found = torch.autograd.grad(moved, [sources[i] for i in live], v, allow_unused=True)
        for i, gradient in zip(live, found, strict=True):
            gradients[i] = gradients[i] if gradient is None else gradient
    result["gradient that reaches x"] = gradients[0]
    result["gradient that reaches the branch"] = torch.cat([g.flatten() for g in gradients[1:]])
    sizes = sorted(float(p.numel()) for p in block.parameters())
    result["sizes of the block's parameters"] = torch.tensor(sizes, dtype=torch.float64)
    return result
