"""Run a learner's block both ways, around two sublayers of the probe's own."""

import torch


class Attend(torch.nn.Module):
    """Mix the tokens as causal attention does, with the same weights for every input.

    Parameters
    ----------
    M : Tensor, shape (seq, seq)
    A : Tensor, shape (width, width)
    """

    def __init__(self, M, A):
        super().__init__()
        self.register_buffer("M", M)
        self.A = torch.nn.Parameter(A)

    def forward(self, x):
        """Map x, shape (batch, seq, width), to M tanh(x A)."""
        return self.M @ torch.tanh(x @ self.A)


class Feed(torch.nn.Module):
    """Feed each token forward; it ends with a product, so that x may be added into its output.

    Parameters
    ----------
    B : Tensor, shape (width, hidden)
    """

    def __init__(self, B):
        super().__init__()
        self.B = torch.nn.Parameter(B)

    def forward(self, x):
        """Map x, shape (batch, seq, width), to tanh(x B) Bᵀ."""
        return torch.tanh(x @ self.B) @ self.B.T


def probe(answer, x, v, M, A, B, gains, biases):
    """Measure the value, the gradient and the parameters of a block.

    Gains and biases are set in the order in which forward meets the norms.

    Parameters
    ----------
    answer : callable
        Makes a block of two sublayers and the shape of a sequence.
    x, v : ndarray, shape (batch, seq, width)
        The input, and a gradient that arrives at the output.
    M : ndarray, shape (seq, seq)
    A : ndarray, shape (width, width)
    B : ndarray, shape (width, hidden)
    gains, biases : ndarray, shape (2, width)

    Returns
    -------
    dict
        The output, what of `v` reaches x, and the sizes of the block's parameters. Without
        gradients where the output could not have any.

    Raises
    ------
    TypeError
        If the block is no module.
    """
    x, v, M, A, B, gains, biases = map(torch.from_numpy, (x, v, M, A, B, gains, biases))
    block = answer(Attend(M, A), Feed(B), tuple(x.shape[1:]))
    if not isinstance(block, torch.nn.Module):
        raise TypeError("the block has to be an nn.Module, so that its parameters are found")
    block, met = block.double(), []

    def meet(module, inputs):
        if not any(module is other for other in met):
            met.append(module)

    for module in block.modules():
        if isinstance(module, (torch.nn.LayerNorm, torch.nn.RMSNorm)):
            module.register_forward_pre_hook(meet)
    with torch.no_grad():
        block(x.clone())
        for module, gain, bias in zip(met, gains, biases, strict=False):
            for p, new in (module.weight, gain), (getattr(module, "bias", None), bias):
                if p is not None and p.shape[-1] == len(new):
                    p.copy_(new)
        given = x.clone()
        y = block(given)
    result = {"y": y, "after": {"x": given.numpy()}}
    right = isinstance(y, torch.Tensor) and y.shape == x.shape and y.dtype == x.dtype
    if not right or not torch.equal(given, x):
        return result  # autograd could not go on
    x = x.requires_grad_()
    y, gradient = block(x.clone()), torch.zeros_like(x)
    if y.requires_grad:
        found = torch.autograd.grad(y, x, v, allow_unused=True)[0]
        gradient = gradient if found is None else found
    result["gradient that reaches x"] = gradient
    sizes = sorted(float(p.numel()) for p in block.parameters())
    result["sizes of the block's parameters"] = torch.tensor(sizes, dtype=torch.float64)
    return result
