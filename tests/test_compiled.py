"""Compiled gradients are the eager ones; where compiling is impossible, eager ones with a word."""

import os
import shutil
import subprocess
import sys
import warnings
from functools import partial

import pytest
import torch
from support import FLOAT

from estimators import (
    Gaussian,
    Noise,
    Objective,
    Sobol,
    compile_gradients,
    leave_one_out,
    measure,
    per_sample_gradients,
    reparameterization,
    score_function,
)

POLICY = Gaussian(torch.tensor([0.3, -0.2], dtype=FLOAT), torch.tensor([-0.4, 0.1], dtype=FLOAT))
OBJECTIVE = Objective(lambda a: torch.cos(2 * a).sum(-1) + (a**3).sum(-1) / 5, 0.3)


@pytest.mark.parametrize(
    ("estimator", "source"),
    [
        (reparameterization, Noise),
        (partial(score_function, n=4, baseline=leave_one_out), Sobol),
    ],
)
def test_compiled_gradients_are_the_eager_ones(estimator, source):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        compiled = compile_gradients(estimator, POLICY, OBJECTIVE)
        fast = compiled(50, source(3))
    if shutil.which("g++") or shutil.which("clang++"):
        assert not [w for w in caught if "eager" in str(w.message)]
    eager = per_sample_gradients(estimator, POLICY, OBJECTIVE, 50, source(3))
    for name in eager:
        torch.testing.assert_close(fast[name], eager[name])


def test_what_cannot_be_traced_falls_back_with_one_sentence():
    @torch.compiler.disable
    def stubborn(a):
        return torch.cos(a).sum(-1)

    objective = Objective(stubborn, 0.3)
    with pytest.warns(UserWarning, match="cannot compile, going on in eager mode") as caught:
        report = measure(
            reparameterization, POLICY, objective, estimates=1000, rng=Noise(0), compile=True
        )
    assert len(caught) == 1
    assert report.worst_z < 5.5


def test_without_a_compiler_the_command_goes_on(tmp_path):
    arguments = ["report", "--estimators", "score_function", "--estimates", "2000", "--compile"]
    environment = {
        **os.environ,
        "CXX": str(tmp_path / "no-such-compiler"),
        "TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "cache"),
    }
    done = subprocess.run(
        [sys.executable, "-m", "nabla", "compare", *arguments, "--out", str(tmp_path)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("\n") == 1
    assert "going on in eager mode" in done.stderr
