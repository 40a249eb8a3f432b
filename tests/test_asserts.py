import ast
import sys

import numpy as np
import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell

from course_utils import asserts, setup
from course_utils.asserts import Rewriter, Witness


def claims_of(source, **names):
    """Run a cell with a witness in its asserts."""
    claims, rewriter = [], Rewriter()
    rewriter.cell = "here"
    witness = Witness(lambda claim, message: claims.append(claim))
    scope = {"np": np, "torch": torch, "__witness__": witness, **names}
    exec(compile(rewriter.visit(ast.parse(source)), "<cell>", "exec"), scope)
    return claims


def sides_of(source, **names):
    """What was taken down for the only assert of a cell."""
    (claim,) = claims_of(source, **names)
    return claim.holds, [(c.left, c.sign, c.right, c.holds) for c in claim.comparisons]


@pytest.mark.parametrize(
    ("source", "holds", "sides"),
    [
        ("assert x < 3", True, [(2, "<", 3, True)]),
        ("assert 1 < x < 1.5", False, [(1, "<", 2, True), (2, "<", 1.5, False)]),
        ("assert 3 < x < 9", False, [(3, "<", 2, False)]),
        ("assert not x > 3", True, [(2, "<=", 3, True)]),
        ("assert x == 2", True, [(None, "==", None, True)]),
        ("assert x > 1 and x > 3", False, [(2, ">", 1, True), (2, ">", 3, False)]),
        ("assert x > 3 or x > 1", True, [(None, ">", None, False), (None, ">", None, True)]),
        ("assert all(i < x for i in (0, 1))", True, [(0, "<", 2, True), (1, "<", 2, True)]),
        ("assert (np.array([0, 1]) < x).all()", True, [(1, "<", 2, True)]),
        ("assert torch.tensor(1.0) < x", True, [(1, "<", 2, True)]),
        ("assert (x < 3) == True", True, [(None, "==", None, True)]),
        ("assert x", True, []),
        ("assert 'a' in 'cat'", True, [(None, "in", None, True)]),
        ("assert [1] < [2]", True, [(1, "<", 2, True)]),
        ("assert 'a' < 'b'", True, [(None, "<", None, True)]),
        ("assert np.allclose([True], [True])", True, [(None, "<=", None, True)]),
        ("assert torch.ones(2).allclose(torch.ones(2))", True, []),
    ],
)
def test_both_sides_are_taken_down_at_the_entry_closest_to_failing(source, holds, sides):
    assert sides_of(source, x=2) == (holds, sides)


@pytest.mark.parametrize(
    "call",
    [
        "np.allclose(a, b, atol=0.1, rtol=0)",
        "torch.allclose(torch.tensor(a), torch.tensor(b), atol=0.1, rtol=0)",
    ],
)
def test_closeness_is_a_distance_and_its_bound(call):
    holds, ((left, sign, right, _),) = sides_of(f"assert {call}", a=[1.0, 2.0], b=[1.0, 2.05])
    assert (holds, sign) == (True, "<=")
    assert (left, right) == pytest.approx((0.05, 0.1), rel=1e-6)
    assert not sides_of(f"assert {call}", a=[1.0], b=[1.2])[0]
    apart, ((left, sign, right, _),) = sides_of(f"assert not {call}", a=[1, 2.0], b=[1, 2.5])
    assert (apart, sign, left, right) == (True, ">", 0.5, pytest.approx(0.1))


def test_asserts_in_functions_and_loops_are_claims_each_time():
    claims = claims_of(
        "def inner(n):\n    assert n < 5\n    return n\nfor i in range(2):\n    assert inner(i) < 1"
    )
    assert [(c.cell, c.number, c.holds) for c in claims] == [
        ("here", 0, True),
        ("here", 1, True),
        ("here", 0, True),
        ("here", 1, False),
    ]


def test_an_error_inside_a_test_leaves_the_next_claim_alone():
    claims = claims_of(
        "try:\n    assert 1 < 1 / 0\nexcept ZeroDivisionError:\n    pass\nassert 1 < 2"
    )
    assert [claim.text for claim in claims] == ["1 < 2"]


@pytest.mark.parametrize("source", ["assert 1 < 2", "assert 2 < 1", "x = [1]\nassert x, 'why'"])
def test_a_cell_does_what_it_did_without_a_witness(source):
    def outcome(tree, **names):
        try:
            exec(compile(tree, "<cell>", "exec"), names)
        except AssertionError:
            return "raised"
        return "held"

    plain = outcome(ast.parse(source))
    seen = outcome(Rewriter().visit(ast.parse(source)), __witness__=Witness(asserts.stop))
    assert plain == seen


@pytest.fixture
def shell(monkeypatch):
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])  # the shell takes it
    shell = InteractiveShell()
    monkeypatch.setattr("IPython.get_ipython", lambda: shell)
    return shell


CELL = "right = [0.1, 0.36]\nassert max(right) < 0.2\nprint('on')"


def test_a_reader_is_told_both_sides_and_goes_on(shell, monkeypatch, capsys):
    monkeypatch.delenv("COURSE_STATIC")
    setup(seed=0)
    assert shell.run_cell(CELL).success
    said = capsys.readouterr().out
    assert "expected  max(right) < 0.2" in said
    assert "found  0.36 against 0.2 in max(right) < 0.2" in said
    assert "your processor" in said
    assert "You can go on" in said
    assert said.endswith("on\n")


def test_where_outputs_are_stored_a_failing_assert_stays_a_failure(shell, capsys):
    setup(seed=0)
    error = shell.run_cell(CELL).error_in_exec
    assert isinstance(error, AssertionError)
    assert "0.36 against 0.2" in str(error)
    error = shell.run_cell("assert 1 > 2, 'because'").error_in_exec
    assert str(error).startswith("because\nexpected  1 > 2")


def test_a_second_setup_installs_no_second_witness(shell):
    setup(seed=0)
    setup(seed=0)
    assert sum(isinstance(t, Rewriter) for t in shell.ast_transformers) == 1


def test_an_emptied_notebook_still_asserts(shell, capsys):
    setup(seed=0)
    shell.run_cell("%reset -f")
    assert shell.run_cell("assert 1 < 2").success
    assert not shell.run_cell("assert 2 < 1").success
    assert "expected" in capsys.readouterr().out
