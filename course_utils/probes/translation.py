"""What an encoder-decoder reads, looks at and writes."""

import numpy as np
import torch

from course_utils import data


@torch.no_grad()
def written_right(net, x, y):
    """Say of each sequence whether the likeliest token is the right one everywhere.

    The net is shown the right tokens so far. Where it is right everywhere, it writes the same
    sequence on its own, and only there: so this is the exact match of `write`, in one pass.

    Parameters
    ----------
    net : transformers.EncoderDecoder
    x : Tensor of int64, shape (batch, source_seq + target_seq)
    y : Tensor of int64, shape (batch, target_seq)
        `data.PAD` where a sequence is over.

    Returns
    -------
    ndarray of bool, shape (batch,)

    References
    ----------
    Used in notebooks/12_encoder_decoder.ipynb.

    Examples
    --------
    >>> logits = torch.tensor([[[0.0, 1.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 1.0]]])
    >>> written_right(lambda x: logits, None, torch.tensor([[1, data.PAD], [1, 1]]))
    array([ True, False])
    """
    return ((net(x).argmax(-1) == y) | (y == data.PAD)).all(1).numpy()


@torch.no_grad()
def cross_weights(net, x):
    """Measure how much each written token looks at each one that was read, in every decoder block.

    Parameters
    ----------
    net : transformers.EncoderDecoder
    x : Tensor of int64, shape (batch, source_seq + target_seq)

    Returns
    -------
    ndarray, shape (depth, batch, n_heads, target_seq, source_seq)

    References
    ----------
    Used in notebooks/12_encoder_decoder.ipynb.

    Examples
    --------
    >>> from course_utils.transformers import EncoderDecoder
    >>> net = EncoderDecoder(30, 13, source_seq=8, d_model=16, n_heads=4, depth=2)
    >>> cross_weights(net, torch.ones(5, 8 + 6, dtype=torch.int64)).shape
    (2, 5, 4, 6, 8)
    """
    found = []

    # the weights are no output of the block: a hook sees what the attention was called with
    def keep(attend, inputs, options, _out):
        found.append(attend.weights(*inputs, **options).numpy())

    handles = [
        block.cross.branch.register_forward_hook(keep, with_kwargs=True) for block in net.decoder
    ]
    try:
        net(x)
    finally:
        for handle in handles:
            handle.remove()
    return np.stack(found)


def own_share(net, words):
    """Measure how much of a row of the memory comes from the word at its own place.

    Parameters
    ----------
    net : transformers.EncoderDecoder
    words : Tensor of int64, shape (batch, source_seq)
        Padding is left out.

    Returns
    -------
    ndarray, shape (batch,)
        Means over the rows i of ‖∂M_i/∂h_i‖² / Σ_j ‖∂M_i/∂h_j‖², where h enters the encoder: 1
        where no other word matters, one over their number where all matter alike.

    References
    ----------
    Derived in notebooks/12_encoder_decoder.ipynb.

    Examples
    --------
    >>> from course_utils.transformers import EncoderDecoder
    >>> net = EncoderDecoder(30, 13, source_seq=8, d_model=16, n_heads=4, depth=2)
    >>> own_share(net, torch.tensor([[7], [9]]))  # a single word is all there is
    array([1., 1.], dtype=float32)
    """
    shares = []
    for row in words:
        # alone, without its padding: no other sentence enters
        h = net.embed(row[row != data.PAD][None])
        jacobians = torch.func.jacrev(net.read)(h)[0, :, :, 0]  # row, its features, word, its own
        # ‖∂M_i/∂h_j‖² for each row i of the memory and each word j
        squares = jacobians.square().sum((1, 3))
        shares.append((squares.diagonal() / squares.sum(1)).mean().item())
    return np.array(shares, np.float32)
