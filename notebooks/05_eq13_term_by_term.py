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
# # 05 · Eq. 13, term by term
#
# *30 minutes, and about an hour with all exercises. You need: the loss of the actor (03) and the
# reparameterization trick (04).*
#
# **The question.** SAC's actor follows
#
# $$\hat\nabla_\theta J = \nabla_\theta\, \alpha\log\pi_\theta(a)
#   + \big(\nabla_a\, \alpha\log\pi_\theta(a) - \nabla_a Q(a)\big)\,
#   \nabla_\theta f_\theta(\varepsilon) \tag{13}$$
#
# at the action drawn, $a = f_\theta(\varepsilon)$.
#
# The bracket is easy to believe: it is the chain rule. **Where does the first term come from**, and
# what would happen without it?
#
# **After this notebook you can**
#
# * derive Eq. 13 from Eq. 12 and say which derivative is total and which is partial;
# * write its three terms for a Gaussian, and let autograd make them for you;
# * explain why $\log\pi$ seems to have no gradient to the mean — and when it has one;
# * drop the first term on purpose (*sticking the landing*), and say when that helps and when it harms;
# * recognise the version that a popular article prints, and see it diverge.

# %% [markdown]
# > **Real questions.** People asked these in public, about this very equation:
# >
# > * *“The thing confuses me is the first term in the gradient, where does it come from? … the second
# >   large term is already the gradient we need, why do they add the first term?”* —
# >   [Cross Validated 391707](https://stats.stackexchange.com/questions/391707/what-is-the-gradient-of-the-objective-function-in-the-soft-actor-critic-paper)
# > * *“I think this log-likelihood does not have gradient to the mean part but only std part. Am I
# >   correct?”* — [pytorch-soft-actor-critic, issue 11](https://github.com/pranz24/pytorch-soft-actor-critic/issues/11)
# > * With `rsample()` the gradients with respect to the mean are zero; in Stable-Baselines3 they are
# >   not: *“is there some implementation trick?”* —
# >   [stable-baselines3, issue 2096](https://github.com/DLR-RM/stable-baselines3/issues/2096)
# > * How to let $\log\pi$ block gradients to its *parameters* but not to its *value*? —
# >   [pytorch, issue 25783](https://github.com/pytorch/pytorch/issues/25783)
# > * *“Should Pyro always try to stick the landing?”* —
# >   [pyro, issue 2854](https://github.com/pyro-ppl/pyro/issues/2854)
# >
# > At the end you can answer all five.

# %% tags=["setup"]
import math

import matplotlib.pyplot as plt
import numpy as np
import torch

from estimators import (
    Gaussian,
    Noise,
    Objective,
    eq13_terms,
    exact_gradient,
    exact_moments,
    measure,
    per_sample_gradients,
    reparameterization,
    reparameterization_eq13,
    score_function,
    squash,
    sticking_the_landing,
)
from estimators.gradients import grad_a
from estimators.checking.slips import score_for_path
from nabla.course import (
    Table,
    check_exercise,
    claim,
    fast,
    kept,
    predict,
    slider,
)
from nabla.course.figures import (
    descents,
    estimator_lines,
    plain,
    term_lines,
)
from nabla.figures import gradient_violins, variance_bars


def numbers(*x):
    return torch.tensor(x, dtype=torch.float64)


