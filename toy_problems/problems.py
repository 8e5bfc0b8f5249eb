"""The catalogue of toy problems. Each is a function of a few numbers, in float64.

problem = build("quadratic", d=10, condition=100)
problem.policy, problem.objective, problem.gradient()

A setting that is not a whole number may be a tensor [B]: B problems at once, for maps.
"""

import inspect
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from estimators import (
    Beta,
    Categorical,
    Exact,
    FullGaussian,
    Gaussian,
    Mixture,
    Objective,
    Policy,
    Product,
    StudentT,
    squash,
)
from estimators.gradients import leaves, row_gradients
from estimators.quadrature import exact_or_none

FLOAT = torch.float64
POSITIVE = ("s", "tau", "sigma", "condition", "k", "df")  # settings
COUNTS = ("d", "width", "arms", "components")
Number = float | Tensor


@dataclass(frozen=True, eq=False)
class Problem:
    """A policy and an objective. `value` is J(θ) in closed form, [*batch], where there is one;
    `smooth` is False where Q jumps, so that pathwise estimators miss part of the gradient."""

    name: str
    policy: Policy
    objective: Objective
    value: Callable[[Policy], Tensor] | None = None
    smooth: bool = True

    def gradient(self) -> Exact | None:
        """∇J: by autograd of the closed form, else by quadrature; None beyond its reach."""
        if self.value is not None:
            leaf = leaves(self.policy)
            with torch.enable_grad():
                grads = row_gradients(self.value(leaf), leaf)
            scale = max(float(g.abs().max()) for g in grads.values())
            return Exact(grads, 1e-14 * (1 + scale))
        return exact_or_none(self.policy, self.objective)


def _known(
    name: str,
    policy: Policy,
    objective: Objective,
    cost: Callable[[Gaussian], Tensor],
    smooth: bool = True,
) -> Problem:
    """With J in closed form: cost is E[−Q], [*batch], under any Gaussian policy."""

    def value(policy: Policy) -> Tensor:
        assert isinstance(policy, Gaussian)
        return cost(policy) - objective.alpha * policy.entropy()

    return Problem(name, policy, objective, value, smooth)


def gaussian(mu: Number | list[float], log_std: Number | list[float], d: int = 1) -> Gaussian:
    """Numbers become d equal coordinates, [B] becomes [B, d], lists stay as they are."""
    m, s = (
        torch.tensor(p, dtype=FLOAT)
        if isinstance(p, list)
        else torch.as_tensor(p, dtype=FLOAT)[..., None].expand(*np.shape(p), d)
        for p in (mu, log_std)
    )
    return Gaussian(*(p.clone() for p in torch.broadcast_tensors(m, s)))


def log(x: Number) -> Number:
    return x.log() if isinstance(x, Tensor) else math.log(x)


def axis(x: Number) -> Number:
    """[B] -> [B, 1], to stand beside actions [..., B, d]."""
    return x[..., None] if isinstance(x, Tensor) else x


def mixture_log_density(m: Number, weight: Number, K: int, d: int) -> Callable[[Tensor], Tensor]:
    """log h, h = Σ_k w_k N(c_k, I): centres evenly from −m to m on the first axis; w_1 = weight."""
    if K > 1 and not bool(((torch.as_tensor(weight) > 0) & (torch.as_tensor(weight) < 1)).all()):
        raise ValueError(f"weight, that of the first mode, must lie in (0, 1); got {weight}")
    if K < 1 or d < 1:
        raise ValueError(f"a mixture needs K ≥ 1 modes and d ≥ 1, got K = {K}, d = {d}")
    first, far = torch.broadcast_tensors(*(torch.as_tensor(x, dtype=FLOAT) for x in (weight, m)))
    line = torch.linspace(-1, 1, K, dtype=FLOAT) if K > 1 else torch.ones(1, dtype=FLOAT)
    centres = torch.zeros(*far.shape, K, d, dtype=FLOAT)
    centres[..., 0] = far[..., None] * line  # [*batch, K]
    rest = [(1 - first) / (K - 1)] * (K - 1) if K > 1 else []
    weights = torch.stack([first if K > 1 else torch.ones_like(first), *rest], -1)
    h = Mixture(weights.log(), centres, torch.zeros_like(centres))
    return lambda a: h.map(lambda p: p.to(a)).log_prob(a)


