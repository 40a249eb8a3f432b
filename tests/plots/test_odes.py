import numpy as np

from course_utils import plots


def test_flow_draws_paths_over_the_flow_and_the_error_by_depth():
    paths, exact = np.arange(12.0).reshape(3, 2, 2), np.zeros((5, 2, 2))
    errors = np.array([0.8, 0.4, 0.2])
    drawing = plots.flow(paths, exact, [1, 2, 4], errors, 0.3)
    stream, blocks, starts, curve, now = drawing.artists
    assert starts.get_xydata().tolist() == paths[0].tolist()
    drawn = blocks.get_xydata()
    assert np.array_equal(drawn[:3], paths[:, 0])
    assert np.isnan(drawn[3]).all()
    assert np.array_equal(drawn[4:7], paths[:, 1])
    assert len(stream.get_xdata()) == 2 * 6
    assert curve.get_ydata().tolist() == errors.tolist()
    assert now.get_xydata().tolist() == [[2, 0.3]]
    guide = drawing.figure.axes[1].lines[0]
    assert guide.get_ydata().tolist() == [0.8, 0.4, 0.2]
    assert guide.get_linestyle() == "--"
    assert blocks.get_linestyle() == "-"
    drawing.update(np.zeros((65, 2, 2)), exact, 2 * errors, 0.1)
    assert blocks.get_linestyle() == "None"  # dots alone
    assert now.get_xydata().tolist() == [[64, 0.1]]
    assert guide.get_ydata()[0] == 0.8
