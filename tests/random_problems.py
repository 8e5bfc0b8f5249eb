"""Random policies and critics, and the gradient in closed form to 40 digits: an oracle that shares
nothing with `estimators.quadrature`. `python tests/random_problems.py 0 1000` (or `0 1000 quick`)
says how many exact answers are within their own error, how many are refused, and which are wrong.

Every critic's mean under N(μ, diag σ²) has a closed form in μ and σ; a mixture's is the weighted
sum. The entropy of a Gaussian or a Categorical has one too; that of a mixture is integrated, over
panels laid out around each of its components.
"""

import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import mpmath as mp
import numpy as np
import torch

from estimators import Categorical, Gaussian, Mixture, Objective, TooManyNodes, exact_gradient

mp.mp.dps = 40


@dataclass(frozen=True)
class Critic:
    """Q(a), and its mean under N(μ, diag σ²), given as sequences of numbers."""

    Q: Callable
    mean: Callable


def projected(w, b, f, mean):
    """f(w·a + b) with E f(z), z ~ N(m, s²), known."""
    w_, b_ = torch.as_tensor(w, dtype=torch.float64), float(b)

    def of(mu, sigma):
        m = mp.fdot(zip(map(mp.mpf, w), mu, strict=True)) + mp.mpf(b_)
        s = mp.sqrt(mp.fsum((mp.mpf(x) * y) ** 2 for x, y in zip(w, sigma, strict=True)))
        return mean(m, s)

    return Critic(lambda a: f((a * w_).sum(-1) + b_), of)


def step(w, b):
    return projected(w, b, lambda z: (z > 0).double(), lambda m, s: mp.ncdf(m / s))


def ramp(m, s):
    return m * mp.ncdf(m / s) + s * mp.npdf(m / s)


def kink(w, b):
    return projected(w, b, torch.abs, lambda m, s: 2 * ramp(m, s) - m)


def cosine(w, b):
    return projected(w, b, torch.cos, lambda m, s: mp.exp(-(s**2) / 2) * mp.cos(m))


def powers(w, b):
    """z + z²/2 − z³/5 + z⁴/20."""

    def mean(m, s):
        v = s**2
        second, third, fourth = m**2 + v, m**3 + 3 * m * v, m**4 + 6 * m**2 * v + 3 * v**2
        return m + second / 2 - third / 5 + fourth / 20

    return projected(w, b, lambda z: z + z**2 / 2 - z**3 / 5 + z**4 / 20, mean)


def growth(w, b, c):
    """exp(c z²); infinite where 2cs² ≥ 1."""

    def mean(m, s):
        rest = 1 - 2 * mp.mpf(c) * s**2
        return mp.exp(mp.mpf(c) * m**2 / rest) / mp.sqrt(rest) if rest > 0 else mp.inf

    return projected(w, b, lambda z: torch.exp(c * z**2), mean)


def strip(w, b, width):
    """1 where |z| < width."""

    def mean(m, s):
        h = mp.mpf(width)
        return mp.ncdf((h - m) / s) - mp.ncdf((-h - m) / s)

    return projected(w, b, lambda z: (z.abs() < width).double(), mean)


def box(centre, width):
    """1 where every |a_i − c_i| < width."""
    c_ = torch.as_tensor(centre, dtype=torch.float64)

    def mean(mu, sigma):
        h = mp.mpf(width)
        return mp.fprod(
            mp.ncdf((c + h - m) / s) - mp.ncdf((c - h - m) / s)
            for c, m, s in zip(map(mp.mpf, centre), mu, sigma, strict=True)
        )

    return Critic(lambda a: ((a - c_).abs() < width).all(-1).double(), mean)


def bump(centre, width):
    """exp(−|a − c|²/2w²)."""
    c_ = torch.as_tensor(centre, dtype=torch.float64)

    def mean(mu, sigma):
        total = mp.mpf(1)
        for c, m, s in zip(map(mp.mpf, centre), mu, sigma, strict=True):
            v = mp.mpf(width) ** 2 + s**2
            total *= mp.mpf(width) / mp.sqrt(v) * mp.exp(-((m - c) ** 2) / 2 / v)
        return total

    return Critic(lambda a: torch.exp(-(((a - c_) / width) ** 2).sum(-1) / 2), mean)