# %% [markdown]
# ## 1 · Two ways to depend on θ
#
# From notebooks 03 and 04 we have, state by state (we leave the state $s$ out, and write $\theta$ for
# the parameters of the *actor*; the paper writes $\phi$),
#
# $$\begin{aligned}
# J(\theta) &= \mathbb E_{a\sim\pi_\theta}\big[\alpha\log\pi_\theta(a) - Q(a)\big] \\
#   &= \mathbb E_{\varepsilon\sim\mathcal N(0,1)}\big[\alpha\log\pi_\theta(f_\theta(\varepsilon))
#   - Q(f_\theta(\varepsilon))\big], \\
# f_\theta(\varepsilon) &= \mu + \sigma\varepsilon.
# \end{aligned} \tag{11, 12}$$
#
# The noise does not know $\theta$, so the gradient moves inside the expectation. What stands inside
# is a function of $\theta$ alone once $\varepsilon$ is drawn — but $\theta$ enters $\log\pi$ **twice**:
#
# $$\log\pi_{\color{#D55E00}{\theta}}\big(f_{\color{#0072B2}{\theta}}(\varepsilon)\big)
#   \qquad\text{as the parameter of the density, and through the action.}$$
#
# Let $g(\theta, a) = \alpha\log\pi_\theta(a) - Q(a)$, a function of two arguments. The **partial**
# derivative $\nabla_\theta g$ holds $a$ fixed. The **total** derivative follows $a = f_\theta(\varepsilon)$:
#
# $$\frac{\mathrm d}{\mathrm d\theta}\, g\big(\theta, f_\theta(\varepsilon)\big)
#   = \underbrace{\nabla_\theta\, g(\theta, a)}_{\text{partial, } a \text{ fixed}}
#   + \underbrace{\nabla_a\, g(\theta, a)\;\nabla_\theta f_\theta(\varepsilon)}_{\text{along the path of } a}
#   \qquad\text{at } a = f_\theta(\varepsilon).$$
#
# Put $g$ in. $Q$ has no parameter of the actor, so its partial derivative is zero, and
#
# $$\underbrace{\alpha\nabla_\theta\log\pi_\theta(a)}_{\textbf{score}}
#   + \underbrace{\alpha\nabla_a\log\pi_\theta(a)\,\nabla_\theta f_\theta(\varepsilon)}_{\textbf{entropy}}
#   \;\underbrace{-\,\nabla_a Q(a)\,\nabla_\theta f_\theta(\varepsilon)}_{\textbf{value}}$$
#
# is Eq. 13. **That is where the first term comes from: nobody adds it. It is the half of a total
# derivative that the chain rule through $a$ does not see.** Nothing is approximated either (an answer
# in the thread above says so): once $\varepsilon$ is drawn, Eq. 13 *is* the derivative.

# %% [markdown]
# ## 2 · The three terms of a Gaussian
#
# For $\pi_\theta = \mathcal N(\mu, \sigma^2)$ with $\theta = (\mu, \log\sigma)$,
#
# $$\begin{aligned}
# \log\pi_\theta(a) &= -\frac{(a-\mu)^2}{2\sigma^2} - \log\sigma - \tfrac12\log 2\pi, \\[1ex]
# \nabla_a\log\pi_\theta(a) &= -\frac{a-\mu}{\sigma^2} = -\frac{\varepsilon}{\sigma},
#   \qquad \nabla_\theta f_\theta(\varepsilon) = (1,\; \sigma\varepsilon).
# \end{aligned}$$
#
# ### Exercise 1 · the score  (★, 5 minutes)
#
# Differentiate $\log\pi_\theta(a)$ by $\mu$ and by $\log\sigma$ **with the action held fixed**; then put
# $a = \mu + \sigma\varepsilon$ in, so that the answer is written in $\varepsilon$.


# %% tags=["exercise"]
def score_term(mu, log_std, eps):
    """∇_θ log π_θ(a) at fixed a, for a = μ + σε and θ = (μ, log σ).

    mu, log_std, eps: tensors of one shape, an action each.
    Returns a tuple: the derivative by μ, the derivative by log σ.
    """
    raise NotImplementedError


# %%
check_exercise("score_term", score_term)


# %% tags=["solution"]
def score_term(mu, log_std, eps):
    sigma = log_std.exp()
    return eps / sigma, eps**2 - 1


score_term = kept(score_term)

# %% [markdown]
# > **Predict** before you run the next cell: `log_prob(rsample())` is differentiated by autograd, by
# > $\mu$ and by $\log\sigma$. Which two numbers come out for $\varepsilon = 1.3$? And for
# > $\varepsilon = -0.4$?

# %%
mu, log_std = numbers(0.3, 0.3), numbers(-0.4, -0.4)
eps = numbers(1.3, -0.4)
mu.requires_grad_()
log_std.requires_grad_()
a = mu + log_std.exp() * eps
log_prob = Gaussian(mu[:, None], log_std[:, None]).log_prob(a[:, None])
total = torch.autograd.grad(log_prob.sum(), [mu, log_std])
Table(
    ("d log π(f(ε)) by", "ε = 1.3", "ε = −0.4"),
    [
        (name, *(f"{x:+.4f}" for x in g.tolist()))
        for name, g in zip(("μ", "log σ"), total, strict=True)
    ],
)

