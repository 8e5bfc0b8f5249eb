"""Is the mean of a critic's target the soft Bellman backup?

    y = r + γ (1 − terminated) V(s′),   V(s′) = E_{a~π(·|s′)}[min_i Q̄_i(s′, a) − α log π(a|s′)]

A truncated episode is cut off, not over: its last state has a value. One next action is enough, as
its y has the right mean. Reference: Haarnoja et al. 2018b, Eq. 2–3 and §5; Pardo et al. 2018.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from estimators.checking.acting import Acting, expectation, measured_expectation
from estimators.checking.calling import asked
from estimators.checking.problem import problem
from estimators.checking.scalar_means import (
    PAIRED,
    ROUNDING,
    Demand,
    Found,
    Question,
    Rows,
    Slip,
    answer,
    require_deterministic,
    share_moving,
)
from estimators.checking.subjects import name_of
from estimators.checking.target_functions import KNOWN, Critics, Target, Transitions, draws_here
from estimators.checking.verdict import Verdict
from estimators.globals import preserved_globals
from estimators.noise import Noise
from estimators.policies import Policy, TooManyNodes, require_finite

OFFSETS = 0.0, 2.0, -3.0  # more next states, where the critics' values are ours to give
Critic = Callable[[Tensor], Tensor | Sequence[Tensor]]


def check_target(
    target: Callable[..., Tensor],
    policy: Policy,
    critics: Critic | Sequence[Critic],
    *,
    gamma: float,
    alpha: float = 0.2,
    box: tuple[Any, Any] | None = None,
    rng: Noise | None = None,
    budget: int | None = None,
    delta: float = 0.01,
    false_alarm: float = 1e-6,
    name: str = "",
) -> Verdict:
    """Whether E[target] is r + γ(1 − terminated)(E min Q̄ − α log π), for every kind of transition.

    target: called as it asks, by name (`target_functions`). policy: at the next state, or at four
    or more of them. critics: what the target critics say of next actions there, [..., *batch, d]
    -> [..., *batch]: one function, several, or one that returns a tuple. Where a target that asks
    for q2 is checked with one critic, a second one is made up. box: as in `check_temperature`; the
    critics see the actions in it. "undecided" also where the discounted value is next to nothing,
    so that nothing is seen of its factors. The rest is as in `check`.

    Raises TypeError on a target that cannot be called, ValueError on bad arguments.
    """
    require_finite(policy)
    if not 0 <= gamma <= 1:
        raise ValueError(f"gamma must lie in [0, 1], got {gamma}")
    if not (math.isfinite(alpha) and alpha >= 0):
        raise ValueError(f"alpha must be a finite number ≥ 0, got {alpha}")
    acting, name = Acting.of(policy, box), name or name_of(target)
    names = asked(target, KNOWN, ("reward",))
    demand = Demand(rng or Noise(0, policy.like.device), budget, delta, false_alarm)
    offsets = OFFSETS if draws_here(names) else OFFSETS[:1]
    transitions = Transitions.of(policy.batch.numel(), policy.like, offsets)
    values = _together(critics, twins="q2" in names, dtype=policy.like.dtype)
    called = Target(target, names, acting, values, alpha, gamma, transitions)
    with preserved_globals():

        def Q(a: Tensor) -> Tensor:
            return torch.stack(list(values(a))).amin(0)

        sound = problem(policy, acting.objective(Q, alpha), false_alarm / 2)
        kept = "a finite number for each transition, deterministic given its draws"
        return answer(name, sound, lambda: _question(called, name, delta), kept, demand)


def _together(critics: Critic | Sequence[Critic], twins: bool, dtype: torch.dtype) -> Critics:
    """All critics as one function that returns all their values."""
    each = [critics] if callable(critics) else list(critics)

    def values(a: Tensor) -> Sequence[Tensor]:
        said: list[Tensor] = []
        given = a.to(dtype) if a.is_floating_point() else a
        for critic in each:
            q = critic(given)
            said += [x.to(a) if a.is_floating_point() else x for x in _tuple(q)]
        if twins and len(said) == 1:
            wave = torch.sin(1 + 5 * (a.sum(-1) if a.ndim > said[0].ndim else a))
            said.append(said[0] + wave.to(said[0]))
        return said

    return values


def _tuple(q: Any) -> Sequence[Tensor]:
    return list(q) if isinstance(q, tuple | list) else [q]


@dataclass(frozen=True, eq=False)
class _Value:
    """Expectations over the next action, [p] each, of log π(a), log |da/du|, the critics' values,
    the least, the greatest and the mean of them; the errors of logarithms and of values."""

    log_prob: Tensor
    log_det: Tensor
    each: Tensor  # [p, critics]
    least: Tensor
    greatest: Tensor
    mean: Tensor
    errors: tuple[float, float]
    exact: bool

    @classmethod
    def of(cls, called: Target) -> "_Value":
        acting, t = called.acting, called.transitions

        def f(u: Tensor) -> Tensor:
            q = torch.stack(list(called.critics(acting.action(u))), -1)
            over = [q.amin(-1, True), q.amax(-1, True), q.mean(-1, True)]
            logs = torch.stack([acting.log_prob(u), acting.log_det(u)], -1)
            return torch.cat([logs, q, *over], -1).detach().double()

        exact = True
        try:
            value, error = expectation(acting.policy, f)
        except TooManyNodes:
            value, error = measured_expectation(acting.policy, f)
            exact = False
        states = value.cpu().reshape(-1, value.shape[-1])
        value = states.repeat(len(t.reward) // len(states), 1)
        logs, q = value[:, :2], value[:, 2:] + t.offset[:, None].cpu()
        errors = float(error[..., :2].max()), float(error[..., 2:].max())
        (log_prob, log_det), (least, greatest, mean) = logs.unbind(1), q[:, -3:].unbind(1)
        return cls(log_prob, log_det, q[:, :-3], least, greatest, mean, errors, exact)

    def on(self, parts: Tensor) -> "_Value":
        """The same over given draws, of log π(a) and values, [count, p, 1 + critics], alone."""
        log_prob, q = parts[..., 0].mean(0), parts[..., 1:]
        least, greatest, mean = q.amin(-1).mean(0), q.amax(-1).mean(0), q.mean((0, 2))
        nothing = torch.zeros_like(log_prob)
        return _Value(log_prob, nothing, q.mean(0), least, greatest, mean, (0.0, 0.0), True)


def _question(called: Target, name: str, delta: float) -> Question:
    """Raises Fault where the target does not keep its contract."""
    t, alpha, gamma = called.transitions, called.alpha, called.gamma
    value = _Value.of(called)
    reward, terminated, truncated = (
        x.double().cpu() for x in (t.reward, t.terminated, t.truncated)
    )
    backup = _Backup(reward, terminated, truncated, gamma)
    truth = backup(value.least - alpha * value.log_prob)

    def right(parts: Tensor) -> Tensor:  # [count, p, 1 + critics] -> [count, p]
        return backup((parts[..., 1:].amin(-1) - alpha * parts[..., 0]).double().cpu())

    other = Noise(45, t.reward.device)

    def draw(count: int, rng: Noise) -> Rows:
        if called.given_actions:
            parts = called.parts(count, rng)
            return called.of_parts(parts), right(parts), right(parts)
        y = called.of_own_draws(count, rng)
        return y, truth[None] if value.exact else right(called.parts(count, other)), y

    eps = require_deterministic(draw, "target", torch.finfo(called.acting.policy.like.dtype).eps)
    of_one = right(called.parts(2**12, Noise(44)))
    size = backup.reward.abs() + gamma * (value.each.abs().amax(1) + alpha * value.log_prob.abs())
    bootstraps = backup.terminated == 0

    def by_nodes() -> tuple[Tensor, Tensor]:
        if not called.given_actions:
            raise TooManyNodes("it draws next actions of its own: measured instead")
        mean, error = expectation(called.acting.policy, called.of_actions)
        return called.in_turn(mean), called.in_turn(error)

    def shy() -> str:
        soft = (gamma * (value.least - alpha * value.log_prob))[bootstraps].abs()
        if (soft > delta * of_one.std(0)[bootstraps] + 1e-9 * size[bootstraps]).any():
            return ""
        return (
            "the discounted soft value of the next state is next to nothing, so what is done to it "
            "does not show: give other critics, or another γ"
        )

    return Question(
        name=name,
        what="target",
        labels=t.labels,
        draw=draw,
        truth=truth if value.exact else None,
        error=gamma * (value.errors[1] + alpha * value.errors[0]) if value.exact else 0.0,
        slack=ROUNDING * eps * size,
        by_nodes=by_nodes,
        slips=lambda found: _slips(called, value, backup, found, ROUNDING * eps * size),
        forms={"": torch.ones_like(truth)},
        shy=shy,
        active=lambda: torch.where(bootstraps & (gamma > 0), share_moving(of_one), 1.0),
        rarest=called.acting.policy.rarest,
        paired=called.given_actions,
    )


@dataclass(frozen=True, eq=False)
class _Backup:
    """r + γ(1 − terminated)V: [..., p] -> [..., p]."""

    reward: Tensor
    terminated: Tensor
    truncated: Tensor
    gamma: float

    def __call__(
        self,
        value: Tensor,
        *,
        reward: Tensor | None = None,
        gamma: float | None = None,
        over: Tensor | None = None,
    ) -> Tensor:
        """over: what stands in the place of terminated."""
        reward = self.reward if reward is None else reward
        over = self.terminated if over is None else over
        return reward + (self.gamma if gamma is None else gamma) * (1 - over) * value


def _slips(
    called: Target, value: _Value, backup: _Backup, found: Found, rounding: Tensor
) -> tuple[Found, Sequence[Sequence[Slip]]]:
    """Those of known slips; and those with a number that is fitted to the mean. A target that is
    given actions is compared on the same ones, where a slip is what it is, draw by draw."""
    alpha = called.alpha
    if called.given_actions:
        parts = called.parts(PAIRED, Noise(46))
        value = value.on(parts.double().cpu())
        right = backup(value.least - alpha * value.log_prob)
        mean = called.of_parts(parts).double().mean(0).cpu()
        found = Found(mean, right, rounding, found.form)
    mean, error = found.mean, found.error
    soft = value.least - alpha * value.log_prob
    off = value.errors[1] + 3 * max(alpha, 1.0) * value.errors[0]
    known = [
        Slip(key, text, y, off)
        for wrong in (_of_masks(backup, value, soft, alpha), _of_value(called, backup, value))
        for key, (text, y) in wrong.items()
    ]

    def fitted(key: str, text: str, at: Callable[[float], Tensor]) -> Slip:
        """The number of a target that is linear in it, by least squares."""
        start, slope = at(0.0), at(1.0) - at(0.0)
        weight = error**-2
        size = float((weight * slope**2).sum())
        number = float((weight * slope * (mean - start)).sum()) / size
        said = f"{number:.4g} ± {size**-0.5:.1g}"
        return Slip(key, text.format(said), at(number), off)

    numbers = [
        fitted("another_gamma", "γ is taken as {}", lambda g: backup(soft, gamma=g)),
        fitted(
            "reward_scaled",
            "the reward is scaled by {}",
            lambda c: backup(soft, reward=c * backup.reward),
        ),
        fitted(
            "entropy_weight",
            "the entropy term has the weight {}, not α",
            lambda w: backup(value.least - w * value.log_prob),
        ),
    ]
    return found, (known, numbers)


def _of_masks(
    b: _Backup, value: _Value, soft: Tensor, alpha: float
) -> dict[str, tuple[str, Tensor]]:
    """What is done to the parts of the sum."""
    over, done = b.terminated, b.terminated.maximum(b.truncated)
    r, gamma, entropy = b.reward, b.gamma, -alpha * value.log_prob
    of_entropy = "the entropy term is added"
    return {
        "truncation_as_termination": (
            "truncation is treated as termination: (1 − done) in the place of (1 − terminated)",
            b(soft, over=done),
        ),
        "termination_forgotten": (
            "(1 − terminated) is forgotten: a state has a value after the end",
            b(soft, over=torch.zeros_like(over)),
        ),
        "truncation_for_termination": (
            "(1 − truncated) in the place of (1 − terminated)",
            b(soft, over=b.truncated),
        ),
        "sign_of_termination": (
            "terminated in the place of (1 − terminated)",
            b(soft, over=1 - over),
        ),
        "termination_of_reward": (
            "(1 − terminated) multiplies the reward, not the value",
            (1 - over) * r + gamma * soft,
        ),
        "termination_of_all": (
            "(1 − terminated) multiplies the reward too",
            (1 - over) * (r + gamma * soft),
        ),
        "entropy_after_the_end": (
            f"{of_entropy} outside (1 − terminated)",
            b(value.least) + gamma * entropy,
        ),
        "entropy_undiscounted": (
            f"{of_entropy} outside γ(1 − terminated)",
            b(value.least) + entropy,
        ),
        "gamma_forgotten": ("γ is forgotten", b(soft, gamma=1.0)),
        "gamma_twice": ("γ is applied twice", b(soft, gamma=gamma**2)),
        "gamma_of_reward": ("γ multiplies the reward too", gamma * r + b(soft, reward=0 * r)),
        "reward_forgotten": ("the reward is missing", b(soft, reward=0 * r)),
        "sign_of_reward": ("the reward has the wrong sign", b(soft, reward=-r)),
        "reward_clipped": ("the reward is clipped to [−1, 1]", b(soft, reward=r.clamp(-1, 1))),
        "sign_of_value": ("the value has the wrong sign", b(-soft)),
    }


def _of_value(called: Target, b: _Backup, value: _Value) -> dict[str, tuple[str, Tensor]]:
    """What stands in the place of V."""
    alpha, L, least = called.alpha, value.log_prob, value.least
    wrong = {
        "missing_entropy": ("the entropy term −α log π is missing", least),
        "sign_of_entropy": ("the entropy term has the wrong sign", least + alpha * L),
        "alpha_forgotten": ("α is forgotten (taken as 1)", least - L),
    }
    if called.acting.policy.dim > 1 and not called.given_actions:
        text = "log π is averaged over the action's entries, not summed"
        wrong["entropy_per_dimension"] = text, least - alpha * L / called.acting.policy.dim
    if called.acting.low is not None and not called.given_actions:
        D, tanh = value.log_det, "the log-determinant of tanh"
        wrong["log_det_forgotten"] = f"{tanh} is forgotten", least - alpha * (L + D)
        wrong["sign_of_log_det"] = f"{tanh} has the wrong sign", least - alpha * (L + 2 * D)
        wrong["log_det_twice"] = f"{tanh} is applied once too often", least - alpha * (L - D)
    critics = value.each.shape[1]
    if critics > 1:
        place = "in the place of the critics' minimum"
        wrong["maximum"] = f"the maximum {place}", value.greatest - alpha * L
        wrong["mean_of_critics"] = f"the mean {place}", value.mean - alpha * L
        for i in range(critics):
            text = f"critic {i + 1} alone {place}"
            wrong[f"one_critic_{i + 1}"] = text, value.each[:, i] - alpha * L
    return {key: (text, b(v)) for key, (text, v) in wrong.items()}
