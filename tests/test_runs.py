"""Runs: what is stored is what was seen, nothing is lost, and bad input gets a sentence."""

import math
import os
import signal
import subprocess
import sys
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from estimators import CATALOGUE, POLICIES, Noise
from nabla.cli import main
from nabla.runs.saved import saved_agent
from nabla.statistics import bootstrap_band, interquartile_mean
from sac_minimal.config import Config
from sac_minimal.envs import Goal, Space, make
from sac_minimal.lineage import make_agent
from sac_minimal.replay import Replay
from sac_minimal.sac import SAC
from sac_minimal.train import Diverged, fingerprint, train

SMALL = Config(task="PointMass", hidden=16, batch=32, warmup=40, steps=200, replay=100)
SMALL = replace(SMALL, eval_every=100, checkpoint_every=30, eval_episodes=1, threads=1)


def test_a_time_limit_is_no_termination(tmp_path):
    """PointMass ends by its clock alone: its transitions must all keep the next value."""
    train(replace(SMALL, steps=100), tmp_path, lambda step, row: None)
    rows = np.memmap(tmp_path / "replay.f32", np.float32).reshape(-1, 8)[:100]
    assert (rows[:, -1] == 0).all()
    assert np.abs(rows[:, :2]).max() > 0


def test_replay_keeps_what_a_checkpoint_needs(tmp_path):
    """`slack` rows after a checkpoint leave its newest `capacity` transitions alone."""
    replay = Replay(tmp_path / "r", Space(1, 1, discrete=False), 10, slack=4, new=True)
    for i in range(30):
        replay.add(np.array([i]), np.array([0.0]), i, np.array([i]), False)
    before = replay.sample(1000, torch.Generator().manual_seed(0))
    assert set(before.reward.tolist()) == set(range(20, 30))
    for i in range(30, 34):
        replay.add(np.array([i]), np.array([0.0]), i, np.array([i]), False)
    replay.count = 30
    again = replay.sample(1000, torch.Generator().manual_seed(0))
    assert torch.equal(before.reward, again.reward)


def finished(run, config):
    agent = make_agent(config, make(config.task).space, Noise(0))
    from sac_minimal.checkpoint import load

    rest = load(run / "checkpoint.npz", agent)
    return rest["step"], fingerprint(agent), (run / "metrics.csv").read_text()


@pytest.mark.parametrize("task", ["Pendulum-v1", "HalfCheetah-v5"])
def test_killed_and_resumed_runs_end_bit_for_bit_the_same(tmp_path, task):
    """A real process, killed with SIGKILL three times at moments of its own, then finished."""
    pytest.importorskip("gymnasium")
    if task == "HalfCheetah-v5":
        pytest.importorskip("mujoco")
    config = replace(SMALL, task=task, steps=330, checkpoint_every=20, seed=3)
    train(config, tmp_path / "whole", lambda step, row: None)
    run = tmp_path / "killed"
    run.mkdir()
    (run / "config.json").write_text(config.to_json())
    code = (
        "import sys, time; from pathlib import Path; from sac_minimal.train import train; "
        "from sac_minimal.config import Config; run = Path(sys.argv[1]); "
        "config = Config.from_json((run / 'config.json').read_text()); "
        "train(config, run, lambda step, row: (print(step, flush=True), time.sleep(0.001)))"
    )
    for target in (57, 133, 271):
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(run)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) >= target:
                process.send_signal(signal.SIGKILL)
                break
        process.wait()
        process.stdout.close()
        assert process.returncode == -signal.SIGKILL
    train(config, run, lambda step, row: None)
    assert finished(run, config) == finished(tmp_path / "whole", config)


