import xml.etree.ElementTree as ET

import pytest
import torch

from course_utils import diagrams
from course_utils.authoring import figure
from course_utils.blocks import MLP, Block
from course_utils.wiring import PLAIN, RESIDUAL, Wiring

MUTATIONS = [
    PLAIN,
    Wiring(a=0.5),
    Wiring(b=0.5),
    Wiring(norm="pre"),
    Wiring(norm="post"),
    Wiring(a=0.5, norm="pre"),
]


@pytest.mark.parametrize("wiring", MUTATIONS, ids=str)
def test_changing_a_wiring_changes_both_the_network_and_its_picture(wiring):
    assert diagrams.net(wiring, "same title") != diagrams.net(RESIDUAL, "same title")
    torch.manual_seed(0)
    branch, x = MLP(4), torch.randn(3, 4)
    assert not torch.allclose(Block(branch, wiring, 4)(x), Block(branch, RESIDUAL, 4)(x))


def test_a_norm_sits_on_the_loop_or_cuts_the_trunk():
    def pills(norm):
        shapes = diagrams.net(Wiring(norm=norm), "net", blocks=1)
        return [shape.x for shape in shapes if isinstance(shape, diagrams.Box) and shape.pill]

    assert pills("none") == []
    assert pills("pre") == [diagrams.LOOP]
    assert pills("post") == [0]


def test_a_plain_net_has_no_merge_and_no_identity_path():
    shapes = diagrams.net(PLAIN, "plain", blocks=3)
    assert not any(isinstance(shape, diagrams.Merge) for shape in shapes)
    assert [shape.role for shape in shapes if isinstance(shape, diagrams.Line)] == ["plain"]


def test_the_svg_is_well_formed_and_says_what_it_shows():
    root = ET.fromstring(diagrams.svg({"a < b": RESIDUAL, "post": Wiring(norm="post")}))
    assert root.get("role") == "img"
    assert "a norm cuts the identity path" in root.get("aria-label")
    assert "a < b" in root.get("aria-label")


def test_svg_and_figure_draw_the_same_texts():
    nets = {"plain": PLAIN, "pre-norm": Wiring(norm="pre")}
    root = ET.fromstring(diagrams.svg(nets))
    in_svg = sorted(node.text for node in root.iter("{http://www.w3.org/2000/svg}text"))
    (ax,) = diagrams.figure(nets).axes
    assert sorted(text.get_text() for text in ax.texts) == in_svg


def test_shapes_stay_inside_the_frame():
    nets = dict.fromkeys("abc", Wiring(a=0.25, b=0.333, norm="post"))
    left, bottom, width, height = diagrams._frame(nets, 2)
    for shape in diagrams.row(nets):
        points = shape.points if isinstance(shape, diagrams.Line) else [(shape.x, shape.y)]
        assert all(left < x < left + width and bottom < y < bottom + height for x, y in points)


def test_a_block_of_sublayers_runs_downwards_with_its_norms_on_the_loops_or_on_the_trunk():
    for norm, norms_at in {"none": [], "pre": [diagrams.LOOP] * 2, "post": [0, 0]}.items():
        shapes, stops = diagrams.sublayers(Wiring(norm=norm), [["q", "mix"], ["outer"]])
        heights = [stop.y for stop in stops]
        assert heights == sorted(heights, reverse=True)
        assert len(set(heights)) == len(stops) == 6 + len(norms_at)
        pills = [stop.x for stop in stops if isinstance(stop, diagrams.Box) and stop.pill]
        assert pills == norms_at
        trunk, *loops = [shape for shape in shapes if isinstance(shape, diagrams.Line)]
        assert (trunk.role, [loop.role for loop in loops]) == ("identity", ["branch"] * 2)
        merges = [stop.y for stop in stops if isinstance(stop, diagrams.Merge)]
        assert [loop.points[-1][1] for loop in loops] == merges
        assert trunk.points[1][1] < merges[-1]
    for wiring, message in ((PLAIN, "beside a shortcut"), (Wiring(norm="peri"), "one norm")):
        with pytest.raises(ValueError, match=message):
            diagrams.sublayers(wiring, [["F"]])


def test_chains_stand_side_by_side_as_high_as_the_longest():
    blocks = {"short": ["a", "b"], "long": ["a", "b", "c"]}
    short, long = diagrams.chains(blocks, Wiring(norm="post")).axes
    assert [ax.get_title() for ax in (short, long)] == ["short", "long"]
    assert short.get_ylim() == long.get_ylim()
    for ax, labels in ((short, "ab"), (long, "abc")):
        texts = [text.get_text() for text in ax.texts]
        assert [text for text in texts if len(text) == 1 and text in "abc"] == list(labels)
        assert all(ax.get_ylim()[0] < text.get_position()[1] < 20 for text in ax.texts)


def test_the_readmes_figure_is_up_to_date(tmp_path):
    figure.write(tmp_path / "figure.svg")
    fresh = (tmp_path / "figure.svg").read_text(encoding="utf-8")
    assert fresh == figure.PATH.read_text(encoding="utf-8"), "stale: run `make exercises`"
