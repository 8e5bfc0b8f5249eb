"""Is the mean of a temperature loss's gradient entropy − target?

    J(log α) = E_π[−c (log π(a) + H̄)],   ∂J/∂log α = c' (H − H̄),   H = E_π[−log π(a)]

c = log α (then c' = 1) and c = α (then c' = α) are both in use, and both right: they have the same
sign and the same zero. Two temperatures tell which it is. Reference: Haarnoja et al. 2018b, §5.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from estimators.checking.acting import Acting, expectation, measured_expectation, out_of_reach
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
from estimators.checking.temperature_losses import KNOWN, Loss
from estimators.checking.verdict import Evidence, Verdict
from estimators.globals import preserved_globals
from estimators.noise import Noise
from estimators.policies import Policy, TooManyNodes, require_finite

FLOAT = torch.float64
SECOND = 2.5  # times α: the other temperature


def check_temperature(
    loss: Callable[..., Tensor],
    policy: Policy,
    *,
    target_entropy: float,
    alpha: float = 0.2,
    box: tuple[Any, Any] | None = None,
    rng: Noise | None = None,
    budget: int | None = None,
    delta: float = 0.01,
    false_alarm: float = 1e-6,
    name: str = "",
) -> Verdict:
    """Whether E[∂loss/∂log α] is H − H̄, or α(H − H̄), at α and at another temperature.

    loss: called as it asks, by name (`temperature_losses`). box: (low, high) where the actions are
    tanh u stretched to it, (−1, 1) for tanh alone: log π(a) has its log-determinant then; None
    where they are what the policy draws. A target entropy that no policy over these actions has is
    the problem's fault ("broken"); "undecided" also where the entropy is the target, so that a
    loss of the wrong sign would have the right mean. The rest is as in `check`.

    Raises TypeError on a loss that cannot be called, ValueError on bad arguments.
    """
    require_finite(policy)
    if not 0 < alpha < math.inf:
        raise ValueError(f"alpha must be positive and finite, got {alpha}")
    if not math.isfinite(target_entropy):
        raise ValueError(f"target_entropy must be a finite number, got {target_entropy}")
    acting, name = Acting.of(policy, box), name or name_of(loss)
    names = asked(loss, KNOWN, ("log_alpha", "params"))
    demand = Demand(rng or Noise(0, policy.like.device), budget, delta, false_alarm)
    alphas = torch.tensor([alpha, SECOND * alpha], dtype=torch.float64)
    called = Loss(loss, names, acting, target_entropy, alphas.log().to(policy.like))
    with preserved_globals():
        sound = _sound(acting, target_entropy, false_alarm / 2)
        kept = "finite, deterministic, a gradient for log α"
        return answer(name, sound, lambda: _question(called, name, delta), kept, demand)


def _sound(acting: Acting, target: float, false_alarm: float) -> tuple[Evidence, str | None]:
    policy = acting.policy
    if why := out_of_reach(target, acting.highest_entropy, policy.discrete):
        return Evidence("problem", "failed", why), "target_out_of_reach"

    def nothing(a: Tensor) -> Tensor:
        return policy.like.new_zeros(a.shape[: a.ndim - len(policy.action)])

    sound, fault = problem(policy, acting.objective(nothing, 1.0), false_alarm)
    if sound.outcome == "passed":
        sound = replace(sound, text="log π is finite, the target entropy within reach")
    return sound, fault


@dataclass(frozen=True, eq=False)
class _Entropy:
    """E[−log π(a)], E[−log π(u)], E[log |da/du|] and the error of all three."""

    of_a: float
    of_u: float
    log_det: float
    error: float
    exact: bool

    @classmethod
    def of(cls, acting: Acting) -> "_Entropy":
        def parts(u: Tensor) -> Tensor:
            of_u, log_det = -acting.policy.log_prob(u), acting.log_det(u)
            return torch.stack([of_u + log_det, of_u, log_det], -1).double()

        exact = True
        try:
            value, error = expectation(acting.policy, parts)
        except TooManyNodes:
            value, error = measured_expectation(acting.policy, parts)
            exact = False
        of_a, of_u, log_det = value.reshape(-1, 3).mean(0).tolist()
        return cls(of_a, of_u, log_det, float(error.max()), exact)


def _question(loss: Loss, name: str, delta: float) -> Question:
    """Raises Fault where the loss does not keep its contract."""
    alphas, entropy = loss.log_alphas.double().cpu().exp(), _Entropy.of(loss.acting)
    gap = entropy.of_a - loss.target_entropy
    log_prob = loss.log_prob(2**12, Noise(44)).double().cpu()
    size = float(log_prob.abs().mean()) + abs(loss.target_entropy)
    draw, slow = _rows(loss, gap if entropy.exact else None)
    require_deterministic(draw, "gradient", torch.finfo(loss.log_alphas.dtype).eps)

    def shy() -> str:
        if abs(gap) > max(delta * float(log_prob[:, 0].std()), 1e-9 * size):
            return ""
        return (
            f"the entropy, {entropy.of_a:.4g}, is the target, so a loss of the wrong sign would "
            "have the same mean: give another target entropy, or another policy"
        )

    return Question(
        name=name,
        what="gradient",
        labels=[f"log_alpha (α = {a:.3g})" for a in alphas.tolist()],
        draw=draw,
        truth=alphas.new_full((2,), gap) if entropy.exact else None,
        error=entropy.error if entropy.exact else 0.0,
        slack=_rounding(loss, log_prob, alphas),
        by_nodes=_averaged,
        slips=lambda found: _slips(loss, entropy, alphas, found),
        forms={"H − H̄, as of log α": torch.ones_like(alphas), "α(H − H̄), as of α": alphas},
        shy=shy,
        active=lambda: share_moving(log_prob[:, :1]).expand(2),
        rarest=1.0 if loss.given_log_prob else loss.acting.policy.rarest,
        paired=loss.given_log_prob,
        slow=slow,
    )


def _rounding(loss: Loss, log_prob: Tensor, alphas: Tensor) -> Tensor:
    eps = torch.finfo(loss.log_alphas.dtype).eps
    size = float(log_prob.abs().mean()) + abs(loss.target_entropy)
    return ROUNDING * eps * size * alphas.clamp(min=1.0)


def _averaged() -> tuple[Tensor, Tensor]:
    raise TooManyNodes("a loss averages over actions: measured instead")


def _rows(loss: Loss, gap: float | None) -> tuple[Callable[[int, Noise], Rows], str]:
    """gap: H − H̄, where it is exact."""

    def right(log_prob: Tensor) -> Tensor:  # [count, batch] -> [count, 2], for both temperatures
        return (-log_prob.mean(1) - loss.target_entropy)[:, None].expand(-1, 2)

    if loss.given_log_prob:
        of_log_prob, slow = loss.of_log_prob()

        def paired(count: int, rng: Noise) -> Rows:
            log_prob = loss.log_prob(count, rng)
            return of_log_prob(log_prob), right(log_prob), right(log_prob[:, :1])

        return paired, slow
    own, slow = loss.of_own_draws()
    other = Noise(45, loss.log_alphas.device)

    def beside(count: int, rng: Noise) -> Rows:
        numbers, log_prob = own(count, rng), loss.log_prob(count, other)
        truth = right(log_prob) if gap is None else log_prob.new_full((1, 2), gap, dtype=FLOAT)
        return numbers, truth, math.sqrt(loss.actions) * numbers

    return beside, slow


def _slips(
    loss: Loss, entropy: _Entropy, alphas: Tensor, found: Found
) -> tuple[Found, Sequence[Sequence[Slip]]]:
    """Those of known slips, in either form; and what a number that is fitted says. A loss that is
    given log π is compared on the same actions, where a slip is what it is, draw by draw."""
    forms = (torch.ones_like(alphas), alphas)
    if loss.given_log_prob:
        log_prob = loss.log_prob(PAIRED, Noise(46))
        mean = loss.of_log_prob()[0](log_prob).double().mean(0).cpu()
        entropy = replace(entropy, of_a=-float(log_prob.double().mean()), error=0.0)
        right = found.form * (entropy.of_a - loss.target_entropy)
        found = Found(mean, right, _rounding(loss, log_prob, alphas), found.form)
    mean, error = found.mean, found.error
    wrong = _wrong(loss, entropy)
    known = [
        Slip(key, text, c * number, c * 8 * entropy.error)
        for c in forms
        for key, (number, text) in wrong.items()
    ]
    fitted = []
    for c in forms:
        weight = (c / error) ** 2
        number = float((weight * mean / c).sum() / weight.sum())
        se, gap = float(weight.sum()) ** -0.5, entropy.of_a - loss.target_entropy
        text = f"the mean is {number / gap:.4g} ± {abs(se / gap):.1g} times the right one"
        fitted.append(Slip("factor", text, c * number))
        text = f"the target entropy is taken as {entropy.of_a - number:.4g} ± {se:.1g}"
        fitted.append(Slip("another_target", text, c * number))
    return found, (known, fitted)


def _wrong(loss: Loss, entropy: _Entropy) -> dict[str, tuple[float, str]]:
    """What each slip has in the place of H − H̄."""
    H, H_u, log_det, target = entropy.of_a, entropy.of_u, entropy.log_det, loss.target_entropy
    acting, d = loss.acting, loss.acting.policy.dim
    step = "; sign and zero are right, the size of the step is not"
    wrong = {
        "sign": (target - H, "the gradient has the wrong sign: a minus too few, or too many"),
        "sign_of_target": (H + target, "the target entropy has the wrong sign"),
        "sign_of_entropy": (-H - target, "log π has the wrong sign"),
        "target_forgotten": (H, "the target entropy is missing"),
        "missing_entropy": (-target, "log π is missing"),
    }
    if loss.given_log_prob:
        batch = loss.log_prob(1, Noise(0)).shape[1]
        text = f"a sum over the batch in the place of a mean{step}"
        wrong["factor_n"] = batch * (H - target), text
    elif acting.low is not None and acting.high is not None:
        tanh = "the log-determinant of tanh"
        wrong["log_det_forgotten"] = H_u - target, f"{tanh} is forgotten"
        wrong["sign_of_log_det"] = H_u - log_det - target, f"{tanh} has the wrong sign"
        wrong["log_det_twice"] = H + log_det - target, f"{tanh} is applied once too often"
        if stretch := float(((acting.high - acting.low) / 2).log().sum()):
            text = "log π is that of tanh u, not of the action in its range"
            wrong["range_forgotten"] = H - stretch - target, text
    if d > 1:
        wrong["target_per_dimension"] = H - target / d, "the target is that of one entry"
    if d > 1 and not loss.given_log_prob:
        text = "log π is averaged over the action's entries, not summed"
        wrong["entropy_per_dimension"] = H / d - target, text
    if acting.policy.discrete:
        count = len(acting.policy.nodes()[0])
        text = f"a mean over the {count} actions in the place of a sum{step}"
        wrong["factor_1/n"] = (H - target) / count, text
    return wrong
