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
# # 06 · Nabla-log: the other way to the same gradient
#
# *25 minutes, 50 with the exercises. You need: Eq. 12 (03); Eq. 13 (05) to compare with.*
#
# **The question.** Reparameterization asks the critic for its *slope*. The older way asks only for its
# *value*: weigh $\nabla_\theta\log\pi_\theta(a)$ by how much the action cost. It is called the log-derivative
# trick, the score function, REINFORCE, nabla-log. **Why does it work at all, what may one subtract from the
# cost to make it less noisy — and which popular subtraction makes it wrong?**
#
# **After this notebook you can**
#
# * derive nabla-log for SAC's loss, where the cost itself contains $\theta$, and say what became of that term;
# * write it as a surrogate, and explain why the value of that “loss” means nothing;
# * choose a baseline: a constant, the best constant, leave-one-out;
# * recognise the biased one, say by how much it is biased, and repair it.

# %% [markdown]
# > **Real questions.**
# >
# > * *“What I'm not comfortable with is interpreting reward\*logprob as a ‘loss’”* —
# >   [PyTorch forum 13101](https://discuss.pytorch.org/t/understanding-reinforce-implementation/13101)
# > * *“Since an action $a$ has been sampled, can't that action $a$ be put back in $\nabla_\theta\log\pi$ and
# >   evaluate the gradient without any reparameterization trick?”* —
# >   [Cross Validated 581562](https://stats.stackexchange.com/questions/581562/need-for-reparameterization-trick-in-rl-and-others)
# > * *“A batch-mean or moving-average baseline should preserve the expected gradient”*, since
# >   $\mathbb E[\nabla\log q] = 0$ — really? —
# >   [blackbirds, issue 53](https://github.com/arnauqb/blackbirds/issues/53)
# > * A gradient of $f\cdot\log p$ where $f$ is *meant* to be a number: is it stopped? —
# >   [gradient-estimators-in-stochastic-computation-graphs, issue 1](https://github.com/thiagopbueno/gradient-estimators-in-stochastic-computation-graphs/issues/1)

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
    batch_mean,
    constant,
    exact_gradient,
    exact_moments,
    leave_one_out,
    measure,
    optimal,
    per_sample_gradients,
    reparameterization,
    score_function,
    score_function_analytic_entropy,
    score_function_full,
    value,
    vargrad,
)
from estimators.gradients import row_gradients, rows
from nabla.course import (
    Table,
    check_exercise,
    claim,
    fast,
    kept,
    predict,
    slider,
)
from nabla.course.figures import baseline_curves, descents
from nabla.figures import variance_bars


def numbers(*x):
    return torch.tensor(x, dtype=torch.float64)


# %% [markdown]
# ## 1 · The derivation
#
# Write Eq. 12 as an integral and differentiate. $\theta$ is in two places, the density and the cost
# $c_\theta(a) = \alpha\log\pi_\theta(a) - Q(a)$, so there are two terms (product rule):
#
# $$\nabla_\theta J = \nabla_\theta\int\pi_\theta(a)\,c_\theta(a)\,\mathrm da
#   = \int \nabla_\theta\pi_\theta(a)\; c_\theta(a)\,\mathrm da
#   + \int \pi_\theta(a)\;\alpha\nabla_\theta\log\pi_\theta(a)\,\mathrm da .$$
#
# The first integral is no expectation: nothing is drawn from $\nabla\pi$. But
# $\nabla\pi = \pi\,\nabla\log\pi$, which is the whole trick:
#
# $$\nabla_\theta J = \mathbb E\big[c_\theta(a)\,\nabla_\theta\log\pi_\theta(a)\big]
#   + \alpha\,\underbrace{\mathbb E\big[\nabla_\theta\log\pi_\theta(a)\big]}_{=\;0\;\text{(notebook 05)}} .$$
#
# So the cost may be treated as a **number** — not because it does not contain $\theta$, but because what that
# would add has mean zero:
#
# $$\hat\nabla_\theta J = \big(\alpha\log\pi_\theta(a) - Q(a)\big)\,\nabla_\theta\log\pi_\theta(a),
#   \qquad a\sim\pi_\theta .$$
#
# $Q$ is never differentiated: it may jump, or be a simulator. And yes, the sampled action is simply *put
# back* into $\nabla\log\pi$, weighed by what it cost; without the weight the mean is zero. (Lahire's report
# keeps the zero-mean term, section 6 there; here it is `score_function_full`.)
#
# ### Exercise 1 · nabla-log  (★★, 8 minutes)
#
# Write the surrogate. One action; you have `policy.sample`, `policy.rsample`, `policy.log_prob` and
# `objective.cost(policy, a)` $= \alpha\log\pi(a) - Q(a)$, as in notebook 05.


