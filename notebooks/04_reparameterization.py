# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 04 · Reparameterization
#
# *25 minutes, and about an hour with all exercises. You need: the log-derivative trick (02) and the loss of
# the actor (03).*
#
# **The question.** The loss of SAC's actor is a mean over actions that the actor itself draws. Its gradient
# *could* be had as in notebook 02, by the score. SAC writes the action as a function of noise instead,
#
# $$a = f_\theta(\varepsilon; s) = \mu_\theta(s) + \sigma_\theta(s)\,\varepsilon,\qquad\varepsilon\sim\mathcal N(0, I), \tag{11}$$
#
# and differentiates *through the action*. **What does that move inside the mean, and when may it?**
#
# **After this notebook you can**
#
# * write $f_\theta(\varepsilon; s)$ for a Gaussian, with its two derivatives, and for laws that are no
#   Gaussian;
# * say in one picture what the two methods do: one moves the samples, the other their weights;
# * say when $\nabla\mathbb E = \mathbb E\nabla$ holds, prove it, and compute what is lost where $Q$ jumps;
# * tell `sample` from `rsample`, and say which losses need which;
# * recognise a critic whose values are good and whose slopes are useless.

# %% [markdown]
# > **Real questions.** People asked these in public:
# >
# > * *“Why SAC use `pi = policy.rsample()` while VPG use `pi = policy.sample()`?”* —
# >   [firedup, issue 9](https://github.com/kashif/firedup/issues/9)
# > * *“Since an action $a$ has been sampled, can't that action $a$ be put back in
# >   $\nabla_\theta\log\pi$ an[d] evaluate the gradient without any reparameterization trick?”* —
# >   [Cross Validated
# >   581562](https://stats.stackexchange.com/questions/581562/need-for-reparameterization-trick-in-rl-and-others)
# > * On PyTorch's documentation of `rsample`, with an environment's reward in the example: *“Well it's
# >   kind of important to mention that the env has to be differentiable.”* —
# >   [pytorch, pull request 5050](https://github.com/pytorch/pytorch/pull/5050)
# > * *“Is gradient back-propagated through very non linear layers such as cntk.ops.greater?”* —
# >   [CNTK, issue 2443](https://github.com/microsoft/CNTK/issues/2443)
# >
# > At the end you can answer all four.

# %% tags=["setup"]
import math
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import torch

from estimators import (
    Gaussian,
    Noise,
    Objective,
    check,
    exact_gradient,
    exact_moments,
    optimal,
    reparameterization,
    score_function,
)
from estimators.gradients import grad_a
from nabla.course import (
    Table,
    check_exercise,
    claim,
    fast,
    kept,
    predict,
    slider,
)
from nabla.course.figures import estimator_lines, plain
from nabla.course.figures.fig04 import (
    critics,
    gradients,
    moved_samples,
    steepness,
    weighted_samples,
)
from toy_problems.problems import build


def numbers(*x):
    return torch.tensor(x, dtype=torch.float64)


# %% [markdown]
# ## 1 · The noise outside
#
# In $\nabla_\theta\,\mathbb E_{a\sim\pi_\theta}[Q(a)]$ the parameters sit in the *law* of $a$. Write
# the action as a recipe: draw $\varepsilon$ from a law that nobody changes, then compute
# $a = f_\theta(\varepsilon)$. For a Gaussian (the state $s$ only chooses $\mu$ and $\sigma$; we leave
# it out),
#
# $$a = \mu + \sigma\odot\varepsilon \sim\mathcal N(\mu, \operatorname{diag}\sigma^2), \qquad
#   \mathbb E_{a\sim\pi_\theta}[Q(a)] = \mathbb E_\varepsilon\big[Q(f_\theta(\varepsilon))\big].$$
#
# Three small things that texts get wrong: the diagonal of the covariance matrix is $\sigma^2$, not
# $\sigma$; $\varepsilon$ is a *vector*, a number for each coordinate (with one number for all of them
# the actions lie on a line); and $f$ is affine in $\varepsilon$, not linear.
#
# ### Exercise 1 · the recipe and its derivatives  (★, 5 minutes)