def report(
    m: Number = 2.0,
    weight: Number = 0.5,
    K: int = 2,
    d: int = 1,
    phi: Number = 0.7,
    log_std: Number = 0.0,
    alpha: Number = 1.0,
) -> Problem:
    """Lahire's example: Q = log h, h = ½N(−2,1) + ½N(2,1), policy N(φ, σ²).

    J is KL(π‖h). φ = 0 is a local maximum of it, not the minimum (that is KL(h‖π)'s).
    """
    first = torch.eye(1, d, dtype=FLOAT)[0]  # φ on the first axis
    centre = gaussian(phi, log_std, d)
    policy = Gaussian(centre.mu * first, centre.log_std)
    return Problem("report", policy, Objective(mixture_log_density(m, weight, K, d), alpha))


def report_mixture(
    m: Number = 2.0,
    weight: Number = 0.5,
    K: int = 2,
    d: int = 1,
    spread: Number = 1.2,
    log_std: Number = -0.2,
    components: int = 2,
    alpha: Number = 1.0,
) -> Problem:
    """Lahire's example with the policy he asks for: a mixture, centres from −spread to spread."""
    far, narrow = torch.broadcast_tensors(
        *(torch.as_tensor(x, dtype=FLOAT) for x in (spread, log_std))
    )
    line = torch.linspace(-1, 1, components, dtype=FLOAT)
    mu = torch.zeros(*far.shape, components, d, dtype=FLOAT)
    mu[..., 0] = far[..., None] * line + 0.3
    logits = torch.linspace(0.2, -0.2, components, dtype=FLOAT).expand(mu.shape[:-1])
    policy = Mixture(logits, mu, narrow[..., None, None].expand_as(mu).clone())
    return Problem("report_mixture", policy, Objective(mixture_log_density(m, weight, K, d), alpha))


def gaussian_target(
    m: Number = 1.0,
    s: Number = 0.8,
    mu: Number = 0.2,
    log_std: Number = -0.5,
    d: int = 1,
    alpha: Number = 1.0,
) -> Problem:
    """Q = log N(a; m, s²): J = KL(π‖N(m, s²)) at α = 1, zero at μ = m, σ = s."""
    log_z = log(axis(s) * math.sqrt(2 * math.pi))

    def log_density(a: Tensor) -> Tensor:
        return (-(((a - axis(m)) / axis(s)) ** 2) / 2 - log_z).sum(-1)

    def cost(p: Gaussian) -> Tensor:
        second = ((p.mu - axis(m)) ** 2 + torch.exp(2 * p.log_std)) / axis(s) ** 2
        return (second / 2 + log_z).sum(-1)

    return _known("gaussian_target", gaussian(mu, log_std, d), Objective(log_density, alpha), cost)


def sac_quadratic(
    distance: Number = 0.6, tau: Number = 1.5, sigma: Number = 0.7, alpha: Number = 0.5, d: int = 1
) -> Problem:
    """Q = −k|a|²/2 by what decides who wins: distance = |μ|/σ and tau = kσ²/α; best at (0, 1)."""
    k = tau * alpha / sigma**2

    def cost(p: Gaussian) -> Tensor:
        return k * (p.mu**2 + torch.exp(2 * p.log_std)).sum(-1) / 2

    policy = gaussian(distance * sigma / math.sqrt(d), log(sigma), d)
    objective = Objective(lambda a: -k * (a**2).sum(-1) / 2, alpha)
    return _known("sac_quadratic", policy, objective, cost)