TASKS = ["Acrobot-v1", "Ant-v5", "HalfCheetah-v5", "Hopper-v5", "Humanoid-v5", "Pusher-v5"]
TASKS += ["InvertedDoublePendulum-v5", "Reacher-v5", "Swimmer-v5", "Walker2d-v5", "FourWay"]
TASKS += ["MountainCarContinuous-v0", "dm_control/cheetah-run-v0", "dm_control/humanoid-run-v0"]
TASKS += [
    "dm_control/reacher-easy-v0",
    "dm_control/point_mass-hard-v0",
]  # the last two draw a model
TASKS += ["dm_control/manipulator-insert_peg-v0"]


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.filterwarnings("ignore")  # of the suites' own
def test_a_simulator_goes_on_from_its_state(task):
    """Observations, rewards and the next reset, bit for bit, in an environment of its own."""
    if task != "FourWay":
        pytest.importorskip("mujoco")
    if task.startswith("dm_control"):
        pytest.importorskip("shimmy")
    rng = np.random.default_rng(0)
    first, second = make(task), make(task)

    def actions(count):
        if first.space.discrete:
            return rng.integers(first.space.actions, size=count)
        return rng.uniform(-1, 1, (count, first.space.actions)).astype(np.float32)

    first.reset(3), second.reset(9)
    for a in actions(10):
        first.step(a)
    second.restore(first.state())
    for a in actions(40):
        x, y = first.step(a), second.step(a)
        assert np.array_equal(x[0], y[0])
        assert x[1:] == y[1:]
    assert np.array_equal(first.reset(), second.reset())


def test_a_compiled_run_resumes_bit_for_bit(tmp_path):
    """Stopped in the middle of a checkpoint's interval, by an exception."""
    config = replace(SMALL, steps=130, hidden=8, compile=True)

    def stop(step, row):
        if step == 100:
            raise KeyboardInterrupt

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # without a compiler it goes on in eager mode
        train(config, tmp_path / "whole", lambda step, row: None)
        with pytest.raises(KeyboardInterrupt):
            train(config, tmp_path / "stopped", stop)
        train(config, tmp_path / "stopped", lambda step, row: None)
    assert finished(tmp_path / "stopped", config) == finished(tmp_path / "whole", config)


@pytest.mark.parametrize(
    "settings",
    [
        {"version": "1"},
        {"version": "2"},
        {"version": "td3", "actor_every": 3},
        {"task": "CartPole-v1"},
        {"task": "CartPole-v1", "version": "dqn"},
    ],
    ids=str,
)
def test_other_versions_and_tasks_resume_bit_for_bit(tmp_path, settings):
    if "task" in settings:
        pytest.importorskip("gymnasium")
    config = replace(SMALL, steps=130, envs=2, **settings)

    def stop(step, row):
        if step == 100:
            raise KeyboardInterrupt

    train(config, tmp_path / "whole", lambda step, row: None)
    with pytest.raises(KeyboardInterrupt):
        train(config, tmp_path / "stopped", stop)
    train(config, tmp_path / "stopped", lambda step, row: None)
    assert finished(tmp_path / "stopped", config) == finished(tmp_path / "whole", config)


@pytest.mark.parametrize("what", ["observation", "reward"])
def test_an_environment_that_returns_nan_is_told(what):
    pytest.importorskip("gymnasium")
    env = make("Pendulum-v1")
    env.reset(0)
    step = env.env.step

    def poisoned(action):
        obs, reward, *rest = step(action)
        return (obs * np.nan, reward, *rest) if what == "observation" else (obs, np.nan, *rest)

    env.env.step = poisoned
    with pytest.raises(ValueError, match=f"Pendulum-v1 returned an? {what} that is not finite"):
        env.step(np.zeros(1))