# %% tags=["exercise"]
def gaussian_path(mu, log_std, eps):
    """a = μ + σε, and its derivatives at fixed ε, θ = (μ, log σ).

    mu, log_std, eps: arrays [d], an entry for each coordinate.
    Returns a tuple of arrays [d]: a, ∂a_i/∂μ_i, ∂a_i/∂ log σ_i.
    """
    raise NotImplementedError


# %%
check_exercise("gaussian_path", gaussian_path)


# %% tags=["solution"]
def gaussian_path(mu, log_std, eps):
    sigma = np.exp(log_std)
    return mu + sigma * eps, np.ones(len(eps)), sigma * eps


gaussian_path = kept(gaussian_path)

# %% [markdown]
# **Any law with a distribution function** $F_\theta$ has such a recipe: draw $u$ uniformly in $(0,1)$
# and take $a = F_\theta^{-1}(u)$. An exponential law, $F_\lambda(a) = 1-e^{-\lambda a}$, gives
# $a = -\log(1-u)/\lambda$. One need not even invert: $F_\theta(a) = u$ stays what it is while $\theta$
# moves, so the total derivative is zero,
#
# $$\frac{\partial F_\theta}{\partial\theta}(a) + \pi_\theta(a)\,\frac{\mathrm da}{\mathrm d\theta} = 0
#   \qquad\Rightarrow\qquad
#   \frac{\mathrm da}{\mathrm d\theta} = -\frac{\partial_\theta F_\theta(a)}{\pi_\theta(a)} .$$
#
# (*Implicit* reparameterization. Notebook 08 uses it for mixtures, of which one can read that the trick
# does not apply to them.)
#
# ### Exercise 2 · the path of an exponential  (★★, 5 minutes)


# %% tags=["exercise"]
def exponential_path(rate, a):
    """da/dλ of a = −log(1 − u)/λ at fixed u, written in a.

    rate, a: numbers, both positive. Returns a number.
    """
    raise NotImplementedError


# %%
check_exercise("exponential_path", exponential_path)


# %% tags=["solution"]
def exponential_path(rate, a):
    cdf_slope = a * np.exp(-rate * a)
    density = rate * np.exp(-rate * a)
    return -cdf_slope / density


exponential_path = kept(exponential_path)

# %% [markdown]
# ## 2 · Move the samples, or move the weights
#
# $$\nabla_\theta\,\mathbb E[Q]
#   = \underbrace{\mathbb E_\varepsilon\big[\nabla_aQ(a)\,\nabla_\theta f_\theta(\varepsilon)\big]}_{\text{pathwise: each sample moves}}
#   = \underbrace{\mathbb E_a\big[Q(a)\,\nabla_\theta\log\pi_\theta(a)\big]}_{\text{score: its weight changes}}$$
#
# Pathwise, each sample moves, and $Q$ changes along its way; by the score, each stays where it is, and
# counts for more or for less.
#
# Below, $\mu$ takes a step to the right, seen by both. Eleven samples, the same for both. Left: they
# all move along; what counts is how *steep* $Q$ is where they are. Right: they stay; the ones on the
# right count more from now on ($\pi_{\mu+\text{step}}/\pi_\mu$), what counts is how *high* $Q$ is. The
# two means in the titles (of 2000 samples) are the same number.

# %% tags=["figure"]


def lopsided(a):
    """A Q without symmetry: 0.7a − 0.4a² + 0.3a³ + cos 2a."""
    cubic = 0.7 * a - 0.4 * a**2 + 0.3 * a**3
    return (cubic + torch.cos(2 * a)).sum(-1)


def Q_of(a):
    return lopsided(torch.as_tensor(a)[..., None]).numpy()


