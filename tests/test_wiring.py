import pytest

from course_utils.wiring import (
    PERI_NORM,
    PLAIN,
    POST_NORM,
    PRE_NORM,
    RESIDUAL,
    Wiring,
    deep_norm,
    scaled,
)


@pytest.mark.parametrize(
    ("wiring", "equation"),
    [
        (PLAIN, "F(h)"),
        (RESIDUAL, "h + F(h)"),
        (Wiring(b=0), "h"),
        (Wiring(a=0, b=0), "0"),
        (Wiring(norm="pre"), "h + F(norm(h))"),
        (Wiring(a=2, norm="post"), "norm(2·h + F(h))"),
        (Wiring(b=0.5, norm="peri"), "h + 0.5·norm(F(norm(h)))"),
        (scaled(100), "h + 0.1·F(h)"),
        (scaled(100, norm="pre"), "h + 0.1·F(norm(h))"),
        (PRE_NORM, "h + F(norm(h))"),
        (POST_NORM, "norm(h + F(h))"),
        (PERI_NORM, "h + norm(F(norm(h)))"),
        (deep_norm(8), "norm(2·h + F(h))"),
    ],
)
def test_the_equation_says_what_the_wiring_holds(wiring, equation):
    assert wiring.equation() == equation


def test_only_an_untouched_trunk_keeps_the_identity():
    assert RESIDUAL.keeps_identity
    assert Wiring(norm="pre").keeps_identity
    assert Wiring(norm="peri").keeps_identity
    assert not Wiring(norm="post").keeps_identity
    assert not Wiring(a=0.5).keeps_identity


def test_errors_quote_what_came():
    with pytest.raises(ValueError, match="got 'both'"):
        Wiring(norm="both")
    with pytest.raises(ValueError, match="at least 1, got 0"):
        scaled(0)
    with pytest.raises(ValueError, match="at least 1, got -1"):
        deep_norm(-1)
    with pytest.raises(ValueError, match="at most one norm fits"):
        Wiring(norm="peri").one_norm()