def quadratic(
    d: int = 2, condition: Number = 10.0, alpha: Number = 0.5, sigma: Number = 0.7, seed: int = 0
) -> Problem:
    """Q = −½ (a − m)ᵀH(a − m), eigenvalues of H from 1 to `condition`, randomly rotated."""
    rng = torch.Generator().manual_seed(seed)
    rotation = torch.linalg.qr(torch.randn(d, d, generator=rng, dtype=FLOAT)).Q
    eigenvalues = axis(condition) ** torch.linspace(0, 1, d, dtype=FLOAT)
    H = (rotation * eigenvalues[..., None, :]) @ rotation.T  # [*batch, d, d]
    m = torch.randn(d, generator=rng, dtype=FLOAT) / math.sqrt(d)

    def Q(a: Tensor) -> Tensor:
        step = a - m.to(a)
        return -((step[..., None, :] @ H.to(a))[..., 0, :] * step).sum(-1) / 2

    def cost(p: Gaussian) -> Tensor:
        return (H.diagonal(dim1=-2, dim2=-1) * torch.exp(2 * p.log_std)).sum(-1) / 2 - Q(p.mu)

    return _known("quadratic", gaussian(0.0, log(sigma), d), Objective(Q, alpha), cost)


def cosine(
    frequency: Number = 3.0, mu: Number = 0.4, sigma: Number = 0.7, alpha: Number = 0.2, d: int = 1
) -> Problem:
    """Q = Σ_i cos(w a_i): reparameterization grows with w, the score function does not."""

    def cost(p: Gaussian) -> Tensor:
        damping = torch.exp(-(axis(frequency) ** 2) * torch.exp(2 * p.log_std) / 2)
        return -(damping * torch.cos(axis(frequency) * p.mu)).sum(-1)

    objective = Objective(lambda a: torch.cos(axis(frequency) * a).sum(-1), alpha)
    return _known("cosine", gaussian(mu, log(sigma), d), objective, cost)


def bump(
    k: Number = 1.0, mu: Number = 0.8, sigma: Number = 0.7, alpha: Number = 0.2, d: int = 1
) -> Problem:
    """Q = Σ_i exp(−k a_i²)."""

    def cost(p: Gaussian) -> Tensor:
        wide = 1 + 2 * axis(k) * torch.exp(2 * p.log_std)
        return -(torch.exp(-axis(k) * p.mu**2 / wide) / wide.sqrt()).sum(-1)

    objective = Objective(lambda a: torch.exp(-axis(k) * a**2).sum(-1), alpha)
    return _known("bump", gaussian(mu, log(sigma), d), objective, cost)


def quartic(mu: Number = 0.0, sigma: Number = 1.0, alpha: Number = 0.0) -> Problem:
    """Q = (a² − 2)(a² − 9): nabla-log without a baseline beats reparameterization for μ."""

    def cost(p: Gaussian) -> Tensor:
        m, v = p.mu, torch.exp(2 * p.log_std)
        fourth, second = m**4 + 6 * m**2 * v + 3 * v**2, m**2 + v
        return -(fourth - 11 * second + 18).sum(-1)

    objective = Objective(lambda a: ((a**2 - 2) * (a**2 - 9)).sum(-1), alpha)
    return _known("quartic", gaussian(mu, log(sigma)), objective, cost)


def step(
    threshold: Number = 0.5, mu: Number = 0.3, sigma: Number = 0.8, alpha: Number = 0.2
) -> Problem:
    """Q = 1[a > threshold]: it jumps, so pathwise estimators miss its gradient without a word."""

    def cost(p: Gaussian) -> Tensor:
        z = (p.mu - axis(threshold)) * torch.exp(-p.log_std)
        return -torch.special.ndtr(z).sum(-1)

    objective = Objective(lambda a: (a > axis(threshold)).to(a).sum(-1) + 0 * a.sum(-1), alpha)
    return _known("step", gaussian(mu, log(sigma)), objective, cost, smooth=False)


def squashed(
    frequency: Number = 4.0, mu: Number = 0.3, sigma: Number = 0.9, alpha: Number = 0.2, d: int = 1
) -> Problem:
    """A tanh policy as in SAC: Q = Σ_i cos(w tanh u_i), seen from u."""
    objective = squash(Objective(lambda a: torch.cos(axis(frequency) * a).sum(-1), alpha))
    return Problem("squashed", gaussian(mu, log(sigma), d), objective)


