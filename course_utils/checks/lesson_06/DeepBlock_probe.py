"""Build a deep stack of a learner's blocks, and follow stream and gradient through it."""

import torch


def branches(depth, width, relu_end, draw):
    """Draw branches of full size: x + F(x) would double the squared length, or more."""
    for _ in range(depth):
        inner, outer = torch.nn.Linear(width, width), torch.nn.Linear(width, width)
        for layer, square in (inner, 1 + relu_end), (outer, 2):
            torch.nn.init.normal_(layer.weight, std=(square / width) ** 0.5, generator=draw)
            torch.nn.init.zeros_(layer.bias)
        parts = (inner, torch.nn.ReLU()) if relu_end else (inner, torch.nn.ReLU(), outer)
        yield torch.nn.Sequential(*parts)


def gradients(output, sources, v):
    """Send v back from the output to each source; 0 where nothing arrives."""
    found = [None] * len(sources)
    live = [i for i, source in enumerate(sources) if source.requires_grad]
    if output.requires_grad:
        wanted = [sources[i] for i in live]
        some = torch.autograd.grad(output, wanted, v, retain_graph=True, allow_unused=True)
        for i, gradient in zip(live, some, strict=True):
            found[i] = gradient
    return [torch.zeros_like(s) if g is None else g for s, g in zip(sources, found, strict=True)]


def squares(found, sizes):
    """Add up the squares of the next `size` tensors, for each of the sizes."""
    found = iter(found)
    sums = [sum(next(found).square().sum().item() for _ in range(size)) for size in sizes]
    return torch.tensor(sums, dtype=torch.float64)


def probe(answer, depth, width, relu_end, seed):
    """Measure a stack of new blocks, and its branches after one small step.

    Parameters
    ----------
    answer : callable
        Makes a block of a branch, a width and a depth.
    depth, width : int
    relu_end : bool
        Whether the branches end in a ReLU.
    seed : int

    Returns
    -------
    dict
        Squared lengths of the stream, shape (depth + 1,), and of the gradient, relative to
        where each starts; by block, shape (depth,), the gradient that its parameters feel,
        whether it holds its branch and calls it, and what its branch feels after the step.
        Or what a block returned, where it had another shape.

    Raises
    ------
    TypeError
        If a block is no module.
    """
    draw = torch.Generator().manual_seed(seed)
    parts, called = list(branches(depth, width, relu_end, draw)), set()
    for i, branch in enumerate(parts):
        branch[0].register_forward_hook(lambda *_, i=i: called.add(i))
    blocks = [answer(branch, width, depth) for branch in parts]
    if not all(isinstance(block, torch.nn.Module) for block in blocks):
        raise TypeError("the block has to be an nn.Module, so that its parameters are found")
    x = torch.randn(8, width, generator=draw)
    directions = torch.randn(4, *x.shape, generator=draw)

    def fits(h):
        return isinstance(h, torch.Tensor) and h.shape == x.shape

    def states():
        found = [x.clone().requires_grad_()]
        for block in blocks:
            found.append(block(found[-1]))
            if not fits(found[-1]):
                break
        return found

    stream = states()
    if not fits(stream[-1]):
        return {"returned": stream[-1]}
    own = [list(block.parameters()) for block in blocks]
    inner = [list(branch.parameters()) for branch in parts]
    known = [{id(p) for p in found} for found in own]
    registered = [all(id(p) in ids for p in ps) for ids, ps in zip(known, inner, strict=True)]
    flat = [p for found in own for p in found]
    sizes = [1] * len(stream) + [len(found) for found in own]
    total = torch.zeros(len(sizes), dtype=torch.float64)
    for v in directions:
        found = gradients(stream[-1], stream + flat, v)
        total += squares(found, sizes)
    lengths = torch.stack([h.detach().double().square().sum() for h in stream])
    norm = directions.double().square().sum()
    with torch.no_grad():  # one small step, as Adam takes it at first
        for p, gradient in zip(flat, found[len(stream) :], strict=True):
            p -= 1e-3 * gradient.sign()
    moved = [p for found in inner for p in found]
    later = gradients(states()[-1], moved, directions[0])
    return {
        "stream": lengths / lengths[0],
        "gradient": total[: len(stream)] / norm,
        "felt": (total[len(stream) :] / norm).sqrt(),
        "registered": torch.tensor(registered).double(),
        "called": torch.tensor([i in called for i in range(depth)]).double(),
        "later": squares(later, [len(found) for found in inner]),
    }
