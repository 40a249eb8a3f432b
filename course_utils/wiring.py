"""Say how a block joins its branch to the stream: h ← a·h + b·F(norm(h)).

One small record that `blocks` builds from and `diagrams` draws from, so that a
picture cannot disagree with its code. Nothing here needs torch.

A wiring is fixed before training. What is trained or drawn is none: ReZero, SkipInit and
LayerScale are RESIDUAL with a gate, `blocks.Block(..., gate=0.0)`; Fixup is RESIDUAL with
smaller weights at the start, and DeepNorm is `deep_norm` with such weights.
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
RESIDUAL = Wiring()  # He et al. (2015), eq. 1
PRE_NORM = Wiring(norm="pre")  # Xiong et al. (2020), table 1
POST_NORM = Wiring(norm="post")  # Vaswani et al. (2017), section 3.1
PERI_NORM = Wiring(norm="peri")  # Kim et al. (2025)


def scaled(depth: int, norm="none") -> Wiring:
    """Scale the branch by 1/√depth, so that `depth` random branches add up to O(1).

    Parameters
    ----------
    depth : int
        Number of blocks in the stack, at least 1.
    norm : {"none", "pre", "post", "peri"}

    Returns
    -------
    Wiring
        a = 1, b = 1/√depth.

    Raises
    ------
    ValueError
        If `depth` is smaller than 1.

    Examples
    --------
    >>> scaled(4)
    Wiring(a=1.0, b=0.5, norm='none')
    """
    return Wiring(b=_at_least_one(depth) ** -0.5, norm=norm)


def deep_norm(depth: int) -> Wiring:
    """Let the shortcut count more the deeper the net, so that a post-norm net changes slowly.

    The initialisation that belongs to it is in `transformers.DeepNormBlock`.

    Parameters
    ----------
    depth : int
        Blocks of the net, of two sublayers each, at least 1.

    Returns
    -------
    Wiring
        a = (2·depth)^¼, b = 1, a norm after the sum.

    Raises
    ------
    ValueError
        If `depth` is smaller than 1.

    References
    ----------
    Wang et al. (2022), "DeepNet: Scaling Transformers to 1,000 Layers", arXiv 2203.00555,
    figure 2, encoder-only.
    Derived in notebooks/10_norm_placement.ipynb.

    Examples
    --------
    >>> deep_norm(8).equation()
    'norm(2·h + F(h))'
    """
    return Wiring((2 * _at_least_one(depth)) ** 0.25, norm="post")


def _at_least_one(depth):
    if depth < 1:
        raise ValueError(f"depth must be at least 1, got {depth}")
    return depth
