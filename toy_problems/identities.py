"""Identities that hold draw by draw: the same noise in, two ways to write it, the same number out.

Each takes a seed, makes a random problem from it, and returns the largest deviation relative to
the size of the gradients compared.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from estimators import (
    Categorical,
    Estimator,
    Gaussian,
    Mixture,
    Noise,
    Objective,
    Policy,
    Recorded,
    Replay,
    batch_mean,
    constant,
    eq13_terms,
    leave_one_out,
    reparameterization,
    reparameterization_eq13,
    score_function,
    score_function_full,
    squash,
    sticking_the_landing,
    vargrad,
)
from estimators.gradients import Gradient, leaves, row_gradients

FLOAT = torch.float64


def random_problem(seed: int, components: int | None = None) -> tuple[Policy, Objective]:
    """A batch of policies with random parameters, and a cost without symmetry.

    d ≤ 4, σ from 0.2 to 2, α from 0.05 to 2; Q quadratic, cubic and cosine, coordinates coupled.
    """
    rng = torch.Generator().manual_seed(seed)
    rand = partial(torch.rand, generator=rng, dtype=FLOAT)
    randn = partial(torch.randn, generator=rng, dtype=FLOAT)
    d = int(torch.randint(1, 5, (), generator=rng))
    batch = (3,)
    shape = (*batch, d) if components is None else (*batch, components, d)
    mu, log_std = randn(shape), -1.6 + 2.3 * rand(shape)
    c1, c2, c3, w = randn(d), randn(d, d), randn(d) / 3, 1 + 2 * rand(d)
    alpha = float(0.05 + 1.95 * rand(()))

    def Q(a: Tensor) -> Tensor:
        smooth = (c1 * a + c3 * a**3 + torch.cos(w * a + c1)).sum(-1)
        return smooth - ((a @ c2) * a).sum(-1) / 2

    policy: Policy = Gaussian(mu, log_std)
    if components is not None:
        policy = Mixture(randn(shape[:-1]), mu, log_std)
    return policy, Objective(Q, alpha)


def gradient(estimator: Estimator, policy: Policy, objective: Objective, seed: int) -> Gradient:
    leaf = leaves(policy)
    return row_gradients(estimator(leaf, objective, Noise(seed)), leaf)


def deviation(one: Gradient, two: Gradient) -> float:
    scale = max(float(g.abs().max()) for g in [*one.values(), *two.values()]) + 1e-300
    return max(float((one[k] - two[k]).abs().max()) for k in one) / scale


def eq13_is_autograd(seed: int) -> float:
    """Eq. 13 in closed form = autograd of α log π_θ(f_θ(ε)) − Q(f_θ(ε))."""
    policy, objective = random_problem(seed)
    one = gradient(partial(reparameterization_eq13, n=3), policy, objective, seed)
    return deviation(one, gradient(partial(reparameterization, n=3), policy, objective, seed))


def _term_is_autograd(term: str, seed: int) -> float:
    policy, objective = random_problem(seed)
    assert isinstance(policy, Gaussian)
    closed = eq13_terms(policy, objective, Noise(seed))[term]
    leaf = leaves(policy)
    a = leaf.rsample(1, Noise(seed))
    surrogate = {
        "score": lambda: objective.alpha * leaf.log_prob(a.detach()),
        "entropy": lambda: objective.alpha * policy.log_prob(a),
        "value": lambda: -objective.Q(a),
    }[term]()
    autograd = row_gradients(surrogate.mean(0), leaf)
    return deviation({k: g.mean(0) for k, g in closed.items()}, autograd)


def first_term(seed: int) -> float:
    """First term: α ∇_θ log π_θ(a), a held fixed = (αε/σ, α(ε² − 1))."""
    return _term_is_autograd("score", seed)


def entropy_term(seed: int) -> float:
    """Second term: α ∇_a log π(a) ∇_θ f_θ(ε) = (−αε/σ, −αε²)."""
    return _term_is_autograd("entropy", seed)


def value_term(seed: int) -> float:
    """Third term: −∇_a Q(a) ∇_θ f_θ(ε) = (−Q′, −Q′σε)."""
    return _term_is_autograd("value", seed)


def log_prob_path_to_mu_cancels(seed: int) -> float:
    """log π_θ(f_θ(ε)) = −ε²/2 − log σ − ½ log 2π: no gradient to μ, −1 to log σ."""
    policy, _ = random_problem(seed)
    leaf = leaves(policy)
    total = row_gradients(leaf.log_prob(leaf.rsample(1, Noise(seed))).mean(0), leaf)
    zero = torch.zeros_like(total["mu"])
    return deviation(total, {"mu": zero, "log_std": zero - 1})


def stl_is_eq13_without_first_term(seed: int) -> float:
    """Sticking-the-landing = Eq. 13 minus its first term."""
    policy, objective = random_problem(seed)
    assert isinstance(policy, Gaussian)
    terms = eq13_terms(policy, objective, Noise(seed))
    rest = {k: (terms["entropy"][k] + terms["value"][k]).mean(0) for k in ("mu", "log_std")}
    return deviation(rest, gradient(sticking_the_landing, policy, objective, seed))


def one_component_is_gaussian(seed: int) -> float:
    """Implicit reparameterization with K = 1 = the explicit one."""
    policy, objective = random_problem(seed, components=1)
    assert isinstance(policy, Mixture)
    plain = Gaussian(policy.mu[..., 0, :], policy.log_std[..., 0, :])
    one = gradient(reparameterization, policy, objective, seed)
    two = gradient(reparameterization, plain, objective, seed)
    return deviation({k: one[k][..., 0, :] for k in two}, two)


def implicit_is_inverse_cdf(seed: int) -> float:
    """∂a_i = −∂F_i/q_i with every F_i(a_i | a_<i) written out as a ratio of mixtures."""
    policy, _ = random_problem(seed, components=3)
    assert isinstance(policy, Mixture)
    leaf = Mixture(**leaves(policy).parameters())
    a = leaf.rsample(1, Noise(seed))[0]  # [*batch, d]
    weights = torch.cos(torch.arange(a.shape[-1], dtype=FLOAT))
    one = row_gradients((weights * a).sum(-1), leaf)
    fixed = a.detach()
    path: list[Tensor] = []
    for i in range(a.shape[-1]):
        z = (fixed[..., None, i] - leaf.mu[..., i]) / leaf.log_std[..., i].exp()
        w = leaf.logits.softmax(-1)
        for j in range(i):
            y = (path[j][..., None] - leaf.mu[..., j]) / leaf.log_std[..., j].exp()
            w = w * torch.exp(-(y**2) / 2 - leaf.log_std[..., j])
        density = torch.exp(-(z**2) / 2 - leaf.log_std[..., i]) / (2 * torch.pi) ** 0.5
        F = (w * torch.special.ndtr(z)).sum(-1) / w.sum(-1)
        q = ((w * density).sum(-1) / w.sum(-1)).detach()
        path.append(fixed[..., i] - (F - F.detach()) / q)
    two = row_gradients(sum(c * p for c, p in zip(weights, path, strict=True)), leaf)
    return deviation(one, two)


def vargrad_is_leave_one_out(seed: int) -> float:
    """∇ ½ Var_n = the score function with the leave-one-out baseline."""
    policy, objective = random_problem(seed)
    one = gradient(partial(vargrad, n=5), policy, objective, seed)
    loo = partial(score_function, n=5, baseline=leave_one_out)
    return deviation(one, gradient(loo, policy, objective, seed))


def batch_mean_is_scaled_leave_one_out(seed: int) -> float:
    """The in-sample mean as a baseline = (1 − 1/n) × leave-one-out."""
    policy, objective = random_problem(seed)
    one = gradient(partial(score_function, n=5, baseline=batch_mean), policy, objective, seed)
    two = gradient(partial(score_function, n=5, baseline=leave_one_out), policy, objective, seed)
    return deviation(one, {k: 0.8 * g for k, g in two.items()})


def first_expectation_is_a_baseline(seed: int) -> float:
    """nabla-log with its first term kept = the constant baseline b = −α."""
    policy, objective = random_problem(seed)
    one = gradient(score_function_full, policy, objective, seed)
    baseline = constant(-objective.alpha)
    two = gradient(partial(score_function, baseline=baseline), policy, objective, seed)
    return deviation(one, two)


def squashed_cost_is_change_of_variables(seed: int) -> float:
    """cost of u under squash = α[log π(u) − Σ log(1 − tanh² u)] − Q(tanh u)."""
    policy, objective = random_problem(seed)
    u = policy.sample(4, Noise(seed))
    naive = objective.alpha * (
        policy.log_prob(u) - torch.log1p(-(torch.tanh(u) ** 2)).sum(-1)
    ) - objective.Q(torch.tanh(u))
    inside = u.abs().amax(-1) < 3  # beyond, the naive form loses its digits
    cost = squash(objective).cost(policy, u)
    return deviation({"cost": cost[inside]}, {"cost": naive[inside]}) if inside.any() else 0.0


def categorical_score_by_hand(seed: int) -> float:
    """∇_logits log π(a) = onehot(a) − π."""
    rng = torch.Generator().manual_seed(seed)
    policy = leaves(Categorical(torch.randn(3, 5, generator=rng, dtype=FLOAT)))
    a = policy.sample(1, Noise(seed))
    one = row_gradients(policy.log_prob(a)[0], policy)
    probabilities = policy.parameters()["logits"].detach().softmax(-1)
    return deviation(one, {"logits": torch.nn.functional.one_hot(a[0], 5) - probabilities})


def replay_repeats(seed: int) -> float:
    """Recorded noise, replayed, gives the same gradient to the last bit."""
    policy, objective = random_problem(seed, components=2)
    recorded = Recorded(Noise(seed))
    leaf = leaves(policy)
    one = row_gradients(reparameterization(leaf, objective, recorded, n=2), leaf)
    replay: Replay = recorded.replay()
    two = row_gradients(reparameterization(leaf, objective, replay, n=2), leaf)
    return deviation(one, two)


IDENTITIES: dict[str, Callable[[int], float]] = {
    f.__name__: f
    for f in (
        eq13_is_autograd, first_term, entropy_term, value_term, log_prob_path_to_mu_cancels,
        stl_is_eq13_without_first_term, vargrad_is_leave_one_out,
        batch_mean_is_scaled_leave_one_out, first_expectation_is_a_baseline,
        one_component_is_gaussian, implicit_is_inverse_cdf, squashed_cost_is_change_of_variables,
        categorical_score_by_hand, replay_repeats,
    )
}  # fmt: skip
