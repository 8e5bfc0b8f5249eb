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
from estimators.gradients import Estimator, Gradient, gradients_of, row_gradients, rows
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
    a, v = _at(estimator, policy, noise)
    _plain_path(estimator, policy, noise, a, v)
    _one_field(estimator, policy, eps, a, v, noise.categories)
    moved = [  # along each coordinate of ε, forth and back
        [_at(estimator, policy, _Fixed(eps + step, 0)) for step in (unit, -unit)]
        for unit in STEP * torch.eye(policy.dim, dtype=eps.dtype)
    ]
    da = torch.stack([(forth - back) / (2 * STEP) for (forth, _), (back, _) in moved], 1)
    inverse = torch.linalg.inv(da)  # [points, j (of ε), i (of a)] -> ∂ε_j/∂a_i, transposed alike
    leaf = rows(policy, POINTS)
    point = a.clone().requires_grad_()
    with torch.enable_grad():
        log_prob = leaf.log_prob(point)
        (slope,) = torch.autograd.grad(log_prob.sum(), point, retain_graph=True)  # [points, d]
        score = row_gradients(log_prob, leaf)
    residual, scale = {}, {}
    for name, s in score.items():
        flow = torch.einsum("pi...,pi->p...", v[name], slope)
        dv = [(forth[name] - back[name]) / (2 * STEP) for (_, forth), (_, back) in moved]
        divergence = torch.einsum("pji...,pij->p...", torch.stack(dv, 1), inverse)
        residual[name] = s + flow + divergence
        scale[name] = s.abs().maximum(flow.abs()).maximum(divergence.abs())
    return Field(residual, scale)


def _at(estimator: Estimator, policy: Policy, noise: Noise) -> tuple[Tensor, Gradient]:
    """The one action that Q is asked about and the field there: a [points, d], v {name: [points,
    d, *parameter]}."""
    probe = Probe(lambda a: a.sum(-1))
    copies = rows(policy, POINTS)
    with torch.enable_grad():
        estimator(copies, Objective(probe, 0.0), noise)
    if len(probe.actions) != 1 or probe.actions[0].shape[:2] != (1, POINTS):
        raise NoField("it does not evaluate Q at one action that carries gradient")
    a = probe.actions[0][0]
    parts = [gradients_of(a_i.sum(), copies.parameters(), retain=True) for a_i in a.unbind(1)]
    return a.detach(), {name: torch.stack([p[name] for p in parts], 1) for name in parts[0]}


def _plain_path(estimator: Estimator, policy: Policy, noise: Noise, a: Tensor, v: Gradient) -> None:
    """At α = 0 the estimate must be −∇Q·v and nothing else."""
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
    estimator: Estimator, policy: Policy, eps: Tensor, a: Tensor, here: Gradient, categories: int
) -> None:
    """Every branch must give the same field at the same action; the action is affine in ε."""
    zero = torch.zeros_like(eps)
    for k in range(1, categories):
        origin = _at(estimator, policy, _Fixed(zero, k))[0]
        unit = torch.eye(eps.shape[-1], dtype=eps.dtype)
        ends = [_at(estimator, policy, _Fixed(zero + u, k))[0] for u in unit]
        slope = torch.stack([end - origin for end in ends], 1)
        other = torch.einsum("pi,pij->pj", a - origin, torch.linalg.inv(slope))[None]
        b, v = _at(estimator, policy, _Fixed(other, k))
        if not torch.allclose(b, a, rtol=1e-9, atol=1e-9) or any(
            not torch.allclose(v[n], here[n], rtol=1e-6, atol=1e-7) for n in v
        ):
            raise NoField("its field depends on the component that was drawn")