def noise(n):
    """n values of ε, evenly in probability."""
    levels = (torch.arange(n, dtype=torch.float64) + 0.5) / n
    return torch.special.ndtri(levels).numpy()


def two_ways(step, n, mu=-0.7, sigma=0.7):
    """Samples before and after, and the weights of those that stay."""
    eps = noise(n)
    a = mu + sigma * eps
    log_ratio = eps**2 / 2 - (eps - step / sigma) ** 2 / 2
    return a, a + step, np.exp(log_ratio)


def two_means(step):
    a, moved, weights = two_ways(step, 2000)
    return Q_of(moved).mean(), (weights * Q_of(a)).mean()


def draw_two_ways(step):
    a, moved, weights = two_ways(step, 11)
    by_path, by_weight = two_means(step)
    x = np.linspace(-2.3, 1.7, 200)
    curve = np.stack([x, Q_of(x)])
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.4))
    moved_samples(
        axes[0],
        curve,
        np.stack([a, Q_of(a)]),
        np.stack([moved, Q_of(moved)]),
        f"samples move: mean Q = {by_path:.3f}",
    )
    weighted_samples(
        axes[1],
        curve,
        np.stack([a, Q_of(a)]),
        weights,
        f"weights change: mean Q = {by_weight:.3f}",
    )
    figure.tight_layout()


slider(draw_two_ways, step=(0.0, 0.8, 0.05, 0.4))

# %% [markdown]
# So the person who asked is right: a sampled action *can* be put back into $\nabla\log\pi$, and nothing
# else is needed. That is the score function. Reparameterization is another way to the same mean. It
# uses something that the first does not: the slope of $Q$.
#
# ## 3 · `sample` or `rsample`
#
# | loss | gradient by autograd | is its mean $\nabla J$, $J=-\mathbb E[Q]$? |
# |---|---|---|
# | `-Q(rsample)` | $-\nabla_aQ\,\nabla_\theta f$ | yes: pathwise |
# | `-Q(sample).detach() * log_prob(sample)` | $-Q\,\nabla_\theta\log\pi$ | yes: score |
# | `-Q(sample)` | nothing arrives | no |
# | `-Q(rsample).detach() * log_prob(rsample)` | $-Q\,\frac{\mathrm d}{\mathrm d\theta}\log\pi_\theta(f_\theta(\varepsilon))$ | no: half of each |
#
# A method that weighs $\log\pi$ needs the action held **fixed** (VPG, `sample`); a method that
# differentiates $Q$ needs it **attached** (SAC, `rsample`). Why does VPG not do as SAC does? Because it
# has no $Q$ to differentiate: its rewards come from the world. *“The env has to be differentiable”* —
# or there has to be a **critic**, a function of the action that we made ourselves. SAC never
# differentiates the world. It differentiates its own network.
#
# ### Exercise 3 · pathwise  (★★, 10 minutes)
#
# Write the first line of the table, with $f_\theta$ by hand: no `rsample`. The parameters are
# `policy.mu` and `policy.log_std`, `[*batch, d]`; `rng.normal(shape, like)` draws $\varepsilon$; here
# $\alpha = 0$.


# %% tags=["exercise"]
def pathwise(policy, objective, rng):
    """∇̂J = −∇_a Q(a) ∇_θ f_θ(ε),  a = f_θ(ε) = μ + σε.

    Returns the surrogate, one number for each policy: [*batch].
    """
    raise NotImplementedError


# %%
check_exercise("pathwise", pathwise)


# %% tags=["solution"]
def pathwise(policy, objective, rng):
    eps = rng.normal(tuple(policy.mu.shape), policy.mu)
    a = policy.mu + torch.exp(policy.log_std) * eps
    return -objective.Q(a)


pathwise = kept(pathwise)

# %% [markdown]
# Is it right? By quadrature, no chance in it: the mean against the gradient of the mean.

