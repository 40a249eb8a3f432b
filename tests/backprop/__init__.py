import numpy as np


def close(got, expected, atol):
    scale = max(1.0, np.abs(expected).max(initial=0.0))
    return np.abs(got - expected).max(initial=0.0) <= atol * scale
