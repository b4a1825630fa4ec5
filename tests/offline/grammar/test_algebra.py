"""Algebra of the printer: what it prints computes what was meant, and reads as a textbook."""

from __future__ import annotations

import math

import numpy as np
import pytest

from agent.proposers.offline.source.algebra import (
    PARAMETER,
    Expr,
    bracketed,
    derivative,
    of,
    symbol,
)
from agent.proposers.offline.source.program import Block, Names, Program
from agent.proposers.offline.source.writing import Writing
from tools.physics import xp

A, B, X, V = (symbol(n, r) for n, r in (("a", PARAMETER), ("b", PARAMETER), ("x", 2), ("v", 2)))
SEE = Writing(Program([""]), Block(), Names())


def valued(expression, **names):
    return eval(str(expression), {"xp": xp, **names})


def test_sums_of_products_read_as_a_person_writes_them():
    assert str(-A * V + 0.5 * X * X) == "-a * v + 0.5 * x ** 2"
    assert str(A / B * SEE.cos(X)) == "a / b * xp.cos(x)"
    assert str(A * bracketed(X - B)) == "a * (x - b)"
    assert str(X * X * X / A) == "x * x * x / a"
    assert str(of(0.0)) == "0.0" and str(A - A) == "0.0"


def test_squares_of_sine_and_cosine_meet():
    length = symbol("length", PARAMETER)
    x, y = length * SEE.cos(X), length * SEE.sin(X)
    assert str(x * x + y * y) == "length ** 2"
    assert str((A * x * x + A * y * y) / (length * length)) == "a"
    assert str(SEE.sin(X) * SEE.sin(X) + 2.0 * SEE.cos(X) * SEE.cos(X)).count("xp") == 2


def test_a_common_sum_cancels():
    inertia = A + A * B * B
    assert str(inertia * V / inertia) == "v"
    assert str(V / inertia) == "v / (1.0 + b ** 2) / a"


def random_expression(rng, depth=3) -> Expr:
    if depth == 0 or rng.random() < 0.2:
        return [A, B, X, V, of(float(rng.integers(1, 4)))][rng.integers(5)]
    one, two = random_expression(rng, depth - 1), random_expression(rng, depth - 1)
    forms = [
        lambda: one + two,
        lambda: one - two,
        lambda: one * two,
        lambda: one / (two * two + 1.0),
        lambda: SEE.sin(one) * two,
        lambda: SEE.cos(one) + two,
        lambda: SEE.sqrt(one * one + 2.0),
        lambda: SEE.arctan(one) * bracketed(two + 1.0),
        lambda: (one * one + 1.0) ** -1.5,
        lambda: two**3,
    ]
    return forms[rng.integers(len(forms))]()


@pytest.mark.parametrize("seed", range(40))
def test_derivatives_are_those_of_what_is_printed(seed):
    expression = random_expression(np.random.default_rng(seed))
    point = {"a": 0.7, "b": 1.3, "x": 0.4, "v": -0.6}
    slope = valued(derivative(expression, "x"), **point)
    stepped = valued(expression, **{**point, "x": 0.4 + 1e-30j})
    assert slope == pytest.approx(np.imag(stepped) / 1e-30, rel=1e-7, abs=1e-7)
    assert math.isfinite(valued(expression, **point))