# %%
policy = Gaussian(numbers(0.3), numbers(-0.4))
smooth = Objective(lopsided, alpha=0.0)


def half_of_each(policy, objective, rng):
    """The last line of the table."""
    a = policy.rsample(1, rng)
    return -(objective.Q(a).detach() * policy.log_prob(a)).mean(0)


truth = exact_gradient(policy, smooth)
table = {}
for f in (pathwise, score_function, half_of_each):
    mean, variance = exact_moments(f, policy, smooth)
    table[f.__name__] = mean, variance
rows = [
    (
        name,
        *(f"{float(x[k]):+.4f}" for k in truth for x in (mean, variance)),
    )
    for name, (mean, variance) in table.items()
]
exact = [(f"{float(g):+.4f}", "") for g in truth.values()]
rows.append(("∇J", *exact[0], *exact[1]))
Table(("", "mean, μ", "variance", "mean, log σ", "variance"), rows)

# %% [markdown]
# (The last one gives nothing at all for $\mu$, and $\mathbb E[Q]$ for $\log\sigma$. Notebook 05 says
# why: along the path, $\log\pi$ does not depend on $\mu$.)
#
# ## 4 · What moves inside, and when it may
#
# The step that is hidden in “differentiate through the action” is an exchange,
#
# $$\frac{\mathrm d}{\mathrm d\mu}\,\mathbb E_\varepsilon\big[Q(\mu+\sigma\varepsilon)\big]
#   \stackrel{?}{=} \mathbb E_\varepsilon\big[Q'(\mu+\sigma\varepsilon)\big].$$
#
# The law of $\varepsilon$ does not depend on $\mu$: that is what the trick has bought. But it takes
# something of $Q$ as well. If $Q$ is the integral of its derivative,
# $Q(\mu+h+\sigma\varepsilon) - Q(\mu+\sigma\varepsilon) = \int_0^h Q'(\mu+t+\sigma\varepsilon)\,\mathrm dt$,
# and $Q'$ has a finite mean, then (Fubini)
#
# $$\begin{aligned}
# \frac{\mathbb E[Q(\mu+h+\sigma\varepsilon)] - \mathbb E[Q(\mu+\sigma\varepsilon)]}{h}
#   &= \frac1h\int_0^h \mathbb E\big[Q'(\mu+t+\sigma\varepsilon)\big]\mathrm dt \\
#   &\longrightarrow\; \mathbb E\big[Q'(\mu+\sigma\varepsilon)\big] .
# \end{aligned}$$
#
# Kinks are allowed: $|a|$, a ReLU network. **Jumps are not**: a function with a jump is not the
# integral of its derivative. The derivative does not see the jump.
#
# > **Predict.** $Q(a) = 1$ where $a > \tfrac12$, else 0. What is $Q'$ at a sample? And what is
# > $\frac{\mathrm d}{\mathrm d\mu}\mathbb E[Q]$?
#
# Autograd says zero, for every sample, and it is right: $Q'=0$ almost everywhere. But
# $\mathbb E[Q] = P(a>c)$ does depend on $\mu$. Write $Q$ as a smooth part and jumps of height
# $\Delta_i$ at $c_i$. With $P(a>c) = \Phi\big(\tfrac{\mu-c}\sigma\big)$ and $\pi$ the density of the
# policy,
#
# $$\frac{\mathrm d}{\mathrm d\mu}\,\mathbb E[Q] = \mathbb E[Q'] + \sum_i\Delta_i\;\pi(c_i) :$$
#
# the part that is missing is how fast probability flows over the edge. The score function has it: it
# never differentiates $Q$.
#
# ### Exercise 4 · the missing part  (★★★, 10 minutes)
#
# For one jump, the parts for $\mu$ and for $\log\sigma$.