# %% [markdown]
# Zero and minus one, whatever $\varepsilon$ is. Put $a = f_\theta(\varepsilon)$ in *before* you
# differentiate and you see why:
#
# $$\log\pi_\theta(f_\theta(\varepsilon)) = -\tfrac12\varepsilon^2 - \log\sigma - \tfrac12\log2\pi .$$
#
# The mean has gone. A Gaussian that moves takes its density along: shift $\mu$, and the action
# shifts with it to a place where the density is the same as before. The three terms, side by side:
#
# | term | by $\mu$ | by $\log\sigma$ |
# |---|---|---|
# | score $\ \alpha\nabla_\theta\log\pi_\theta(a)$ | $\alpha\varepsilon/\sigma$ | $\alpha(\varepsilon^2-1)$ |
# | entropy $\ \alpha\nabla_a\log\pi_\theta(a)\nabla_\theta f$ | $-\alpha\varepsilon/\sigma$ | $-\alpha\varepsilon^2$ |
# | value $\ -\nabla_aQ(a)\nabla_\theta f$ | $-Q'(a)$ | $-Q'(a)\,\sigma\varepsilon$ |
# | **sum** | $-Q'(a)$ | $-\alpha - Q'(a)\,\sigma\varepsilon$ |
#
# So the observation “*only the std gets a gradient from log π*” is right, draw by draw — and it is the
# **first term that makes it right**: leave the score out, and $-\alpha\varepsilon/\sigma$ stays behind.
#
# Why then does Stable-Baselines3 see one? Because its actions are squashed, $a = \tanh u$, and
# $\log\pi(a) = \log\pi(u) - \log(1-\tanh^2u)$: the second part does depend on where $u$ is (notebook 09).

# %%
policy = Gaussian(numbers(0.3), numbers(-0.4))
only_entropy = Objective(lambda a: 0 * a.sum(-1), alpha=1.0)
plain_mu, squashed_mu = (
    float(exact_gradient(policy, objective)["mu"])
    for objective in (only_entropy, squash(only_entropy))
)
Table(
    ("", "plain", "squashed"),
    [("dE[log π]/dμ", f"{plain_mu:+.4f}", f"{squashed_mu:+.4f}")],
)

# %% [markdown]
# ### The terms, moved by hand
#
# Each line below is one term of Eq. 13 as a function of the noise it is made from (the grey hill says
# where the noise is). Move the sliders (mouse or arrow keys) and watch two things: on the left, *score*
# and *entropy* cancel for every $\varepsilon$; on the right, they leave $-\alpha$ behind.


# %% tags=["figure"]
def lopsided(a):
    """A Q without symmetry: 0.7a − 0.4a² + 0.3a³ + cos 2a."""
    cubic = 0.7 * a - 0.4 * a**2 + 0.3 * a**3
    return (cubic + torch.cos(2 * a)).sum(-1)


def draw_terms(mu, sigma, alpha):
    eps = np.linspace(-2.5, 2.5, 101)
    a = torch.tensor(mu + sigma * eps)[:, None]
    slope = grad_a(lopsided, a)[:, 0].numpy()
    by_mu = {
        "score": alpha * eps / sigma,
        "entropy": -alpha * eps / sigma,
        "value": -slope,
    }
    by_log_std = {
        "score": alpha * (eps**2 - 1),
        "entropy": -alpha * eps**2,
        "value": -slope * sigma * eps,
    }
    figure, axes = plt.subplots(1, 2, figsize=(10, 3.6))
    for ax, terms, name in zip(
        axes, (by_mu, by_log_std), ("μ", "log σ"), strict=True
    ):
        terms["sum"] = sum(terms.values())
        term_lines(ax, eps, terms, name)
    figure.tight_layout()


slider(
    draw_terms,
    mu=(-1.5, 1.5, 0.1, 0.3),
    sigma=(0.3, 1.5, 0.1, 0.7),
    alpha=(0.0, 2.0, 0.1, 0.6),
)

