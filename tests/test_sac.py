"""Soft Actor-Critic and its relatives: their gradients and targets are the textbook's."""

import copy
import math
import shutil
import warnings

import pytest
import torch
from scipy.stats import norm

from estimators import (
    CATALOGUE,
    POLICIES,
    Categorical,
    Gaussian,
    Noise,
    Objective,
    exact_gradient,
    measure,
    reparameterization,
    squash,
)
from estimators.compiled import Compiled
from sac_minimal.adam import Adam
from sac_minimal.config import Config, rows
from sac_minimal.envs import Space
from sac_minimal.lineage import DQN, make_agent
from sac_minimal.networks import forward, make_network, q_values
from sac_minimal.replay import Batch
from sac_minimal.sac import SAC

CONTINUOUS, DISCRETE = Space(3, 2, discrete=False), Space(3, 4, discrete=True)


def double_agent(space, **settings):
    agent = make_agent(Config(hidden=16, task="a test", **settings), space, Noise(0))
    for networks in (agent.trained, agent.targets):
        for name, network in networks.items():
            networks[name] = [p.detach().double().requires_grad_(p.requires_grad) for p in network]
    agent.optimisers = {k: Adam(p, 1e-3) for k, p in agent.trained.items()}
    return agent


class Plain:
    """θ ← θ − g, in place of Adam."""

    def __init__(self, parameters):
        self.parameters = parameters

    @torch.no_grad()
    def step(self, gradients):
        for p, g in zip(self.parameters, gradients, strict=True):
            p.sub_(g)


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
    actor, critics = agent.trained["actor"], agent.trained["critics"]
    loss = agent.estimator(policy, agent.objective(critics, b.obs), Noise(1)).mean()
    ours = torch.autograd.grad(loss, actor)
    mu, log_std = forward(agent.trained["actor"], b.obs).chunk(2, -1)
    u = mu + log_std.exp() * Noise(1).normal((1, *mu.shape), mu)[0]
    log_prob = torch.distributions.Normal(mu, log_std.exp()).log_prob(u).sum(-1)
    log_prob = log_prob - torch.log(1 - torch.tanh(u) ** 2).sum(-1)
    x = torch.cat([b.obs, torch.tanh(u)], -1)
    one, two = (
        (torch.relu(torch.relu(x @ w1[i] + c1[i]) @ w2[i] + c2[i]) @ w3[i] + c3[i])[:, 0]
        for i in range(2)
        for w1, c1, w2, c2, w3, c3 in [critics]
    )
    theirs = torch.autograd.grad((0.3 * log_prob - torch.minimum(one, two)).mean(), actor)
    for g, h in zip(ours, theirs, strict=True):
        torch.testing.assert_close(g, h, rtol=1e-12, atol=1e-12)


def test_discrete_actor_gradient_is_the_inner_product():
    agent, b = double_agent(DISCRETE, alpha=0.3), batch(DISCRETE)
    policy = agent.policy(b.obs)
    actor, critics = agent.trained["actor"], agent.trained["critics"]
    loss = agent.estimator(policy, agent.objective(critics, b.obs), Noise(1)).mean()
    ours = torch.autograd.grad(loss, actor)
    p = forward(agent.trained["actor"], b.obs).softmax(-1)
    q = forward(agent.trained["critics"], b.obs).amin(0)
    theirs = torch.autograd.grad((p * (0.3 * p.log() - q)).sum(-1).mean(), agent.trained["actor"])
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
    critics = [p.detach() for p in agent.trained["critics"]]
    one = squash(
        Objective(
            lambda a: q_values(forward, critics, obs, a[..., None, :], False).amin(0)[..., 0], 0.3
        )
    )
    exact = exact_gradient(policy, one)
    mine = CATALOGUE[POLICIES[kind]]
    names = [n for n, e in mine.items() if e.family in ("pathwise", "measure-valued")]
    for name in [*names, "score_function_leave_one_out", "score_function_value"]:
        report = measure(
            mine[name],
            policy,
            one,
            estimates=10_000,
            rng=Noise(0),
            exact=exact,
        )
        assert report.worst_z < norm.isf(1e-7 / 2 / report.size), name