# %% tags=["exercise"]
def nabla_log(policy, objective, rng):
    """∇̂J = (α log π(a) − Q(a)) ∇_θ log π_θ(a), the cost a number.

    Returns the surrogate, one number for each policy: [*batch].
    """
    raise NotImplementedError


# %%
check_exercise("nabla_log", nabla_log)


# %% tags=["solution"]
def nabla_log(policy, objective, rng):
    a = policy.sample(1, rng)  # [1, *batch, d], numbers
    weight = objective.cost(policy, a).detach()
    return (weight * policy.log_prob(a)).mean(0)


nabla_log = kept(nabla_log)

# %% [markdown]
# ## 2 · A “loss” that is none
#
# > **Predict.** We descend $J$ with this surrogate, on a parabola. What do you see if you plot the value of
# > the surrogate: does it fall like $J$?

# %% tags=["figure"]
peak, k, alpha = 1.1, 1.7, 0.5
parabola = Objective(lambda a: -k * ((a - peak) ** 2).sum(-1) / 2, alpha)
at = Gaussian(numbers(-0.5), numbers(math.log(0.3)))
rng, actions = Noise(0), fast(500, 4000)
J, loss = [], []
for _ in range(40):
    copies = rows(at, actions)
    surrogate = nabla_log(copies, parabola, rng)
    g = row_gradients(surrogate, copies)
    nodes, weights = at.nodes(40)
    J.append(float((weights * parabola.cost(at, nodes)).sum()))
    loss.append(float(surrogate.detach().mean()))
    at = Gaussian(
        at.mu - 0.1 * g["mu"].mean(0),
        at.log_std - 0.1 * g["log_std"].mean(0),
    )
best = -alpha * 0.5 * math.log(2 * math.pi * alpha / k)
figure, ax = plt.subplots(figsize=(7, 3.5))
descents(ax, {"J": J, "value of the surrogate": loss}, best, "")
figure.tight_layout()

# %% [markdown]
# $J$ falls to its minimum, $-\tfrac\alpha2\log(2\pi\alpha/k)$. The surrogate does as it likes: its value is
# $\mathbb E[c\,\log\pi]$, and adding any multiple of $\log\pi(a) - \log\pi(a)$`.detach()` to it changes the
# gradient and not the value. Only its **gradient** was built to mean something. If you must watch a number,
# watch $J$.
#
# ## 3 · Baselines
#
# $\mathbb E[\nabla\log\pi] = 0$ has a second use. For any number $b$ that does not depend on the action,
#
# $$\mathbb E\big[(c - b)\,\nabla_\theta\log\pi_\theta\big] = \nabla_\theta J - b\cdot 0 ,$$
#
# so $b$ is free — for the mean. Write $s = \nabla\log\pi$ for one parameter. The variance is a parabola in $b$:
#
# $$\operatorname{Var}\big[(c-b)s\big] = \mathbb E[c^2s^2] - 2b\,\mathbb E[c\,s^2] + b^2\,\mathbb E[s^2]
#   - (\nabla J)^2 .$$
#
# ### Exercise 2 · the best constant  (★★, 8 minutes)
#
# Find the $b$ at the bottom of that parabola, from draws of $c$ and $s$.


# %% tags=["exercise"]
def best_constant(cost, score):
    """b that minimises the mean of ((c − b) s)² over the draws.

    cost, score: numpy arrays [n]. Returns a number.
    """
    raise NotImplementedError


# %%
check_exercise("best_constant", best_constant)


# %% tags=["solution"]
def best_constant(cost, score):
    return (cost * score**2).sum() / (score**2).sum()


best_constant = kept(best_constant)

