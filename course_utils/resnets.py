"""Build the nets of He et al. (2015): batch norm inside the branch, a ReLU after the sum.

A norm normalises with the batch it is given, in eval mode as well, so that copies train
together in `training.fit`. With ``running=True`` it keeps running averages for eval mode,
as torch does by itself; such a net is trained by an ordinary loop.
"""

from torch import nn

from course_utils.wiring import RESIDUAL, Wiring


def dense_branch(width, zero_gamma=False, running=False) -> nn.Sequential:
    """Make F(h) = BN(W2 relu(BN(W1 h))).

    Parameters
    ----------
    width : int
    zero_gamma : bool
        Start the gain γ of the last norm at 0, so that F(h) = 0 for every h.
    running : bool
        Keep running averages for eval mode.

    Returns
    -------
    nn.Sequential
        From (batch, width) to (batch, width).

    References
    ----------
    Goyal et al. (2017), "Accurate, Large Minibatch SGD", section 5.1, for γ = 0.
    Used in notebooks/05_degradation.ipynb.

    Examples
    --------
    >>> import torch
    >>> dense_branch(3, zero_gamma=True)(torch.randn(4, 3)).abs().max()
    tensor(0., grad_fn=<MaxBackward1>)
    """
    return nn.Sequential(
        *_dense(width, width, running), nn.ReLU(), *_dense(width, width, running, zero_gamma)
    )


def basic_branch(c_in, c_out, stride=1, zero_gamma=False, running=False) -> nn.Sequential:
    """Make a branch of two 3×3 convolutions, each followed by a batch norm.

    Parameters
    ----------
    c_in, c_out : int
        Channels.
    stride : int
        Of the first convolution; 2 halves height and width.
    zero_gamma, running : bool
        As in `dense_branch`.

    Returns
    -------
    nn.Sequential
        From (batch, c_in, H, W) to (batch, c_out, H/stride, W/stride), rounded up.

    References
    ----------
    He et al. (2015), "Deep Residual Learning", figure 5, left.
    Derived in notebooks/05_degradation.ipynb.

    Examples
    --------
    >>> import torch
    >>> basic_branch(3, 8, stride=2)(torch.ones(2, 3, 6, 6)).shape
    torch.Size([2, 8, 3, 3])
    """
    return nn.Sequential(
        *_conv(c_in, c_out, 3, stride, running),
        nn.ReLU(),
        *_conv(c_out, c_out, 3, 1, running, zero_gamma),
    )


def bottleneck_branch(c_in, c_out, stride=1, zero_gamma=False, running=False) -> nn.Sequential:
    """Make a branch that narrows to c_out/4 channels, sees 3×3 pixels there and widens again.

    Three convolutions, 1×1, 3×3 and 1×1, each followed by a batch norm. The 3×3 one has the
    stride, as in torchvision; the paper gave it to the first, which then skips pixels.

    Parameters
    ----------
    c_in, c_out : int
        Channels; `c_out` is a multiple of 4.
    stride : int
        2 halves height and width.
    zero_gamma, running : bool
        As in `dense_branch`.

    Returns
    -------
    nn.Sequential
        From (batch, c_in, H, W) to (batch, c_out, H/stride, W/stride), rounded up.

    Raises
    ------
    ValueError
        If `c_out` is not a multiple of 4.

    References
    ----------
    He et al. (2015), "Deep Residual Learning", figure 5, right.
    Derived in notebooks/05_degradation.ipynb.

    Examples
    --------
    >>> count = lambda net: sum(p.numel() for p in net.parameters())
    >>> count(basic_branch(64, 64)), count(bottleneck_branch(256, 256))
    (73984, 70400)
    """
    if c_out % 4:
        raise ValueError(f"a bottleneck needs a multiple of 4 channels, got {c_out}")
    c_mid = c_out // 4
    return nn.Sequential(
        *_conv(c_in, c_mid, 1, 1, running),
        nn.ReLU(),
        *_conv(c_mid, c_mid, 3, stride, running),
        nn.ReLU(),
        *_conv(c_mid, c_out, 1, 1, running, zero_gamma),
    )


