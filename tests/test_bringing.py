"""What people bring to training: tasks, estimators, networks and callbacks of their own."""

import os
import shlex
import shutil
import subprocess
import sys
import textwrap
import types
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("gymnasium")

from estimators import Noise
from estimators.foreign import keywords
from nabla import load
from nabla.cli import main
from nabla.runs.saved import saved_agent, saved_config
from nabla.runs.train import tensorboard_callback, together
from sac_minimal.config import Config
from sac_minimal.envs import Space, make
from sac_minimal.lineage import make_agent
from sac_minimal.train import evaluate, fingerprint, train

SMALL = Config(task="own_training:Kept", hidden=16, batch=32, warmup=40, steps=200, replay=100)
SMALL = replace(SMALL, eval_every=100, checkpoint_every=30, eval_episodes=1, threads=1)


def nothing(step, row):
    pass


def stop(step, row):
    if step == 100:
        raise KeyboardInterrupt


def ended(config, run):
    train(config, run, nothing)
    return fingerprint(saved_agent(run)), (run / "metrics.csv").read_text()


def resumed(config, run):
    with pytest.raises(KeyboardInterrupt):
        train(config, run, stop)
    return ended(config, run)


@pytest.mark.parametrize(
    ("task", "settings"),
    [
        ("own_training:Walk", ()),
        ("own_training:wrapped", ("speed=0.25",)),
        ("own_training:OwnWalk-v0", ("length=3",)),
    ],
)
def test_observations_are_flat_and_what_is_discrete_is_one_hot(task, settings):
    """Keys in their order: the cell, one-hot, then the place."""
    env = make(task, settings)
    assert env.space.observations == 8
    assert (env.space.actions, env.space.discrete) == (1, False)
    obs = env.reset(3)
    x = obs[7]
    assert obs[:7].tolist() == [float(i == round(float(x)) + 3) for i in range(7)]
    after = env.step(np.array([0.5]))[0]
    speed = 0.25 if "speed=0.25" in settings else 0.5
    assert after[7] == pytest.approx(x + speed * 0.5 * 2)  # half of the Box's end


@pytest.mark.parametrize(("task", "steps"), [("OwnWalk-v0", 5), ("wrapped", 10), ("Walk", 12)])
def test_episodes_are_those_of_who_registered_or_wrapped_it(task, steps):
    env = make(f"own_training:{task}")
    env.reset(0)
    ends = [env.step(np.array([-1.0]))[2:] for _ in range(steps)]
    assert ends == [(False, False)] * (steps - 1) + [(False, True)]


def test_a_discrete_observation_is_one_hot():
    env = make("FrozenLake-v1", ("is_slippery=false", "map_name=4x4"))
    assert env.space.observations == 16
    env.reset(0)
    assert env.step(np.int64(2))[0].tolist() == [float(i == 1) for i in range(16)]


def test_keywords_are_literals_or_text():
    given = ["a=1", "b=0.5", "c=true", "d=False", "e=4x4", "f=[1, 2]", "g=None", "h=x=y", "i="]
    assert keywords("--env-kwargs", given) == {
        **{"a": 1, "b": 0.5, "c": True, "d": False, "e": "4x4", "f": [1, 2], "g": None},
        **{"h": "x=y", "i": ""},
    }


def test_a_task_that_keeps_its_state_resumes_bit_for_bit(tmp_path):
    """Also its episode in the middle; the same task without these methods does not."""
    assert resumed(SMALL, tmp_path / "stopped") == ended(SMALL, tmp_path / "whole")


def test_a_task_whose_state_cannot_be_saved_goes_on_with_a_new_episode(tmp_path):
    """Said once, when the run begins; all else is kept: two that resume from the same place end
    alike, and not where the one that was not stopped does."""
    config = replace(SMALL, task="own_training:Walk")
    told = "cannot be saved: a run that is resumed goes on with a new episode"
    ends = []
    for name in ("one", "two"):
        with pytest.warns(UserWarning, match=told) as caught, pytest.raises(KeyboardInterrupt):
            train(config, tmp_path / name, stop)
        assert len(caught) == 1
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            ends.append(ended(config, tmp_path / name))
    with pytest.warns(UserWarning, match=told):
        whole = ended(config, tmp_path / "whole")
    assert ends[0] == ends[1] != whole


