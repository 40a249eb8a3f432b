import torch


def randomised(module, seed=0):
    """In float64; no gain at 1, no bias and no gate at 0, which would hide a missing one."""
    generator = torch.Generator().manual_seed(seed)
    module.double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=generator).double()
    return module


def draw(seed, *shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.double)


def close(got, expected, atol=1e-10):
    scale = max(1, expected.detach().abs().max().item())
    return torch.allclose(got, expected, rtol=0, atol=atol * scale)
