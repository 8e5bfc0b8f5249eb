"""Soft Actor-Critic: its gradients are the textbook's, and its runs survive being killed."""

import math
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import norm

from estimators import CATALOGUE, Noise, Objective, exact_gradient, measure, squash
from nabla.cli import main
from sac_minimal.config import KINDS, Config
from sac_minimal.envs import Goal, make
from sac_minimal.networks import forward, q_values
from sac_minimal.replay import Replay
from sac_minimal.sac import SAC, Batch, Space
from sac_minimal.train import Diverged, fingerprint, train

CONTINUOUS, DISCRETE = Space(3, 2, discrete=False), Space(3, 4, discrete=True)
SMALL = Config(task="PointMass", hidden=16, batch=32, warmup=40, steps=200, replay=100)
SMALL = replace(SMALL, eval_every=100, checkpoint_every=30, eval_episodes=1, threads=1)


def double_agent(space, **settings):
    agent = SAC(Config(hidden=16, task="a test", **settings), space)
    for network in (agent.actor, agent.critics, agent.targets):
        for i, p in enumerate(network):
            network[i] = p.detach().double().requires_grad_()
    return agent


def batch(space, size=7):
    rng = torch.Generator().manual_seed(0)
    obs, next_obs = torch.randn(2, size, 3, generator=rng, dtype=torch.float64)
    a = torch.rand(size, space.actions, generator=rng, dtype=torch.float64) * 2 - 1
    if space.discrete:
        a = torch.randint(space.actions, (size,), generator=rng)
    reward = torch.randn(size, generator=rng, dtype=torch.float64)
    return Batch(obs, a, reward, next_obs, (torch.arange(size) % 3 == 0).double())


def test_default_actor_gradient_is_the_textbook_loss():
    """∇ mean[α log π(a|s) − min_i Q_i(s, a)], a = tanh(μ + σε), by torch.distributions: 1e-12."""
    agent, b = double_agent(CONTINUOUS, alpha=0.3), batch(CONTINUOUS)
    policy = agent.policy(b.obs)
    loss = agent.estimator(policy, agent.objective(agent.critics, b.obs), Noise(1), n=1).mean()
    ours = torch.autograd.grad(loss, agent.actor)
    mu, log_std = forward(agent.actor, b.obs).chunk(2, -1)
    u = mu + log_std.exp() * Noise(1).normal((1, *mu.shape), mu)[0]
    log_prob = torch.distributions.Normal(mu, log_std.exp()).log_prob(u).sum(-1)
    log_prob = log_prob - torch.log(1 - torch.tanh(u) ** 2).sum(-1)
    x = torch.cat([b.obs, torch.tanh(u)], -1)
    one, two = (
        (torch.relu(torch.relu(x @ w1[i] + c1[i]) @ w2[i] + c2[i]) @ w3[i] + c3[i])[:, 0]
        for i in range(2)
        for w1, c1, w2, c2, w3, c3 in [agent.critics]
    )
    theirs = torch.autograd.grad((0.3 * log_prob - torch.minimum(one, two)).mean(), agent.actor)
    for g, h in zip(ours, theirs, strict=True):
        torch.testing.assert_close(g, h, rtol=1e-12, atol=1e-12)


