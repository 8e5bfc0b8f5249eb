"""torch.distributions and Pyro."""

import pyro.distributions as pyro
import torch
from problems import (
    ALPHA,
    E_COST,
    E_WAVE,
    GAUSSIAN,
    MIXTURE,
    SAME_MEANS,
    SQUASHED,
    Case,
    cost_with,
    t,
    wave_with,
)
from torch.distributions import (
    Beta,
    Categorical,
    Gamma,
    Independent,
    MixtureSameFamily,
    Normal,
    TanhTransform,
    TransformedDistribution,
)

from estimators import from_distribution

ROWS = 4096
cost, wave = cost_with(torch.cos), wave_with(torch.cos)


def normal(p):
    return Independent(Normal(p["mu"], p["log_std"].exp()), 1)


def mixture(p):
    return MixtureSameFamily(Categorical(logits=p["logits"]), normal(p))


def path(distribution, f):
    return lambda p: f(distribution(p).rsample())


def score(distribution, f):
    def surrogate(p):
        pi = distribution(p)
        a = pi.sample()
        return f(a) * pi.log_prob(a)

    return surrogate


def sac_loss(p):
    pi = TransformedDistribution(normal(p), TanhTransform(cache_size=1))
    a = pi.rsample()
    return ALPHA * pi.log_prob(a) + cost(a)


def rows(distribution, f):
    """Pathwise gradients of what vmap cannot run: ROWS copies of the parameters, a draw of each."""

    def gradients(params, seed):
        torch.manual_seed(seed)
        leaves = {
            k: torch.as_tensor(p).expand(ROWS, *p.shape).clone().requires_grad_()
            for k, p in params.items()
        }
        f(distribution(leaves).rsample()).sum().backward()
        return {k: p.grad for k, p in leaves.items()}

    return gradients


def diag_normals(p):
    return pyro.MixtureOfDiagNormals(p["mu"], p["log_std"].exp(), p["logits"])


def shared_covariance(p):
    return pyro.MixtureOfDiagNormalsSharedCovariance(p["mu"], p["log_std"].exp(), p["logits"])


def scale_mixture_path(p):
    """Pyro's takes no batch of parameters: one estimate is the mean of 16 draws."""
    pi = pyro.GaussianScaleMixture(p["log_std"].exp(), p["logits"], p["log_scale"].exp())
    return wave(pi.rsample((16,)))


def shared_covariance_by_torch(p):
    sigma = p["log_std"].exp().unsqueeze(-2).expand(p["mu"].shape)
    components = Independent(Normal(p["mu"], sigma), 1)
    return MixtureSameFamily(Categorical(logits=p["logits"]), components)


def scale_mixture_by_torch(p):
    sigma = p["log_scale"].exp().unsqueeze(-1) * p["log_std"].exp().unsqueeze(-2)
    components = Independent(Normal(torch.zeros_like(sigma), sigma), 1)
    return MixtureSameFamily(Categorical(logits=p["logits"]), components)


def wave_gradient(make, policy):
    """∇ E[wave] for a mixture of Gaussians: the mean of a cosine is known in closed form."""
    leaves = {k: p.clone().requires_grad_() for k, p in policy.parameters().items()}
    pi = make(leaves)
    mean, variance = pi.component_distribution.mean, pi.component_distribution.variance
    c = torch.exp(-0.49 * variance.sum(-1) / 2) * torch.cos(0.7 * mean.sum(-1))
    (pi.mixture_distribution.probs * c).sum().backward()
    return {k: p.grad for k, p in leaves.items()}


def positive(family):
    return lambda p: Independent(family(p["a"].exp(), p["b"].exp()), 1)


WEIGHTS = {"logits": t(0.3, 0.0)}
SHARED = from_distribution(
    shared_covariance_by_torch, **WEIGHTS, mu=MIXTURE.mu, log_std=t(0.2, -0.1)
)
SCALES = from_distribution(
    scale_mixture_by_torch, **WEIGHTS, log_std=t(0.0, -0.2), log_scale=t(-0.7, 0.4)
)
BETA, GAMMA = (from_distribution(positive(f), a=t(0.3, 0.8), b=t(0.5, 0.1)) for f in (Beta, Gamma))

COARSE = {"delta": 0.05}  # against the score function, or a call for every estimate
SLOW = {**COARSE, "budget": 2**16}
OF_SHARED = {"exact": wave_gradient(shared_covariance_by_torch, SHARED)}
OF_SCALES = {**SLOW, "exact": wave_gradient(scale_mixture_by_torch, SCALES)}
PYRO = [
    ("MixtureOfDiagNormals", rows(diag_normals, wave), MIXTURE, "biased", {}),
    ("MixtureOfDiagNormals, equal means", rows(diag_normals, wave), SAME_MEANS, "broken", {}),
    (
        "MixtureOfDiagNormalsSharedCovariance",
        rows(shared_covariance, wave),
        SHARED,
        "biased",
        OF_SHARED,
    ),
    ("GaussianScaleMixture", scale_mixture_path, SCALES, "unbiased", OF_SCALES),
]
CASES = [
    Case("torch", "Normal.rsample", path(normal, cost), GAUSSIAN, E_COST),
    Case("torch", "Normal, score function", score(normal, cost), GAUSSIAN, E_COST),
    Case("torch", "tanh Normal.rsample, SAC's loss", sac_loss, GAUSSIAN, SQUASHED),
    Case("torch", "MixtureSameFamily, score function", score(mixture, wave), MIXTURE, E_WAVE),
    Case("torch", "Beta.rsample", rows(positive(Beta), wave), BETA, E_WAVE, options=COARSE),
    Case("torch", "Gamma.rsample", rows(positive(Gamma), wave), GAMMA, E_WAVE, options=COARSE),
    *(
        Case("pyro-ppl", f"{name}, rsample", f, policy, E_WAVE, *rest)
        for name, f, policy, *rest in PYRO
    ),
]
