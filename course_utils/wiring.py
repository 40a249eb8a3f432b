"""Say how a block joins its branch to the stream: h ← a·h + b·F(norm(h)).

One small record that `blocks` builds from and `diagrams` draws from, so that a
picture cannot disagree with its code. Nothing here needs torch.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Wiring:
    """Choose a, b and the norm's place in h ← a·h + b·F(norm(h)).

    Parameters
    ----------
    a : float
        Gain of the shortcut; 0 removes it.
    b : float
        Gain of the residual branch F.
    norm : {"none", "pre", "post", "peri"}
        Where a norm sits: nowhere, on the branch before F, on the trunk after the
        sum, or on the branch both before and after F.

    Raises
    ------
    ValueError
        If `norm` is not one of the four places.

    References
    ----------
    He et al. (2016), "Identity Mappings in Deep Residual Networks", eq. 1-3;
    Kim et al. (2025), "Peri-LN: Revisiting Normalization Layer in the Transformer
    Architecture", arXiv 2502.02732, for "peri".
    Derived in notebooks/01_residual_block.ipynb.

    Examples
    --------
    >>> Wiring(a=1, b=0.5).equation()
    'h + 0.5·F(h)'
    >>> PLAIN.equation(), RESIDUAL.equation()
    ('F(h)', 'h + F(h)')
    """

    a: float = 1.0
    b: float = 1.0
    norm: Literal["none", "pre", "post", "peri"] = "none"

    def __post_init__(self):
        if self.norm not in ("none", "pre", "post", "peri"):
            raise ValueError(f'norm must be "none", "pre", "post" or "peri", got {self.norm!r}')

    @property
    def keeps_identity(self) -> bool:
        """Whether x itself reaches the output untouched: a = 1 and nothing on the trunk."""
        return self.a == 1 and self.norm != "post"

    def one_norm(self) -> str:
        """Say where the norm sits, to code that has no place for two.

        Returns
        -------
        {"none", "pre", "post"}

        Raises
        ------
        ValueError
            If it is "peri".

        Examples
        --------
        >>> Wiring(norm="pre").one_norm()
        'pre'
        """
        if self.norm == "peri":
            raise ValueError(f"at most one norm fits into a block here, got {self}")
        return self.norm

    def equation(self) -> str:
        """Write the update of h in one line.

        Returns
        -------
        str
            Terms whose gain is 0 are left out.

        Examples
        --------
        >>> Wiring(norm="post").equation()
        'norm(h + F(h))'
        """
        branch = {"pre": "F(norm(h))", "peri": "norm(F(norm(h)))"}.get(self.norm, "F(h)")
        terms = [_term(self.a, "h"), _term(self.b, branch)]
        total = " + ".join(term for term in terms if term) or "0"
        return f"norm({total})" if self.norm == "post" else total


def _term(gain, symbol):
    if gain == 0:
        return ""
    return symbol if gain == 1 else f"{gain:.3g}·{symbol}"


PLAIN = Wiring(a=0.0)
RESIDUAL = Wiring()


def scaled(depth: int) -> Wiring:
    """Scale the branch by 1/√depth, so that `depth` random branches add up to O(1).

    Parameters
    ----------
    depth : int
        Number of blocks in the stack, at least 1.

    Returns
    -------
    Wiring
        a = 1, b = 1/√depth, no norm.

    Raises
    ------
    ValueError
        If `depth` is smaller than 1.

    Examples
    --------
    >>> scaled(4)
    Wiring(a=1.0, b=0.5, norm='none')
    """
    if depth < 1:
        raise ValueError(f"depth must be at least 1, got {depth}")
    return Wiring(b=depth**-0.5)
