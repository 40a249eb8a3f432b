import numpy as np

from course_utils import plots


def test_which_skip_draws_one_bar_that_moves_and_those_that_stay():
    drawing = plots.which_skip({"first kind": 3, "second kind": 0}, 9, total=10)
    image, now, count, *texts = drawing.artists
    weights = np.random.default_rng(0).random((8, 6))
    drawing.update(weights, ["seven", "hundred"], [*"700", "end"], 4)
    assert np.array_equal(image.get_array(), weights)
    assert [text.get_text() for text in texts if text.get_text()] == [
        "seven", "hundred", *"700", "end",
    ]  # fmt: skip
    bars = drawing.figure.axes[1].patches
    assert [patch.get_width() for patch in bars] == [9, 4, 3, 0]
    assert (now.get_width(), count.get_text()) == (4, "4")
    drawing.update(weights, ["one"], ["1", "end"], 0)
    assert [text.get_text() for text in texts if text.get_text()] == ["one", "1", "end"]
    assert count.get_position()[0] < 1