# %% tags=["exercise"]
def missing_part(mu, sigma, c, height):
    """∂/∂μ and ∂/∂ log σ of height·P(a > c), a ~ N(μ, σ²).

    All numbers, sigma > 0. Returns a tuple of two numbers.
    """
    raise NotImplementedError


# %%
check_exercise("missing_part", missing_part)


# %% tags=["solution"]
def missing_part(mu, sigma, c, height):
    z = (c - mu) / sigma
    bell = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    return height * bell / sigma, height * bell * z


missing_part = kept(missing_part)

# %%
step = build("step", threshold=0.5, mu=0.3, sigma=0.8, alpha=0.0)
lost = missing_part(0.3, 0.8, 0.5, 1.0)
at_step = {}
for f in (reparameterization, score_function):
    mean, variance = exact_moments(f, step.policy, step.objective)
    at_step[f.__name__] = float(mean["mu"]), float(variance["mu"])
rows = [
    (name, f"{m:+.4f}", f"{v:.4f}") for name, (m, v) in at_step.items()
]
rows.append(("−(missing part)", f"{-lost[0]:+.4f}", ""))
Table(("", "mean", "variance"), rows)

# %% [markdown]
# Zero with variance zero: **silently wrong**. Nothing warns; a gradient of zero looks like an optimum.
# The workbench's `check` does find it:

# %%
verdict = check(
    reparameterization, step.policy, step.objective, rng=Noise(0)
)
print(verdict)

# %% [markdown]
# ### A steep slope is not a jump, but nearly
#
# Take a soft step, $Q_k(a) = 1/(1+e^{-k(a-c)})$. It is smooth for every $k$, so pathwise is unbiased
# for every $k$.
#
# > **Predict.** It is unbiased at $k = 10^6$ and zero at $k = \infty$. What happens on the way?

# %% tags=["predict"]
# the variance of the pathwise gradient: "zero", "constant", "infinite"?
predict("steep", ...)

# %% [markdown]
# Slopes of size $k/4$ on a strip of width $1/k$: rarer and rarer samples carry all of the mean. The
# second moment is $\int\pi Q_k'^2\,\mathrm da\approx\pi(c)\int Q_k'^2\,\mathrm da$, and with
# $Q_k' = kQ_k(1-Q_k)$ the integral is $k\int_0^1 q(1-q)\,\mathrm dq = k/6$:
#
# $$\operatorname{Var}[\text{pathwise}]\;\approx\;\frac{k\,\pi(c)}6\ \longrightarrow\ \infty,\qquad
#   \operatorname{Var}[\text{score}]\ \text{stays.}$$

# %% tags=["figure"]
steep = np.geomspace(1, 1000, fast(9, 25))
fine = np.linspace(0.3 - 6.4, 0.3 + 6.4, 400_001)
cell = fine[1] - fine[0]
density = np.exp(-(((fine - 0.3) / 0.8) ** 2) / 2)
density = density / (density.sum() * cell)


def soft_step(k):
    """Means and variances for μ: pathwise, score."""
    q = 1 / (1 + np.exp(-np.clip(k * (fine - 0.5), -500, 500)))
    draws = {
        "reparameterization": k * q * (1 - q),
        "score_function": q * (fine - 0.3) / 0.64,
    }
    first = {n: (density * g).sum() * cell for n, g in draws.items()}
    second = {n: (density * g**2).sum() * cell for n, g in draws.items()}
    return first, {n: second[n] - first[n] ** 2 for n in draws}


both = [soft_step(k) for k in steep]
growing = {n: np.array([v[n] for _, v in both]) for n in both[0][1]}
figure, ax = plt.subplots(figsize=(7.5, 3.8))
steepness(ax, steep, growing, {"k π(c)/6": steep * lost[0] / 6})
figure.tight_layout()

# %% [markdown]
# ## 5 · Good values, useless slopes
#
# SAC's critic is trained on *values*; the actor uses its *slopes*. Nothing makes the second good when
# the first is. The extreme case: a critic that is constant on cells (a table, a tree, a rounded
# observation). Make the cells finer, and its values come as near to the true ones as you like.
#
# > **Predict.** And its pathwise gradient?

