import numpy as np
import torch

from course_utils import probes
from course_utils.blocks import MLP


def test_differences_agree_with_autograd():
    net, x = MLP(4, d_out=3).double(), torch.randn(4, dtype=torch.double)
    by_differences = probes.jacobian_by_differences(lambda x: probes.output(net, x), x.numpy())
    assert by_differences.shape == (3, 4)
    assert np.allclose(by_differences, probes.jacobian(net, x), rtol=0, atol=1e-8)


def test_differences_leave_x_alone():
    x = np.array([1.0, 2.0])
    probes.jacobian_by_differences(np.sin, x)
    assert np.array_equal(x, [1.0, 2.0])


def test_the_grid_reaches_its_corners():
    lines = probes.grid_lines(lines=3, points=5, x_max=2, y_max=1)
    assert lines.min(axis=(0, 1)).tolist() == [-2, -1]
    assert lines.max(axis=(0, 1)).tolist() == [2, 1]
    assert np.ptp(lines[0], axis=0).tolist() == [4, 0]  # horizontal lines come first
    assert np.ptp(lines[-1], axis=0).tolist() == [0, 2]
