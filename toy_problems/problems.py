"""The catalogue of toy problems. Each is a function of a few numbers, in float64.

problem = build("quadratic", d=10, condition=100)
problem.policy, problem.objective, problem.gradient()
"""

import inspect
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from estimators import (
    Categorical,
    Exact,
    Gaussian,
    Mixture,
    Objective,
    Policy,
    TooManyNodes,
    exact_gradient,
    squash,
)
from estimators.gradients import row_gradients

FLOAT = torch.float64


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
            leaf = self.policy.map(lambda p: p.detach().clone().requires_grad_())
            with torch.enable_grad():
                grads = row_gradients(self.value(leaf), leaf)
            scale = max(float(g.abs().max()) for g in grads.values())
            return Exact(grads, 1e-14 * (1 + scale))
        try:
            return exact_gradient(self.policy, self.objective)
        except TooManyNodes:
            return None


def gaussian(mu: list[float], log_std: list[float]) -> Gaussian:
    return Gaussian(torch.tensor(mu, dtype=FLOAT), torch.tensor(log_std, dtype=FLOAT))


def mixture_log_density(m: float, weight: float, K: int, d: int) -> Callable[[Tensor], Tensor]:
    """log h, h = Σ_k w_k N(c_k, I): centres evenly from −m to m on the first axis; w_1 = weight."""
    if K > 1 and not 0 < weight < 1:
        raise ValueError(f"weight, that of the first mode, must lie in (0, 1); got {weight}")
    if K < 1 or d < 1:
        raise ValueError(f"a mixture needs K ≥ 1 modes and d ≥ 1, got K = {K}, d = {d}")
    centres = torch.zeros(K, d, dtype=FLOAT)
    centres[:, 0] = torch.linspace(-m, m, K, dtype=FLOAT) if K > 1 else m
    weights = [1.0] if K == 1 else [weight, *[(1 - weight) / (K - 1)] * (K - 1)]
    h = Mixture(torch.tensor(weights, dtype=FLOAT).log(), centres, torch.zeros_like(centres))
    return lambda a: h.map(lambda p: p.to(a)).log_prob(a)


def report(
    m: float = 2.0,
    weight: float = 0.5,
    K: int = 2,
    d: int = 1,
    phi: float = 0.7,
    log_std: float = 0.0,
    alpha: float = 1.0,
) -> Problem:
    """Lahire's example: Q = log h, h = ½N(−2,1) + ½N(2,1), policy N(φ, σ²).

    J is KL(π‖h). φ = 0 is a local maximum of it, not the minimum (that is KL(h‖π)'s).
    """
    policy = gaussian([phi] + [0.0] * (d - 1), [log_std] * d)
    return Problem("report", policy, Objective(mixture_log_density(m, weight, K, d), alpha))


def report_mixture(
    m: float = 2.0,
    weight: float = 0.5,
    K: int = 2,
    d: int = 1,
    spread: float = 1.2,
    log_std: float = -0.2,
    components: int = 2,
    alpha: float = 1.0,
) -> Problem:
    """Lahire's example with the policy he asks for: a mixture, centres from −spread to spread."""
    _at_least_one(components=components, d=d)
    mu = torch.zeros(components, d, dtype=FLOAT)
    mu[:, 0] = torch.linspace(-spread, spread, components, dtype=FLOAT) + 0.3
    logits = torch.linspace(0.2, -0.2, components, dtype=FLOAT)
    policy = Mixture(logits, mu, torch.full_like(mu, log_std))
    return Problem("report_mixture", policy, Objective(mixture_log_density(m, weight, K, d), alpha))