def test_a_full_disk_leaves_the_last_checkpoint_intact(tmp_path):
    """The kernel refuses to let a file grow past a limit, as a full disk would."""
    config = replace(SMALL, steps=30)
    train(config, tmp_path, lambda step, row: None)
    before = (tmp_path / "checkpoint.npz").read_bytes()
    code = (
        "import resource, signal, sys; from pathlib import Path; "
        "from dataclasses import replace; from sac_minimal import checkpoint; "
        "from sac_minimal.config import Config; from sac_minimal.train import Loop; "
        "run = Path(sys.argv[1]); signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "config = Config.from_json((run / 'config.json').read_text()); "
        "agent = Loop(config, run).agent; checkpoint.load(run / 'checkpoint.npz', agent); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)); "
        "checkpoint.save(run / 'checkpoint.npz', agent, {})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert "OSError: cannot write" in done.stderr
    assert "the last one is intact" in done.stderr
    assert (tmp_path / "checkpoint.npz").read_bytes() == before
    assert not list(tmp_path.glob("*.part"))


FULL = (
    "import ctypes, os, sys; from pathlib import Path; libc = ctypes.CDLL(None, use_errno=True); "
    "folder = Path(sys.argv[1]); "
    "libc.unshare(0x20000) and sys.exit(77); "  # CLONE_NEWNS: the mount is this process's own
    "libc.mount(b'none', b'/', None, 0x44000, None); "  # nobody else sees it
    "libc.mount(b'tmpfs', bytes(folder), b'tmpfs', 0, b'size=6m') and sys.exit(77); "
    "(folder / 'other').write_bytes(bytes(5_500_000)); "
    "from sac_minimal.config import Config; from sac_minimal.train import train; "
    "config = Config(task='PointMass', steps=100_000, hidden=8, batch=8, threads=1); "
    "train(config, folder / 'run', lambda step, row: step < 50_000 or sys.exit(3))"
)


def test_a_disk_without_room_for_the_replay_is_told_before_the_first_step(tmp_path):
    """A file system of 6 MB of which 5.5 are used, where the process may mount one: a sentence, and
    not SIGBUS after the first megabyte of transitions."""
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, check=False
    )
    if done.returncode == 77:
        pytest.skip("no file system may be mounted here")
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 1
    assert last.startswith(f"OSError: no room for {tmp_path}/run/replay.f32, 3,200,032 bytes")


def test_room_that_cannot_be_had_is_told_and_leaves_what_was_there(tmp_path, monkeypatch):
    """A new replay leaves no file; of one that goes on nothing is lost."""

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match=r"no room for .*replay.f32, 4,224 bytes \(No space"):
        train(SMALL, tmp_path, lambda step, row: None)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["config.json", "lock"]
    monkeypatch.undo()
    with pytest.raises(ZeroDivisionError):
        train(SMALL, tmp_path, lambda step, row: 1 / (100 - step))
    before = (tmp_path / "replay.f32").read_bytes()
    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="no room for"):
        train(SMALL, tmp_path, lambda step, row: None)
    assert (tmp_path / "replay.f32").read_bytes() == before


def test_a_second_process_is_refused(tmp_path):
    from sac_minimal.checkpoint import locked

    with locked(tmp_path), pytest.raises(ValueError, match="another process"):
        train(SMALL, tmp_path, lambda step, row: None)


def test_divergence_stops_and_keeps_the_last_good_checkpoint(tmp_path):
    good = tmp_path / "checkpoint.npz"

    def poison(step, row):
        if step == 90:
            kept.append(good.read_bytes())
            for p in loop[0].trained["critics"]:
                p.data.fill_(math.inf)

    kept, loop = [], []
    init = SAC.__init__

    def remember(self, *a):
        init(self, *a)
        loop[:] = [self]

    SAC.__init__ = remember
    try:
        with pytest.raises(Diverged, match="last good checkpoint"):
            train(SMALL, tmp_path, poison)
    finally:
        SAC.__init__ = init
    assert good.read_bytes() == kept[0]