def network(w, b, v):
    """Σ_j v_j relu(w_j·a + b_j)."""
    neurons = [projected(x, y, torch.relu, ramp) for x, y in zip(w, b, strict=True)]
    return combined(neurons, v)


def combined(critics, weights, offset=0.0):
    def mean(mu, sigma):
        parts = (mp.mpf(v) * c.mean(mu, sigma) for v, c in zip(weights, critics, strict=True))
        return mp.mpf(offset) + mp.fsum(parts)

    def Q(a):
        return offset + sum(v * c.Q(a) for v, c in zip(weights, critics, strict=True))

    return Critic(Q, mean)


def random_critic(rng, kind, d, at, reach):
    """at, reach: where the action is likely, and how far that reaches."""
    w = rng.normal(size=d) / reach
    b = -float(w @ at) + rng.normal() * 0.7
    centre = at + rng.normal(size=d) * reach * 0.7
    if kind in ("strip", "box", "bump"):
        width = 10 ** rng.uniform(-2.7, 0) * float(np.min(reach))
    if kind == "bump":
        return bump(centre, width)
    if kind == "box":
        return box(centre, width)
    if kind == "strip":
        return strip(w * float(np.min(reach)), b * float(np.min(reach)), width)
    if kind == "network":
        units = int(rng.integers(2, 9))
        w = rng.normal(size=(units, d)) / reach
        b = -w @ at + rng.normal(size=units) * 0.7
        return network(w, b, rng.normal(size=units))
    if kind == "growth":
        return growth(w / np.linalg.norm(w * reach), b, rng.uniform(0.05, 0.6))
    return {"step": step, "kink": kink, "cosine": cosine, "powers": powers}[kind](
        w * (rng.uniform(0.5, 5) if kind == "cosine" else 1), b
    )


def seen(rng, kind, d, at, reach, parts):
    """One whose features hold at least 5e-4 of the probability of a component, or none of it: off
    the line what holds less than 2e-4 is beyond what `estimators.quadrature.features` promises."""
    while True:
        critic = random_critic(rng, kind, d, at, reach)
        if d == 1 or kind not in ("strip", "box", "bump"):
            return critic
        masses = [critic.mean(list(map(mp.mpf, m)), list(map(mp.mpf, s))) for m, s in parts]
        if all(x > 5e-4 or x < 1e-15 for x in masses) and max(masses) > 5e-4:
            return critic


KINDS = ["step", "kink", "cosine", "powers", "growth", "strip", "box", "bump", "network"]