def gaussian_target(
    m: float = 1.0,
    s: float = 0.8,
    mu: float = 0.2,
    log_std: float = -0.5,
    d: int = 1,
    alpha: float = 1.0,
) -> Problem:
    """Q = log N(a; m, s²): J = KL(π‖N(m, s²)) at α = 1, zero at μ = m, σ = s."""
    _positive(s=s)

    def log_density(a: Tensor) -> Tensor:
        return (-(((a - m) / s) ** 2) / 2 - math.log(s * math.sqrt(2 * math.pi))).sum(-1)

    def value(policy: Policy) -> Tensor:
        assert isinstance(policy, Gaussian)
        second = ((policy.mu - m) ** 2 + torch.exp(2 * policy.log_std)) / s**2
        log_z = math.log(s * math.sqrt(2 * math.pi))
        return (second / 2 + log_z).sum(-1) - alpha * policy.entropy()

    policy = gaussian([mu] * d, [log_std] * d)
    return Problem("gaussian_target", policy, Objective(log_density, alpha), value)


def quadratic(
    d: int = 2, condition: float = 10.0, alpha: float = 0.5, sigma: float = 0.7, seed: int = 0
) -> Problem:
    """Q = −½ (a − m)ᵀH(a − m), eigenvalues of H from 1 to `condition`, randomly rotated."""
    _positive(condition=condition, sigma=sigma)
    _at_least_one(d=d)
    rng = torch.Generator().manual_seed(seed)
    rotation = torch.linalg.qr(torch.randn(d, d, generator=rng, dtype=FLOAT)).Q
    eigenvalues = torch.logspace(0, math.log10(condition), d, dtype=FLOAT)
    H = rotation @ torch.diag(eigenvalues) @ rotation.T
    m = torch.randn(d, generator=rng, dtype=FLOAT) / math.sqrt(d)

    def Q(a: Tensor) -> Tensor:
        step = a - m.to(a)
        return -((step @ H.to(a)) * step).sum(-1) / 2

    def value(policy: Policy) -> Tensor:
        assert isinstance(policy, Gaussian)
        trace = (H.diagonal() * torch.exp(2 * policy.log_std)).sum(-1)
        return trace / 2 - Q(policy.mu) - alpha * policy.entropy()

    policy = gaussian([0.0] * d, [math.log(sigma)] * d)
    return Problem("quadratic", policy, Objective(Q, alpha), value)


def cosine(
    frequency: float = 3.0, mu: float = 0.4, sigma: float = 0.7, alpha: float = 0.2, d: int = 1
) -> Problem:
    """Q = Σ_i cos(w a_i): reparameterization grows with w, the score function does not."""
    _positive(sigma=sigma)
    _at_least_one(d=d)

    def value(policy: Policy) -> Tensor:
        assert isinstance(policy, Gaussian)
        damping = torch.exp(-(frequency**2) * torch.exp(2 * policy.log_std) / 2)
        return -(damping * torch.cos(frequency * policy.mu)).sum(-1) - alpha * policy.entropy()

    objective = Objective(lambda a: torch.cos(frequency * a).sum(-1), alpha)
    return Problem("cosine", gaussian([mu] * d, [math.log(sigma)] * d), objective, value)


def bump(
    k: float = 1.0, mu: float = 0.8, sigma: float = 0.7, alpha: float = 0.2, d: int = 1
) -> Problem:
    """Q = Σ_i exp(−k a_i²)."""
    _positive(k=k, sigma=sigma)
    _at_least_one(d=d)

    def value(policy: Policy) -> Tensor:
        assert isinstance(policy, Gaussian)
        wide = 1 + 2 * k * torch.exp(2 * policy.log_std)
        mean = torch.exp(-k * policy.mu**2 / wide) / wide.sqrt()
        return -mean.sum(-1) - alpha * policy.entropy()

    objective = Objective(lambda a: torch.exp(-k * a**2).sum(-1), alpha)
    return Problem("bump", gaussian([mu] * d, [math.log(sigma)] * d), objective, value)


def quartic(mu: float = 0.0, sigma: float = 1.0, alpha: float = 0.0) -> Problem:
    """Q = (a² − 2)(a² − 9): nabla-log without a baseline beats reparameterization for μ."""
    _positive(sigma=sigma)

    def Q(a: Tensor) -> Tensor:
        return ((a**2 - 2) * (a**2 - 9)).sum(-1)

    def value(policy: Policy) -> Tensor:
        assert isinstance(policy, Gaussian)
        m, v = policy.mu, torch.exp(2 * policy.log_std)
        fourth, second = m**4 + 6 * m**2 * v + 3 * v**2, m**2 + v
        return -(fourth - 11 * second + 18).sum(-1) - alpha * policy.entropy()

    return Problem("quartic", gaussian([mu], [math.log(sigma)]), Objective(Q, alpha), value)


