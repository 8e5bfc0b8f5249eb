"""A pathwise estimator moves actions along a field; probability must flow with it.

    ∂_θ log π(a) + v·∇_a log π(a) + ∇_a·v = 0,   v(a) = ∂f_θ(ε)/∂θ at f_θ(ε) = a

is the continuity equation: E_π[∇Q·v] = ∇E_π[Q] for every smooth Q with a finite mean if and only
if it holds (integrate by parts). Nothing here is random but the points. Reference: Jankowiak and
Obermeyer 2018, §2. It applies to estimators that are the path derivative of the cost and nothing
else, whose action is a function of as many normal draws as it has coordinates; categories may
choose between branches, as long as the field does not depend on the branch.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from estimators.checking.probe import Probe
from estimators.gradients import Estimator, Gradient, row_gradients, rows
from estimators.noise import Noise
from estimators.objective import Objective
from estimators.policies import Policy

POINTS = 32
STEP = 1e-4  # of the central differences in ε: their error is STEP²
TOLERANCE = 1e-5  # of a residual, relative to its largest term


@dataclass(frozen=True, eq=False)
class Field:
    """The residual of the continuity equation and its largest term, by parameter, [points, …]."""

    residual: Gradient
    scale: Gradient

    @property
    def worst(self) -> tuple[str, float]:
        """The parameter with the largest residual, relative to the largest term."""
        relative = {
            k: float(r.abs().max()) / max(float(self.scale[k].max()), 1e-300)
            for k, r in self.residual.items()
        }
        return max(relative.items(), key=lambda item: item[1])


class NoField(Exception):
    """The estimator is no plain path derivative; says why."""


class _Fixed(Noise):
    """Hands out the same ε (and the same category) whatever is asked for."""

    def __init__(self, eps: Tensor, k: int) -> None:
        self.eps, self.k, self.categories = eps, k, 0

    def normal(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        if shape != self.eps.shape:
            raise NoField("its normal draws are not one for each coordinate of the action")
        return self.eps

    def uniform(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        raise NoField("it draws uniform numbers")

    def categorical(self, weights: Tensor, shape: tuple[int, ...]) -> Tensor:
        if shape != self.eps.shape[:-1]:
            raise NoField("its categories are not one for each action")
        self.categories = weights.shape[-1]
        return torch.full(shape, self.k)


def field(estimator: Estimator, policy: Policy, rng: Noise) -> Field:
    """The continuity equation at random points. Raises NoField where it does not apply."""
    policy = policy.detach().map(torch.Tensor.double)
    if policy.batch:
        policy = policy.map(lambda p: p.flatten(0, len(policy.batch) - 1)[0])
    if policy.discrete:
        raise NoField("its actions are discrete")
    eps = rng.normal((1, POINTS, policy.dim), policy.like)
    noise = _Fixed(eps, 0)
    a, _ = _action(estimator, policy, noise)
    _plain_path(estimator, policy, noise)
    _one_field(estimator, policy, eps, a, noise.categories)
    moved = [_at(estimator, policy, eps + step) for step in _steps(eps)]
    da = torch.stack([(p[0] - m[0]) / (2 * STEP) for p, m in zip(*_halves(moved), strict=True)], 1)
    inverse = torch.linalg.inv(da)  # [points, j (of ε), i (of a)] -> ∂ε_j/∂a_i, transposed alike
    leaf = rows(policy, POINTS)
    point = a.detach().requires_grad_()
    with torch.enable_grad():
        log_prob = leaf.log_prob(point)
        (slope,) = torch.autograd.grad(log_prob.sum(), point, retain_graph=True)  # [points, d]
        score = row_gradients(log_prob, leaf)
    v = _at(estimator, policy, eps)[1]
    residual, scale = {}, {}
    for name, s in score.items():
        flow = torch.einsum("pi...,pi->p...", v[name], slope)
        dv = torch.stack(
            [(p[1][name] - m[1][name]) / (2 * STEP) for p, m in zip(*_halves(moved), strict=True)],
            1,
        )  # [points, j, i, …]
        divergence = torch.einsum("pji...,pij->p...", dv, inverse)
        residual[name] = s + flow + divergence
        scale[name] = s.abs().maximum(flow.abs()).maximum(divergence.abs())
    return Field(residual, scale)


def _steps(eps: Tensor) -> list[Tensor]:
    """+STEP along each coordinate of ε, then −STEP."""
    unit = STEP * torch.eye(eps.shape[-1], dtype=eps.dtype)
    return [*unit, *(-unit)]


def _halves(moved: list[tuple[Tensor, Gradient]]) -> tuple[list, list]:  # type: ignore[type-arg]
    return moved[: len(moved) // 2], moved[len(moved) // 2 :]


def _action(estimator: Estimator, policy: Policy, noise: Noise) -> tuple[Tensor, Policy]:
    """The one action that Q is asked about, attached to the rows it came from."""
    probe = Probe(lambda a: a.sum(-1))
    copies = rows(policy, POINTS)
    with torch.enable_grad():
        estimator(copies, Objective(probe, 0.0), noise)
    if len(probe.actions) != 1 or probe.actions[0].shape[:2] != (1, POINTS):
        raise NoField("it does not evaluate Q at one action that carries gradient")
    return probe.actions[0][0], copies  # [points, d]


def _at(estimator: Estimator, policy: Policy, eps: Tensor, k: int = 0) -> tuple[Tensor, Gradient]:
    """The action and the field there: a [points, d], v {name: [points, d, *parameter]}."""
    a, copies = _action(estimator, policy, _Fixed(eps, k))
    parts = []
    for i in range(a.shape[-1]):
        grads = torch.autograd.grad(
            a[:, i].sum(),
            list(copies.parameters().values()),
            retain_graph=True,
            allow_unused=True,
            materialize_grads=True,
        )
        parts.append(dict(zip(copies.parameters(), grads, strict=True)))
    return a.detach(), {name: torch.stack([p[name] for p in parts], 1) for name in parts[0]}


def _plain_path(estimator: Estimator, policy: Policy, noise: "_Fixed") -> None:
    """At α = 0 the estimate must be −∇Q·v and nothing else."""
    a, v = _at(estimator, policy, noise.eps)
    c = torch.cos(torch.arange(a.shape[-1], dtype=a.dtype))
    copies = rows(policy, POINTS)
    with torch.enable_grad():
        surrogate = estimator(copies, Objective(lambda x: (c * torch.sin(x)).sum(-1), 0.0), noise)
        g = row_gradients(surrogate, copies)
    for name, value in g.items():
        path = -torch.einsum("pi...,pi->p...", v[name], c * torch.cos(a))
        if not torch.allclose(value, path, rtol=1e-9, atol=1e-9):
            raise NoField("it is more than the path derivative of the cost")


def _one_field(
    estimator: Estimator, policy: Policy, eps: Tensor, a: Tensor, categories: int
) -> None:
    """Every branch must give the same field at the same action; the action is affine in ε."""
    here = _at(estimator, policy, eps)[1]
    zero = torch.zeros_like(eps)
    for k in range(1, categories):
        origin = _at(estimator, policy, zero, k)[0]
        unit = torch.eye(eps.shape[-1], dtype=eps.dtype)
        slope = torch.stack([_at(estimator, policy, zero + u, k)[0] - origin for u in unit], 1)
        other = torch.einsum("pi,pij->pj", a.detach() - origin, torch.linalg.inv(slope))[None]
        b, v = _at(estimator, policy, other, k)
        if not torch.allclose(b, a, rtol=1e-9, atol=1e-9) or any(
            not torch.allclose(v[n], here[n], rtol=1e-6, atol=1e-7) for n in v
        ):
            raise NoField("its field depends on the component that was drawn")
