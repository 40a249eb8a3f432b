"""What a wide block does to the angle between two streams, and to their gradients.

Angles may be arrays of any shape.
"""

import numpy as np


def kappa(theta):
    """Return the cosine between relu(W h) and relu(W h') for h and h' at this angle."""
    return (np.sin(theta) + (np.pi - theta) * np.cos(theta)) / np.pi


def common_share(theta):
    """Return the share of the active units that two inputs have in common."""
    return 1 - theta / np.pi


def averaged(theta, a, b, of_stream, of_branch):
    """Average what the shortcut and what the branch contribute, by squared gains."""
    return (a**2 * of_stream(theta) + b**2 * of_branch(theta)) / (a**2 + b**2)


def new_angle(theta, a, b):
    """Return the angle behind a block with the gains a and b."""
    return np.arccos(np.minimum(averaged(theta, a, b, np.cos, kappa), 1))


def correlation_factor(theta, a, b):
    """Return by how much a block multiplies the correlation of the two gradients."""
    return averaged(theta, a, b, np.ones_like, common_share)