def test_discrete_actor_gradient_is_the_inner_product():
    agent, b = double_agent(DISCRETE, alpha=0.3), batch(DISCRETE)
    policy = agent.policy(b.obs)
    loss = agent.estimator(policy, agent.objective(agent.critics, b.obs), Noise(1), n=1).mean()
    ours = torch.autograd.grad(loss, agent.actor)
    p = forward(agent.actor, b.obs).softmax(-1)
    q = forward(agent.critics, b.obs).amin(0)
    theirs = torch.autograd.grad((p * (0.3 * p.log() - q)).sum(-1).mean(), agent.actor)
    for g, h in zip(ours, theirs, strict=True):
        torch.testing.assert_close(g, h, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", ["gaussian", "mixture"])
def test_estimators_agree_in_expectation_on_a_critic(kind):
    """Reparameterized, marginalised, nabla-log, measure-valued at a state of a frozen critic, in
    one action dimension. False alarm 1e-7 each; detects 0.05 standard deviations."""
    space = Space(3, 1, discrete=False)
    agent = double_agent(space, policy=kind, components=2, alpha=0.3)
    obs = batch(space).obs[:1]
    policy = agent.policy(obs).detach().map(lambda p: p[0])
    critics = [p.detach() for p in agent.critics]
    one = squash(
        Objective(lambda a: q_values(critics, obs, a[..., None, :], False).amin(0)[..., 0], 0.3)
    )
    exact = exact_gradient(policy, one)
    names = [n for n in CATALOGUE[KINDS[kind]] if n.startswith(("repar", "implicit", "measure"))]
    for name in [*names, "score_function_leave_one_out", "score_function_value"]:
        report = measure(
            CATALOGUE[KINDS[kind]][name], policy, one, estimates=10_000, rng=Noise(0), exact=exact
        )
        assert report.worst_z < norm.isf(1e-7 / 2 / report.size), name


def test_critic_target_is_the_soft_bellman_backup():
    """y = r + γ(1 − terminated)(min_i Q̄_i(s′, a′) − α log π(a′|s′)), and no gradient through y."""
    agent, b = double_agent(CONTINUOUS, alpha=0.3), batch(CONTINUOUS)
    agent.optimisers["critics"] = torch.optim.SGD(agent.critics, lr=1.0)
    before = [p.detach().clone() for p in agent.critics]
    agent.rng = Noise(5)
    loss = agent.critic_step(b)
    policy = agent.policy(b.next_obs).detach()
    u = policy.sample(1, Noise(5))[0]
    a = torch.tanh(u)
    log_prob = policy.log_prob(u[None])[0] - torch.log(1 - a**2).sum(-1)
    value = q_values(agent.targets, b.next_obs, a, False).amin(0) - 0.3 * log_prob
    y = (b.reward + 0.99 * (1 - b.terminated) * value).detach()
    leaf = [p.clone().requires_grad_() for p in before]
    expected = ((q_values(leaf, b.obs, b.action, False) - y) ** 2).mean(-1).sum() / 2
    torch.testing.assert_close(loss, expected.detach())
    for p, old, g in zip(agent.critics, before, torch.autograd.grad(expected, leaf), strict=True):
        torch.testing.assert_close(p.detach(), old - g)


def test_steps_touch_only_their_own_parameters():
    agent, b = double_agent(CONTINUOUS), batch(CONTINUOUS)
    agent.optimisers = {k: torch.optim.SGD(p, lr=0.1) for k, p in agent.parameters().items()}
    for step, touched in (
        (agent.critic_step, "critics"),
        (agent.actor_step, "actor"),
        (agent.temperature_step, "log_alpha"),
    ):
        before = {k: [p.detach().clone() for p in v] for k, v in agent.parameters().items()}
        step(b)
        for name, old in before.items():
            same = all(
                torch.equal(p, q) for p, q in zip(agent.parameters()[name], old, strict=True)
            )
            assert same == (name != touched)


@pytest.mark.parametrize("target", [-50.0, 50.0])
def test_temperature_moves_entropy_to_its_target(target):
    """Entropy above the target: α falls; below: it rises."""
    agent = SAC(Config(hidden=16, target_entropy=target), CONTINUOUS)
    before = float(agent.alpha)
    agent.temperature_step(Batch(*(x.float() for x in batch(CONTINUOUS))))
    assert (float(agent.alpha) > before) == (target > 0)


def test_targets_are_a_moving_average():
    agent = double_agent(CONTINUOUS)
    agent.targets = [torch.zeros_like(p) for p in agent.critics]
    agent.target_step()
    agent.target_step()
    for t, p in zip(agent.targets, agent.critics, strict=True):
        torch.testing.assert_close(t, (1 - 0.995**2) * p.detach())


@pytest.mark.parametrize("policy", ["gaussian", "mixture", "categorical"])
def test_every_estimator_drives_the_actor(policy):
    space = DISCRETE if policy == "categorical" else CONTINUOUS
    b = batch(space)
    b = Batch(*(x.float() if x.is_floating_point() else x for x in b))
    for name in CATALOGUE[KINDS[policy]]:
        for squashed in (True, False):
            config = Config(policy=policy, estimator=name, n=2, hidden=16, squash=squashed)
            agent = SAC(config, space)
            before = [p.detach().clone() for p in agent.actor]
            agent.update(b)
            moved = [not torch.equal(p, q) for p, q in zip(agent.actor, before, strict=True)]
            assert all(moved), name
            assert all(p.isfinite().all() for p in agent.actor), name


def test_a_time_limit_is_no_termination(tmp_path):
    """PointMass ends by its clock alone: its transitions must all keep the next value."""
    train(replace(SMALL, steps=100), tmp_path, lambda step, row: None)
    rows = np.memmap(tmp_path / "replay.f32", np.float32).reshape(-1, 8)[:100]
    assert (rows[:, -1] == 0).all()
    assert np.abs(rows[:, :2]).max() > 0


def test_replay_keeps_what_a_checkpoint_needs(tmp_path):
    """`slack` rows after a checkpoint leave its newest `capacity` transitions alone."""
    replay = Replay(tmp_path / "r", Space(1, 1, discrete=False), capacity=10, slack=4)
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
    agent = SAC(config, make(config.task).space)
    from sac_minimal.checkpoint import load

    rest = load(run / "checkpoint.npz", agent)
    return rest["step"], fingerprint(agent), (run / "metrics.csv").read_text()


@pytest.mark.parametrize("task", ["PointMass", "Pendulum-v1", "HalfCheetah-v5", "CartPole-v1"])
def test_killed_and_resumed_runs_end_bit_for_bit_the_same(tmp_path, task):
    """A real process, killed with SIGKILL three times at moments of its own, then finished."""
    if "-v" in task:
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


def test_a_second_process_is_refused(tmp_path):
    from sac_minimal.checkpoint import locked

    with locked(tmp_path), pytest.raises(ValueError, match="another process"):
        train(SMALL, tmp_path, lambda step, row: None)


def test_divergence_stops_and_keeps_the_last_good_checkpoint(tmp_path):
    good = tmp_path / "checkpoint.npz"

    def poison(step, row):
        if step == 90:
            kept.append(good.read_bytes())
            for p in loop[0].critics:
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
    refused("not a checkpoint")
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
        (["--task", "FrozenLake-v1"], "observations must be a flat Box"),
        (["--task", "PointMass", "--batch", "0"], "batch must be ≥ 1"),
        (["--task", "PointMass", "--gamma", "2"], "gamma must lie in"),
        (["--task", "PointMass", "--lr", "nan"], "lr must be a finite"),
        (["--resume", "nowhere"], "is not a run"),
    ],
)
def test_bad_input_gets_one_sentence(capsys, tmp_path, monkeypatch, arguments, words):
    if "-v1" in " ".join(arguments):
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
    for arguments in (
        ["train", "--task", "FourWay", "--policy", "mixture", *small, "--run", run],
        ["evaluate", run, "--episodes", "3"],
        ["evaluate", run, "--episodes", "3", "--stochastic"],
        ["plot", run, "--out", str(tmp_path / "curve")],
        ["probe", run, "--states", "3", "--estimates", "300", "--through", "20", "--n", "2"],
    ):
        with pytest.raises(SystemExit) as exit_:
            main(arguments)
        assert exit_.value.code in (None, 0), capsys.readouterr().err
    out = capsys.readouterr().out
    assert out.count("over 3 episodes") == 2
    assert all(name in out for name in CATALOGUE[KINDS["mixture"]])
    assert (tmp_path / "run" / "probe" / "figure.pdf").exists()
    assert (tmp_path / "curve.png").exists()