# %% tags=["figure"]
means = np.linspace(-1.5, 1.5, 61)


def hill(a):
    return -((a - 0.4) ** 2)


def staircase(a, width):
    """hill at the middle of the cell that a is in."""
    return hill((np.floor(a / width) + 0.5) * width)


def edge_gradient(mu, sigma, width):
    """Σ Δ π(c) over all edges: d/dμ of the staircase's mean."""
    edges = np.arange(-8, 8, width)
    edges = np.round(edges / width) * width
    heights = staircase(edges + width / 2, width) - staircase(
        edges - width / 2, width
    )
    parts = [
        missing_part(mu, sigma, c, dq)[0]
        for c, dq in zip(edges, heights, strict=True)
    ]
    return sum(parts)


def draw_staircase(width, mu):
    a = np.linspace(-2.5, 2.5, 801)
    bell = np.exp(-(((a - mu) / 0.4) ** 2) / 2)
    figure, axes = plt.subplots(1, 2, figsize=(11, 3.8))
    shown = {"true Q": hill(a), "the critic": staircase(a, width)}
    error = abs(hill(a) - staircase(a, width)).mean()
    title = f"mean error of the critic's values: {error:.3f}"
    critics(axes[0], a, shown, bell, title)
    lines = {
        "d/dμ E[true Q]": -2 * (means - 0.4),
        "pathwise, on the critic": np.zeros_like(means),
        "score, on the critic": np.array(
            [edge_gradient(x, 0.4, width) for x in means]
        ),
    }
    gradients(axes[1], means, lines, mu, "mean gradient for μ, σ = 0.4")
    figure.tight_layout()


slider(
    draw_staircase, width=(0.1, 1.0, 0.1, 0.4), mu=(-1.5, 1.5, 0.1, -0.6)
)

# %% [markdown]
# Zero at every width, while the score function sees the edges and is nearly right already with wide
# cells. Neural critics do not jump, so this does not happen to SAC in full; but the steps may be *there*,
# blurred, and what was a bias comes back as variance (section 4). It is a reason to look at a critic's
# slopes, and it is the subject of notebook 11.
#
# ## 6 · And when both may
#
# For a smooth $Q$ both have the same mean, and it is the variance that decides. For a narrow policy,
# $Q(a)\approx Q(\mu) + Q'\sigma\varepsilon$, and for $\mu$
#
# $$\begin{aligned}
# \text{pathwise:}\quad & Q'(a)\to Q'(\mu), && \text{variance}\to 0; \\
# \text{score:}\quad & \frac{Q(a)\,\varepsilon}\sigma\approx \frac{Q(\mu)}\sigma\,\varepsilon + Q'\varepsilon^2,
#   && \text{variance}\approx\frac{Q(\mu)^2}{\sigma^2} + 2Q'^2 .
# \end{aligned}$$
#
# The first part is the level that means nothing: a baseline takes it away. The second, $2Q'^2$, stays.
#
# > **Predict.** So pathwise wins for narrow policies. Does it win everywhere?

# %% tags=["figure"]
wavy = Objective(lambda a: torch.cos(4 * a).sum(-1) + 1.0, alpha=0.0)
widths = np.geomspace(0.05, 2.0, fast(5, 13))
names = (
    "reparameterization",
    "score_function",
    "score_function, best baseline",
)


def variances_at(objective):
    found = {name: [] for name in names}
    for sigma in widths:
        at = Gaussian(numbers(0.3), numbers(math.log(sigma)))
        level = optimal(at, objective, "mu")
        best = partial(score_function, baseline=level)
        three = (reparameterization, score_function, best)
        for name, f in zip(names, three, strict=True):
            _, variance = exact_moments(f, at, objective)
            found[name].append(float(variance["mu"]))
    return {k: np.array(v) for k, v in found.items()}


