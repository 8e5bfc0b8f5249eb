"""Is log_prob the density of what `sample` draws? Three identities that need nothing else.

    E_θ[∇_θ log π_θ(a)] = 0                            (a normaliser, a Jacobian)
    E_θ[f(a) π_θ'(a)/π_θ(a)] = E_θ'[f(a)]              (parameters that log_prob does not see)
    P_θ(a ∈ B) = ∫_B π_θ(a) da                         (anything, in boxes of few coordinates)

Each is tested on draws with a share of the false-alarm rate. A score function, an entropy and
every exact answer rest on them: where one fails, nothing can be said of an estimator.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from estimators.checking.faults import RAISED
from estimators.checking.sequential import Look, quantile, sequential
from estimators.gradients import flat_rows, labels, row_gradients, rows
from estimators.noise import Noise
from estimators.policies import Policy

BUDGET, CHUNK = 2**17, 2**13
DELTA = 0.02  # standard deviations of one draw
MISS = 1e-6
MOVE = 0.1  # of every parameter, for θ'
BOXES, MASS = 6, 0.05  # how many, and the share of actions in each
IN_BOX = 2**13  # points at which a box is integrated
MOST_COORDINATES = 3  # of a box that points can fill
TOO_SKEWED = 1.0  # standard errors of correction


def wrong_density(policy: Policy, rng: Noise, false_alarm: float) -> str | None:
    """The identity that fails, in words; None if none does. false_alarm: of all three."""
    share = false_alarm / 3
    for test in (_score, _importance, _boxes):
        try:
            if found := test(policy, rng, share):
                return found
        except RAISED:  # it lacks what the test needs: no gradient, a support that moves
            continue
    return None


def atoms(a: Tensor) -> Tensor:
    """Which coordinates are drawn from few values: [n, d] -> [d]."""
    return torch.tensor([len(x.unique()) <= len(x) // 2 for x in a.unbind(-1)])


def _sequential(
    draw: Callable[[int], Tensor], entries: int, slack: float, false_alarm: float
) -> Look:
    def three(count: int) -> tuple[Tensor, Tensor, Tensor]:
        return (draw(count),) * 3

    return sequential(
        three,
        slack=torch.full((entries,), slack, dtype=torch.float64),
        delta=DELTA,
        false_alarm=false_alarm,
        miss=MISS,
        budget=BUDGET,
        chunk=CHUNK,
        first=CHUNK,
    )


def _score(policy: Policy, rng: Noise, false_alarm: float) -> str | None:
    def score(count: int) -> Tensor:
        copies = rows(policy, count)
        a = copies.sample(1, rng)
        with torch.enable_grad():
            return flat_rows(row_gradients(copies.log_prob(a)[0], copies)).cpu()

    names = labels(policy.parameters())
    eps = torch.finfo(policy.like.dtype).eps
    look = _sequential(score, len(names), 64 * eps * float(score(64).abs().max()), false_alarm)
    if look.verdict != "biased":
        return None
    worst = int((look.mean.abs() / look.se.clamp(min=1e-300) * look.off).argmax())
    return (
        f"E ∇log π is {float(look.mean[worst]):+.4g} ± {float(look.se[worst]):.1g} for "
        f"{names[worst]}, and must be 0 (the normaliser or the determinant is missing, or has the "
        "wrong sign; or the support moves with the parameters)"
    )


def _importance(policy: Policy, rng: Noise, false_alarm: float) -> str | None:
    here = policy.detach()
    other = _moved(here)
    first = here.sample(CHUNK, rng)
    if not first.is_floating_point():
        return None
    centre, spread = first.mean(0), first.std(0) + torch.finfo(first.dtype).tiny

    def functions(a: Tensor) -> Tensor:  # bounded: [n, *batch, d] -> [n, F]
        z = torch.tanh((a - centre) / spread)
        return torch.cat([torch.ones_like(z[..., :1]), z, z * z], -1).flatten(1).double()

    def difference(count: int) -> Tensor:
        a, b = here.sample(count, rng), other.sample(count, rng)
        ratio = (other.log_prob(a) - here.log_prob(a)).exp().double()  # [n, *batch]
        if not ratio.isfinite().all():
            raise ValueError("the supports differ")
        each = functions(a).view(count, *ratio.shape[1:], -1) * ratio.unsqueeze(-1)
        return (each.flatten(1) - functions(b)).cpu()

    eps = torch.finfo(policy.like.dtype).eps
    look = _sequential(difference, difference(2).shape[1], 1e3 * eps, false_alarm)
    if look.verdict != "biased":
        return None
    return (
        f"with every parameter moved by {MOVE:g}, actions weighted by the ratio of the densities "
        "do not have the means of those that `sample` draws there (a parameter that only one of "
        "them sees?)"
    )


def _moved(policy: Policy) -> Policy:
    """θ', where the policy is another one: entry by entry another amount, or another share."""

    def moved(p: Tensor, share: bool) -> Tensor:
        by = torch.linspace(0.5 * MOVE, MOVE, p.numel()).to(p).view(p.shape)
        return p + by * (p if share else 1)

    try:
        other = policy.map(lambda p: moved(p, share=False))
        other.sample(1, Noise(9, policy.like.device))
    except ValueError:  # a triangle, a simplex
        other = policy.map(lambda p: moved(p, share=True))
    return other