def projection(c_in, c_out, stride=1, running=False) -> nn.Sequential:
    """Make a shortcut for a new shape: a 1×1 convolution and a batch norm, both trained.

    Parameters
    ----------
    c_in, c_out : int
        Channels.
    stride : int
        That of the branch beside it.
    running : bool
        As in `dense_branch`.

    Returns
    -------
    nn.Sequential
        From (batch, c_in, H, W) to (batch, c_out, H/stride, W/stride), rounded up.

    References
    ----------
    He et al. (2015), "Deep Residual Learning", eq. 2 and section 3.3, option B.
    Derived in notebooks/05_degradation.ipynb.

    Examples
    --------
    >>> import torch
    >>> projection(3, 8, stride=2)(torch.ones(2, 3, 6, 6)).shape
    torch.Size([2, 8, 3, 3])
    """
    return nn.Sequential(*_conv(c_in, c_out, 1, stride, running))


class Subsample(nn.Module):
    """Make a shortcut for a new shape without weights: skip pixels, append channels of 0.

    Parameters
    ----------
    c_in, c_out : int
        Channels.
    stride : int
        That of the branch beside it.
    running : bool
        Without effect, so that it takes the place of `projection`.

    Raises
    ------
    ValueError
        If `c_out` is smaller than `c_in`.

    References
    ----------
    He et al. (2015), "Deep Residual Learning", section 3.3, option A.
    Used in notebooks/05_degradation.ipynb.

    Examples
    --------
    >>> import torch
    >>> Subsample(1, 2, stride=2)(torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])).flatten()
    tensor([1., 0.])
    """

    def __init__(self, c_in, c_out, stride=1, running=False):
        super().__init__()
        if c_out < c_in:
            raise ValueError(f"zeros can only add channels, got c_in={c_in} and c_out={c_out}")
        self.extra, self.stride = c_out - c_in, stride

    def forward(self, h):
        """Map (batch, c_in, H, W) to (batch, c_out, H/stride, W/stride), rounded up."""
        h = h[..., :: self.stride, :: self.stride]
        return nn.functional.pad(h, (0, 0, 0, 0, 0, self.extra))


class ReluBlock(nn.Module):
    """Join a branch to the stream as in 2015: h ← relu(a·h + b·F(h)).

    Parameters
    ----------
    branch : nn.Module
        F, whose norms are its own.
    wiring : Wiring
        Without a norm; a = 0 leaves the shortcut away.
    shortcut : nn.Module, optional
        Takes the place of h where the shapes differ: a `projection` or a `Subsample`.

    Raises
    ------
    ValueError
        If the wiring has a norm.

    References
    ----------
    He et al. (2015), "Deep Residual Learning", figure 2 and eq. 1-2.
    Derived in notebooks/05_degradation.ipynb.

    Examples
    --------
    >>> import torch
    >>> ReluBlock(dense_branch(2, zero_gamma=True))(torch.tensor([[1.0, -1.0], [2.0, 3.0]]))
    tensor([[1., 0.],
            [2., 3.]], grad_fn=<ReluBackward0>)
    """

    def __init__(self, branch, wiring: Wiring = RESIDUAL, shortcut=None):
        super().__init__()
        if wiring.norm != "none":
            raise ValueError(f"the norms are inside the branch, got {wiring}")
        self.branch, self.wiring = branch, wiring
        self.shortcut = None if wiring.a == 0 else shortcut or nn.Identity()

    def forward(self, h):
        """Map the stream h to its next state; their shapes are those of F."""
        a, b = self.wiring.a, self.wiring.b
        f = b * self.branch(h) if b != 1 else self.branch(h)
        if self.shortcut is None:
            return f.relu()
        h = self.shortcut(h)
        return ((a * h if a != 1 else h) + f).relu()


