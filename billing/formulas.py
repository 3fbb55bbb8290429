"""The small language in which an explanation writes its sums."""

import ast
import math
from collections.abc import Callable
from fractions import Fraction

Number = Fraction | int
_OPERATORS: dict[type[ast.operator], Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: lambda left, right: left + right,
    ast.Sub: lambda left, right: left - right,
    ast.Mult: lambda left, right: left * right,
    ast.Div: lambda left, right: left / right,
}
_FUNCTIONS: dict[str, Callable[..., Number]] = {
    "floor": math.floor,
    "ceil": math.ceil,
    "round": round,  # a Fraction's half goes to the even neighbour
    "min": min,
    "max": max,
}


def evaluate(formula: str) -> int:
    """The whole number a formula comes to: + - × /, floor, ceil, round, min, max, if, >.

    Exact fractions throughout, so that only the rounding that is written down takes place.
    """
    plain = formula.replace("×", "*")
    value = _value(ast.parse(plain, mode="eval").body)
    assert value.denominator == 1, f"{formula} does not come to a whole number"
    return value.numerator


def _value(node: ast.expr) -> Fraction:
    match node:
        case ast.Constant(value=int(number)):
            return Fraction(number)
        case ast.BinOp(left=left, op=operator, right=right) if type(operator) in _OPERATORS:
            return _OPERATORS[type(operator)](_value(left), _value(right))
        case ast.Call(func=ast.Name(id=name), args=arguments) if name in _FUNCTIONS:
            return Fraction(_FUNCTIONS[name](*map(_value, arguments)))
        case ast.IfExp(test=ast.Compare(left=left, ops=[ast.Gt()], comparators=[right])):
            return _value(node.body if _value(left) > _value(right) else node.orelse)
    raise ValueError(f"{ast.unparse(node)} is no part of a formula")