def random_problem(seed, quick=False):
    """A policy, an objective, and what it is in words; and the mean of Q. quick: mostly on a line,
    and no mixtures elsewhere, of which one takes seconds."""
    rng = np.random.default_rng(seed)
    alpha = float(rng.choice([0.0, rng.uniform(0.01, 1)]))
    if rng.random() < 0.15:
        return random_choice(rng, alpha)
    components = int(rng.choice([0, 2, 3], p=[0.6, 0.3, 0.1]))
    on_a_line = quick and (components or rng.random() < 0.8)
    d = 1 if on_a_line else int(rng.choice([1, 2, 3], p=[0.55, 0.35, 0.1]))
    batch = (int(rng.integers(2, 10)),) if rng.random() < 0.15 and d == 1 else ()
    shape = (*batch, components, d) if components else (*batch, d)
    scale = 10 ** rng.uniform(-2, 1)
    mu = rng.normal(size=shape) * scale + rng.choice([0.0, rng.normal() * 10 * scale])
    log_std = np.log(scale) + rng.normal(size=shape) * 0.4
    narrow = components and rng.random() < 0.4
    if narrow:
        log_std[..., -1, :] -= rng.uniform(1, 9)
    mu, log_std = torch.as_tensor(mu), torch.as_tensor(log_std)
    if components:
        alpha = alpha if d < 3 else 0.0  # its entropy is integrated below: on planes at most
        policy = Mixture(torch.as_tensor(rng.normal(size=shape[:-1])), mu, log_std)
    else:
        policy = Gaussian(mu, log_std)
    at = mu.reshape(-1, d).mean(0).numpy()
    reach = log_std.exp().reshape(-1, d).amax(0).numpy()
    parts = list(
        zip(mu.reshape(-1, d).tolist(), log_std.exp().reshape(-1, d).tolist(), strict=True)
    )
    kinds = list(rng.choice(KINDS, size=int(rng.integers(1, 3)), replace=False))
    offset = float(rng.choice([0.0, rng.normal() * 10 ** rng.uniform(0, 9)], p=[0.7, 0.3]))
    critics = [seen(rng, k, d, at, reach, parts) for k in kinds]
    critic = combined(critics, rng.normal(size=len(kinds)).tolist(), offset)
    words = f"{type(policy).__name__}{' narrow' * bool(narrow)} d={d} {'+'.join(kinds)}"
    return policy, Objective(critic.Q, alpha), critic.mean, words


def random_choice(rng, alpha):
    count = int(rng.integers(2, 20))
    logits = rng.normal(size=count) * rng.choice([1, 4])
    offset = rng.choice([0.0, 10 ** rng.uniform(0, 9)])
    q = torch.as_tensor(rng.normal(size=count) + offset)
    policy = Categorical(torch.as_tensor(logits))
    return policy, Objective(lambda a: q[a], alpha), q, "Categorical"


def oracle(policy, alpha, mean):
    """∇J, shaped like the parameters, and how far it may be off: nothing, where it is in closed
    form and differentiated at 40 digits."""
    if isinstance(policy, Categorical):
        return of_choice(policy.logits, alpha, mean), 0.0
    single = of_gaussian if isinstance(policy, Gaussian) else of_mixture
    if not policy.batch:
        return single(policy, alpha, mean)
    states = [single(policy.map(lambda p, i=i: p[i]), alpha, mean) for i in range(len(policy.mu))]
    return (
        {k: torch.stack([g[k] for g, _ in states]) for k in states[0][0]},
        max(error for _, error in states),
    )


def slopes(mean, mu, sigma):
    """E Q, and its derivatives in μ_i and log σ_i."""

    def along(i, x, of_mu):
        moved = list(mu if of_mu else sigma)
        moved[i] = x if of_mu else sigma[i] * mp.exp(x)
        return mean(moved, sigma) if of_mu else mean(mu, moved)

    return (
        mean(mu, sigma),
        [mp.diff(lambda x, i=i: along(i, x, True), m) for i, m in enumerate(mu)],
        [mp.diff(lambda x, i=i: along(i, x, False), 0) for i in range(len(mu))],
    )


def of_gaussian(policy, alpha, mean):
    mu, log_std = ([mp.mpf(x) for x in p.tolist()] for p in (policy.mu, policy.log_std))
    _, by_mu, by_log_std = slopes(mean, mu, [mp.exp(x) for x in log_std])
    gradient = {"mu": [-x for x in by_mu], "log_std": [-x - alpha for x in by_log_std]}
    return {
        k: torch.tensor([float(x) for x in v], dtype=torch.float64) for k, v in gradient.items()
    }, 0.0


