"""What each layer of one trained net does, and what gradient reaches it."""

import numpy as np
import torch


def stream_gradients(net, x, loss):
    """Measure the length of ∂L/∂h after every part of a chain.

    Parameters
    ----------
    net : nn.Sequential
    x : Tensor, shape (batch, d_in)
    loss : callable
        Maps the output of the net to a number.

    Returns
    -------
    ndarray, shape (len(net),)
        Of the whole batch; the last entry belongs to the output of the net.

    References
    ----------
    Used in notebooks/05_degradation.ipynb.

    Examples
    --------
    >>> net = torch.nn.Sequential(torch.nn.Identity(), torch.nn.Identity())
    >>> stream_gradients(net, torch.ones(1, 4), torch.sum)
    array([2., 2.], dtype=float32)
    """
    h, streams = x.detach().requires_grad_(), []  # parts without weights record a graph too
    for part in net:
        h = part(h)
        streams.append(h)
    gradients = torch.autograd.grad(loss(h), streams)
    return torch.stack([gradient.norm() for gradient in gradients]).numpy()


def block_steps(stack, h):
    """Measure how far each block of a stack moves the stream: ‖h_(l+1) − h_l‖ / ‖h_l‖.

    Parameters
    ----------
    stack : blocks.DeepStack
    h : Tensor, shape (batch, width)
        The stream before the first block.

    Returns
    -------
    ndarray, shape (depth,)

    References
    ----------
    Used in notebooks/07_many_paths.ipynb.

    Examples
    --------
    >>> from course_utils.blocks import DeepStack
    >>> from course_utils.wiring import Wiring
    >>> block_steps(DeepStack(3, 4, Wiring(a=0.5), gate=0.0), torch.ones(2, 4))
    array([0.5, 0.5, 0.5])
    """
    steps = []
    with torch.no_grad():
        for block in map(stack.block, range(len(stack.layers))):
            before, h = h, block(h)  # the next block starts where this one ends
            steps.append(((h - before).norm() / before.norm()).item())
    return np.array(steps)


def branch_jacobians(stack, h):
    """Measure M_l = J_l − I, what each block of a stack adds to the identity, at some inputs.

    Any block can be split like that, with a shortcut or without.

    Parameters
    ----------
    stack : blocks.DeepStack
    h : Tensor, shape (batch, width)
        The stream before the first block.

    Returns
    -------
    ndarray, shape (depth, batch, width, width)
        In float64.

    References
    ----------
    Used in notebooks/07_many_paths.ipynb.

    Examples
    --------
    >>> from course_utils.blocks import DeepStack
    >>> from course_utils.wiring import Wiring
    >>> silent = DeepStack(5, 4, Wiring(), gate=0.0)
    >>> branch_jacobians(silent, torch.ones(2, 4)).shape
    (5, 2, 4, 4)
    """
    found, h = [], h.detach()
    for block in map(stack.block, range(len(stack.layers))):
        # one Jacobian for each example, which no other example enters
        J = torch.func.vmap(torch.func.jacrev(block))(h).detach().double()
        found.append(J - torch.eye(h.shape[-1], dtype=J.dtype))
        h = block(h).detach()
    return torch.stack(found).numpy()