def landscape(alpha: Number = 1.0, components: int = 1) -> Problem:
    """Q = −((x² + y − 11)² + (x + y² − 7)²)/40 (Himmelblau): four peaks of height 0 in 2-D.

    components > 1: a mixture policy with its centres on a circle.
    """

    def Q(a: Tensor) -> Tensor:
        x, y = a.unbind(-1)
        return -((x**2 + y - 11) ** 2 + (x + y**2 - 7) ** 2) / 40

    if components == 1:
        return Problem("landscape", gaussian([1.0, -0.5], [-0.3, 0.1]), Objective(Q, alpha))
    angle = torch.arange(components, dtype=FLOAT) * (2 * math.pi / components) + 0.6
    mu = 2.5 * torch.stack([angle.cos(), angle.sin()], -1)
    policy = Mixture(torch.zeros(components, dtype=FLOAT), mu, torch.full_like(mu, -0.5))
    return Problem("landscape", policy, Objective(Q, alpha))


def mlp(
    d: int = 2, width: int = 32, seed: int = 0, alpha: Number = 0.1, sigma: Number = 0.5
) -> Problem:
    """A frozen random critic: a tanh network with two hidden layers, a squashed policy."""
    rng = torch.Generator().manual_seed(seed)
    sizes = [d, width, width, 1]
    layers = [
        (
            2 * torch.randn(i, o, generator=rng, dtype=FLOAT) / math.sqrt(i),
            torch.randn(o, generator=rng, dtype=FLOAT),
        )
        for i, o in itertools.pairwise(sizes)
    ]

    def Q(a: Tensor) -> Tensor:
        for i, (w, b) in enumerate(layers):
            a = (torch.tanh(a) if i else a) @ w.to(a) + b.to(a)
        return a[..., 0]

    policy = gaussian(0.2, log(sigma), d)
    return Problem("mlp", policy, squash(Objective(Q, alpha)))


def bandit(arms: int = 4, alpha: Number = 0.5, seed: int = 0) -> Problem:
    """A Categorical policy over arms with fixed random rewards."""
    rng = torch.Generator().manual_seed(seed)
    rewards, logits = torch.randn(2, arms, generator=rng, dtype=FLOAT)
    return Problem(
        "bandit", Categorical(logits), Objective(lambda a: rewards.to(a.device)[a], alpha)
    )


def edges(
    pull: Number = 1.5,
    tilt: Number = 0.3,
    log_a: Number = 0.2,
    log_b: Number = 0.4,
    alpha: Number = 0.3,
    d: int = 1,
) -> Problem:
    """Bang-bang: Q = Σ_i pull·a_i² + tilt·a_i on (−1, 1), the best actions at the edges; a Beta."""
    p = gaussian(log_a, log_b, d)
    Q = lambda a: (axis(pull) * a**2 + axis(tilt) * a).sum(-1)  # noqa: E731
    return Problem("edges", Beta(p.mu, p.log_std), Objective(Q, alpha))


def valley(
    condition: Number = 25.0,
    angle: Number = 0.8,
    mu: Number = 0.5,
    log_std: Number = -0.5,
    lower: Number = 0.3,
    alpha: Number = 0.2,
) -> Problem:
    """A rotated valley: Q = −½aᵀHa in the plane, H of eigenvalues (condition, 1), its long axis at
    `angle`. π ∝ exp(Q/α) is a Gaussian with correlation: a full one is exact, a diagonal is not.
    """
    k, turn, triangle = (torch.as_tensor(x, dtype=FLOAT) for x in (condition, angle, lower))
    along, across = turn.cos() ** 2, turn.sin() ** 2
    mixed = (1 - k) * turn.cos() * turn.sin()
    rows = [along + k * across, mixed], [mixed, across + k * along]
    H = torch.stack([torch.stack(torch.broadcast_tensors(*row), -1) for row in rows], -2)
    centre = gaussian(mu, log_std, 2)
    corner = torch.tensor([[0.0, 0.0], [1.0, 0.0]], dtype=FLOAT)
    batch = torch.broadcast_shapes(centre.batch, k.shape, turn.shape, triangle.shape)
    policy = FullGaussian(
        centre.mu.expand(*batch, 2).clone(),
        centre.log_std.expand(*batch, 2).clone(),
        (triangle[..., None, None] * corner).expand(*batch, 2, 2).clone(),
    )

    def Q(a: Tensor) -> Tensor:
        return -(a * (H.to(a) @ a.unsqueeze(-1))[..., 0]).sum(-1) / 2

    def value(policy: Policy) -> Tensor:
        assert isinstance(policy, FullGaussian)
        spread = (policy.root * (H.to(policy.mu) @ policy.root)).sum((-2, -1)) / 2
        return spread - Q(policy.mu) - alpha * policy.entropy()

    return Problem("valley", policy, Objective(Q, alpha), value)