# %% [markdown]
# The best constant is a mean of the costs, weighed by the squared score (Greensmith, Bartlett and Baxter
# 2004) — not the plain mean $V = \mathbb E[c]$, though that is often close and is what a critic can learn.
#
# > **Predict.** Where, relative to the bottom of the parabola, do these lie: $b = 0$; $b = -\alpha$ (that is
# > Lahire's form with its zero-mean term: $\alpha\nabla\log\pi + c\,\nabla\log\pi = (c+\alpha)\nabla\log\pi$); $b = V$?


# %% tags=["figure"]
def lopsided(a):
    """A Q without symmetry: 0.7a − 0.4a² + 0.3a³ + cos 2a."""
    cubic = 0.7 * a - 0.4 * a**2 + 0.3 * a**3
    return (cubic + torch.cos(2 * a)).sum(-1)


def parabolas(mu, alpha):
    """Everything in the figure, by nodes: no randomness."""
    policy = Gaussian(numbers(mu), numbers(-0.4))
    objective = Objective(lopsided, alpha)
    a, w = policy.nodes(64)
    w = w.numpy()
    c = objective.cost(policy, a).numpy()
    eps = ((a - policy.mu) / policy.log_std.exp())[:, 0].numpy()
    sigma = float(policy.log_std.exp())
    scores = {"μ": eps / sigma, "log σ": eps**2 - 1}
    V = float((w * c).sum())
    best = {
        f"best for {name}": float((w * c * s**2).sum() / (w * s**2).sum())
        for name, s in scores.items()
    }
    marks = {"0": 0.0, "−α": -alpha, "V": V, **best}
    low, high = min(marks.values()), max(marks.values())
    b = np.linspace(low - 1, high + 1, 101)
    curves = {
        name: np.array(
            [
                (w * ((c - x) * s) ** 2).sum() - (w * c * s).sum() ** 2
                for x in b
            ]
        )
        for name, s in scores.items()
    }
    return b, curves, marks


def draw_parabolas(mu, alpha):
    figure, ax = plt.subplots(figsize=(8, 4))
    baseline_curves(ax, *parabolas(mu, alpha))
    figure.tight_layout()


slider(
    draw_parabolas, mu=(-1.5, 1.5, 0.1, 0.3), alpha=(0.1, 2.0, 0.1, 0.6)
)

# %% [markdown]
# So the zero-mean term of the report is a baseline in disguise, $b = -\alpha$: sometimes better than none,
# sometimes worse, never chosen on purpose. And “the optimal baseline” is optimal *for one parameter*.
#
# ## 4 · Leave one out
#
# Nobody knows $V$. But with $n$ actions per state the others can stand in: action $i$ is compared with the
# mean cost of the **other** $n-1$ (Kool, van Hoof and Welling 2019). They are independent of $a_i$, so this is a
# baseline in good standing, different for every action.
#
# ### Exercise 3 · the others  (★, 5 minutes)


# %% tags=["exercise"]
def others(cost):
    """b_i = mean of the costs of the other actions.

    cost: a numpy array [n], n ≥ 2. Returns an array [n].
    """
    raise NotImplementedError


# %%
check_exercise("others", others)


# %% tags=["solution"]
def others(cost):
    n = len(cost)
    return (cost.sum() - cost) / (n - 1)


others = kept(others)

# %% [markdown]
# ## 5 · The biased one
#
# It is tempting to subtract the plain mean of the batch, $\bar c = \tfrac1n\sum_j c_j$; the question in the box
# above says that this “should preserve the expected gradient”.
#
# > **Predict.** Does it? What is the mean of $\frac1n\sum_i(c_i - \bar c)\,\nabla\log\pi(a_i)$?

# %% tags=["predict"]
predict("share_left", ...)  # at n = 2, as a share of ∇J