def test_an_estimator_of_ones_own_is_used_as_one_of_ours(tmp_path):
    """Reparameterization by another name ends bit for bit where ours does; half of it does not."""
    ours = ended(SMALL, tmp_path / "ours")
    assert ended(replace(SMALL, estimator="own_training:pathwise"), tmp_path / "theirs") == ours
    assert ended(replace(SMALL, estimator="own_training:half"), tmp_path / "half") != ours


@pytest.mark.parametrize(
    ("how", "task"),
    [
        ("sync", "own_training:Kept"),
        ("sync", "own_training:Walk"),
        ("sync", "FourWay"),
        ("async", "Acrobot-v1"),
    ],
)
@pytest.mark.filterwarnings("ignore:the state of own_training.Walk cannot be saved")
def test_the_vector_api_gives_the_bits_of_stepping_in_turn(tmp_path, how, task):
    """Three environments whose episodes end; stopped, and resumed in the other way."""
    config = replace(SMALL, task=task, envs=3, steps=240)
    whole = ended(config, tmp_path / "turn")
    with together(config, how) as world, pytest.raises(KeyboardInterrupt):
        train(config, tmp_path / how, lambda step, row: stop(step // 3 * 3 + 1, row), [], world)
    if task.endswith("Walk"):  # it begins new episodes, alike in both
        shutil.copytree(tmp_path / how, tmp_path / "copy")
        whole = ended(config, tmp_path / "copy")
    with together(config, how) as world:
        train(config, tmp_path / how, nothing, [], world)
    assert ended(config, tmp_path / how) == whole


def test_compiling_for_a_few_updates_is_told_in_advance(capsys, tmp_path, monkeypatch):
    """Of 50,000 steps nothing is said. Neither run begins: its folder is taken."""
    (tmp_path / "taken").write_text("")
    for steps, told in (("5000", True), ("50000", False)):
        given = ["--task", "PointMass", "--compile", "--steps", steps]
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            with pytest.raises(SystemExit):
                main(["train", *given, "--run", str(tmp_path / "taken" / "run")])
        assert ("this run makes 4,000" in capsys.readouterr().err) == told


def test_callbacks_are_called_at_evaluations(tmp_path):
    """From Python, with what the run has then; training does not notice them."""
    seen = []

    def look(row, agent, run):
        seen.append((row["step"], fingerprint(agent), run))

    plain = ended(SMALL, tmp_path / "plain")
    rows = train(SMALL, tmp_path / "run", nothing, [look])
    assert [step for step, _, _ in seen] == [row["step"] for row in rows] == [100, 200]
    assert fingerprint(saved_agent(tmp_path / "run")) == seen[-1][1] == plain[0]
    assert {run for _, _, run in seen} == {tmp_path / "run"}


def test_the_best_evaluation_is_kept_whatever_is_killed(tmp_path, monkeypatch):
    """Its agent is the one that was evaluated; a run that was stopped keeps the same one. Returns
    are numbers of the parameters, so that the best is somewhere in the middle."""
    number = lambda agent, *_: [float(int(fingerprint(agent)[:4], 16))]  # noqa: E731
    monkeypatch.setattr("sac_minimal.train.evaluate", number)
    config, agents = replace(SMALL, steps=400, eval_every=40), {}
    note = lambda row, agent, run: agents.update({row["step"]: fingerprint(agent)})  # noqa: E731
    rows = train(config, tmp_path / "a", nothing, [note])
    best = max(rows, key=lambda row: row["return"])
    assert rows[0]["step"] < best["step"] < 400
    assert fingerprint(saved_agent(tmp_path / "a", best=True)) == agents[best["step"]]
    resumed(config, tmp_path / "b")
    assert (tmp_path / "a" / "best.npz").read_bytes() == (tmp_path / "b" / "best.npz").read_bytes()


@pytest.mark.parametrize("task", ["own_training:Kept", "Acrobot-v1", "PointMass"])
def test_a_loaded_policy_takes_and_gives_what_the_environment_does(tmp_path, task):
    """An episode by hand is the one that `evaluate` plays."""
    config = replace(SMALL, task=task, steps=100)
    train(config, tmp_path, nothing)
    act = load(tmp_path)
    env, total, done = make(task), 0.0, False
    if task == "PointMass":
        obs = env.reset(10_000)
        while not done:
            obs, reward, _, done = env.step(act(obs))
            total += reward
    else:
        obs, _ = env.env.reset(seed=10_000)
        while not done:
            action = act(obs)
            assert env.env.action_space.contains(np.asarray(action, env.env.action_space.dtype))
            obs, reward, terminated, truncated, _ = env.env.step(action)
            total, done = total + reward, terminated or truncated
    assert [total] == evaluate(act.agent, task, 1)
    assert isinstance(act(obs, stochastic=True), type(act(obs)))


@pytest.mark.parametrize("version", ["1", "3", "td3"])
def test_a_network_of_ones_own_is_a_module_or_a_function(tmp_path, version):
    """Both end alike bit for bit, one that was stopped too; twin critics begin apart; torch's own
    generator is left alone (a fixture looks)."""
    config = replace(SMALL, version=version, steps=130, network="own_training:net")
    as_module = ended(replace(config, network="own_training:Net"), tmp_path / "module")
    assert resumed(config, tmp_path / "stopped") == as_module
    agent = saved_agent(tmp_path / "stopped")
    first = agent.trained["critics"][0]
    assert first.shape == (1 if version == "1" else 2, 9, 9)  # copies, width, 8 numbers + action
    assert not torch.equal(first[0], first[-1]) or version == "1"
    assert fingerprint(make_agent(config, make(config.task).space, Noise(1))) != fingerprint(
        make_agent(config, make(config.task).space, Noise(2))
    )


def test_critics_side_by_side_are_each_its_own_network():
    """Of any shape of actions: [critics, *n, B], in float64, against a loop."""
    config = Config(network="own_training:net", squash=False)
    agent = make_agent(config, Space(3, 2, discrete=False), Noise(0))
    critics = [p.double() for p in agent.trained["critics"]]
    rng, like = Noise(1), torch.zeros(()).double()
    obs, a = rng.normal((1, 5, 3), like)[0], rng.normal((4, 6, 5, 2), like)
    q = agent.q(critics, obs, a)
    assert q.shape == (2, 4, 6, 5)
    for i, (w, b, v, c) in enumerate(zip(*critics, strict=True)):
        x = torch.cat([obs.expand(4, 6, 5, 3), a], -1)
        torch.testing.assert_close(q[i], (torch.tanh(x @ w.T + b) @ v.T + c)[..., 0])


@pytest.mark.parametrize(
    ("hidden", "layers"), [(16, [16, 16]), ((12, 7), [12, 7]), ((9,), [9]), ((5, 4, 3), [5, 4, 3])]
)
@pytest.mark.parametrize("version", ["2", "3", "td3"])
def test_hidden_layers_have_the_widths_that_are_said(tmp_path, hidden, layers, version):
    """Weights in the order of the layers; saved and read again; a row of a sweep too."""
    config = replace(SMALL, task="PointMass", hidden=hidden, version=version, steps=45)
    train(config, tmp_path, nothing)
    for name, network in saved_agent(tmp_path).trained.items():
        if name != "log_alpha":
            assert [w.shape[-1] for w in network[:-2:2]] == layers
    assert Config.from_json(config.to_json()) == config


FILE = """
task = "PointMass"
steps = 60
hidden = [8, 6]
batch = 8
warmup = 20
lr = 1
eval_every = 30
"""


def test_settings_from_a_file(tmp_path, monkeypatch):
    """What is given on the command line comes first, even where it is the default."""
    monkeypatch.chdir(tmp_path)
    Path("run.toml").write_text(FILE)
    given = ["--lr", "0.0003", "--seed", "3", "--eval-episodes", "1"]
    for run, file in (("a", ["--config", "run.toml"]), ("b", ["--config=run.toml"])):
        with pytest.raises(SystemExit) as exit_:
            main(["train", *given, *file, "--run", run])
        assert exit_.value.code in (None, 0)
        read = saved_config(Path(run))
        assert read == Config(
            **{"task": "PointMass", "steps": 60, "hidden": (8, 6), "batch": 8, "warmup": 20},
            **{"eval_every": 30, "seed": 3, "eval_episodes": 1},
        )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("colour = 1", "run.toml: unknown settings colour"),
        ("steps = 'many'", "run.toml: steps must be int, got 'many'"),
        ("hidden = [8, 0]", "run.toml: hidden must be widths ≥ 1, got (8, 0)"),
        ("hidden = []", "run.toml: hidden must be widths ≥ 1, got ()"),
        ("version = '4'", "run.toml: version must be"),
        ("steps: 3", "run.toml: "),
        (None, "cannot read the settings run.toml: No such file"),
    ],
)
def test_a_wrong_file_gets_one_sentence(capsys, tmp_path, monkeypatch, text, words):
    monkeypatch.chdir(tmp_path)
    if text is not None:
        Path("run.toml").write_text(text)
    with pytest.raises(SystemExit) as exit_:
        main(["train", "--config", "run.toml"])
    err = capsys.readouterr().err
    assert exit_.value.code == 2
    assert words in err
    assert err.count("\n") == 1
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--task", "own_training:Missing"], "unknown task 'own_training:Missing'"),
        (["--task", "gone:Walk"], "cannot import 'gone'"),
        (["--task", "own_training:NoEnv"], "must make a gymnasium.Env, it made a NoEnv"),
        (["--task", "own_training:Walk", "--env-kwargs", "speed"], "takes name=value, got 'speed'"),
        (["--task", "own_training:Walk", "--env-kwargs", "colour=1"], "cannot be made with"),
        (["--task", "PointMass", "--env-kwargs", "a=1"], "is one of ours and has no"),
        (["--task", "own_training:Endless"], "observations must be numbers, got Sequence"),
        (["--task", "own_training:Old"], "reset must return 2 values, got dict"),
        (["--task", "own_training:Shapeless"], "returned an observation (3,), not (2,)"),
        (["--estimator", "own_training:nothing"], "has no attribute 'nothing'"),
        (["--estimator", "own_training:number"], "is not a function but int"),
        (["--estimator", "own_training:total"], "one loss a state, [2], got []"),
        (["--estimator", "own_training:pathwise", "--n", "4"], "no argument n, so n must be 1"),
        (["--network", "own_training:wide"], "has no attribute 'wide'"),
        (["--network", "own_training:wrapped"], "a torch.nn.Module, got TimeLimit"),
        (["--network", "own_training:narrow"], "must map [2, 2] to [2, 4], it gives [2, 7]"),
        (["--network", "own_training:normed"], "has buffers, which no checkpoint would keep"),
        (["--network", "own_training:net", "--bf16"], "bf16 is for our own layers"),
        (["--callback", "own_training:gone"], "has no attribute 'gone'"),
        (["--callback", "own_training:number"], "is not a function but int"),
        (["--callback", "own_training:refuse", "--eval-every", "50"], "the tracker is gone"),
        (["--task", "own_training:Odd"], "Object of type set is not JSON"),
    ],
)
def test_what_does_not_fit_gets_one_sentence(capsys, tmp_path, arguments, words):
    arguments = arguments if "--task" in arguments else ["--task", "PointMass", *arguments]
    with pytest.raises(SystemExit) as exit_:
        main(["train", *arguments, "--run", str(tmp_path / "run"), "--steps", "100"])
    err = capsys.readouterr().err
    assert exit_.value.code == 2
    assert words in err
    assert err.count("\n") == 1
    assert not list(tmp_path.glob("run/checkpoint*"))


