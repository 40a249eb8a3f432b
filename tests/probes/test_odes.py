import numpy as np

from course_utils import probes


def test_blocks_that_share_their_weights_follow_the_flow_ever_closer():
    rng = np.random.default_rng(0)
    W, c, x = rng.normal(size=(2, 2)), rng.normal(size=2), rng.normal(size=(5, 2))
    exact = probes.exact_flow(x, lambda h: np.tanh(h @ W.T + c))
    assert exact.shape == (65, 5, 2)
    errors = []
    for depth in (16, 32, 64):
        path = probes.flow(x, np.broadcast_to(W, (depth, 2, 2)), 1 / depth, c)
        assert path.shape == (depth + 1, 5, 2)
        errors.append(np.linalg.norm(path[-1] - exact[-1]))
    assert np.allclose(np.divide(errors[:-1], errors[1:]), 2, atol=0.2)
    twice = probes.exact_flow(x, lambda h: np.tanh(h @ W.T + c), steps=128)
    assert abs(twice[-1] - exact[-1]).max() < 1e-7
    longer = probes.exact_flow(x, lambda h: np.tanh(h @ W.T + c), time=2.0, steps=128)
    assert np.allclose(longer[64], exact[-1])


def test_each_block_of_a_flow_has_its_own_weights_and_seeds_stay_apart():
    rng = np.random.default_rng(0)
    W, c = rng.normal(size=(4, 3, 2, 2)), rng.normal(size=(4, 3, 1, 2))
    x = rng.normal(size=(5, 2))
    paths = probes.flow(x, W, 0.3, c)
    assert paths.shape == (5, 3, 5, 2)
    h = x
    for block, bias in zip(W[:, 1], c[:, 1], strict=True):
        h = h + 0.3 * np.tanh(h @ block.T + bias)
    assert np.allclose(paths[-1, 1], h)
    assert np.array_equal(paths[0, 2], x)