gentle, wild = variances_at(smooth), variances_at(wavy)
figure, axes = plt.subplots(1, 2, figsize=(11, 4))
for ax, lines, title in zip(
    axes, (gentle, wild), ("lopsided Q", "Q = 1 + cos 4a"), strict=True
):
    estimator_lines(
        ax, widths, lines, xlabel="σ", ylabel="variance of ∂J/∂μ"
    )
    ax.set_xscale("log")
    ax.set_yscale("log")
    plain(ax.xaxis)
    ax.set_title(title)
    ax.lines[2].set_linestyle("--")
    ax.legend(frameon=False)
figure.tight_layout()

# %% [markdown]
# Not everywhere: where $Q$ wiggles inside the policy's width, its slopes are large and say little about
# its mean, and the score function, which only looks at heights, is better. “Reparameterization has
# lower variance” is a rule of thumb with a boundary, not a theorem. Where the boundary lies is the
# story of notebook 07.
#
# ## An open project
#
# A real critic is a ReLU network: continuous, with kinks and no jumps, but almost as steep as one. Measure
# how much of $\nabla_\theta\mathbb E[Q]$ a pathwise estimate with a few hundred draws sees, as the network is
# trained longer, or made deeper.
#
# A good answer compares with a gradient from far more draws of the score function, with intervals that do
# not overlap by luck; distinguishes a *bias* (there is none) from a variance that no budget reaches; and
# relates the size of the effect to a number that is read off the network, such as its largest slope.
#
# ## Summary
#
# * $a = f_\theta(\varepsilon; s)$ takes the parameters out of the law. Pathwise **moves samples** and
#   needs the slope of $Q$; the score **moves weights** and needs its height.
# * $\nabla\mathbb E = \mathbb E\nabla$ holds where $Q$ is the integral of an integrable derivative:
#   kinks yes, jumps no. What a jump loses is $\Delta\,\pi(c)$ for $\mu$ and $\Delta\,\pi(c)\,(c-\mu)$
#   for $\log\sigma$, silently.
# * A steep slope is unbiased with a variance like $k\,\pi(c)/6$. A critic can be good in its values and
#   have no slopes at all.
# * `rsample` for what is differentiated through the action, `sample` for what weighs $\log\pi$. SAC
#   differentiates its critic, never the world.

# %% tags=["claims"]
draws = Noise(1).normal((fast(20_000, 100_000), 1, 2), numbers(0.0))
one_line = torch.corrcoef((numbers(1.0, 2.0) * draws[..., :1])[:, 0].T)
claim("one ε for all: a line", one_line[0, 1], 1.0, 1e-9)
for sign in (1, -1):
    u, rate, h = 0.5 + 0.3 * sign, 1.3, 1e-6
    a = -math.log(1 - u) / rate
    b = -math.log(1 - u) / (rate + h)
    claim(
        "da/dλ by differences",
        exponential_path(rate, a),
        (b - a) / h,
        1e-5,
    )
x = np.linspace(-8, 8, 20001)
p = np.exp(-(((x + 0.3) / 0.7) ** 2) / 2)
after_step = (p * Q_of(x)).sum() / p.sum()
for way, m in zip(
    ("samples move", "weights change"), two_means(0.4), strict=True
):
    claim(f"{way}: the new mean", m, after_step, 0.01)
for name in ("pathwise", "score_function"):
    for k, m in table[name][0].items():
        claim(f"{name} is unbiased ({k})", m, truth[k], 1e-8)