# %% [markdown]
# $\bar c$ contains $c_i$, so it does depend on the action it is subtracted for. Write
# $\bar c = \tfrac1n c_i + \tfrac{n-1}n b_i$ with the leave-one-out $b_i$; then $c_i - \bar c = \tfrac{n-1}n(c_i - b_i)$, and
#
# $$\tfrac1n\sum_i(c_i-\bar c)\,\nabla\log\pi(a_i) = \Big(1 - \frac1n\Big)\cdot
#   \tfrac1n\sum_i(c_i - b_i)\,\nabla\log\pi(a_i):$$
#
# draw by draw it is leave-one-out, made smaller by $1 - \tfrac1n$. At $n = 2$, half of the gradient is gone;
# at $n = 64$ nobody will notice, because an optimiser like Adam does not even see a constant factor. That is
# how it ships — and why a test on *one* state with a loose tolerance passes it.

# %%
policy = Gaussian(numbers(0.3), numbers(-0.4))
objective = Objective(lopsided, alpha=0.6)
exact = exact_gradient(policy, objective)
factor = {}
for n in (2, 4, 16):
    biased = partial(score_function, n=n, baseline=batch_mean)
    one_out = partial(score_function, n=n, baseline=leave_one_out)
    g, h = (
        per_sample_gradients(f, policy, objective, 1000, Noise(1))["mu"]
        for f in (biased, one_out)
    )
    factor[n] = (g / h)[:, 0]
Table(
    ("n", "batch mean / leave-one-out, least", "greatest of 1000"),
    [
        (n, f"{float(f.min()):.6f}", f"{float(f.max()):.6f}")
        for n, f in factor.items()
    ],
)

# %% [markdown]
# ### Exercise 4 · repair it  (★★, 8 minutes)
#
# Two actions, and the mean of both costs as a baseline: repair the estimator with one factor.


# %% tags=["exercise"]
def repaired(policy, objective, rng):
    """Nabla-log with n = 2 and the batch mean as baseline, unbiased.

    Returns the surrogate, one number for each policy: [*batch].
    """
    raise NotImplementedError


# %%
check_exercise("repaired", repaired)


# %% tags=["solution"]
def repaired(policy, objective, rng):
    n = 2
    a = policy.sample(n, rng)
    cost = objective.cost(policy, a).detach()
    surrogate = (cost - cost.mean(0)) * policy.log_prob(a)
    return n / (n - 1) * surrogate.mean(0)


repaired = kept(repaired)

# %% [markdown]
# The same thing a third time: at $\alpha = 1$, half the *variance* of the costs, differentiated with the actions
# held fixed, is the leave-one-out gradient, draw by draw (VarGrad, Richter et al. 2020). The derivative of a cost is
# $\alpha\nabla\log\pi$, so at another temperature it is $\alpha$ times that; `vargrad` puts a whole $\nabla\log\pi$ in.
#
# ## 6 · All of them, beside Eq. 13
#
# With two actions each, so that everybody pays for the same critic calls; by nodes or measured, 95 %
# intervals. `analytic entropy` weighs only $Q$ by the score and takes the entropy's gradient in closed form.

# %% tags=["figure"]
estimates = fast(20_000, 200_000)
pairs = {
    "score_function": partial(score_function, n=2),
    "score_function_full": partial(score_function_full, n=2),
    "score_function_value": partial(
        score_function, n=2, baseline=value(policy, objective)
    ),
    "score_function_optimal": partial(
        score_function, n=2, baseline=optimal(policy, objective)
    ),
    "score_function_leave_one_out": partial(
        score_function, n=2, baseline=leave_one_out
    ),
    "score_function_batch_mean": partial(
        score_function, n=2, baseline=batch_mean
    ),
    "score_function_analytic_entropy": partial(
        score_function_analytic_entropy, n=2
    ),
    "vargrad": partial(vargrad, n=2),
    "reparameterization": partial(reparameterization, n=2),
}
reports = {
    name: measure(
        f, policy, objective, estimates=estimates, rng=Noise(3), name=name
    )
    for name, f in pairs.items()
}
figure, ax = plt.subplots(figsize=(8, 4))
ranked = sorted(reports.values(), key=lambda r: r.total_variance)
variance_bars(ax, ranked)
figure.tight_layout()

