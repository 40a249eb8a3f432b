import numpy as np
import pytest
import torch
from numpy.lib.stride_tricks import sliding_window_view
from torch import nn

from course_utils import probes
from course_utils.resnets import (
    ConvNet,
    MLPNet,
    ReluBlock,
    Subsample,
    basic_branch,
    bottleneck_branch,
    dense_branch,
    projection,
)
from course_utils.wiring import PLAIN, RESIDUAL, Wiring

GENERATOR = torch.Generator().manual_seed(0)
IMAGES = torch.randn(3, 4, 5, 6, generator=GENERATOR, dtype=torch.double)
ROWS = torch.randn(7, 6, generator=GENERATOR, dtype=torch.double)
BRANCHES = {"basic": basic_branch, "bottleneck": bottleneck_branch}


def relu(x):
    return np.maximum(x, 0)


def batch_norm(x, norm):
    """The formula, channels on axis 1."""
    axes = tuple(i for i in range(x.ndim) if i != 1)
    gamma, beta = (
        p.detach().numpy().reshape(-1, *[1] * (x.ndim - 2)) for p in (norm.weight, norm.bias)
    )
    mean = x.mean(axes, keepdims=True)
    variance = ((x - mean) ** 2).mean(axes, keepdims=True)
    return gamma * (x - mean) / np.sqrt(variance + 1e-5) + beta


def convolve(x, conv, stride):
    kernel = conv.weight.detach().numpy()
    size = kernel.shape[-1]
    pad = (size - 1) // 2
    x = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    windows = sliding_window_view(x, (size, size), (2, 3))[:, :, ::stride, ::stride]
    return np.einsum("bihwkl,oikl->bohw", windows, kernel)


