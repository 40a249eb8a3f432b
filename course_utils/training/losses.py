"""What training makes small and what it reports: one number for each copy of a net."""


def mse(prediction, target):
    """Average the squared error over all but the first axis.

    Parameters
    ----------
    prediction, target : Tensor, shape (copies, ...)
        Compared entry by entry.

    Returns
    -------
    Tensor, shape (copies,)

    Examples
    --------
    >>> import torch
    >>> mse(torch.zeros(2, 3, 1), torch.ones(2, 3, 1))
    tensor([1., 1.])
    """
    return (prediction - target).square().flatten(1).mean(1)


def cross_entropy(prediction, target, ignore=None):
    """Average −log of the probability that softmax gives to the right class.

    Parameters
    ----------
    prediction : Tensor, shape (copies, batch, ..., classes)
    target : Tensor, shape (copies, batch, ...), int64
    ignore : int, optional
        A class, such as padding, whose places are left out of the average.

    Returns
    -------
    Tensor, shape (copies,)

    Examples
    --------
    >>> import torch
    >>> cross_entropy(torch.zeros(2, 3, 10), torch.zeros(2, 3, dtype=torch.int64)).exp().round()
    tensor([10., 10.])
    """
    log_probability = prediction.log_softmax(-1).gather(-1, target.unsqueeze(-1))
    if ignore is None:
        return -log_probability.flatten(1).mean(1)
    counts = (target != ignore).flatten(1).to(log_probability)
    return -(log_probability.flatten(1) * counts).sum(1) / counts.sum(1)


def accuracy(prediction, target):
    """Count the share of right classes; for `Run.evaluate`, or as `measure` of `fit`.

    Parameters
    ----------
    prediction : Tensor, shape (copies, batch, ..., classes)
    target : Tensor, shape (copies, batch, ...), int64

    Returns
    -------
    Tensor, shape (copies,)

    Examples
    --------
    >>> import torch
    >>> accuracy(torch.eye(2)[None], torch.tensor([[0, 0]]))
    tensor([0.5000])
    """
    return (prediction.argmax(-1) == target).float().flatten(1).mean(1)