# %% [markdown]
# ### Exercise 2 · Eq. 13 by hand  (★★, 10 minutes)
#
# Write the whole of Eq. 13 for a Gaussian, one draw at a time. You are given what the critic says,
# `grad_Q` $= \nabla_aQ(a)$ at the action drawn. Keep all three terms, also where they cancel.


# %% tags=["exercise"]
def eq13(mu, sigma, eps, grad_Q, alpha):
    """∇̂J = α ∇_θ log π_θ(a) + (α ∇_a log π_θ(a) − ∇_a Q(a)) ∇_θ f_θ(ε).

    mu, sigma, eps, grad_Q: tensors of one shape; a = μ + σε.
    Returns a tuple: the part for μ, the part for log σ.
    """
    raise NotImplementedError


# %%
check_exercise("eq13", eq13)


# %% tags=["solution"]
def eq13(mu, sigma, eps, grad_Q, alpha):
    score = eps / sigma, eps**2 - 1
    grad_log_prob = -eps / sigma
    bracket = alpha * grad_log_prob - grad_Q
    grad_f = 1, sigma * eps
    return tuple(
        alpha * s + bracket * f
        for s, f in zip(score, grad_f, strict=True)
    )


eq13 = kept(eq13)

# %% [markdown]
# ## 3 · Let autograd do it
#
# Nobody writes the three terms in a real actor: the total derivative of $\alpha\log\pi_\theta(a) - Q(a)$
# is what autograd computes from the loss, if the action still hangs on $\theta$.
#
# ### Exercise 3 · the actor loss  (★★, 5 minutes)
#
# Everything in this workbench has one form, `estimator(policy, objective, rng)`: it returns a
# **surrogate**, one number for each policy of a batch, whose *gradient* is one draw of the estimate (the
# surrogate's own value means nothing). You have
#
# * `policy.sample(n, rng)` and `policy.rsample(n, rng)`, actions `[n, *batch, d]`;
# * `policy.log_prob(a)`, `[n, *batch]`, and `policy.detach()`, the same policy as plain numbers;
# * `objective.Q(a)`, `objective.alpha`, and `objective.cost(policy, a)` $= \alpha\log\pi(a) - Q(a)$.
#
# Draw one action (`n = 1`) and return the surrogate whose gradient is Eq. 13.


# %% tags=["exercise"]
def actor_loss(policy, objective, rng):
    """∇̂J = d/dθ [α log π_θ(f_θ(ε)) − Q(f_θ(ε))], SAC Eq. 12 and 13.

    Returns the surrogate, one number for each policy: [*batch].
    """
    raise NotImplementedError


# %%
check_exercise("actor_loss", actor_loss)


# %% tags=["solution"]
def actor_loss(policy, objective, rng):
    a = policy.rsample(1, rng)  # [1, *batch, d]
    return objective.cost(policy, a).mean(0)


actor_loss = kept(actor_loss)

# %% [markdown]
# Is it the same thing, draw by draw? The same noise into the three terms by hand and into autograd:

# %%
objective = Objective(lopsided, alpha=0.6)
draws = fast(1000, 10_000)
autograd = per_sample_gradients(
    actor_loss, policy, objective, draws, Noise(0)
)
copies = policy.map(lambda p: p.expand(draws, *p.shape))
terms = eq13_terms(copies, objective, Noise(0))
gap = max(
    float((sum(t[name][0] for t in terms.values()) - g).abs().max())
    for name, g in autograd.items()
)
print(f"largest difference in {draws} draws: {gap:.1e}")

# %% [markdown]
# ## 4 · Do we need the first term?
#
# > **Predict.** What is the *mean* of the score term $\alpha\nabla_\theta\log\pi_\theta(a)$? What does that
# > say about leaving it out?
#
# Densities integrate to one, whatever $\theta$ is:
#
# $$\mathbb E_{\pi_\theta}\big[\nabla_\theta\log\pi_\theta(a)\big]
#   = \int \pi_\theta(a)\,\frac{\nabla_\theta\pi_\theta(a)}{\pi_\theta(a)}\,\mathrm da
#   = \nabla_\theta\int\pi_\theta(a)\,\mathrm da = \nabla_\theta 1 = 0 .$$
#
# So the person who asked was half right: *in the mean*, the bracket is already the whole gradient, and
# the estimator without the first term is unbiased. It has a name, **sticking the landing** (Roeder, Wu
# and Duvenaud 2017). In *one draw* the first term is not zero, and so it changes the variance.