def test_bad_checkpoints_are_refused(tmp_path):
    train(replace(SMALL, steps=30), tmp_path, lambda step, row: None)
    path = tmp_path / "checkpoint.npz"
    with np.load(path) as file:
        arrays = dict(file)
    import json
    import pickle

    def refused(words):
        with pytest.raises(ValueError, match=words):
            train(replace(SMALL, steps=30), tmp_path, lambda step, row: None)

    path.write_bytes(pickle.dumps({"a": 1}))
    refused("not a checkpoint: it is no archive")
    with path.open("wb") as file:
        np.save(file, np.zeros(3))
    refused("not a checkpoint: it is no archive")
    np.savez(path, a=np.zeros(3))
    refused("no entry json")
    np.savez(path, **{**arrays, "json": np.array("[]")})
    refused("json holds no names")
    for wrong in (np.full_like(arrays["actor.0"], np.nan), arrays["actor.0"].astype(str)):
        np.savez(path, **{**arrays, "actor.0": wrong})
        refused("actor.0 does not hold finite numbers")
    np.savez(path, **{**arrays, "rest.generator": arrays["rest.generator"][:9]})
    refused("not a checkpoint of this task")
    path.write_bytes(b"")
    refused("not a checkpoint")
    np.savez(path, **{k: v for k, v in arrays.items() if k != "actor.0"})
    refused("lacks actor.0")
    np.savez(path, **{**arrays, "actor.0": np.zeros((2, 2))})
    refused(r"shape \(2, 2\)")
    np.savez(path, **{**arrays, "json": np.array(json.dumps({"version": 9}))})
    refused("version 9")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--task", "Nowhere-v1"], "unknown task 'Nowhere-v1'"),
        (["--task", "PointMass", "--estimator", "gradient"], "not for a gaussian policy"),
        (["--task", "PointMass", "--estimator", "marginalized"], "not for a gaussian policy"),
        (["--task", "PointMass", "--policy", "categorical"], "has continuous actions"),
        (["--task", "PointMass", "--batch", "0"], "batch must be ≥ 1"),
        (["--task", "PointMass", "--replay", "100"], "replay must be ≥ batch, 256, got 100"),
        (["--task", "PointMass", "--gamma", "2"], "gamma must lie in"),
        (["--task", "PointMass", "--lr", "nan"], "lr must be a finite"),
        (["--resume", "nowhere"], "is not a run"),
        (["--task", "dm_control/nothing-v0"], "dm_control/nothing-v0"),
        (["--task", "PointMass", "--version", "td3", "--policy", "mixture"], "deterministic actor"),
        (["--task", "CartPole-v1", "--version", "ddpg"], "deterministic actor"),
        (["--task", "PointMass", "--version", "dqn"], "version dqn has no actor: discrete actions"),
        (["--task", "CartPole-v1", "--version", "dqn", "--alpha", "1"], "neither n nor a temper"),
        (["--task", "PointMass", "--version", "td3", "--n", "4"], "neither n nor a temperature"),
        (["--task", "PointMass", "--seed", "-1"], "seed must be ≥ 0"),
        (["--task", "PointMass", "--target-entropy", "nan"], "target_entropy must be a finite"),
        (["--task", "dm_control/lqr-lqr_2_1-v0"], "no run could go on"),
        (["--resume", "nowhere", "--steps", "5"], "no settings"),
    ],
)
def test_bad_input_gets_one_sentence(capsys, tmp_path, monkeypatch, arguments, words):
    if "-v" in " ".join(arguments):
        pytest.importorskip("gymnasium")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as exit_:
        main(["train", *arguments])
    err = capsys.readouterr().err
    assert exit_.value.code == 2
    assert words in err
    assert err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_train_evaluate_plot(capsys, tmp_path):
    run = str(tmp_path / "run")
    small = ["--hidden", "16", "--steps", "300", "--warmup", "50", "--eval-every", "100"]
    small += ["--threads", "1"]
    for arguments in (
        ["train", "--task", "FourWay", "--policy", "mixture", *small, "--run", run],
        ["evaluate", run, "--episodes", "3"],
        ["evaluate", run, "--episodes", "3", "--stochastic"],
        ["plot", run, "--out", str(tmp_path / "curve")],
        ["watch", run, "--steps", "5"],
        ["probe", run, "--states", "3", "--estimates", "300", "--through", "20", "--n", "2"],
    ):
        with pytest.raises(SystemExit) as exit_:
            main(arguments)
        assert exit_.value.code in (None, 0), capsys.readouterr().err
    out = capsys.readouterr().out
    assert out.count("over 3 episodes") == 2
    assert all(name in out for name in CATALOGUE[POLICIES["mixture"]])
    assert (tmp_path / "run" / "probe" / "figure.pdf").exists()
    actor = (tmp_path / "run" / "probe" / "actor.csv").read_text().splitlines()
    assert {row.partition(",")[0] for row in actor[1:]} == set(CATALOGUE[POLICIES["mixture"]])
    assert all(float(row.split(",")[1]) >= 0 for row in actor[1:])
    assert (tmp_path / "curve.png").exists()
    with Image.open(tmp_path / "run" / "watch.gif") as picture:
        assert picture.n_frames == 5