def test_variance_in_the_actor_s_parameters_is_that_of_the_gradient():
    """Against autograd's gradients one by one; exact enumeration has none at all."""
    from nabla.probe import parameter_variance

    b = batch(DISCRETE)
    for name, zero in (("exact", True), ("score_function", False)):
        agent = double_agent(DISCRETE, estimator=name, alpha=0.3)
        objective = agent.objective([p.detach() for p in agent.critics], b.obs)
        seen = parameter_variance(agent, agent.estimator, objective, b.obs, 50, seed=2)
        rng, rows = Noise(2), []
        for _ in range(50):
            loss = agent.estimator(agent.policy(b.obs), objective, rng).mean()
            rows.append(torch.cat([g.flatten() for g in torch.autograd.grad(loss, agent.actor)]))
        expected = float(torch.stack(rows).var(0).sum())
        assert float(seen.mean) == pytest.approx(expected, rel=1e-9, abs=1e-28)
        assert (expected < 1e-28) == zero


def test_point_mass_is_learned(tmp_path):
    """From ≈ 4 (random) to > 12 of 20 within 1800 steps, the seed fixed."""
    config = Config(
        task="PointMass", steps=1800, warmup=300, lr=1e-3, hidden=64, batch=128, eval_every=600
    )
    rows = train(config, tmp_path, lambda step, row: None)
    assert rows[-1]["return"] > 12


def test_goal_is_a_clock_and_a_hill():
    env = Goal([[0.0, 0.0]], start=0.0)
    env.reset(seed=0)
    results = [env.step(np.zeros(2)) for _ in range(20)]
    assert [r[3] for r in results] == [False] * 19 + [True]
    assert all(r[1] == 1.0 and not r[2] for r in results)