# %%
score_mean = {
    name: (float(t.mean()), float(t.std() / math.sqrt(draws)))
    for name, t in terms["score"].items()
}
Table(
    ("", "mean of the score term"),
    [
        (name, f"{m:+.4f} ± {se:.4f}")
        for name, (m, se) in score_mean.items()
    ],
)

# %% [markdown]
# ### Exercise 4 · sticking the landing  (★★, 10 minutes)
#
# Change your actor loss so that the first term is gone and the rest is left. This is what the feature
# request in the box above is about: block the gradient to the *parameters* of $\log\pi$, but not to its
# *value*.


# %% tags=["exercise"]
def sticking(policy, objective, rng):
    """∇̂J = (α ∇_a log π(a) − ∇_a Q(a)) ∇_θ f_θ(ε): no first term.

    Returns the surrogate, one number for each policy: [*batch].
    """
    raise NotImplementedError


# %%
check_exercise("sticking", sticking)


# %% tags=["solution"]
def sticking(policy, objective, rng):
    a = policy.rsample(1, rng)  # the path stays …
    return objective.cost(policy.detach(), a).mean(0)  # … θ in π goes


sticking = kept(sticking)

# %% [markdown]
# ## 5 · When does it help?
#
# > **Predict.** You remove a noisy term with mean zero. Does the variance go down — always, sometimes,
# > never?

# %% tags=["predict"]
predict("first_term", ...)  # your guess in the place of the dots

# %% [markdown]
# Take the simplest critic with a maximum, $Q(a) = -\tfrac k2(a-m)^2$, so $-\nabla_aQ(a) = k(a-m)$, and
# write $\delta = \mu - m$. With $a - m = \delta + \sigma\varepsilon$ the table of section 2 gives
#
# $$\begin{aligned}
# \text{Eq. 13:}\quad & \partial_\mu: k\delta + k\sigma\,\varepsilon,
#   && \partial_{\log\sigma}: -\alpha + k\delta\sigma\,\varepsilon + k\sigma^2\,\varepsilon^2\\
# \text{no score:}\quad & \partial_\mu: k\delta + \big(k\sigma - \tfrac\alpha\sigma\big)\,\varepsilon,
#   && \partial_{\log\sigma}: k\delta\sigma\,\varepsilon + (k\sigma^2-\alpha)\,\varepsilon^2
# \end{aligned}$$
#
# ### Exercise 5 · two variances  (★★★, 10 minutes)
#
# Read off the variance of $\partial_\mu$ in both cases. ($\operatorname{Var}\varepsilon = 1$.)


# %% tags=["exercise"]
def variances(k, sigma, alpha):
    """Variance of one estimate of ∂J/∂μ for Q = −k(a − m)²/2.

    Returns a tuple: of Eq. 13, of Eq. 13 without its first term.
    """
    raise NotImplementedError


# %%
check_exercise("variances", variances)


# %% tags=["solution"]
def variances(k, sigma, alpha):
    eq13_factor = k * sigma
    without_score = k * sigma - alpha / sigma
    return eq13_factor**2, without_score**2


variances = kept(variances)

# %% [markdown]
# Their ratio depends on one number, $\tau = k\sigma^2/\alpha$: how sharp the critic is, seen by the
# policy. At the optimum $\pi \propto e^{Q/\alpha}$ we have $\sigma^2 = \alpha/k$, so $\tau = 1$.
#
# $$\frac{\operatorname{Var}[\text{without}]}{\operatorname{Var}[\text{Eq. 13}]}
#   = \Big(1 - \frac1\tau\Big)^2 \quad\text{for } \mu:
#   \qquad \begin{cases} <1 & \tau > \tfrac12\\ = 0 & \tau = 1\\ > 1 & \tau < \tfrac12\end{cases}$$
#
# The lines are the closed forms, the markers `exact_moments` of the estimators themselves (they need no
# random numbers). Move $\delta$: for $\log\sigma$ a mean that is off adds the same noise to both.


