"""Let autograd call the hand-written passes of a kernel, for one net or for many copies."""

import torch
from torch import nn


class DeepNet(nn.Module):
    """Chain blocks that a kernel runs at once; a base for nets with all layers in a few tensors.

    A subclass has `_blocks`, which gives the same blocks one by one, as functions of the stream.
    """

    def first_nonfinite(self, h):
        """Find the first block that turns finite numbers into infinity or NaN.

        Parameters
        ----------
        h : Tensor, shape (..., features)
            The stream before the first block.

        Returns
        -------
        int or None
            Counted from 0; None where every block's output is finite.

        Examples
        --------
        >>> from course_utils.fast import DeepStack, DeepTransformer
        >>> from course_utils.wiring import RESIDUAL
        >>> torch.manual_seed(0)
        <torch._C.Generator object at ...>
        >>> DeepStack(1202, 16, RESIDUAL).first_nonfinite(torch.ones(1, 16)) < 1202
        True
        >>> net = DeepTransformer(9, 8, n_heads=2)
        >>> _ = nn.init.constant_(net.outer[5], torch.inf)
        >>> net.first_nonfinite(torch.ones(3, 5, 8))
        5
        """
        with torch.no_grad():
            for i, block in enumerate(self._blocks()):
                h = block(h)
                if not h.isfinite().all():
                    return i
        return None


def run(forward, backward, x, *weights):
    """Run a kernel so that autograd can go back through it.

    Autograd would record each operation of each layer; here the whole net is one operation.
    Copies under `torch.vmap`, as in `training.fit`, run together.

    Parameters
    ----------
    forward : callable
        Maps weights and x, as arrays, to H and a cache.
    backward : callable
        Maps weights, cache and ∂L/∂H to ∂L/∂x and one gradient for each weight.
    x : Tensor, shape (1, ...)
        Axis 0 is for copies, here and in all weights.
    *weights : Tensor or None

    Returns
    -------
    Tensor
        H.

    Examples
    --------
    >>> x, W = (torch.full((1, 2), v, requires_grad=True) for v in (3.0, 5.0))
    >>> def multiply(weights, x):
    ...     return weights[0] * x, x
    >>> def go_back(weights, x, dH):
    ...     return weights[0] * dH, [x * dH]
    >>> run(multiply, go_back, x, W).sum().backward()
    >>> x.grad, W.grad
    (tensor([[5., 5.]]), tensor([[3., 3.]]))
    """
    return _Passes.apply(forward, backward, [], x, *weights)


class _Passes(torch.autograd.Function):
    """Calls two passes in NumPy. A list, `kept`, carries the cache out of the first."""

    @staticmethod
    def forward(forward, backward, kept, x, *weights):
        # nothing in here is recorded: detached arrays share the tensors' memory
        H, cache = forward(_arrays(weights), x.detach().numpy())
        kept.append(cache)
        return torch.from_numpy(H)

    @staticmethod
    def setup_context(ctx, inputs, output):
        _, ctx.go_back, kept, _, *weights = inputs
        ctx.save_for_backward(*weights)
        ctx.cache = kept.pop()

    @staticmethod
    def backward(ctx, dH):
        weights = _arrays(ctx.saved_tensors)
        dx, gradients = ctx.go_back(weights, ctx.cache, dH.numpy())
        # a kernel names a gradient for weights, such as gates, that this net may not have
        dweights = (g if g is None else torch.from_numpy(g) for g in gradients[: len(weights)])
        return None, None, None, torch.from_numpy(dx), *dweights

    @staticmethod
    def vmap(info, in_dims, forward, backward, kept, *tensors):
        # the kernel's axis of copies takes vmap's: one call for all learning rates and seeds
        merged = merge_copies(tensors, in_dims[3:], info.batch_size)
        H = _Passes.apply(forward, backward, kept, *merged)
        return H.unflatten(0, (info.batch_size, -1)), 0


def merge_copies(tensors, in_dims, batch_size):
    """Put the copies of a `vmap` where each tensor has an axis of length 1 for them.

    Parameters
    ----------
    tensors : sequence of Tensor or None
        Each with an axis 0 of its own, for copies.
    in_dims : sequence of int or None
        Where `vmap` put its axis; None for a tensor that all copies share.
    batch_size : int
        How many copies there are.

    Returns
    -------
    list of Tensor or None
        With all copies on axis 0.

    Examples
    --------
    >>> each, shared = merge_copies([torch.ones(1, 4, 3), torch.ones(1, 3)], [1, None], 4)
    >>> each.shape, shared.shape
    (torch.Size([4, 3]), torch.Size([4, 3]))
    """
    merged = []
    for t, dim in zip(tensors, in_dims, strict=True):
        if t is not None:
            t = t[None].expand(batch_size, *t.shape) if dim is None else t.movedim(dim, 0)
            t = t.flatten(0, 1)
        merged.append(t)
    return merged


def _arrays(tensors):
    return [t if t is None else t.detach().numpy() for t in tensors]