@dataclass(frozen=True, eq=False)
class _Box:
    """About one action; equal to it in the coordinates that are atoms."""

    centre: Tensor  # [d]
    low: Tensor
    high: Tensor
    atom: Tensor  # [d], bool

    def holds(self, a: Tensor) -> Tensor:
        inside = (a >= self.low) & (a <= self.high)
        return torch.where(self.atom, a == self.centre, inside).all(-1)

    def points(self, count: int, rng: Noise) -> Tensor:
        u = rng.uniform((count, len(self.centre)), self.centre)
        return torch.where(self.atom, self.centre, self.low + u * (self.high - self.low))

    @property
    def volume(self) -> float:
        return float((self.high - self.low)[~self.atom].prod())


def _boxes(policy: Policy, rng: Noise, false_alarm: float) -> str | None:
    policy = policy.detach()
    states = policy.batch.numel()
    seen = policy.sample(BUDGET // 2, rng)  # [n, *batch, d]
    if len(policy.action) != 1:
        seen = seen.unsqueeze(-1)
    z = quantile(false_alarm / (2 * BOXES * states))
    for state, actions in enumerate(seen.reshape(len(seen), states, -1).unbind(1)):
        guide, counted = actions[: len(actions) // 8], actions[len(actions) // 8 :]
        for box in _about(guide):
            density = _density_in(policy, state, box, rng)
            if not density.isfinite().all():
                continue
            share = float(box.holds(counted).double().mean())
            mass, m = box.volume * density.double(), len(density)
            mean, sd = float(mass.mean()), float(mass.std()) if m > 1 else 0.0
            skew = float(((mass - mean) ** 3).mean()) / sd**3 if sd else 0.0
            if abs(skew) * (2 * z * z + 1) / (6 * math.sqrt(m)) > TOO_SKEWED:
                continue
            due = max(share, min(mean, 1.0))
            se = math.sqrt(due * (1 - min(due, 0.5)) / len(counted) + sd**2 / m)
            if abs(share - mean) > (z + 1) * se + 1e-6 * mean:
                return (
                    f"{share:.2%} of the actions that `sample` draws fall into a set to which "
                    f"log_prob gives {mean:.2%}"
                )
    return None


def _about(actions: Tensor) -> Iterator[_Box]:
    """Boxes about some of the actions, each with MASS of them or so."""
    atom = atoms(actions).to(actions.device)
    if int((~atom).sum()) > MOST_COORDINATES:
        return
    spread = actions.double().std(0).clamp(min=1e-300)
    edges = actions.amin(0), actions.amax(0)
    if not bool(atom.any()) and len(spread) > 1:
        cov = torch.corrcoef(actions.double().T)
        if float(torch.linalg.eigvalsh(cov)[0]) < 1e-6:  # on a simplex or a sphere
            return
    for centre in actions[:BOXES]:
        alike = (actions == centre)[:, atom].all(-1)
        far = ((actions - centre).abs() / spread)[:, ~atom]
        reach = far.amax(-1)[alike] if far.shape[1] else torch.zeros(int(alike.sum()))
        near = min(max(1, int(MASS * len(actions))), max(1, len(reach) // 2))
        r = reach.sort().values[near - 1].to(spread) * spread
        low = torch.maximum((centre - r).to(actions), edges[0])
        high = torch.minimum((centre + r).to(actions), edges[1])
        yield _Box(centre, low, high, atom)


def _density_in(policy: Policy, state: int, box: _Box, rng: Noise) -> Tensor:
    """exp log π at points in the box, for one state of the batch: [m]."""
    only_atoms = bool(box.atom.all())
    count = 1 if only_atoms else IN_BOX
    a = policy.sample(count, rng)  # actions of the other states
    points = box.points(count, rng) if a.is_floating_point() else box.centre[None]
    a = a.reshape(count, policy.batch.numel(), -1).clone()
    a[:, state] = points.to(a)
    log_prob = policy.log_prob(a.view(count, *policy.batch, *policy.action))
    return log_prob.reshape(count, -1)[:, state].exp()