# %% tags=["figure"]
k, alpha = 1.7, 0.5
tau = np.geomspace(0.2, 5, fast(20, 80))
marks = np.array([0.25, 0.5, 1.0, 2.0, 4.0])
pair = ("reparameterization_eq13", "sticking_the_landing")


def closed_forms(tau, delta):
    """Total variance, μ and log σ together, {estimator: [tau]}."""
    sigma2 = tau * alpha / k
    rest = k * sigma2 - alpha
    both = k**2 * delta**2 * sigma2
    return {
        pair[0]: k**2 * sigma2 + both + 2 * k**2 * sigma2**2,
        pair[1]: rest**2 / sigma2 + both + 2 * rest**2,
    }


def by_nodes(tau, delta):
    """The same, from the estimators: nodes in place of noise."""
    Q = Objective(lambda a: -k * (a**2).sum(-1) / 2, alpha)
    both = (reparameterization_eq13, sticking_the_landing)
    found = {name: [] for name in pair}
    for t in tau:
        at = Gaussian(
            numbers(delta), numbers(0.5 * math.log(t * alpha / k))
        )
        for name, f in zip(pair, both, strict=True):
            _, variance = exact_moments(f, at, Q)
            found[name].append(sum(float(v) for v in variance.values()))
    return {"x": tau, **found}


def draw_variances(delta):
    figure, ax = plt.subplots(figsize=(7, 4))
    estimator_lines(
        ax,
        tau,
        closed_forms(tau, delta),
        by_nodes(marks, delta),
        xlabel="τ = kσ²/α",
        ylabel="total variance of one estimate",
    )
    ax.axvline(1, color="black", lw=1, ls="--")
    ax.set_xscale("log")
    plain(ax.xaxis)
    ax.set_ylim(0, 6)
    ax.set_title("without the first term: zero at the optimum (τ = 1)")
    figure.tight_layout()


slider(draw_variances, delta=(0.0, 2.0, 0.1, 0.0))

# %% [markdown]
# This is the answer to Pyro's question: near the optimum the first term is nearly all of the noise and
# it pays to drop it; far from it ($\tau < \tfrac12$: an early, narrow policy) it *cancels* noise and it
# pays to keep it. The same on a critic that is not a parabola, measured, with 95 % intervals:

# %% tags=["figure"]
candidates = (
    reparameterization,
    sticking_the_landing,
    score_function,
)
estimates = fast(20_000, 200_000)
narrow = Gaussian(numbers(0.3), numbers(-1.6))
figure, axes = plt.subplots(2, 2, figsize=(11, 5))
measured = {}
for row, (label, at) in zip(
    axes, (("σ = 0.67", policy), ("σ = 0.20", narrow)), strict=True
):
    reports = [
        measure(
            f,
            at,
            objective,
            estimates=estimates,
            rng=Noise(1),
            name=f.__name__,
        )
        for f in candidates
    ]
    measured[label] = {r.estimator: r for r in reports}
    variance_bars(row[0], reports)
    row[0].set_title(label)
    samples = {
        f.__name__: per_sample_gradients(
            f, at, objective, 2000, Noise(2)
        )["mu"][:, 0].numpy()
        for f in candidates
    }
    exact = float(exact_gradient(at, objective)["mu"])
    gradient_violins(row[1], samples, exact, "μ")
    row[1].tick_params(labelleft=False)
figure.tight_layout()

# %% [markdown]
# > **Predict.** $\tau = k\sigma^2/\alpha = 2$. Which share of Eq. 13's variance for $\mu$ is left without the
# > first term?

# %% tags=["predict"]
predict("share_at_two", ...)  # your guess in the place of the dots

# %% [markdown]
# ### Exercise 6 · where nothing is gained  (★★, 5 minutes)
#
# No formula is given. $Q = -k(a-m)^2/2$, and one draw of each. As $\alpha$ grows, the variance for $\mu$
# without the first term falls, is zero once, and grows again. At which $\alpha > 0$ is it that of Eq. 13?