def test_critic_target_is_the_soft_bellman_backup():
    """y = r + γ(1 − terminated)(min_i Q̄_i(s′, a′) − α log π(a′|s′)), and no gradient through y."""
    agent, b = double_agent(CONTINUOUS, alpha=0.3), batch(CONTINUOUS)
    agent.optimisers["critics"] = Plain(agent.trained["critics"])
    before = [p.detach().clone() for p in agent.trained["critics"]]
    loss = agent.critic_step(b, Noise(5))
    policy = agent.policy(b.next_obs).detach()
    u = policy.sample(1, Noise(5))[0]
    a = torch.tanh(u)
    log_prob = policy.log_prob(u[None])[0] - torch.log(1 - a**2).sum(-1)
    value = (
        q_values(forward, agent.targets["critics"], b.next_obs, a, False).amin(0) - 0.3 * log_prob
    )
    y = (b.reward + 0.99 * (1 - b.terminated) * value).detach()
    leaf = [p.clone().requires_grad_() for p in before]
    expected = ((q_values(forward, leaf, b.obs, b.action, False) - y) ** 2).mean(-1).sum() / 2
    torch.testing.assert_close(loss, expected.detach())
    for p, old, g in zip(
        agent.trained["critics"], before, torch.autograd.grad(expected, leaf), strict=True
    ):
        torch.testing.assert_close(p.detach(), old - g)


def test_steps_touch_only_their_own_parameters():
    agent, b, rng = double_agent(CONTINUOUS), batch(CONTINUOUS), Noise(1)
    for step, touched in (
        (lambda: agent.critic_step(b, rng), "critics"),
        (lambda: agent.actor_step(agent.policy(b.obs), b.obs, rng), "actor"),
        (lambda: agent.temperature_step(agent.policy(b.obs).detach(), rng), "log_alpha"),
    ):
        before = {k: [p.detach().clone() for p in v] for k, v in agent.trained.items()}
        step()
        for name, old in before.items():
            pairs = zip(agent.trained[name], old, strict=True)
            assert all(torch.equal(p, q) for p, q in pairs) == (name != touched)


@pytest.mark.parametrize("target", [-50.0, 50.0])
def test_temperature_moves_entropy_to_its_target(target):
    """Entropy above the target: α falls; below: it rises."""
    agent = double_agent(CONTINUOUS, target_entropy=target)
    before = float(agent.alpha)
    agent.temperature_step(agent.policy(batch(CONTINUOUS).obs).detach(), Noise(1))
    assert (float(agent.alpha) > before) == (target > 0)


def test_targets_are_a_moving_average():
    agent = double_agent(CONTINUOUS)
    agent.targets["critics"] = [torch.zeros_like(p) for p in agent.trained["critics"]]
    agent.target_step()
    agent.target_step()
    for t, p in zip(agent.targets["critics"], agent.trained["critics"], strict=True):
        torch.testing.assert_close(t, (1 - 0.995**2) * p.detach())


