"""The published testing kit, used as its documentation says."""

import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from estimators import leave_one_out, reparameterization, score_function
from estimators.testing import (
    assert_unbiased,
    categoricals,
    gaussians,
    mixtures,
    policies,
    problems,
)

ROOT = Path(__file__).parent.parent


@settings(max_examples=8)
@given(problems(st.one_of(gaussians(), mixtures(), categoricals())))
def test_leave_one_out_is_unbiased_everywhere(problem):
    loo = partial(score_function, n=2, baseline=leave_one_out)
    assert_unbiased(loo, *problem, delta=0.05)


@settings(max_examples=6)
@given(problems(gaussians()))
def test_a_wrong_one_is_caught_on_every_problem(problem):
    with pytest.raises(AssertionError, match="BIASED"):
        assert_unbiased(lambda p, o, rng: 0.9 * reparameterization(p, o, rng), *problem)


@settings(max_examples=30)
@given(policies(), mixtures(max_d=1))
def test_policies_are_within_their_ranges(policy, mixture):
    assert all(p.isfinite().all() for p in policy.parameters().values())
    assert float(mixture.logits.softmax(-1).min()) > 1 / 50
    assert mixture.mu.shape[-1] == 1


def test_hypothesis_is_imported_only_on_demand():
    code = "import sys, estimators, nabla.check; print('hypothesis' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("block", [0, 1])
def test_documentation_runs(block, tmp_path):
    text = (ROOT / "docs" / "testing.md").read_text()
    code = text.split("```python\n")[1 + block].split("```")[0]
    path = tmp_path / "test_documented.py"
    path.write_text(code)
    run = [sys.executable, str(path)] if block == 0 else [sys.executable, "-m", "pytest", str(path)]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    if block == 0:
        assert "log_det_forgotten" in done.stdout