def randomised(net):
    """No gain at 1 and no bias at 0, which would hide a missing one."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for p in net.parameters():
            p += 0.3 * torch.randn(p.shape, generator=generator)
    return net.double()


def conv_block(kind, c_out, stride, wiring, shortcut=projection):
    torch.manual_seed(0)
    same = stride == 1 and c_out == 4
    side = None if same else shortcut(4, c_out, stride)
    return randomised(ReluBlock(BRANCHES[kind](4, c_out, stride), wiring, side))


def conv_block_by_hand(block, x, stride):
    layers = [m for m in block.branch if not isinstance(m, nn.ReLU)]
    f, strides = x, {4: (stride, 1), 6: (1, stride, 1)}[len(layers)]
    for i, step in enumerate(strides):
        f = batch_norm(convolve(relu(f) if i else f, layers[2 * i], step), layers[2 * i + 1])
    if block.wiring.a == 0:
        return relu(block.wiring.b * f)
    h = x
    if isinstance(block.shortcut, nn.Sequential):
        h = batch_norm(convolve(x, block.shortcut[0], stride), block.shortcut[1])
    return relu(block.wiring.a * h + block.wiring.b * f)


SHAPES = [(4, 1), (8, 1), (4, 2), (8, 2)]
WIRINGS = [RESIDUAL, PLAIN, Wiring(a=0.5, b=0.7)]


@pytest.mark.parametrize("kind", BRANCHES)
@pytest.mark.parametrize(("c_out", "stride"), SHAPES)
@pytest.mark.parametrize("wiring", WIRINGS, ids=Wiring.equation)
def test_a_conv_block_equals_the_formula_in_numpy(kind, c_out, stride, wiring):
    block = conv_block(kind, c_out, stride, wiring)
    expected = conv_block_by_hand(block, IMAGES.numpy(), stride)
    assert expected.shape == (3, c_out, *((5, 6) if stride == 1 else (3, 3)))
    assert np.allclose(block(IMAGES).detach().numpy(), expected, rtol=0, atol=1e-12)


@pytest.mark.slow  # half a second each
@pytest.mark.parametrize("kind", BRANCHES)
@pytest.mark.parametrize(("c_out", "stride"), [(4, 1), (8, 2)])
@pytest.mark.parametrize("shortcut", [projection, Subsample])
def test_the_gradients_of_a_conv_block_equal_differences(kind, c_out, stride, shortcut):
    block = conv_block(kind, c_out, stride, RESIDUAL, shortcut)
    check_gradients(block, IMAGES[:2, :, :3, :3])


@pytest.mark.parametrize("wiring", WIRINGS, ids=Wiring.equation)
def test_the_gradients_of_a_dense_block_equal_differences(wiring):
    check_gradients(randomised(ReluBlock(dense_branch(6), wiring)), ROWS)


def check_gradients(block, x):
    names, weights = zip(*block.named_parameters(), strict=True)

    def run(x, *weights):
        return torch.func.functional_call(block, dict(zip(names, weights, strict=True)), (x,))

    assert torch.autograd.gradcheck(run, (x.clone().requires_grad_(), *weights))


@pytest.mark.parametrize("wiring", WIRINGS, ids=Wiring.equation)
def test_a_dense_block_equals_the_formula_in_numpy(wiring):
    block, x = randomised(ReluBlock(dense_branch(6), wiring)), ROWS.numpy()
    first, norm_1, _, second, norm_2 = block.branch
    inner = batch_norm(x @ first.weight.detach().numpy().T, norm_1)
    f = batch_norm(relu(inner) @ second.weight.detach().numpy().T, norm_2)
    expected = relu(wiring.a * x + wiring.b * f)
    assert np.allclose(block(ROWS).detach().numpy(), expected, rtol=0, atol=1e-12)


def test_subsampling_skips_pixels_and_adds_channels_of_zero():
    h = Subsample(4, 7, stride=2)(IMAGES)
    assert torch.equal(h[:, :4], IMAGES[:, :, ::2, ::2])
    assert h.shape == (3, 7, 3, 3)
    assert not h[:, 4:].any()


@pytest.mark.parametrize(
    ("n", "millions"), [(3, 0.27), (5, 0.46), (7, 0.66), (9, 0.85), (18, 1.7)]
)  # He et al. (2015), table 6
@pytest.mark.parametrize("wiring", [RESIDUAL, PLAIN], ids=["residual", "plain"])
def test_the_nets_of_the_paper_have_its_number_of_parameters(n, millions, wiring):
    net = ConvNet(n, wiring, image=(3, 32, 32))
    count = sum(p.numel() for p in net.parameters()) / 1e6
    assert round(count, 2 if count < 1 else 1) == millions
    assert layers(net) == 6 * n + 2


def layers(net):
    return sum(isinstance(m, nn.Conv2d | nn.Linear) for m in net.modules())


def test_bottlenecks_and_projections_make_a_net():
    net = ConvNet(2, widths=(16, 32, 64), branch=bottleneck_branch, shortcut=projection)
    assert net(torch.randn(5, 64)).shape == (5, 10)
    assert net(torch.randn(5, 1, 8, 8)).shape == (5, 10)
    assert layers(net) == 9 * 2 + 2 + 3  # three projections


@pytest.mark.parametrize("make", [MLPNet, ConvNet])
def test_he_weights_have_their_size(make):
    torch.manual_seed(0)
    for module in make(3).modules():
        if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is None:
            fan_in = module.weight[0].numel()
            ratio = module.weight.square().mean().item() * fan_in / 2
            assert 0.6 < ratio < 1.4


@pytest.mark.parametrize("mode", ["train", "eval"])
@pytest.mark.parametrize("branch", [dense_branch, basic_branch, bottleneck_branch])
@pytest.mark.parametrize("running", [False, True])
def test_with_zero_gamma_a_block_starts_as_a_relu_and_can_learn(mode, branch, running):
    width = (4,) if branch is dense_branch else (4, 4)
    block = ReluBlock(branch(*width, zero_gamma=True, running=running))
    h = torch.randn(3, 4) if branch is dense_branch else IMAGES.float()
    out = block.train(mode == "train")(h)
    assert torch.equal(out, h.relu())
    out.square().sum().backward()
    assert block.branch[-1].weight.grad.any()


@pytest.mark.parametrize("net", [MLPNet(2, width=8), ConvNet(1, widths=(2, 4, 8))], ids=type)
def test_without_running_averages_both_modes_use_the_batch(net):
    x = torch.randn(16, 64)
    assert torch.equal(net.train()(x), net.eval()(x))


@pytest.mark.parametrize("make", [MLPNet, ConvNet])
def test_running_averages_make_eval_mode_independent_of_the_batch(make):
    net, x = make(1, running=True), torch.randn(16, 64)
    net(x)
    net.eval()
    assert torch.allclose(net(x[:1]), net(x)[:1], rtol=0, atol=1e-5)
    assert not torch.equal(net(x), net.train()(x))


@pytest.mark.parametrize(
    "make",
    [lambda: MLPNet(3, width=8), lambda: ConvNet(1, PLAIN, widths=(2, 4, 8))],
    ids=["dense", "conv"],
)
def test_copies_under_vmap_equal_one_by_one(make):
    torch.manual_seed(0)
    nets, x = [make().double() for _ in range(3)], torch.randn(16, 64, dtype=torch.double)
    stacked, _ = torch.func.stack_module_state(nets)
    call = torch.func.vmap(lambda p, x: torch.func.functional_call(nets[0], p, (x,)), (0, None))
    together = call(stacked, x)
    (together**2).sum().backward()
    for i, net in enumerate(nets):
        alone = net(x)
        assert torch.allclose(together[i], alone, rtol=0, atol=1e-10)
        (alone**2).sum().backward()
        for name, parameter in net.named_parameters():
            scale = parameter.grad.abs().max().clamp(min=1)
            got = stacked[name].grad[i]
            assert torch.allclose(got, parameter.grad, rtol=0, atol=1e-9 * scale)


def test_the_gradient_of_a_plain_net_explodes_towards_the_input():
    for seed in range(3):
        torch.manual_seed(seed)
        net = MLPNet(27, PLAIN)
        loss = lambda out: nn.functional.cross_entropy(out, torch.arange(64) % 10)  # noqa: E731
        lengths = probes.stream_gradients(net, torch.randn(64, 64), loss)
        assert lengths[2] > 1000 * lengths[-2]  # after the stem, after the last block


def test_errors_quote_what_came():
    with pytest.raises(ValueError, match="norm='pre'"):
        ReluBlock(dense_branch(4), Wiring(norm="pre"))
    with pytest.raises(ValueError, match="multiple of 4 channels, got 6"):
        bottleneck_branch(4, 6)
    with pytest.raises(ValueError, match="c_in=8 and c_out=4"):
        Subsample(8, 4)
