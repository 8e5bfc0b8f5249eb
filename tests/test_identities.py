"""Exact identities in float64, draw by draw, on random problems without symmetry."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toy_problems.identities import IDENTITIES


@pytest.mark.parametrize("name", IDENTITIES)
@given(seed=st.integers(0, 2**31))
def test_identity(name, seed):
    assert IDENTITIES[name](seed) < 1e-10