def test_adam_is_pytorch_s():
    """Both ways, for a tensor of each size, over 20 steps: float64, 1e-12."""
    generator = torch.Generator().manual_seed(0)
    network = make_network([3, 5, 1], generator, (2,))
    start = [p.detach().double() for p in network]
    ours, traced, theirs = ([p.clone().requires_grad_() for p in start] for _ in range(3))
    fused, formula = Adam(ours, 0.01), Adam(traced, 0.01)
    reference = torch.optim.Adam(theirs, lr=0.01)
    for _ in range(20):
        g = [torch.randn(p.shape, generator=generator, dtype=p.dtype) for p in start]
        fused.step(g)
        with torch.no_grad():
            formula._traced(g)
        for p, x in zip(theirs, g, strict=True):
            p.grad = x
        reference.step()
    for a, b, c in zip(ours, traced, theirs, strict=True):
        torch.testing.assert_close(a, c, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(b, c, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("policy", POLICIES)
def test_every_estimator_drives_the_actor(policy):
    space = DISCRETE if policy == "categorical" else CONTINUOUS
    b = batch(space)
    b = Batch(*(x.float() if x.is_floating_point() else x for x in b))
    for name in rows(policy):
        for squashed in (True, False):
            config = Config(policy=policy, estimator=name, n=2, hidden=16, squash=squashed)
            agent = make_agent(config, space, Noise(0))
            actor = agent.trained["actor"]
            before = [p.detach().clone() for p in actor]
            agent.update(b, True, Noise(1))
            moved = [not torch.equal(p, q) for p, q in zip(actor, before, strict=True)]
            assert all(moved), name
            assert all(p.isfinite().all() for p in actor), name


def test_what_a_bounded_policy_does_is_not_squashed():
    """The density of a Beta's action is the environment's: the soft value of Q = 0 is αH."""
    agent = make_agent(Config(policy="beta", hidden=16), CONTINUOUS, Noise(0))
    assert not agent.squash
    obs = torch.randn(4000, CONTINUOUS.observations, generator=Noise(3).generator)
    policy, nothing = agent.policy(obs), [0 * p for p in agent.trained["critics"]]
    off = (agent.soft_value(nothing, obs, Noise(1)) - agent.alpha * policy.entropy()).detach()
    assert float(off.mean().abs()) < 5 * float(off.std()) / 4000**0.5
    assert agent.act(obs, Noise(2)).abs().max() <= 1
    assert agent.central(obs).abs().max() < 1


@pytest.mark.parametrize("version", ["1", "2", "ddpg", "td3"])
def test_every_version_updates_what_it_has(version):
    b = Batch(*(x.float() for x in batch(CONTINUOUS)))
    agent = make_agent(Config(version=version, hidden=16), CONTINUOUS, Noise(0))
    before = {k: [p.detach().clone() for p in v] for k, v in agent.trained.items()}
    agent.update(b, True, Noise(1))
    still = {k for k, v in before.items() if torch.equal(v[0], agent.trained[k][0])}
    assert still == {"log_alpha"}
    assert len(agent.trained["critics"][0]) == (1 if version in ("1", "ddpg") else 2)


def test_dqn_updates_its_critic_alone():
    b = batch(DISCRETE)
    agent = double_agent(DISCRETE, version="dqn")
    slow = agent.targets["critics"][0].clone()
    assert agent.trained.keys() == {"critics", "log_alpha"}
    agent.update(b, True, Noise(1))
    assert not torch.equal(agent.targets["critics"][0], slow)
    assert float(agent.alpha) == 0


def test_value_network_regresses_on_the_soft_value():
    """J_V = ½ mean (V(s) − (min_i Q_i(s, a) − α log π(a|s)))²; the critics' target is V̄(s′)."""
    agent, b = double_agent(CONTINUOUS, version="2", alpha=0.3), batch(CONTINUOUS)
    agent.optimisers = {k: Plain(v) for k, v in agent.trained.items()}
    critics, value = ([p.detach().clone() for p in agent.trained[k]] for k in ("critics", "value"))
    loss = agent.critic_step(b, Noise(5))
    policy = agent.policy(b.obs).detach()
    u = policy.sample(1, Noise(5))[0]
    a = torch.tanh(u)
    log_prob = policy.log_prob(u[None])[0] - torch.log(1 - a**2).sum(-1)
    target = q_values(forward, critics, b.obs, a, False).amin(0) - 0.3 * log_prob
    leaf = [p.clone().requires_grad_() for p in value]
    expected = ((forward(leaf, b.obs)[:, 0] - target) ** 2).mean() / 2
    for p, old, g in zip(
        agent.trained["value"], value, torch.autograd.grad(expected, leaf), strict=True
    ):
        torch.testing.assert_close(p.detach(), old - g)
    y = b.reward + 0.99 * (1 - b.terminated) * forward(value, b.next_obs)[:, 0]  # V̄ starts as V
    q = q_values(forward, critics, b.obs, b.action, False)
    torch.testing.assert_close(loss, ((q - y) ** 2).mean(-1).sum() / 2)


def test_deterministic_actor_is_the_limit_of_no_noise():
    """DDPG's gradient in μ against the actor's at α = 0 and σ → 0: the difference falls with σ."""
    agent, b = double_agent(CONTINUOUS, version="ddpg"), batch(CONTINUOUS)
    agent.optimisers["actor"] = Plain(agent.trained["actor"])
    before = [p.detach().clone() for p in agent.trained["actor"]]
    critics = [p.detach() for p in agent.trained["critics"]]
    errors = []
    for log_std in (-5.0, -10.0, -15.0):
        mu = forward(before, b.obs).requires_grad_()
        policy = Gaussian(mu, torch.full_like(mu, log_std))
        objective = squash(Objective(lambda a: q_values(forward, critics, b.obs, a, False)[0], 0.0))
        reparameterization(policy, objective, Noise(3)).mean().backward()
        leaf = [p.clone().requires_grad_() for p in before]
        noisy = torch.autograd.grad(forward(leaf, b.obs), leaf, grad_outputs=mu.grad)
        if not errors:
            agent.actor_step(agent.policy(b.obs), b.obs, Noise(0))
        exact = [p - q.detach() for p, q in zip(before, agent.trained["actor"], strict=True)]
        errors.append(max(float((g - e).abs().max()) for g, e in zip(noisy, exact, strict=True)))
    assert errors[0] > 10 * errors[1] > 100 * errors[2]
    assert errors[2] < 1e-6


class Soft(DQN):
    """SAC's target value for the best policy, π ∝ exp(Q̄/α)."""

    next_value = SAC.next_value

    def policy(self, obs):
        q = self.forward["critics"](self.targets["critics"], obs)[0]
        return Categorical(q / self.alpha)


def test_dqn_is_the_limit_of_no_temperature():
    """α log Σ exp(Q̄/α) lies above max Q̄ by no more than α log |A|, and the critics' gradients
    come together as α → 0."""
    b, errors = batch(DISCRETE), []
    for alpha in (1e-1, 1e-2, 1e-3):
        soft, hard = agents = [double_agent(DISCRETE, version="dqn") for _ in range(2)]
        soft.__class__, soft.fixed_alpha = Soft, alpha
        gap = soft.next_value(b, Noise(0)) - hard.next_value(b, Noise(0))
        assert (gap >= 0).all()
        assert (gap <= alpha * math.log(4)).all()
        steps = []
        for agent in agents:
            critics = agent.trained["critics"]
            before = [p.detach().clone() for p in critics]
            agent.optimisers["critics"] = Plain(critics)
            agent.critic_step(b, Noise(0))
            steps.append([p.detach() - q for p, q in zip(critics, before, strict=True)])
        errors.append(max(float((g - h).abs().max()) for g, h in zip(*steps, strict=True)))
    assert errors[0] > 5 * errors[1] > 25 * errors[2]
    assert errors[2] < 1e-3


def test_dqn_explores_with_the_rate_that_it_says():
    """ε-greedy: the likeliest action is the critic's best, all others have ε/|A|."""
    agent, b = double_agent(DISCRETE, version="dqn"), batch(DISCRETE)
    p = agent.policy(b.obs).logits.exp()
    best = agent.forward["critics"](agent.trained["critics"], b.obs)[0].argmax(-1)
    assert torch.equal(agent.central(b.obs), best)
    expected = torch.full((7, 4), 0.1 / 4).double()
    expected[torch.arange(7), best] += 0.9
    torch.testing.assert_close(p, expected)


def test_td3_smooths_the_target_action_and_delays_the_actor():
    agent, b = double_agent(CONTINUOUS, version="td3"), batch(CONTINUOUS, 300)
    target = torch.tanh(forward(agent.targets["actor"], b.next_obs))
    noise = (0.2 * Noise(7).normal((1, 300, 2), target)[0]).clamp(-0.5, 0.5)
    assert (noise.abs() == 0.5).any()
    q = q_values(
        forward, agent.targets["critics"], b.next_obs, (target + noise).clamp(-1, 1), False
    )
    torch.testing.assert_close(agent.next_value(b, Noise(7)), q.amin(0))
    assert Config(version="td3").delay == 2
    actor = [p.detach().clone() for p in agent.trained["actor"]]
    slow = [p.clone() for p in agent.targets["critics"]]
    agent.update(b, False, Noise(1))
    assert all(torch.equal(p, q) for p, q in zip(agent.trained["actor"], actor, strict=True))
    assert all(torch.equal(p, q) for p, q in zip(agent.targets["critics"], slow, strict=True))
    agent.update(b, True, Noise(1))
    assert not torch.equal(agent.trained["actor"][0], actor[0])


def test_bf16_changes_little():
    """Half precision between hidden layers alone: relative error of the values below 2⁻⁸."""
    agent, half = (double_agent(CONTINUOUS, bf16=b) for b in (False, True))
    b = batch(CONTINUOUS)
    q, rough = (x.q(x.trained["critics"], b.obs, b.action).detach() for x in (agent, half))
    error = float((q - rough).abs().max() / q.abs().max())
    assert 1e-6 < error < 2**-8
    shallow = make_network([3, 16, 1], torch.Generator().manual_seed(0))
    assert torch.equal(
        forward(shallow, b.obs.float(), torch.bfloat16), forward(shallow, b.obs.float())
    )


def test_compiled_updates_are_the_eager_ones():
    b = Batch(*(x.float() for x in batch(CONTINUOUS)))
    agents = [make_agent(Config(hidden=8), CONTINUOUS, Noise(0)) for _ in range(2)]
    fast = Compiled(lambda rng, *rest: agents[0].update(*rest, rng), torch.zeros(()))
    rngs = Noise(1), Noise(1)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(3):
            seen = fast(
                rngs[0],
                b,
                True,
                key=True,
                rehearse=lambda rng: copy.deepcopy(agents[0]).update(b, True, rng),
            )
            expected = agents[1].update(b, True, rngs[1])
    if shutil.which("g++") or shutil.which("clang++"):  # or the eager one would pass for it
        assert not [w for w in caught if "eager" in str(w.message)]
    torch.testing.assert_close(seen, expected)
    for name, network in agents[0].trained.items():
        for p, q in zip(network, agents[1].trained[name], strict=True):
            torch.testing.assert_close(p, q, rtol=1e-4, atol=1e-5)


def test_variance_in_the_actor_s_parameters_is_that_of_the_gradient():
    """Against autograd's gradients one by one; exact enumeration has none at all."""
    from nabla.runs.probing import Situation

    b = batch(DISCRETE)
    for name, zero in (("exact", True), ("score_function", False)):
        agent = double_agent(DISCRETE, estimator=name, alpha=0.3)
        objective = agent.objective([p.detach() for p in agent.trained["critics"]], b.obs)
        seen = Situation.of(agent, b.obs).parameter_variance(agent.estimator, 50, seed=2)
        rng, rows = Noise(2), []
        for _ in range(50):
            loss = agent.estimator(agent.policy(b.obs), objective, rng).mean()
            rows.append(
                torch.cat([g.flatten() for g in torch.autograd.grad(loss, agent.trained["actor"])])
            )
        expected = float(torch.stack(rows).var(0).sum())
        assert float(seen.mean) == pytest.approx(expected, rel=1e-9, abs=1e-28)
        assert (expected < 1e-28) == zero