def test_point_mass_is_learned(tmp_path):
    """From ≈ 4 (random) to > 12 of 20 within 1800 steps, the seed fixed."""
    config = Config(
        task="PointMass",
        steps=1800,
        warmup=300,
        lr=1e-3,
        hidden=64,
        batch=128,
        eval_every=600,
        threads=1,
    )
    rows = train(config, tmp_path, lambda step, row: None)
    assert rows[-1]["return"] > 12


def test_goal_is_a_clock_and_a_hill():
    env = Goal([[0.0, 0.0]], start=0.0)
    env.reset(seed=0)
    results = [env.step(np.zeros(2)) for _ in range(20)]
    assert [r[3] for r in results] == [False] * 19 + [True]
    assert all(r[1] == 1.0 and not r[2] for r in results)


def test_bands_cover_the_interquartile_mean():
    """Of 8 values the middle 4; the band of equal seeds has no width; it holds the mean."""
    values = np.arange(8.0)[:, None] ** 2 @ np.ones((1, 2))
    assert interquartile_mean(values) == pytest.approx((4 + 9 + 16 + 25) / 4)
    low, high = bootstrap_band(values)
    assert (low < interquartile_mean(values)).all()
    assert (high > interquartile_mean(values)).all()
    low, high = bootstrap_band(np.ones((3, 2)))
    assert (low == 1).all()
    assert (high == 1).all()


def test_kept_checkpoints_are_those_of_a_shorter_run(tmp_path):
    """What stays of step 120 is, bit for bit, where a run of 120 steps ends."""
    long, short = tmp_path / "long", tmp_path / "short"
    train(replace(SMALL, steps=200, keep_every=60), long, lambda step, row: None)
    train(replace(SMALL, steps=120), short, lambda step, row: None)
    assert sorted(p.name for p in long.glob("checkpoint-*")) == [
        f"checkpoint-{s}.npz" for s in (120, 180, 60)
    ]
    assert fingerprint(saved_agent(long, at=120)) == fingerprint(saved_agent(short))
    with pytest.raises(ValueError, match="no checkpoint of step 100; it kept those of 60, 120"):
        saved_agent(long, at=100)


def test_a_run_without_its_replay_does_not_go_on(capsys, tmp_path):
    train(replace(SMALL, steps=60), tmp_path, lambda step, row: None)
    (tmp_path / "replay.f32").unlink()
    with pytest.raises(ValueError, match=r"replay.f32 is missing: what the run has seen is lost"):
        train(replace(SMALL, steps=60), tmp_path, lambda step, row: None)
    with pytest.raises(SystemExit) as exit_:
        main(["probe", str(tmp_path), "--states", "3"])
    assert exit_.value.code == 2
    assert "is missing" in capsys.readouterr().err
    assert not (tmp_path / "replay.f32").exists()


def test_what_failed_before_its_first_checkpoint_is_in_nobodys_way(tmp_path):
    """One action is too few for leave-one-out; the corrected run, its replay smaller, begins."""
    wrong = replace(SMALL, estimator="score_function_leave_one_out")
    with pytest.raises(ValueError, match="raise n"):
        train(wrong, tmp_path, lambda step, row: None)
    right = replace(wrong, n=2, replay=50)
    rows = train(right, tmp_path, lambda step, row: None)
    assert rows[-1]["step"] == 200
    assert Config.from_json((tmp_path / "config.json").read_text()) == right
    with pytest.raises(ValueError, match="another configuration"):
        train(wrong, tmp_path, lambda step, row: None)