def step(
    threshold: float = 0.5, mu: float = 0.3, sigma: float = 0.8, alpha: float = 0.2
) -> Problem:
    """Q = 1[a > threshold]: it jumps, so pathwise estimators miss its gradient without a word."""
    _positive(sigma=sigma)

    def value(policy: Policy) -> Tensor:
        assert isinstance(policy, Gaussian)
        z = (policy.mu - threshold) * torch.exp(-policy.log_std)
        return -torch.special.ndtr(z).sum(-1) - alpha * policy.entropy()

    objective = Objective(lambda a: (a > threshold).to(a).sum(-1) + 0 * a.sum(-1), alpha)
    return Problem("step", gaussian([mu], [math.log(sigma)]), objective, value, smooth=False)


def squashed(
    frequency: float = 4.0, mu: float = 0.3, sigma: float = 0.9, alpha: float = 0.2, d: int = 1
) -> Problem:
    """A tanh policy as in SAC: Q = Σ_i cos(w tanh u_i), seen from u."""
    _positive(sigma=sigma)
    objective = squash(Objective(lambda a: torch.cos(frequency * a).sum(-1), alpha))
    return Problem("squashed", gaussian([mu] * d, [math.log(sigma)] * d), objective)


def landscape(alpha: float = 1.0, components: int = 1) -> Problem:
    """Q = −((x² + y − 11)² + (x + y² − 7)²)/40 (Himmelblau): four peaks of height 0 in 2-D.

    components > 1: a mixture policy with its centres on a circle.
    """

    _at_least_one(components=components)

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
    d: int = 2, width: int = 32, seed: int = 0, alpha: float = 0.1, sigma: float = 0.5
) -> Problem:
    """A frozen random critic: a tanh network with two hidden layers, a squashed policy."""
    _positive(sigma=sigma)
    _at_least_one(d=d, width=width)
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

    policy = gaussian([0.2] * d, [math.log(sigma)] * d)
    return Problem("mlp", policy, squash(Objective(Q, alpha)))


def bandit(arms: int = 4, alpha: float = 0.5, seed: int = 0) -> Problem:
    """A Categorical policy over arms with fixed random rewards."""
    _at_least_one(arms=arms)
    rng = torch.Generator().manual_seed(seed)
    rewards, logits = torch.randn(2, arms, generator=rng, dtype=FLOAT)
    return Problem(
        "bandit", Categorical(logits), Objective(lambda a: rewards.to(a.device)[a], alpha)
    )


PROBLEMS: dict[str, Callable[..., Problem]] = {
    f.__name__: f
    for f in (
        report,
        report_mixture,
        gaussian_target,
        quadratic,
        cosine,
        bump,
        quartic,
        step,
        squashed,
        landscape,
        mlp,
        bandit,
    )
}


def build(name: str, **settings: float) -> Problem:
    """The problem of that name; ValueError names the known problems or settings."""
    if name not in PROBLEMS:
        raise ValueError(f"unknown problem {name!r}; known: {', '.join(PROBLEMS)}")
    known = inspect.signature(PROBLEMS[name]).parameters
    for key, number in settings.items():
        if key not in known:
            raise ValueError(f"{name} has no setting {key!r}; it has {', '.join(known)}")
        if not math.isfinite(number):
            raise ValueError(f"{key} must be finite, got {number}")
        if isinstance(known[key].default, int) and number != int(number):
            raise ValueError(f"{key} must be a whole number, got {number}")
    return PROBLEMS[name](**{k: type(known[k].default)(number) for k, number in settings.items()})


def _positive(**numbers: float) -> None:
    for name, number in numbers.items():
        if not number > 0:
            raise ValueError(f"{name} must be positive, got {number}")


def _at_least_one(**numbers: int) -> None:
    for name, number in numbers.items():
        if number < 1:
            raise ValueError(f"{name} must be ≥ 1, got {number}")
