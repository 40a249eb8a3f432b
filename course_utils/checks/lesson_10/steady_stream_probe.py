"""Apply a learner's step once per sublayer, down a whole stack."""

import numpy as np


def probe(answer, h, f, g):
    """Measure a stream that takes in one output after the other.

    Parameters
    ----------
    answer : callable
        Maps stream, output and depth to the next stream.
    h : ndarray, shape (seq, width)
    f, g : ndarray, shape (depth, seq, width)
        The outputs of the sublayers, and those that take the place of some of them.

    Returns
    -------
    dict
        The stream after each step, shape (depth, seq, width), the first step again and with
        all but the first token altered, and the last stream with the first, middle or last
        output replaced, shape (3, seq, width). Or what a step returned, where it had another
        shape.
    """
    depth = len(f)

    def plain(y):
        return isinstance(y, np.ndarray) and y.shape == h.shape and y.dtype.kind in "iuf"

    def step(*given):
        y = answer(*(part.copy() for part in given), depth)
        y = y.detach().numpy() if hasattr(y, "detach") else y
        return y.astype(float) if plain(y) else y

    def run(start, outputs):
        states = [start]
        for output in outputs:
            states.append(step(states[-1], output))
            if not plain(states[-1]):
                raise Returned(states[-1])
        return states

    class Returned(Exception):
        pass

    given = h.copy(), f[0].copy()
    answer(*given, depth)
    result = {"after": {"h": given[0], "f": np.concatenate([given[1][None], f[1:]])}}
    same = all(np.array_equal(was, now) for was, now in zip((h, f[0]), given, strict=True))
    try:
        states = run(h, f)
        if not same:
            return result
        result["states"] = np.stack(states[1:])
        result["again"] = step(h, f[0])
        other = np.concatenate([h[:1], h[1:] + g[0, 1:]]), np.concatenate([f[0, :1], g[0, 1:]])
        result["others"] = step(*other)
        places = [0, depth // 2, depth - 1]
        replaced = [run(states[i], [g[i], *f[i + 1 :]])[-1] for i in places]
        result["replaced"] = np.stack(replaced)
    except Returned as wrong:
        result["returned"] = wrong.args[0]
    return result