def of_mixture(policy, alpha, mean):
    z = [mp.exp(x) for x in policy.logits.tolist()]
    w = [x / mp.fsum(z) for x in z]
    each = [
        slopes(mean, list(map(mp.mpf, m)), [mp.exp(x) for x in s])
        for m, s in zip(policy.mu.tolist(), policy.log_std.tolist(), strict=True)
    ]
    J = mp.fdot((x, e[0]) for x, e in zip(w, each, strict=True))
    gradient = {
        "logits": [float(-x * (e[0] - J)) for x, e in zip(w, each, strict=True)],
        "mu": [[float(-x * y) for y in e[1]] for x, e in zip(w, each, strict=True)],
        "log_std": [[float(-x * y) for y in e[2]] for x, e in zip(w, each, strict=True)],
    }
    gradient = {k: torch.tensor(v, dtype=torch.float64) for k, v in gradient.items()}
    if not alpha:
        return gradient, 0.0
    coarse, fine = (entropy_term(policy, nodes) for nodes in (20, 26))
    error = max(float((fine[k] - coarse[k]).abs().max()) for k in fine)
    size = max(float(g.abs().max()) for g in fine.values())
    return {k: gradient[k] + alpha * g for k, g in fine.items()}, alpha * (error + 1e-14 * size)


def entropy_term(policy, nodes):
    """∇∫π log π = ∫ log π ∇π da, on panels around each component."""
    mu, sigma = policy.mu, policy.log_std.exp()  # [K, d]
    reach = torch.tensor([-14.0, -9, -7, -5.5, -4.5, -3.5, -2.5, -1.5, -0.5]).double()
    reach = torch.cat([reach, -reach])
    lines = []
    for m, s in zip(mu.T, sigma.T, strict=True):
        edges = (m[:, None] + s[:, None] * reach).flatten().sort().values
        t, v = (torch.as_tensor(x) for x in np.polynomial.legendre.leggauss(nodes))
        half = edges.diff()[:, None] / 2
        lines.append(
            (((edges[1:] + edges[:-1])[:, None] / 2 + half * t).flatten(), (half * v).flatten())
        )
    leaf = policy.map(lambda p: p.clone().requires_grad_())
    total = 0.0
    a = torch.cartesian_prod(*[x for x, _ in lines]).view(-1, len(lines))
    v = torch.cartesian_prod(*[x for _, x in lines]).view(-1, len(lines)).prod(1)
    for at, weight in zip(a.split(2**16), v.split(2**16), strict=True):
        log_prob = leaf.log_prob(at)
        pi = weight * log_prob.detach().exp()
        grads = torch.autograd.grad(
            (pi * log_prob.detach() * log_prob).sum(), list(leaf.parameters().values())
        )
        total = [x + y for x, y in zip(total, grads, strict=True)] if total else list(grads)
    return dict(zip(leaf.parameters(), total, strict=True))


def of_choice(logits, alpha, q):
    z = [mp.exp(mp.mpf(float(x))) for x in logits]
    p = [x / mp.fsum(z) for x in z]
    cost = [mp.mpf(alpha) * mp.log(x) - mp.mpf(float(y)) for x, y in zip(p, q, strict=True)]
    J = mp.fdot(zip(p, cost, strict=True))
    slopes = [float(x * (c - J)) for x, c in zip(p, cost, strict=True)]
    return {"logits": torch.tensor(slopes, dtype=torch.float64)}


def judged(seed, quick=False):
    """right, refused or wrong; and what the problem was, the true error, and what was claimed."""
    policy, objective, mean, words = random_problem(seed, quick)
    try:
        exact = exact_gradient(policy, objective)
    except TooManyNodes as reason:
        return "refused", words, str(reason), 0.0
    truth, slack = oracle(policy, objective.alpha, mean)
    gap = max(float((exact[k] - truth[k]).abs().max()) for k in truth)
    return ("right" if gap <= exact.error + slack else "wrong"), words, gap, exact.error


if __name__ == "__main__":
    first, last = (int(x) for x in sys.argv[1:3])
    counts, of_kind = Counter(), Counter()
    for seed in range(first, last):
        verdict, words, gap, error = judged(seed, quick="quick" in sys.argv)
        counts[verdict] += 1
        of_kind[verdict, words.split(" ")[0] + " " + words.split("d=")[-1][:1]] += 1
        if verdict == "wrong":
            print(seed, words, gap, error, flush=True)
    print(dict(counts))
    for key in sorted(of_kind):
        print(*key, of_kind[key])
