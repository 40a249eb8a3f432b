"""Apply a learner's step to tokens, to altered tokens, and to its own output."""

import numpy as np

TIMES = 20


def probe(answer, x, other):
    """Measure what a step does, once and many times in a row.

    Parameters
    ----------
    answer : callable
        Maps tokens to tokens.
    x, other : ndarray, shape (seq, width)
        Tokens, and those that take the place of some of them.

    Returns
    -------
    dict
        The output, the same again, those with later tokens altered, shape
        (seq - 1, seq, width), the one with the first token altered, and those of `TIMES`
        applications in a row. Or what the answer returned, where it had another shape.
    """

    def mixed(given):
        y = answer(given)
        y = y.detach().numpy() if hasattr(y, "detach") else y
        return y.astype(float) if plain(y) else y

    def plain(y):
        return isinstance(y, np.ndarray) and y.shape == x.shape and y.dtype.kind in "iuf"

    given = x.copy()
    y = mixed(given)
    if not plain(y):
        return {"returned": y, "after": {"x": given}}
    y = y.copy()
    result = {"y": y, "after": {"x": given}}
    if not np.array_equal(given, x):
        return result
    result["again"] = mixed(x.copy())
    later = []
    for t in range(1, len(x)):
        later.append(mixed(np.concatenate([x[:t], other[t:]])))
    result["later"] = np.stack(later)
    result["first"] = mixed(np.concatenate([other[:1], x[1:]]))
    many = [y]
    for _ in range(TIMES - 1):
        many.append(mixed(many[-1].copy()))
    result["many"] = np.stack(many)
    return result
