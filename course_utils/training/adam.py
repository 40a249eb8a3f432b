"""Adam on all copies at once."""

import torch


class Adam:
    """Adam on all copies at once; torch.optim costs 2 s and 76 MB to import."""

    BLOCK = 2**14  # weights of a copy that are worked on while they are in the cache

    def __init__(self, flat, learning_rates, clip=None, warmup=0, betas=(0.9, 0.999), eps=1e-8):
        self.flat, self.learning_rates, self.clip, self.warmup = flat, learning_rates, clip, warmup
        self.betas, self.eps, self.t = betas, eps, 0
        self.g, self.m, self.v = (torch.zeros_like(flat) for _ in range(3))

    def take(self, gradients):
        """Take the gradients in; tell which copies have finite ones."""
        torch.cat([gradient.flatten(1) for gradient in gradients], 1, out=self.g)
        return (self.g * 0).sum(1) == 0

    def step(self):
        """Move the weights."""
        self.t += 1
        if self.clip is not None:
            norm = self.g.norm(dim=1, keepdim=True)
            if norm.isinf().any():  # float32 squares overflow from 2e19 on; g / inf would be 0
                norm = self.g.double().norm(dim=1, keepdim=True)
            self.g *= (self.clip / norm).clamp(max=1)
        beta1, beta2 = self.betas
        rate = self.learning_rates * min(1, self.t / max(1, self.warmup))
        scale = (rate / (1 - beta1**self.t)).unsqueeze(1)
        tensors = (self.flat, self.g, self.m, self.v)
        for p, g, m, v in zip(*(t.split(self.BLOCK, 1) for t in tensors), strict=True):
            m.lerp_(g, 1 - beta1)
            v.mul_(beta2).addcmul_(g, g, value=1 - beta2)
            size = (v / (1 - beta2**self.t)).sqrt_().add_(self.eps)
            p.sub_((scale * m).div_(size))