def test_tensorboard_is_a_callback(tmp_path, monkeypatch):
    """One writer a run; every number of every evaluation, flushed."""
    made, written = [], []

    class Writer:
        def __init__(self, folder):
            made.append(folder)

        def add_scalar(self, name, value, step):
            written.append((name, step))

        def flush(self):
            written.append("flush")

    module = types.SimpleNamespace(SummaryWriter=Writer)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    rows = train(SMALL, tmp_path, nothing, [tensorboard_callback()])
    assert made == [tmp_path / "tensorboard"]
    expected = [x for row in rows for x in (*((name, row["step"]) for name in row), "flush")]
    assert written == expected


@pytest.mark.parametrize("command", ["plot", "watch", "probe"])
def test_where_to_write_is_tried_before_the_work(capsys, tmp_path, monkeypatch, command):
    """A file is in the way of the folder."""
    train(replace(SMALL, task="PointMass", steps=60, eval_every=30), tmp_path / "run", nothing)
    work = {"plot": "nabla.figures.learning_curves", "watch": "nabla.runs.film.film"}
    work["probe"] = "nabla.runs.probing.probed"
    monkeypatch.setattr(work[command], lambda *_: pytest.fail("it went to work"))
    out = {"plot": "file/curve", "watch": "file/film.gif"}
    (tmp_path / "file").write_text("")
    (tmp_path / "run" / "probe").write_text("")
    options = ["--out", str(tmp_path / out[command])] if command in out else ["--states", "2"]
    with pytest.raises(SystemExit) as exit_:
        main([command, str(tmp_path / "run"), *options])
    assert exit_.value.code == 2
    assert "is not a folder that can be written to" in capsys.readouterr().err