off = abs(float(table["half_of_each"][0]["mu"] - truth["mu"]))
claim("half of each is not", off > 0.1)
half = table["half_of_each"][0]
level = float((policy.nodes()[1] * lopsided(policy.nodes()[0])).sum())
claim(
    "it gives (0, E[Q])", [float(half[k]) for k in half], [0, level], 1e-8
)
claim(
    "pathwise at the step: zero",
    at_step["reparameterization"],
    [0.0, 0.0],
)
claim(
    "score at the step: right",
    at_step["score_function"][0],
    -lost[0],
    1e-6,
)
right = {k: float(g) for k, g in step.gradient().items()}
claim("the missing part, μ", -lost[0], right["mu"], 1e-9)
claim("the missing part, log σ", -lost[1], right["log_std"], 1e-9)
kinked = Objective(lambda a: a.abs().sum(-1), 0.0)
mean, _ = exact_moments(reparameterization, policy, kinked)
claim(
    "a kink is allowed",
    mean["mu"],
    exact_gradient(policy, kinked)["mu"],
    1e-5,
)
claim("check finds it", "jumps" in str(verdict))
for k, (first, _) in zip(steep, both, strict=True):
    gap = first["reparameterization"] - first["score_function"]
    claim(f"soft step, k = {k:.0f}: the same mean", gap, 0.0, 1e-6)
last = growing["reparameterization"][-1] / (steep[-1] * lost[0] / 6)
claim("variance like kπ(c)/6", last, 1.0, 0.02)
spread = growing["score_function"]
claim("the score's stays", spread.max() < 1.5 * spread.min())


def stairs(width):
    """The staircase for autograd."""
    return lambda a: (
        hill((torch.floor(a / width) + 0.5) * width) + 0 * a
    ).sum(-1)


at_hill = Gaussian(numbers(-0.6), numbers(math.log(0.4)))
for width in (0.1, 0.4):
    slope = edge_gradient(-0.6, 0.4, width)
    claim("edges give the gradient", slope, 2.0, 0.05)
    stepped = Objective(stairs(width), 0.0)
    mean, _ = exact_moments(reparameterization, at_hill, stepped)
    claim("pathwise gives zero", float(mean["mu"]), 0.0)
narrow = 0
Q0 = float(lopsided(numbers(0.3)))
slope = float(grad_a(lopsided, numbers(0.3)[None])[0, 0])
law = Q0**2 / widths[narrow] ** 2 + 2 * slope**2
claim(
    "narrow: the score's law",
    gentle["score_function"][narrow] / law,
    1.0,
    0.1,
)
best = gentle[names[2]][narrow]
claim("narrow, with a baseline: 2Q'²", best / (2 * slope**2), 1.0, 0.1)
claim(
    "narrow: pathwise to zero",
    gentle["reparameterization"][narrow] < 0.1 * best,
)
claim(
    "cos 4a, wide: the score wins",
    wild["score_function"][-1] < wild["reparameterization"][-1],
)
claim(
    "lopsided, narrow: pathwise wins",
    gentle["reparameterization"][narrow]
    < gentle["score_function"][narrow],
)

# %% [markdown]
# ## References
#
# * Haarnoja, Zhou, Abbeel, Levine 2018, *Soft Actor-Critic*, Eq. 11; Kingma and Welling 2014, *Auto-Encoding
#   Variational Bayes*; Figurnov, Mohamed, Mnih 2018, *Implicit Reparameterization Gradients*.
# * Suh, Simchowitz, Zhang, Tedrake 2022, *Do Differentiable Simulators Give Better Policy Gradients?*
#   (jumps, steep slopes); Mohamed, Rosca, Figurnov, Mnih 2020, *Monte Carlo Gradient Estimation in
#   Machine Learning*, §4–5.
# * Lahire 2021, [*Actor Loss of Soft Actor Critic Explained*](https://arxiv.org/abs/2112.15568), §4–5.
#   The corrections: `docs/claims.md`, R07–R13, R23.
# * In this workbench: `estimators/pathwise.py`; `build("step")` in `toy_problems/problems.py`.
#
# **Next:** 05, the gradient of the whole loss: $\theta$ is in $\log\pi_\theta$ as well.
