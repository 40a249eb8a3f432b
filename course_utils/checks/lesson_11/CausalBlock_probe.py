"""Train one of a learner's blocks and take it apart; stack others, to see what depth does."""

import torch

RATE, STEPS = 0.02, 100


def probe(answer, d_model, depth, batch, seq, seed):
    """Measure one block, trained, and a stack of new ones.

    Parameters
    ----------
    answer : callable
        Makes a block of a width and a depth.
    d_model, depth, batch, seq, seed : int

    Returns
    -------
    dict
        The output, and what `training`, `dependence` and `lengths` find. Or what the block
        returned and the shape that it was given, where the two differ.

    Raises
    ------
    TypeError
        If the block is no module.
    """
    draw = torch.Generator().manual_seed(seed)
    x, other, change, v = torch.randn(4, batch, seq, d_model, generator=draw)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        block, *stack = [answer(d_model, depth) for _ in range(1 + depth)]
        if not isinstance(block, torch.nn.Module):
            raise TypeError("the block has to be an nn.Module, so that its parameters are found")
        given = x.clone()
        y = block.eval()(given)
        one = block(x[:1, :1].clone())
        for output, size in (y, x.shape), (one, (1, 1, d_model)):
            if not isinstance(output, torch.Tensor) or output.shape != size:
                return {"returned": output, "given": list(size)}
        result = {"y": y, "kept": float(torch.equal(given, x))}
        if not result["kept"]:
            return result
        result["again"] = block(x.clone())
        result |= training(block, x, x + change)
        result |= dependence(block, x, other, seed)
        return result | lengths(stack, x, v)


def training(block, x, target):
    """Train for `STEPS` steps of Adam: first and last loss, and matrices without a gradient."""
    named = {name: p for name, p in block.named_parameters() if p.requires_grad}
    live, losses = set(), []
    optimiser = torch.optim.Adam(named.values(), lr=RATE) if named else None
    for _ in range(STEPS + 1):
        loss = (block(x.clone()) - target).square().mean()
        losses.append(loss.item())
        if not loss.requires_grad or not named:
            break
        optimiser.zero_grad()
        loss.backward()
        for name, p in named.items():
            if p.grad is not None and float(p.grad.abs().max()) > 0:
                live.add(name)
        if len(losses) <= STEPS:
            optimiser.step()
    dead = [name for name, p in named.items() if p.ndim > 1 and name not in live]
    return {
        "losses": torch.tensor([losses[0], losses[-1]]),
        "dead": dead,
        "trained": len(named),
    }


def dependence(block, x, other, seed):
    """Alter tokens, sequences and the length, and measure how far the output moves."""
    found, seq = {}, x.shape[1]
    for mode in ("eval", "train"):
        block.train(mode == "train")

        def run(h):
            torch.manual_seed(seed)
            return block(h.clone()).detach()

        y, reach = run(x), torch.zeros(seq, seq)
        for t in range(seq):
            altered = x.clone()
            altered[0, t] = other[0, t]
            reach[:, t] = (run(altered) - y)[0].norm(dim=-1) / (altered - x).norm()
        mixed = []
        for i in (0, -1):
            altered = x.clone()
            altered[i] = other[i]
            moved = (run(altered) - y).abs().amax((1, 2))
            moved[i] = 0
            mixed.append(moved.max())
        found |= {f"reach, {mode}": reach, f"mixed, {mode}": torch.stack(mixed).max()}
        if mode == "eval":
            shorter = [(run(x[:, :k]) - y[:, :k]).abs().max() for k in range(1, seq)]
            found["shorter"] = torch.stack(shorter)
    return found


def lengths(stack, x, v):
    """Follow the stream down the stack, and v back up, as lengths relative to x and v."""
    stream = [x.clone().requires_grad_()]
    for block in stack:
        stream.append(block.eval()(stream[-1]))
    gradients = [None] * len(stream)
    if stream[-1].requires_grad:
        gradients = torch.autograd.grad(stream[-1], stream, v, allow_unused=True)
    gradients = [torch.zeros_like(x) if g is None else g for g in gradients]

    def size(parts):
        return torch.stack([p.detach().double().norm() for p in parts])

    return {"stream": size(stream) / x.norm(), "gradient": size(gradients) / v.norm()}