# %% tags=["exercise"]
def break_even(k, sigma):
    """The temperature at which dropping the first term is a draw.

    k, sigma: numbers, positive. Returns a number.
    """
    raise NotImplementedError


# %%
check_exercise("break_even", break_even)


# %% tags=["solution"]
def break_even(k, sigma):
    return 2 * k * sigma**2


break_even = kept(break_even)

# %% [markdown]
# ### Exercise 7 · which one, and how many  (★★, 10 minutes)
#
# A design. You are told $k$, $\sigma$ and $\alpha$, and how many draws you may take; every draw costs one
# evaluation of $Q$ and one gradient, whichever estimator it is of. Say which estimator, and how many of
# its draws to average. The referee is the exact variance for $\mu$ of what you choose, in five cases;
# within 5 % of the best plan is good.


# %% tags=["exercise"]
def choose_term(k, sigma, alpha, budget):
    """A plan: ("eq13" or "sticking", number of draws).

    k, sigma, alpha: numbers; budget: the most draws, a whole number.
    Returns a tuple: the estimator's name, the number of draws.
    """
    raise NotImplementedError


# %%
check_exercise("choose_term", choose_term)


# %% tags=["solution"]
def choose_term(k, sigma, alpha, budget):
    eq13 = (k * sigma) ** 2
    without = (k * sigma - alpha / sigma) ** 2
    return ("eq13" if eq13 < without else "sticking"), budget


choose_term = kept(choose_term)

# %% [markdown]
# ## 6 · The version that diverges
#
# A popular article on SAC prints the parameter update with $\nabla_\theta\log\pi_\theta(a)$ where Eq. 13
# has $\nabla_\theta f_\theta(\varepsilon)$:
#
# $$\theta \leftarrow \theta + \lambda\Big[\alpha\nabla_\theta\log\pi_\theta(a)
#   - \big(\alpha\nabla_a\log\pi_\theta(a) - \nabla_aQ(a)\big)\,
#   \color{#D55E00}{\nabla_\theta\log\pi_\theta(a)}\Big].$$
#
# > **Predict.** On the parabola, where does $\mu$ go?
#
# With $\nabla_aQ = -k(a-m)$ the bracket is $k\delta + (k\sigma - \alpha/\sigma)\varepsilon$, and the score for
# $\mu$ is $\varepsilon/\sigma$. In the mean $\delta$, which says *where the maximum is*, drops out:
#
# $$\mathbb E[\Delta\mu] = -\lambda\,\big(k - \alpha/\sigma^2\big),\qquad \mathbb E[\Delta\log\sigma] = 0 :$$
#
# a constant drift, in a direction that has nothing to do with the critic's maximum, for ever.

# %% tags=["figure"]
peak, blog_k, blog_alpha, rate = 1.1, 1.7, 0.2, 0.05
parabola = Objective(
    lambda a: -blog_k * ((a - peak) ** 2).sum(-1) / 2, blog_alpha
)
updates, actions = fast(60, 200), 64


def descend(estimator):
    """μ along the updates, from μ = 0.3, σ = 0.7."""
    at = Gaussian(numbers(0.3), numbers(math.log(0.7)))
    rng, path = Noise(3), []
    for _ in range(updates):
        path.append(float(at.mu))
        g = per_sample_gradients(estimator, at, parabola, actions, rng)
        at = Gaussian(
            at.mu - rate * g["mu"].mean(0),
            at.log_std - rate * g["log_std"].mean(0),
        )
    return path


paths = {
    "Eq. 13": descend(reparameterization_eq13),
    "Eq. 13 without its first term": descend(sticking_the_landing),
    "∇ log π in the place of ∇f": descend(score_for_path),
}
figure, ax = plt.subplots(figsize=(8, 4))
descents(ax, paths, peak, "μ")
figure.tight_layout()

