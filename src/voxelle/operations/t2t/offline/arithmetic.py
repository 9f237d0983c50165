"""Sums that somebody asks for in words or signs."""

from __future__ import annotations

import re

_WORDS = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7,
    "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14,
    "fifteen": 15, "sixteen": 16, "seventeen": 17, "eighteen": 18, "nineteen": 19, "twenty": 20,
    "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
    "hundred": 100,
}  # fmt: skip
_SIGNS = (
    (r"\bplus\b", "+"),
    (r"\bminus\b|−", "-"),
    (r"\btimes\b|\bmultiplied by\b|×|(?<=\d)\s*x\s*(?=\d)", "*"),
    (r"\bdivided by\b|\bover\b|÷|:(?=\s*\d)", "/"),
    (r"\bto the power of\b|\^", "**"),
)
_TENS = re.compile(r"\b([2-9]0)[ -]([1-9])\b")
_SUM = re.compile(r"(-?\d+(?:\.\d+)?)((?:\s*(?:\*\*|[-+*/])\s*-?\d+(?:\.\d+)?){1,8})")
_TERM = re.compile(r"\s*(\*\*|[-+*/])\s*(-?\d+(?:\.\d+)?)")
_MOST = 1e12
"""Larger results are no fun to hear."""


class TooLargeError(ArithmeticError):
    """The result has more digits than anybody wants to hear."""


def find_sum(words: str) -> float | None:
    """Work out the first sum in lower-case words, or give None if there is none.

    Knows + - * / and powers, with their usual precedence.
    Raises `ZeroDivisionError` and `TooLargeError`.
    """
    for word, number in _WORDS.items():
        words = re.sub(rf"\b{word}\b", str(number), words)
    words = _TENS.sub(lambda two: str(int(two[1]) + int(two[2])), words)
    for pattern, sign in _SIGNS:
        words = re.sub(pattern, sign, words)
    found = _SUM.search(words)
    if found is None or len(found[0]) > 60:
        return None
    terms = [("+", float(found[1]))]
    for sign, number in _TERM.findall(found[2]):
        if sign in "+-":
            terms.append((sign, float(number)))
        else:
            terms[-1] = (terms[-1][0], _combine(terms[-1][1], sign, float(number)))
    return _bounded(sum(-value if sign == "-" else value for sign, value in terms))


def _combine(left: float, sign: str, right: float) -> float:
    if sign == "*":
        return _bounded(left * right)
    if sign == "/":
        return left / right
    if abs(right) > 64 or (left < 0 and right != int(right)):
        raise TooLargeError
    return _bounded(float(left**right))


def _bounded(value: float) -> float:
    if abs(value) > _MOST:
        raise TooLargeError
    return value


def say_number(value: float) -> str:
    """Write a number as one would say it: no exponent, at most three digits after the point."""
    if value == int(value):
        return str(int(value))
    rounded = f"{value:.3f}".rstrip("0").rstrip(".")
    return rounded if abs(value - float(rounded)) < 1e-9 else f"about {rounded}"