def heavy_tails(
    df: Number = 3.0,
    mu: Number = 0.5,
    log_std: Number = 0.3,
    log_df: Number = 2.0,
    alpha: Number = 1.0,
) -> Problem:
    """Q = log of Student's t density of `df` degrees of freedom, but for a constant; a Student-t.

    At α = 1 J is KL(π‖t): a Gaussian can never reach it, for its tails.
    """
    centre, free = gaussian(mu, log_std), gaussian(mu, log_df)
    Q = lambda a: -((axis(df) + 1) / 2 * torch.log1p(a**2 / axis(df))).sum(-1)  # noqa: E731
    parameters = torch.broadcast_tensors(centre.mu, centre.log_std, free.log_std)
    return Problem("heavy_tails", StudentT(*(p.clone() for p in parameters)), Objective(Q, alpha))


def joint_table(alpha: float = 0.4, seed: int = 0) -> Problem:
    """Two discrete choices, of 3 and of 4, with a reward for each pair: a Product."""
    rng = torch.Generator().manual_seed(seed)
    table = torch.randn(3, 4, generator=rng, dtype=FLOAT)
    one, two = (torch.randn(k, generator=rng, dtype=FLOAT) / 2 for k in (3, 4))
    policy = Product(one=Categorical(one), two=Categorical(two))
    Q = lambda a: table.to(a.device)[a[..., 0], a[..., 1]]  # noqa: E731
    return Problem("joint_table", policy, Objective(Q, alpha))


def hybrid(mu: float = 0.3, log_std: float = -0.3, alpha: float = 0.3) -> Problem:
    """Three gears, a wave of another length in each, and a push: Q = r_k + sin((1 + k)u)."""
    rewards = torch.tensor([0.2, -0.3, 0.6], dtype=FLOAT)
    gear = Categorical(torch.tensor([0.1, 0.5, -0.4], dtype=FLOAT))
    policy = Product(gear=gear, push=gaussian(mu, log_std))
    Q = lambda a: rewards.to(a)[a[..., 0].long()] + torch.sin((1 + a[..., 0]) * a[..., 1])  # noqa: E731
    return Problem("hybrid", policy, Objective(Q, alpha))


PROBLEMS: dict[str, Callable[..., Problem]] = {
    f.__name__: f
    for f in (
        report, report_mixture, gaussian_target, sac_quadratic, quadratic, cosine, bump, quartic,
        step, squashed, landscape, mlp, bandit, edges, valley, heavy_tails, joint_table, hybrid,
    )
}  # fmt: skip


def build(name: str, **settings: Number) -> Problem:
    """The problem of that name; ValueError names the known problems or settings."""
    if name not in PROBLEMS:
        raise ValueError(f"unknown problem {name!r}; known: {', '.join(PROBLEMS)}")
    known = inspect.signature(PROBLEMS[name]).parameters
    for key, number in settings.items():
        if key not in known:
            raise ValueError(f"{name} has no setting {key!r}; it has {', '.join(known)}")
        if not bool(torch.as_tensor(number).isfinite().all()):
            raise ValueError(f"{key} must be finite, got {number}")
        if isinstance(known[key].default, int) and (
            isinstance(number, Tensor) or number != int(number)
        ):
            raise ValueError(f"{key} must be a whole number, got {number}")
        positive = key in POSITIVE or (name, key) == ("sac_quadratic", "alpha")
        if positive and not bool((torch.as_tensor(number) > 0).all()):
            raise ValueError(f"{key} must be positive, got {number}")
        if key in COUNTS and number < 1:
            raise ValueError(f"{key} must be ≥ 1, got {number:g}")
    given = {
        k: number if isinstance(number, Tensor) else type(known[k].default)(number)
        for k, number in settings.items()
    }
    return PROBLEMS[name](**given)