def test_an_action_that_is_not_a_number_is_a_divergence(tmp_path):
    """The environment never sees it. The first checkpoint is far away, and that is said."""
    init = SAC.__init__

    def poisoned(self, *a):
        init(self, *a)
        self.trained["actor"][0].data.fill_(math.nan)

    SAC.__init__ = poisoned
    try:
        with pytest.raises(
            Diverged, match="step 40: the action is no longer finite; no checkpoint"
        ):
            train(replace(SMALL, checkpoint_every=300), tmp_path, lambda step, row: None)
    finally:
        SAC.__init__ = init


def test_discrete_actions_begin_where_their_space_begins():
    gymnasium = pytest.importorskip("gymnasium")
    env = make("CartPole-v1")
    seen = []

    class Shifted(gymnasium.ActionWrapper):
        action_space = gymnasium.spaces.Discrete(2, start=5)

        def action(self, a):
            seen.append(a)
            return a - 5

    from sac_minimal import envs

    original = gymnasium.make
    gymnasium.make = lambda *a, **k: Shifted(original(*a, **k))
    try:
        env = envs.Gym("CartPole-v1")
    finally:
        gymnasium.make = original
    env.reset(0)
    env.step(np.int64(0)), env.step(np.int64(1))
    assert seen == [5, 6]


@pytest.mark.parametrize("name", ["hidden", "task", "compile"])
def test_a_configuration_of_other_types_is_refused(name):
    import json

    data = json.loads(Config().to_json()) | {name: 16.5}
    with pytest.raises(
        ValueError, match=rf"{name} must be (int \| tuple\[int, ...\]|str|bool), got 16.5"
    ):
        Config.from_json(json.dumps(data))


def test_plot_tells_settings_from_seeds(capsys, tmp_path):
    """Runs that differ in n are two lines; a run counts once; metrics without rows are told."""
    base = replace(SMALL, estimator="score_function", steps=100)
    runs = []
    for i, config in enumerate([base, replace(base, seed=1), replace(base, n=8, threads=2)]):
        runs.append(tmp_path / str(i))
        train(config, runs[-1], lambda step, row: None)
    from nabla.runs.saved import labels, saved_config

    assert labels([saved_config(run) for run in runs]) == [
        "PointMass, n=1, score_function",
        "PointMass, n=1, score_function",
        "PointMass, n=8, score_function",
    ]
    for given, words in (
        ([runs[0], runs[0]], "given more than once"),
        ([tmp_path / "empty"], "does not hold a run's metrics"),
    ):
        (tmp_path / "empty").mkdir(exist_ok=True)
        (tmp_path / "empty" / "config.json").write_text(base.to_json())
        (tmp_path / "empty" / "metrics.csv").write_text("step,return\n")
        with pytest.raises(SystemExit) as exit_:
            main(["plot", *map(str, given), "--out", str(tmp_path / "figure.png")])
        assert exit_.value.code == 2
        assert words in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["plot", *map(str, runs), "--out", str(tmp_path / "figure.png")])
    assert sorted(p.name for p in tmp_path.glob("figure*")) == [
        f"figure.{suffix}" for suffix in ("pdf", "png", "svg")
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--n", "0"], "n must be ≥ 1"),
        (["--states", "1000000000"], "states must be ≤ 60"),
        (["--at", "55"], "it kept none (--keep-every)"),
    ],
)
def test_bad_probes_get_one_sentence(capsys, tmp_path, arguments, words):
    train(replace(SMALL, steps=60), tmp_path, lambda step, row: None)
    with pytest.raises(SystemExit) as exit_:
        main(["probe", str(tmp_path), *arguments])
    assert exit_.value.code == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("task", ["HalfCheetah-v5", "dm_control/cheetah-run-v0"])
def test_a_graphics_library_that_is_not_there_is_told(task):
    """MuJoCo loads it when it is imported: a process of its own."""
    pytest.importorskip("shimmy" if task.startswith("dm_control") else "mujoco")
    program = f"from sac_minimal.envs import make; make({task!r})"
    environment = os.environ | {"MUJOCO_GL": "none-such"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True
    )
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith(f"ValueError: cannot make {task} (")
    assert last.endswith("unset MUJOCO_GL=none-such, or install that library")