# %% [markdown]
# Three lessons. The one at the top is **biased**, and small because it is shrunk: a quarter of
# leave-one-out's variance, with half of the gradient. Leave-one-out has 9 % more than the best constants
# that nobody knows. And here reparameterization wins — *here*: notebook 07 shows where it does not.
#
# ## An open project
#
# Learn the baseline. Fit $b_\phi(s)$ to costs by regression while the actor learns by nabla-log, and find out
# how much of the gap between $V$ and $b^*$ it closes.
#
# A good answer keeps the fit and the estimate on different draws, or shows the bias that comes of not doing
# so; has the variance for each state, not only its mean; compares with leave-one-out at the same number of
# evaluations of $Q$; and says when $b^*$ is not worth having.
#
# ## Summary
#
# * $\nabla\pi = \pi\nabla\log\pi$ turns the gradient of an expectation into an expectation. The $\theta$ inside the
#   cost adds a term with mean zero, so the cost is detached; keeping that term is the baseline $b = -\alpha$.
# * The surrogate's value means nothing.
# * A baseline may not see its own action. The best constant is $\mathbb E[c\,s^2]/\mathbb E[s^2]$, one for each
#   parameter.
# * The batch mean is leave-one-out times $1 - \tfrac1n$: biased, and repaired by $\tfrac n{n-1}$.

# %% tags=["claims"]
claim("J has arrived", J[-1], best, fast(0.1, 0.05))
claim("J fell", J[0] - J[-1] > 1)
claim("the surrogate rose meanwhile", loss[-1] > loss[0])
for f in (nabla_log, repaired):
    mean, _ = exact_moments(f, policy, objective)
    for name, m in mean.items():
        claim(f"{f.__name__} is unbiased ({name})", m, exact[name], 1e-8)
b, curves, marks = parabolas(0.3, 0.6)
for name, curve in curves.items():
    bottom = b[curve.argmin()]
    claim(
        f"the parabola's bottom for {name}",
        bottom,
        marks[f"best for {name}"],
        b[1] - b[0],
    )
for b_, name in ((0.0, "0"), (-0.6, "−α"), (marks["V"], "V")):
    f = partial(score_function, baseline=constant(b_))
    mean, variance = exact_moments(f, policy, objective)
    claim(f"b = {name} is unbiased", mean["mu"], exact["mu"], 1e-9)
    here = np.interp(b_, b, curves["μ"])
    claim(f"the curve at b = {name}", variance["mu"], here, 0.01)
full, _ = (
    exact_moments(f, policy, objective)[1]["mu"]
    for f in (score_function_full, score_function)
)
_, at_minus_alpha = exact_moments(
    partial(score_function, baseline=constant(-0.6)), policy, objective
)
claim("the term kept is b = −α", full, at_minus_alpha["mu"], 1e-9)
for n, f in factor.items():
    claim(
        f"the batch mean shrinks by 1 − 1/{n}",
        f,
        [1 - 1 / n] * 1000,
        1e-9,
    )
small, large = (
    reports[f"score_function_{n}"].total_variance
    for n in ("batch_mean", "leave_one_out")
)
claim("a quarter of its variance", small / large, 0.25, 1e-9)
loo, known = (
    sum(
        float(v.sum())
        for v in exact_moments(f, policy, objective)[1].values()
    )
    for f in (
        pairs["score_function_leave_one_out"],
        pairs["score_function_optimal"],
    )
)
claim("9 % above the best constants", loo / known, 1.09, 0.005)
claim(
    "VarGrad is leave-one-out",
    reports["vargrad"].total_variance,
    large,
    1e-9 * large,
)
unbiased = [r for r in ranked if "batch_mean" not in r.estimator]
claim("the shrunk one is on top", ranked[0].total_variance == small)
claim("Eq. 13 is next", unbiased[0].estimator == "reparameterization")

# %% [markdown]
# ## References
#
# * Williams 1992, *Simple statistical gradient-following algorithms* (REINFORCE).
# * Greensmith, Bartlett, Baxter 2004, *Variance reduction techniques for gradient estimates*, theorem 8.
# * Kool, van Hoof, Welling 2019, *Buy 4 REINFORCE samples, get a baseline for free!*
# * Richter, Boustati, Nüsken, Ruiz, Akyildiz 2020, *VarGrad*.
# * Lahire 2021, *Actor Loss of Soft Actor Critic Explained* (arXiv 2112.15568), section 6.
# * In this workbench: `estimators/score.py`.
#
# **Next:** 07, the shoot-out.
