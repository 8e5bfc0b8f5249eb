"""The doctor: a table of what is there, and one sentence for each thing that is wrong."""

from dataclasses import replace

import pytest
import torch

from nabla import doctor
from nabla.cli import main
from toy_problems.identities import IDENTITIES


def test_a_healthy_machine(capsys):
    with pytest.raises(SystemExit) as exit_:
        main(["doctor"])
    out = capsys.readouterr().out
    assert exit_.value.code == 0
    assert "✓ all is well" in out
    assert "identities hold" in out
    for name in doctor.NEEDED:
        assert f"\n{name} " in out


def test_what_is_wrong_is_said_with_what_to_do(capsys, monkeypatch):
    broken = [
        doctor.python((3, 10, 1)),
        doctor.package("no-such-package", None),
        doctor.threads(8, 2, None),
    ]
    monkeypatch.setattr(doctor, "examine", lambda: iter(broken))
    assert doctor.doctor() == 1
    out = capsys.readouterr().out
    assert "✗ python: 3.11 or newer is needed" in out
    assert "✗ no-such-package: run `python3 bootstrap.py`" in out
    assert "✗ threads: more threads than cores: set OMP_NUM_THREADS=2 or less" in out
    assert "all is well" not in out


def test_an_extra_that_is_missing_is_no_trouble():
    line = doctor.package("no-such-package", extra="mujoco")
    assert line == replace(line, trouble="")
    assert "bootstrap.py mujoco" in line.found


def test_another_version_than_the_tested_one_is_noted(tmp_path):
    path = tmp_path / "constraints.txt"
    path.write_text("numpy==0.1\n")
    assert doctor.package("numpy", doctor.pinned(path)["numpy"]).found.endswith("(tested with 0.1)")
    assert doctor.pinned(tmp_path / "none") == {}


def test_arithmetic_that_is_off_is_noticed(monkeypatch):
    monkeypatch.setitem(IDENTITIES, "off", lambda seed: 1e-3)
    assert doctor.computation().trouble


@pytest.mark.parametrize(("seconds", "use"), [(0.5, "may be used"), (60.0, "is refused")])
def test_a_processor_without_half_precision_is_told_and_refuses_it(
    tmp_path, monkeypatch, seconds, use
):
    """Products in bfloat16 take so many times as long as in float32, whatever the machine."""
    from estimators import processor
    from sac_minimal.config import Config
    from sac_minimal.train import Loop

    cost = {torch.float32: 1.0, torch.bfloat16: seconds}
    monkeypatch.setattr(processor, "_seconds", lambda x, y: cost[x.dtype])
    assert processor.bfloat16_cost() == seconds
    assert doctor.half_precision().found.endswith(f"nabla train --bf16 {use}")
    config = Config(task="PointMass", bf16=True, hidden=8)
    if seconds > 1:
        with pytest.raises(ValueError, match=r"bf16 is no gain .* 60.0 times as long"):
            Loop(config, tmp_path)
        Loop(Config(task="PointMass", hidden=8), tmp_path)
    else:
        Loop(config, tmp_path)