# %% [markdown]
# (The article's first term, $\alpha\nabla_\theta\log\pi_\theta(a)$, has mean zero and is left out here; it
# changes nothing in the mean. Exercise 2 knows this slip: try it there.)
#
# ## An open project
#
# What does a *part* of the first term do? Take Eq. 13 with $c$ times its first term, $c$ a number: $c = 1$ is
# Eq. 13, $c = 0$ sticking the landing. Which $c$ is best on the parabola, for $\mu$ and for $\log\sigma$, and
# what becomes of it for $Q = \cos 3a$? Could an actor choose $c$ as it learns?
#
# A good answer shows that the mean does not depend on $c$ (by a line of algebra, and by `exact_moments`);
# has the variance as a parabola in $c$, with its minimum in closed form and the checked fact that $c$ may
# lie outside $[0, 1]$; says that $\mu$ and $\log\sigma$ want different $c$; and is honest about the price of
# *estimating* $c$ from the same draws (a bias, unless they are others).
#
# ## Summary
#
# * $\theta$ enters $\log\pi_\theta(f_\theta(\varepsilon))$ twice. Eq. 13 is the **total** derivative: the
#   first term holds the action, the bracket follows it. Draw by draw it is exactly what autograd gives.
# * For a Gaussian the first term **cancels** the path of $\log\pi$ by $\mu$; together they are
#   $(0, -\alpha)$. Hence “log π has no gradient to the mean” — until a tanh comes in.
# * The first term has mean zero. Without it (`policy.detach()` inside $\log\pi$) the estimator stays
#   unbiased; its variance is smaller iff $\tau = k\sigma^2/\alpha > \tfrac12$ (for a parabola), and zero at
#   the optimum.
# * $\nabla_\theta\log\pi$ in the place of $\nabla_\theta f$ is no gradient of anything useful: it drifts off.

# %% tags=["claims"]
tick = policy.detach()
right = exact_gradient(tick, objective)
claim("total derivative of log π by μ: 0", total[0], 0.0, 1e-12)
claim("total derivative of log π by log σ: −1", total[1], -1.0, 1e-12)
claim("squashed, E[log π] does depend on μ", abs(squashed_mu) > 0.1)
claim("Eq. 13 by hand is autograd, draw by draw", gap, 0.0, 1e-12)
for name, (m, se) in score_mean.items():
    claim(f"the score term has mean zero ({name})", m, 0.0, 5 * se)
for f in (actor_loss, sticking):
    mean, _ = exact_moments(f, tick, objective)
    for name, m in mean.items():
        claim(f"{f.__name__} is unbiased ({name})", m, right[name], 1e-9)
for delta in (0.0, 0.8):
    lines, dots = closed_forms(marks, delta), by_nodes(marks, delta)
    for name in pair:
        claim(
            f"closed form of {name} at δ = {delta}",
            lines[name],
            dots[name],
            1e-9,
        )
claim("the exercise's forms cross at τ = ½", *variances(2.0, 0.5, 1.0))
claim("without the score: zero at τ = 1", variances(4.0, 0.5, 1.0)[1], 0)
wide, thin = measured["σ = 0.67"], measured["σ = 0.20"]
order = [
    r[pair[1]].total_variance < r["reparameterization"].total_variance
    for r in (wide, thin)
]
claim("it helps at σ = 0.67, and harms at 0.20", order, [True, False])
claim("Eq. 13 arrives", paths["Eq. 13"][-1], peak, fast(0.3, 0.1))
drift, _ = exact_moments(
    score_for_path,
    Gaussian(numbers(0.3), numbers(math.log(0.7))),
    parabola,
)
expected = blog_k - blog_alpha / 0.7**2
claim("the slip drifts by k − α/σ²", drift["mu"], expected, 1e-9)
claim("and never moves σ", drift["log_std"], 0.0, 1e-9)
claim("it has left", abs(paths["∇ log π in the place of ∇f"][-1]) > 2)

# %% [markdown]
# ## References
#
# * Haarnoja, Zhou, Abbeel, Levine 2018, *Soft Actor-Critic*, Eq. 10–13; the temperature: Haarnoja et al.
#   2018b, *Soft Actor-Critic Algorithms and Applications*.
# * Roeder, Wu, Duvenaud 2017, *Sticking the Landing*.
# * Lahire 2021, *Actor Loss of Soft Actor Critic Explained* (arXiv 2112.15568).
# * In this workbench: `estimators/pathwise.py`; `nabla identities` checks the table of section 2.
#
# **Next:** 06, the other way to the same gradient: nabla-log.
