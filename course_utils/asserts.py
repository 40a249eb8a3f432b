"""Keep what an assert compares: a failure then tells both sides, and a margin can be measured.

A lesson states its claims as bare asserts. `install` lets IPython hand over the syntax tree of
every cell, and `Rewriter` replaces each assert by the same test with a witness in it.
"""

import ast
import builtins
import operator
from dataclasses import dataclass, field

import numpy as np

_SIGNS = {
    ast.Lt: ("<", operator.lt),
    ast.LtE: ("<=", operator.le),
    ast.Gt: (">", operator.gt),
    ast.GtE: (">=", operator.ge),
    ast.Eq: ("==", operator.eq),
    ast.NotEq: ("!=", operator.ne),
    ast.In: ("in", lambda a, b: a in b),
    ast.NotIn: ("not in", lambda a, b: a not in b),
    ast.Is: ("is", operator.is_),
    ast.IsNot: ("is not", operator.is_not),
}
_OPERATORS = dict(_SIGNS.values())
_FLIPPED = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}
_WITNESS = "__witness__"  # the name under which rewritten cells find theirs


@dataclass(frozen=True)
class Comparison:
    """Hold one comparison of an assert as it came out.

    Attributes
    ----------
    text : str
        As it is written, such as ``"max(errors) < 0.2"``.
    left, sign, right : float, str, float
        What came, at the entry that is closest to failing; `sign` is as needed for the assert,
        so a negated ``<`` is ``">="``. Of an equality, and beside an ``or``, both are None.
    holds : bool
    """

    text: str
    left: float | None
    sign: str
    right: float | None
    holds: bool


@dataclass
class Claim:
    """Hold one assert as it came out.

    Attributes
    ----------
    cell : str
        Id of the cell in which it is written, where that is known.
    number : int
        Its place among the asserts of the cell.
    text : str
    comparisons : list of Comparison
        In the order in which they were made.
    holds : bool
    """

    cell: str
    number: int
    text: str
    comparisons: list = field(default_factory=list)
    holds: bool = False

    def __str__(self):
        lines = [f"expected  {self.text}"]
        for comparison in self.comparisons:
            if not comparison.holds:
                if comparison.left is None:
                    lines.append(f"   found  not so: {comparison.text}")
                else:
                    sides = (f"{side:.4g}" for side in (comparison.left, comparison.right))
                    lines.append(f"   found  {' against '.join(sides)} in {comparison.text}")
                break  # after the first one that fails Python does not look further
        return "\n".join(lines)


class Witness:
    """Take down comparisons while an assert is evaluated, and pass each finished claim on.

    Parameters
    ----------
    report : callable
        Is given every `Claim`, with a function that makes the assert's own message.
    """

    def __init__(self, report):
        self.report, self._open = report, []

    def begin(self, cell, number, text):
        """Open a claim; asserts in functions that it calls are claims of their own."""
        self._open.append(Claim(cell, number, text))
        return self._open[-1]

    def compare(self, wanted, texts, signs, first, *others):
        """Compare a chain as Python does, and take down each link."""
        result = True
        for text, sign, right in zip(texts, signs, others, strict=True):
            result = _OPERATORS[sign](first, right)
            self._take_down(wanted, text, first, sign, right, result)
            if len(others) > 1 and not result:
                break
            first = right
        return result

    def close(self, wanted, text, function, a, b, *args, **options):
        """Call ``allclose`` or ``isclose`` and take down the largest distance and its bound."""
        result = function(a, b, *args, **options)
        self._take_down(wanted, text, *_farthest(a, b, *args, **options), result)
        return result

    def end(self, claim, value, message):
        """Close a claim and report it."""
        while self._open.pop() is not claim:
            pass  # left open by an error inside its test
        claim.holds = bool(value)
        self.report(claim, message)

    def _take_down(self, wanted, text, left, sign, right, result):
        try:
            holds = bool(np.all(_array(result))) == (wanted is not False)
        except (TypeError, ValueError):
            return  # no comparison of numbers; Python has its own word on it
        sign = _FLIPPED.get(sign, sign) if wanted is False else sign
        worst = None if wanted is None or sign not in _FLIPPED else _worst(left, sign, right)
        left, right = worst or (None, None)
        self._open[-1].comparisons.append(Comparison(text, left, sign, right, holds))


def _array(value):
    return value.detach().numpy() if hasattr(value, "detach") else np.asarray(value)


def _farthest(a, b, rtol=1e-5, atol=1e-8, **_):
    """Largest distance and its bound: it alone decides, whether closeness is wanted or not."""
    try:
        a, b = _array(a), _array(b)
        distance, bound = np.broadcast_arrays(abs(a - b), atol + rtol * abs(b))
        place = np.argmax(distance - bound)
        return distance.flat[place], "<=", bound.flat[place]
    except (TypeError, ValueError):
        return None, "<=", None


