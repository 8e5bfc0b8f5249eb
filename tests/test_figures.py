"""Figures: what they show does not depend on the unit of Q, and can be read."""

import math

import numpy as np
import pytest
from matplotlib.figure import Figure

from nabla.figures import _ticks, bars, gradient_violins


@pytest.mark.parametrize("unit", [1e8, 1.0, 1e-11])
def test_the_unit_of_q_does_not_matter(unit):
    """As many violins and bars, none of them "zero", but for what is the others' rounding."""
    draws = np.random.default_rng(0).normal(size=(200, 2)) * unit
    violins, variances = Figure().subplots(2)
    gradient_violins(violins, {"a": draws[:, 0], "b": 2 * draws[:, 1]}, unit, "mu")
    assert len(violins.collections) == 2
    bars(variances, {"a": (unit**2, 0.1 * unit**2), "b": (1e-33 * unit**2, 0.0)})
    assert len(variances.patches) == 1
    assert [text.get_text() for text in variances.texts] == ["zero"]


@pytest.mark.parametrize("low", [-1e14, -1e8, -30.0, -1.0, 0.0, 1e3])
@pytest.mark.parametrize("high", [1.0, 40.0, 2e6, 3e13])
def test_ticks_are_apart(low, high):
    """At most seven, no two nearer than a twentieth of the axis."""
    ends = math.asinh(low), math.asinh(max(low, high))
    ticks = np.arcsinh(_ticks(ends[0] - 0.5, ends[1] + 0.5))
    assert 1 <= len(ticks) <= 7
    assert len(ticks) == 1 or np.diff(ticks).min() > (ends[1] - ends[0] + 1) / 20