class MLPNet(nn.Sequential):
    """Chain a stem, n blocks and a head: 2n + 2 layers on vectors.

    Parameters
    ----------
    n : int
        Number of blocks; 9 gives 20 layers, 27 gives 56.
    wiring : Wiring
        RESIDUAL or PLAIN.
    width : int
        Features of the stream.
    d_in, classes : int
        Features of the input and of the output.
    zero_gamma, running : bool
        As in `dense_branch`.

    References
    ----------
    He et al. (2015), "Deep Residual Learning", section 4.2, with matrices in the place of
    convolutions; "Delving Deep into Rectifiers", eq. 10, for the start.
    Derived in notebooks/05_degradation.ipynb.

    Examples
    --------
    >>> import torch
    >>> net = MLPNet(9, width=32)
    >>> net(torch.randn(5, 64)).shape, sum(isinstance(m, nn.Linear) for m in net.modules())
    (torch.Size([5, 10]), 20)
    """

    def __init__(
        self,
        n,
        wiring: Wiring = RESIDUAL,
        width=32,
        d_in=64,
        classes=10,
        zero_gamma=False,
        running=False,
    ):
        super().__init__(
            *_dense(d_in, width, running),
            nn.ReLU(),
            *(ReluBlock(dense_branch(width, zero_gamma, running), wiring) for _ in range(n)),
            _head(width, classes),
        )


class ConvNet(nn.Sequential):
    """Chain a stem, three stages of n blocks and a head: 6n + 2 layers on images.

    The first block of the second and of the third stage has the stride 2 and more channels.

    Parameters
    ----------
    n : int
        Blocks in a stage; 3 gives 20 layers, 9 gives 56.
    wiring : Wiring
        RESIDUAL or PLAIN.
    image : tuple of int
        Channels, height and width of the input: (1, 8, 8) for digits, (3, 32, 32) for
        CIFAR-10.
    widths : sequence of int
        Channels of the stream in each stage; the stem has the first one's, or a quarter
        for bottlenecks.
    classes : int
    branch : {basic_branch, bottleneck_branch}
        A bottleneck has three layers, the net 9n + 2.
    shortcut : {Subsample, projection}
        Where the shape changes. The first has no weights, so that the plain net has as many.
    zero_gamma, running : bool
        As in `dense_branch`.

    References
    ----------
    He et al. (2015), "Deep Residual Learning", section 4.2 and table 6.
    Used in notebooks/05_degradation.ipynb.

    Examples
    --------
    >>> import torch
    >>> net = ConvNet(3, image=(3, 32, 32))
    >>> net(torch.ones(2, 3, 32, 32)).shape, sum(p.numel() for p in net.parameters())
    (torch.Size([2, 10]), 269722)
    """

    def __init__(
        self,
        n,
        wiring: Wiring = RESIDUAL,
        image=(1, 8, 8),
        widths=(16, 32, 64),
        classes=10,
        branch=basic_branch,
        shortcut=Subsample,
        zero_gamma=False,
        running=False,
    ):
        c_in = widths[0] if branch is basic_branch else widths[0] // 4
        parts = [*_conv(image[0], c_in, 3, 1, running), nn.ReLU()]
        for stage, c_out in enumerate(widths):
            for block in range(n):
                stride = 2 if stage > 0 and block == 0 else 1
                same = stride == 1 and c_in == c_out
                parts.append(
                    ReluBlock(
                        branch(c_in, c_out, stride, zero_gamma, running),
                        wiring,
                        None if same else shortcut(c_in, c_out, stride, running),
                    )
                )
                c_in = c_out
        super().__init__(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), _head(c_in, classes))
        self.image = tuple(image)

    def forward(self, x):
        """Map images, shape (batch, *image) or (batch, pixels), to (batch, classes)."""
        return super().forward(x.reshape(len(x), *self.image))


def _dense(d_in, d_out, running, zero_gamma=False):
    # the norm takes the mean away, and a bias with it
    linear = nn.Linear(d_in, d_out, bias=False)
    return _normed(linear, nn.BatchNorm1d(d_out, track_running_stats=running), zero_gamma)


def _conv(c_in, c_out, size, stride, running, zero_gamma=False):
    conv = nn.Conv2d(c_in, c_out, size, stride, padding=size // 2, bias=False)
    return _normed(conv, nn.BatchNorm2d(c_out, track_running_stats=running), zero_gamma)


def _normed(layer, norm, zero_gamma):
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    if zero_gamma:
        nn.init.zeros_(norm.weight)
    return layer, norm


def _head(width, classes):
    head = nn.Linear(width, classes)
    nn.init.normal_(head.weight, std=width**-0.5)
    nn.init.zeros_(head.bias)
    return head