def test_the_five_commands_of_the_readme(capsys, tmp_path, monkeypatch):
    """Its file, its commands; the first one is killed once it has a checkpoint; and its three
    lines, in the environment's own terms."""
    root = Path(__file__).parent.parent
    text = (root / "README.md").read_text()
    text = text[text.index("### With what is yours") :]
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(text.split("```python\n")[1].split("```")[0])
    commands = [x.strip() for x in text.splitlines() if x.startswith("    nabla ")][:5]
    first, *rest = [shlex.split(command, comments=True)[1:] for command in commands]
    assert [command[0] for command in rest] == ["train", "evaluate", "probe", "plot"]
    small = ["--threads", "1", "--batch", "32", "--checkpoint-every", "200"]
    command = [sys.executable, "-m", "nabla", *first, *small, "--warmup", "200"]
    environment = os.environ | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
        while not Path("out/walk/checkpoint.npz").exists():
            assert process.poll() is None
        process.kill()
    for arguments in rest:
        extra = ["--estimates", "100", "--through", "10"] if arguments[0] == "probe" else []
        with pytest.raises(SystemExit) as exit_:
            main([*arguments, *extra])
        assert exit_.value.code in (None, 0), capsys.readouterr().err
    out = capsys.readouterr().out
    assert "\n2000 " in out
    assert "over 10 episodes" in out
    assert Path("out/walk/curve.png").exists()
    lines = text[text.index("    from nabla import load") :].splitlines()[:3]
    code = "\n".join(["from mine import Walk", "env = Walk()", "obs, _ = env.reset(seed=0)"])
    names: dict = {}
    exec(code + "\n" + textwrap.dedent("\n".join(lines)), names)
    assert names["action"].shape == (1,)
    names["env"].step(names["action"])