def _worst(left, sign, right):
    """Both sides at the entry that is closest to failing; None if they are no numbers."""
    try:
        left, right = np.broadcast_arrays(_array(left), _array(right))
        gap = (right - left if sign in ("<", "<=") else left - right).astype(float)
    except (TypeError, ValueError):
        return None
    place = np.unravel_index(np.argmin(gap), gap.shape) if gap.size else None
    return place if place is None else (float(left[place]), float(right[place]))


class Rewriter(ast.NodeTransformer):
    """Put a witness into every assert of a cell.

    Attributes
    ----------
    cell : str
        Id of the cell to come, if the caller knows it.

    Examples
    --------
    >>> tree = Rewriter().visit(ast.parse("assert 1 < x"))
    >>> scope = {"x": 0.5, "__witness__": Witness(lambda claim, message: print(claim))}
    >>> exec(compile(tree, "<cell>", "exec"), scope)
    expected  1 < x
       found  1 against 0.5 in 1 < x
    """

    cell = ""

    def visit_Module(self, node):
        """Count the asserts of a cell from 0."""
        self._number = 0
        return ast.fix_missing_locations(self.generic_visit(node))

    def visit_Assert(self, node):
        """Replace an assert by a claim."""
        text = ast.unparse(node.test)
        opened = _call("begin", *map(ast.Constant, (self.cell, self._number, text)))
        self._number += 1
        nothing = ast.arguments([], [], None, [], [], None, [])
        message = ast.Lambda(nothing, node.msg or ast.Constant(None))
        closed = _call("end", opened, self._witnessed(node.test, wanted=True), message)
        return ast.copy_location(ast.Expr(closed), node)

    def _witnessed(self, node, wanted):
        """Rewrite what decides the test; `wanted` is None where a part may fail and it may hold."""
        match node:
            case ast.BoolOp():
                wanted = wanted if isinstance(node.op, ast.And) == (wanted is True) else None
                node.values = [self._witnessed(value, wanted) for value in node.values]
            case ast.UnaryOp(op=ast.Not()):
                flipped = None if wanted is None else not wanted
                node.operand = self._witnessed(node.operand, flipped)
            case ast.IfExp():
                node.body = self._witnessed(node.body, wanted)
                node.orelse = self._witnessed(node.orelse, wanted)
            case ast.Call(func=ast.Name(id="all"), args=[ast.GeneratorExp() | ast.ListComp()]):
                inner = wanted or None  # not all: one may fail
                node.args[0].elt = self._witnessed(node.args[0].elt, inner)
            case ast.Call(func=ast.Attribute(attr="all"), args=[]):
                node.func.value = self._witnessed(node.func.value, wanted or None)
            case ast.Call(
                func=ast.Attribute(ast.Name("np" | "torch"), "allclose" | "isclose"),
                args=[_, _, *_],
            ):
                head = ast.Constant(wanted), ast.Constant(ast.unparse(node)), node.func
                return _call("close", *head, *node.args, keywords=node.keywords)
            case ast.Compare():
                operands = [node.left, *node.comparators]
                signs = [_SIGNS[type(op)][0] for op in node.ops]
                written = [ast.unparse(operand) for operand in operands]
                links = zip(written, signs, written[1:], strict=False)
                texts = [" ".join(link) for link in links]
                constants = map(ast.Constant, (wanted, tuple(texts), tuple(signs)))
                return _call("compare", *constants, *operands)
        return node


def _call(method, *args, keywords=()):
    witness = ast.Attribute(ast.Name(_WITNESS, ast.Load()), method, ast.Load())
    return ast.Call(witness, list(args), list(keywords))


def install(shell, report):
    """Let every later cell of an IPython shell report its asserts; a second call does nothing.

    Parameters
    ----------
    shell : IPython.core.interactiveshell.InteractiveShell
    report : callable
        That of `Witness`.

    Returns
    -------
    Rewriter or None
        None if one was there before.
    """
    if any(isinstance(transformer, Rewriter) for transformer in shell.ast_transformers):
        return None
    setattr(builtins, _WITNESS, Witness(report))  # where %reset does not take it away
    shell.ast_transformers.append(Rewriter())
    return shell.ast_transformers[-1]


def stop(claim, message):
    """Raise where a claim does not hold, as a bare assert does.

    Parameters
    ----------
    claim : Claim
    message : callable
        Makes the assert's own message, or None.

    Raises
    ------
    AssertionError
        With both sides in its text.
    """
    if not claim.holds:
        said = message()
        raise AssertionError(f"{claim}" if said is None else f"{said}\n{claim}")


def tell(claim, message):
    """Tell a reader what did not come out as the lesson says, and go on.

    Parameters
    ----------
    claim : Claim
    message : callable
        Makes the assert's own message, or None.
    """
    if not claim.holds:
        said = message()
        print("✘ This did not come out as the lesson says.")
        print(f"  {said}\n" if said is not None else "", end="")
        print("  " + str(claim).replace("\n", "\n  "))
        print(
            "  If you changed nothing, your processor adds numbers in another order than those\n"
            "  this lesson was tried on, and training makes much of such small differences. The\n"
            "  text nearby may not fit your numbers. You can go on with the next cell."
        )
