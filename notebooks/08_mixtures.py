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
# # 08 · Mixtures
#
# *30 minutes, and about an hour and a half with all exercises. You need: reparameterization (04),
# nabla-log (06), and how variances are compared (07).*
#
# **The question.** One Gaussian has one peak, and $e^{Q/\alpha}$ may have two. So let the policy be a
# mixture, $\pi = \sum_k w_k\,\mathcal N(\mu_k, \sigma_k^2)$ with $w = \operatorname{softmax}(\text{logits})$. To
# draw from it you draw a component — a *discrete* choice. **Where does the gradient of the weights come
# from?** Lahire's report says that *“the reparameterization trick cannot be used in this case”*. Is that so?
#
# **After this notebook you can**
#
# * say why the obvious code gives the weights no gradient, and by how much it is off;
# * derive the golden equation $\partial a/\partial\theta = -\,\partial_\theta F/\pi$ and use it on a mixture;
# * do the same in several dimensions, where *conditional* distribution functions are needed;
# * sum the component out instead, and say which of the two blows up, where, and how fast;
# * use two more estimators: measure-valued derivatives, and Gumbel-softmax with its bias.

# %% [markdown]
# > **Real questions.** People asked:
# >
# > * *“Mixture Models have recently been added to the set of distributions pytorch provides, but the
# >   reparameterization trick cannot be applied to them, for, say, a mixture of gaussians.”* —
# >   [pytorch, issue 39178](https://github.com/pytorch/pytorch/issues/39178)
# > * *“Is there any way to work around that? Or is reparameterization just not available for such
# >   distribution?”* — [tensorflow-probability, issue 1548](https://github.com/tensorflow/probability/issues/1548),
# >   where a mixture in two dimensions is refused
# > * *“It seems like GMM policies are difficult to train without the V function.”* SAC's first author: *“My
# >   guess is that that has something to do with the use of reparameterization trick, which we did not
# >   implement for the GMM policies.”* — [softlearning, issue 30](https://github.com/rail-berkeley/softlearning/issues/30)
# > * *“When there are more than one good actions in the same state, q function is multimodal, and the
# >   Gaussian distribution tends to be flat and thus becomes weak.”* —
# >   [sac, issue 31](https://github.com/haarnoja/sac/issues/31)
# > * *“It is possible to construct reparameterizable mixture distributions by replacing the categorical
# >   distribution with a gumbel (relaxed categorical) distribution.”* At what price? —
# >   [tensorflow-probability, issue 1598](https://github.com/tensorflow/probability/issues/1598)

# %% tags=["setup"]
import math
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import torch
from scipy.optimize import brentq
from scipy.special import ndtr

from estimators import (
    CATALOGUE,
    Categorical,
    Gaussian,
    Mixture,
    Noise,
    Objective,
    exact_gradient,
    exact_moments,
    measure,
    per_sample_gradients,
    reparameterization,
    score_function,
)
from estimators.checking.slips import (
    marginal_cdfs,
    path_of_drawn_component,
)
from nabla.course import (
    Table,
    check_exercise,
    claim,
    fast,
    kept,
    predict,
    slider,
)
from nabla.course.figures import estimator_lines
from nabla.course.figures.fig08 import (
    bias_and_noise,
    bias_intervals,
    densities,
    gap_field,
)
from nabla.figures import variance_bars
from toy_problems import build, theory
from toy_problems.published.mixtures import two_components

catalogue = CATALOGUE[Mixture]


def numbers(*x):
    return torch.tensor(x, dtype=torch.float64)


# %% [markdown]
# ## 1 · The weights lose their gradient
#
# The obvious code: draw $k$ with probability $w_k$, then $a = \mu_k + \sigma_k\varepsilon$, and let autograd
# do the rest. Write $c(a)$ for the cost and $\mathbb E_k$ for the mean over component $k$. What is wanted is
#
# $$J = \sum_k w_k\,\mathbb E_k[c], \qquad
#   \nabla J = \underbrace{\sum_k (\nabla w_k)\,\mathbb E_k[c]}_{\text{which component}}
#   + \underbrace{\sum_k w_k\,\nabla\mathbb E_k[c]}_{\text{where it is}} .$$
#
# Autograd sees the second sum only. Of the first, nothing: $k$ is an integer, and no derivative passes an
# integer. No error is raised, either.
#
# > **Predict.** The cost itself contains $\alpha\log\pi(a)$, and $\log\pi$ *does* depend on the weights. So
# > the logits get a gradient from autograd. What is its mean?

# %%
problem = build("report_mixture")  # two components on the report's h
right = exact_gradient(problem.policy, problem.objective)
naive = measure(
    path_of_drawn_component,
    problem.policy,
    problem.objective,
    estimates=fast(20_000, 100_000),
    rng=Noise(0),
)
Table(
    ("by", "naive, k = 1", "k = 2", "exact, k = 1", "k = 2"),
    [
        (
            name,
            *(
                f"{x:+.3f}"
                for g in (naive.mean, right)
                for x in g[name].flatten().tolist()
            ),
        )
        for name in ("logits", "mu", "log_std")
    ],
)

# %% [markdown]
# Zero: what comes through $\log\pi$ at a fixed action is the score, and a score has mean zero. **The weights
# drift at random**, while means and widths are right — which is why it can go unnoticed.
#
# The missing sum is known exactly, once the components' mean costs $v_k = \mathbb E_k[c]$ are.
#
# ### Exercise 1 · the missing sum  (★, 5 minutes)


# %% tags=["exercise"]
def mixture_weight_gradient(w, values):
    """∂/∂logit_k of Σ_j w_j v_j, where w = softmax(logits).

    w, values: arrays [K]; the values do not depend on the logits.
    Returns an array [K].
    """
    raise NotImplementedError


# %%
check_exercise("mixture_weight_gradient", mixture_weight_gradient)


# %% tags=["solution"]
def mixture_weight_gradient(w, values):
    return w * (values - (w * values).sum())


mixture_weight_gradient = kept(mixture_weight_gradient)

# %% [markdown]
# ## 2 · The golden equation
#
# In one dimension *every* density can be reparameterized: put a uniform number $u$ through the inverse of
# the distribution function, $a = F_\theta^{-1}(u)$. For a mixture $F^{-1}$ has no formula. It is not needed.
# Write the same thing as
#
# $$F_\theta\big(a(\theta, u)\big) = u \quad\text{for every }\theta,$$
#
# and differentiate by $\theta$, with $u$ fixed. The left side depends on $\theta$ twice (05!): as a parameter,
# and through $a$. The right side does not depend on it at all:
#
# $$\partial_\theta F_\theta(a) + \pi_\theta(a)\,\frac{\partial a}{\partial\theta} = 0
#   \qquad\Longrightarrow\qquad
#   \boxed{\;\frac{\partial a}{\partial\theta} = -\,\frac{\partial_\theta F_\theta(a)}{\pi_\theta(a)}\;}$$
#
# A well-known article calls this the *golden equation*; its name in the literature is **implicit
# reparameterization**. You may draw $a$ in any way you like, component first too: the equation only asks
# where $a$ *is*.
#
# **A check.** For a Gaussian, $F = \Phi\big((a-\mu)/\sigma\big)$, so $\partial_\mu F = -\varphi(\varepsilon)/\sigma = -\pi$ and
# $\partial a/\partial\mu = 1$; likewise $\partial a/\partial\log\sigma = \sigma\varepsilon$. The old trick.
#
# **Why it is right without $u$, too.** Integrate by parts (the boundary vanishes for densities like ours):
#
# $$\nabla_\theta\!\int c\,\pi_\theta\,\mathrm da = \int c\;\partial_a(\partial_\theta F_\theta)\,\mathrm da
#   = -\int c'\,\partial_\theta F_\theta\,\mathrm da
#   = \mathbb E\Big[c'(a)\cdot\Big(-\frac{\partial_\theta F_\theta}{\pi_\theta}\Big)\Big].$$
#
# (That is for a cost that does not depend on $\theta$; its own $\theta$, in $\log\pi$, adds a score, as in 05.)
#
# **For a mixture**, with $z_k = (a-\mu_k)/\sigma_k$, $F = \sum_k w_k\Phi(z_k)$ and
# $\pi = \sum_k w_k\mathcal N_k(a)$. You differentiate $F$:
#
# ### Exercise 2 · the path of a mixture  (★★★, 15 minutes)


# %% tags=["exercise"]
def implicit_path(w, mu, sigma, a):
    """−∂F/∂θ / π(a), F = Σ_k w_k Φ(z_k), in one dimension.

    w, mu, sigma: arrays [K]; a: a number. Φ is ndtr (imported).
    Returns a tuple of three arrays [K]: ∂a/∂μ_k, ∂a/∂log σ_k,
    ∂a/∂logit_k.
    """
    raise NotImplementedError


# %%
check_exercise("implicit_path", implicit_path)


# %% tags=["solution"]
def implicit_path(w, mu, sigma, a):
    z = (a - mu) / sigma
    joint = w * np.exp(-(z**2) / 2) / (sigma * math.sqrt(2 * math.pi))
    q = joint.sum()
    r = joint / q  # the components' shares of the density at a
    by_logits = w * (ndtr(z) - w @ ndtr(z))  # exercise 1, of F
    return r, r * sigma * z, -by_logits / q


implicit_path = kept(implicit_path)

# %% [markdown]
# The first two read: every component moves the action as *it* would, times its share
# $r_k = w_k\mathcal N_k(a)/\pi(a)$. The third is the new one. Let us test it on the inverse itself, found by
# bisection, by finite differences in all six parameters:

# %%
w0, mu0, sigma0 = (
    np.array(x) for x in ([0.35, 0.65], [-1.1, 0.8], [0.6, 0.9])
)


def quantile(logits, mu, log_std, u):
    w = np.exp(logits) / np.exp(logits).sum()
    F = lambda a: w @ ndtr((a - mu) / np.exp(log_std)) - u  # noqa: E731
    return brentq(F, -20, 20, xtol=1e-14)


theta = [np.log(w0), mu0, np.log(sigma0)]
u, h = 0.42, 1e-5
a0 = quantile(*theta, u)
differences = np.zeros((3, 2))
for i in range(3):
    for k in range(2):
        up, down = ([p.copy() for p in theta] for _ in range(2))
        up[i][k] += h
        down[i][k] -= h
        differences[i, k] = (quantile(*up, u) - quantile(*down, u)) / (
            2 * h
        )
path = implicit_path(w0, mu0, sigma0, a0)
both = zip(
    ("logits", "μ", "log σ"),
    (path[2], *path[:2]),
    differences,
    strict=True,
)
Table(
    ("∂a/∂", "implicit, k = 1", "k = 2", "differences, k = 1", "k = 2"),
    [
        (name, *(f"{x:+.6f}" for x in (*mine, *theirs)))
        for name, mine, theirs in both
    ],
)

# %% [markdown]
# `Mixture.rsample` of this workbench is that formula. So the sentence of the report, and of the issue, is
# wrong: **the trick can be used for mixtures**, in one dimension by one line. Note that it is *not* done by
# attaching a gradient to the choice of $k$. When weight flows from the left peak to the right one, no draw
# jumps over; *all* draws shift a little to the right.
#
# ## 3 · Several dimensions: conditional, not marginal
#
# For a vector, $F$ is not one number. The tempting thing is the golden equation coordinate by coordinate,
# with the *marginal* distribution functions $F_i(a_i)$. But draws made so would be independent coordinates
# with the right margins, and in a mixture the coordinates are tied: they know of each other's component.
# Right is the chain rule of probability,
#
# $$\pi(a) = \pi(a_1)\,\pi(a_2\mid a_1)\cdots, \qquad
#   \frac{\partial a_i}{\partial\theta} = -\,\frac{\mathrm d_\theta F_i(a_i\mid a_{<i})}{\pi(a_i\mid a_{<i})},$$
#
# where $\mathrm d_\theta$ also follows $a_{<i}$. And $\pi(a_2\mid a_1)$ is a mixture again, with the same
# $\mu_{k,2}, \sigma_{k,2}$ and *other weights*.
#
# ### Exercise 3 · the weights, given the first coordinate  (★, 5 minutes)


# %% tags=["exercise"]
def weights_given(w, mu, sigma, a):
    """P(component k | a_1 = a): the weights of π(a_2 | a_1).

    w, mu, sigma: arrays [K], of the first coordinate; a: a number.
    Returns an array [K].
    """
    raise NotImplementedError


# %%
check_exercise("weights_given", weights_given)


# %% tags=["solution"]
def weights_given(w, mu, sigma, a):
    joint = w * np.exp(-(((a - mu) / sigma) ** 2) / 2) / sigma
    return joint / joint.sum()


weights_given = kept(weights_given)

# %% [markdown]
# > **Predict.** Two components in the plane, on a diagonal, and a cost with $a_1a_2$ in it. Which entries
# > of the gradient does the marginal version get wrong: logits, means, widths?

# %% tags=["figure"]
plane = Mixture(
    numbers(0.3, -0.3),
    numbers([-1.2, -0.8], [1.0, 1.1]),
    numbers([-0.3, 0.0], [0.1, -0.4]),
)
tied = Objective(
    lambda a: (
        0.5 * a[..., 0] * a[..., 1]
        + torch.cos(1.5 * a[..., 0])
        - 0.3 * a[..., 1] ** 2
    ),
    0.3,
)
exact = exact_gradient(plane, tied)
in_plane = {}
for label, f in (
    ("conditional", reparameterization),
    ("marginal", marginal_cdfs),
):
    in_plane[label] = measure(
        f,
        plane,
        tied,
        estimates=fast(50_000, 400_000),
        rng=Noise(1),
        exact=exact,
    )
flat = {
    label: (
        torch.cat([b.flatten() for b in r.bias.values()]).numpy(),
        torch.cat([s.flatten() for s in r.sem.values()]).numpy(),
        colour,
    )
    for (label, r), colour in zip(
        in_plane.items(), ("#0072B2", "#D55E00"), strict=True
    )
}
entries = ["logit₁", "logit₂"] + [
    f"{p}{k}{i}" for p in ("μ", "s") for k in "₁₂" for i in "₁₂"
]
figure, ax = plt.subplots(figsize=(9, 3.6))
bias_intervals(ax, entries, flat)
ax.set_title("μ₁₂: component 1, coordinate 2; s: its log σ")
figure.tight_layout()

# %% [markdown]
# Almost everything, by tens of standard errors; each looks small, and none would break a loose test. (The
# thread about the plane in the box was answered: the library wants components that are *manifestly* products
# of coordinates, since it needs these conditionals.)
#
# ## 4 · Or sum the component out
#
# There are only $K$ components. Draw *an action from each*, and do the sum over $k$ exactly:
#
# $$\hat J = \sum_k w_k\,\big[\alpha\log\pi(a_k) - Q(a_k)\big], \qquad a_k = \mu_k + \sigma_k\varepsilon_k .$$
#
# The weights stand in the formula, so autograd sees them; each $a_k$ is the plain trick. In any dimension.
# The price: $K$ evaluations of $Q$. Careful with $\log\pi$: it is the *mixture's*, at every $a_k$.
#
# ### Exercise 4 · component marginalisation  (★★, 10 minutes)
#
# `policy.components` is the batch of the $K$ Gaussians, `[*batch, K]`; `policy.logits` is `[*batch, K]`, and
# `objective.cost(policy, a)` takes actions `[…, *batch, d]`: move the axis $K$ to the front.


# %% tags=["exercise"]
def marginal_loss(policy, objective, rng):
    """∇̂J = d/dθ Σ_k w_k [α log π_θ(a_k) − Q(a_k)].

    One action a_k of each component, each with its own noise.
    Returns the surrogate, one number for each policy: [*batch].
    """
    raise NotImplementedError


# %%
check_exercise("marginal_loss", marginal_loss)


# %% tags=["solution"]
def marginal_loss(policy, objective, rng):
    a = policy.components.rsample(1, rng)[0]  # [*batch, K, d]
    cost = objective.cost(policy, a.movedim(-2, 0))  # [K, *batch]
    w = policy.logits.softmax(-1).movedim(-1, 0)  # [K, *batch]
    return (w * cost).sum(0)


marginal_loss = kept(marginal_loss)

# %% [markdown]
# ### Exercise 5 · the noise of a weight  (★★, 10 minutes)
#
# No formula is given. Two components in one dimension, $Q(a) = a$, $\alpha = 0$, so $J = -\mathbb E[a]$. One
# marginalised estimate of $\partial J/\partial\,\text{logit}_1$: what is its variance? It must not depend on
# where the components are.


# %% tags=["exercise"]
def noise_of_weights(w, sigma):
    """Variance of one marginalised estimate by the first logit.

    w, sigma: arrays [2], weights and standard deviations.
    Returns a number.
    """
    raise NotImplementedError


# %%
check_exercise("noise_of_weights", noise_of_weights)


# %% tags=["solution"]
def noise_of_weights(w, sigma):
    factor = w[0] * w[1]  # w₁(a₁ − w₁a₁ − w₂a₂) = w₁w₂(a₁ − a₂)
    return factor**2 * (sigma[0] ** 2 + sigma[1] ** 2)


noise_of_weights = kept(noise_of_weights)

# %% [markdown]
# ## 5 · What blows up across a gap
#
# The golden equation divides by the density. Take $\pi = w\,\mathcal N(m,1) + (1-w)\,\mathcal N(-m,1)$ at
# $w = \tfrac12$, so $\partial_w F = \Phi(a-m) - \Phi(a+m)$ and
#
# $$\frac{\partial a}{\partial w} = \frac{\Phi(a+m) - \Phi(a-m)}{\pi(a)} .$$
#
# Between the peaks the numerator is nearly 1 and the denominator nearly 0: a draw in the gap moves very far.
#
# > **Predict** before you move the slider: at $m = 4$, how many times faster does a draw at $a = 0$ move
# > than one on a peak?

# %% tags=["predict"]
predict("gap", ...)  # your guess in the place of the dots


# %% tags=["figure"]
def draw_gap(m):
    a = np.linspace(-m - 3, m + 3, 300)
    density = np.exp(-((a - m) ** 2) / 2) + np.exp(-((a + m) ** 2) / 2)
    density = density / (2 * math.sqrt(2 * math.pi))
    figure, ax = plt.subplots(figsize=(7.5, 3.6))
    gap_field(ax, a, density, (ndtr(a + m) - ndtr(a - m)) / density)
    ax.set_title(f"½N(−m, 1) + ½N(m, 1), m = {m:g}")
    figure.tight_layout()


slider(draw_gap, m=(0.5, 5.0, 0.25, 3.0))

# %% [markdown]
# How bad is it? Take $Q$ linear, so that the estimate is $\partial a/\partial w$ itself (up to its sign), and
# look at its second moment. In the gap $\pi(a) = \varphi(m)\,e^{-a^2/2}\cosh(ma)$, and (Laplace)
#
# $$\begin{aligned}
# \mathbb E\Big[\Big(\frac{\partial a}{\partial w}\Big)^2\Big]
#   &= \int\frac{(\Phi(a+m) - \Phi(a-m))^2}{\pi(a)}\,\mathrm da \\
#   &\approx \frac1{\varphi(m)}\int\frac{\mathrm da}{\cosh(ma)}
#   = \sqrt{2\pi}\,\frac{\pi}{m}\;e^{m^2/2} .
# \end{aligned}$$
#
# Summed out, the estimate is $(m + \varepsilon_1) - (-m + \varepsilon_2)$: **variance 2, whatever $m$ is.**
# And nabla-log, with score $2\tanh(ma)$, stays below 4. Below: lines are closed forms and one-dimensional
# integrals, markers are measured from `Mixture.rsample` and the others.

# %% tags=["figure"]
linear = Objective(lambda a: -a.sum(-1), 0.0)
forms = {
    "implicit_reparameterization": theory.implicit_weight_variance,
    "marginalized": theory.marginalized_weight_variance,
    "score_function": theory.score_weight_variance,
}
line = np.linspace(0.25, 4.5, fast(12, 40))
curves = {n: np.array([f(m) for m in line]) for n, f in forms.items()}
spots = np.array([0.5, 1.0, 1.5, 2.0, 2.5])
dots, gap_reports = {"x": spots}, {}
for name in forms:
    gap_reports[name] = [
        measure(
            catalogue[name],
            two_components(m),
            linear,
            estimates=fast(20_000, 100_000),
            rng=Noise(2),
            name=name,
        )
        for m in spots
    ]
    # for w: the derivative by a logit is ¼ of it at w = ½ and ±, here
    dots[name] = [
        16 * float(r.variance["logits"][0]) for r in gap_reports[name]
    ]
figure, ax = plt.subplots(figsize=(7.5, 4))
estimator_lines(
    ax, line, curves, dots, xlabel="m", ylabel="variance of ∂J/∂w"
)
ax.plot(
    line[line > 1],
    [theory.implicit_weight_growth(m) for m in line[line > 1]],
    color="black",
    ls=":",
    label="√(2π) (π/m) exp(m²/2)",
)
ax.set_yscale("log")
ax.legend(frameon=False)
figure.tight_layout()

# %% [markdown]
# Measured variances like these are not to be trusted for larger $m$: the draws that make them are too rare
# to be seen. *A measured variance that is small may be a variance that was missed.*
#
# Is the sum over components always better, then? It costs $K$ evaluations, and where components *overlap*
# the draws of either are nearly the same.

# %% tags=["figure"]
h = build("report_mixture").objective.Q
contest = (
    "implicit_reparameterization",
    "implicit_stl",
    "marginalized",
    "marginalized_stl",
    "score_function",
)
cases = {
    "apart: peaks at ±2.5": two_components(2.5, -0.3, 0.2),
    "overlapping: ±0.5": two_components(0.5, 0.1, 0.2),
}
figure, axes = plt.subplots(1, 2, figsize=(11, 3.4))
race = {}
for ax, (label, policy) in zip(axes, cases.items(), strict=True):
    reports = [
        measure(
            catalogue[name],
            policy,
            Objective(h, 1.0),
            estimates=fast(20_000, 100_000),
            rng=Noise(3),
            name=name,
        )
        for name in contest
    ]
    race[label] = {
        r.estimator: r.total_variance * r.q_evaluations for r in reports
    }
    variance_bars(ax, reports, per_q=True)
    ax.set_xlim(0.5, 500)
    ax.set_title(label)
axes[1].tick_params(labelleft=False)
figure.tight_layout()

# %% [markdown]
# Apart, summing out wins by far. Overlapping, implicit reparameterization wins *per evaluation*. For a policy
# that must learn to put its peaks apart, sum the components out.
#
# ## 6 · A third way: measure-valued derivatives
#
# For the weights, the exact sum says something simple: $\partial J/\partial w$ is a *difference of two
# expectations of the cost*, $\mathbb E_1[c] - \mathbb E_2[c]$, and no derivative of $c$ is in it. That can be
# had for $\mu$, too. Split $\partial_\mu\pi$ into a positive and a negative part:
#
# $$\begin{aligned}
# \partial_\mu\,\mathcal N(a;\mu,\sigma^2) &= \frac{z}{\sigma}\cdot\frac{\varphi(z)}{\sigma}, \quad z = \frac{a-\mu}\sigma; \\
# z\,\varphi(z) &= \frac{1}{\sqrt{2\pi}}\; z\,e^{-z^2/2}\quad\text{on } z > 0,
# \end{aligned}$$
#
# and $z\,e^{-z^2/2}$ is a density on $z>0$: Rayleigh's, with $P(W > w) = e^{-w^2/2}$. The part on $z<0$ is its
# mirror image, negative. So
#
# $$\partial_\mu\,\mathbb E[c] = \frac{1}{\sigma\sqrt{2\pi}}\;\mathbb E\big[c(\mu+\sigma W) - c(\mu-\sigma W)\big].$$
#
# ### Exercise 6 · one draw of it  (★★, 5 minutes)


# %% tags=["exercise"]
def weak_derivative(f, mu, sigma, u):
    """One draw of ∂_μ E[f], measure-valued, from one uniform number.

    f: a function of an action; u: uniform on (0, 1). Make the
    Rayleigh number W from u: P(W > w) = exp(−w²/2).
    Returns a number.
    """
    raise NotImplementedError


# %%
check_exercise("weak_derivative", weak_derivative)


# %% tags=["solution"]
def weak_derivative(f, mu, sigma, u):
    W = math.sqrt(-2 * math.log(u))
    return (f(mu + sigma * W) - f(mu - sigma * W)) / (
        sigma * math.sqrt(2 * math.pi)
    )


weak_derivative = kept(weak_derivative)

# %% [markdown]
# > **Predict.** $Q$ jumps from 0 to 1 at $a = 0.5$ (07: reparameterization says 0, silently). What does this
# > one say — and is its variance above or below nabla-log's?

# %%
jump = build("step", alpha=0.0)
at_jump = {
    name: measure(
        CATALOGUE[Gaussian][name],
        jump.policy,
        jump.objective,
        estimates=fast(20_000, 100_000),
        rng=Noise(6),
        exact=jump.gradient(),
    )
    for name in ("reparameterization", "measure_valued", "score_function")
}
rows = [
    (
        name,
        f"{float(r.mean['mu']):+.4f}",
        f"{float(r.variance['mu']):.4f}",
    )
    for name, r in at_jump.items()
]
rows.append(("exact", f"{float(jump.gradient()['mu']):+.4f}", ""))
Table(("", "mean", "variance"), rows)

# %% [markdown]
# Right, with less than a fiftieth of nabla-log's variance: the jump lies a quarter of a $\sigma$ from the mean,
# so $\mu + \sigma W$ is nearly always beyond it, $\mu - \sigma W$ never, and the estimate is nearly always
# $-1/(\sigma\sqrt{2\pi})$. It costs two evaluations for *each* coordinate: in many dimensions that is what
# keeps it rare.
#
# ## 7 · Gumbel: a path for an integer, at a price
#
# A category can be drawn as $k = \arg\max_k\,(\text{logit}_k + G_k)$ with $G_k = -\log(-\log u_k)$ (Gumbel). The
# noise no longer knows $\theta$; only the $\arg\max$ is in the way. **Gumbel-softmax** replaces it by
# $y = \operatorname{softmax}\big((\text{logits} + G)/T\big)$ and lets the gradient through. But $y$ is not a
# category, and $\mathbb E[y] \ne w$: the estimate is *biased* at every $T > 0$. **Straight-through** takes
# the $\arg\max$ for the value and $y$ for the gradient only: biased, too.
#
# > **Predict.** As $T\to0$ the bias vanishes. What happens to the variance?

# %% tags=["figure"]
arms = Categorical(numbers(0.3, -0.5, 0.1, 0.4))
reward = numbers(1.0, 0.2, -0.7, 0.5)
bandit = Objective(lambda a: reward[a], 0.3)
temperatures = np.array([0.1, 0.2, 0.5, 1.0, 2.0, 5.0])
relaxed = {}
for name in ("gumbel_softmax", "straight_through"):
    measured = [
        measure(
            partial(CATALOGUE[Categorical][name], temperature=T),
            arms,
            bandit,
            estimates=fast(20_000, 200_000),
            rng=Noise(4),
        )
        for T in temperatures
    ]
    bias2 = [  # what chance adds to a square is taken off again
        float((r.bias["logits"] ** 2 - r.sem["logits"] ** 2).sum())
        for r in measured
    ]
    relaxed[name] = (
        np.maximum(bias2, 1e-7),
        np.array([r.total_variance for r in measured]),
    )
_, plain_variance = exact_moments(score_function, arms, bandit)
plain_variance = float(plain_variance["logits"].sum())
figure, ax = plt.subplots(figsize=(8, 4.2))
bias_and_noise(ax, temperatures, relaxed, plain_variance)
figure.tight_layout()

# %% [markdown]
# It grows like $1/T$: the softmax turns into a step, and the gradient of a step is rare and huge. There is a
# middle where the *sum* of squared bias and variance beats nabla-log for one draw — but averaging many draws
# removes variance, never bias. And for a handful of components or actions the exact sum is there, with
# neither (09).
#
# ## 8 · Does it pay? The report's example, solved
#
# The report's $h = \tfrac12\mathcal N(-2,1) + \tfrac12\mathcal N(2,1)$, and SAC's loss with $Q = \log h$: then
# $J = \mathrm{KL}(\pi\,\Vert\,h)$. A Gaussian with both parameters free, a mixture by marginalised sticking
# the landing, and the same mixture by the naive code of section 1. It starts with *uneven* weights.

# %% tags=["figure"]
updates, rate = fast(250, 500), 0.3
goal = Objective(h, 1.0)


def loss(policy):
    a, weight = policy.nodes(60)
    return float((weight * goal.cost(policy, a)).sum())


def train(policy, estimator, actions=32):
    rng = Noise(5)
    for i in range(updates):
        step = rate * min(1, 3 * (1 - i / updates))
        g = per_sample_gradients(estimator, policy, goal, actions, rng)
        policy = type(policy)(
            **{
                name: p - step * g[name].mean(0)
                for name, p in policy.parameters().items()
            }
        )
    return policy


start = Mixture(
    numbers(1.0, -1.0), numbers([-0.7], [0.6]), numbers([0.0], [0.0])
)
learned = {
    "mixture, summed out": train(start, catalogue["marginalized_stl"]),
    "mixture, naive code": train(start, path_of_drawn_component),
    "one Gaussian": train(
        Gaussian(numbers(0.1), numbers(0.0)), reparameterization
    ),
}
final = {name: loss(p) for name, p in learned.items()}
grid = torch.linspace(-6, 6, 300, dtype=torch.float64)[:, None]
figure, ax = plt.subplots(figsize=(8, 3.8))
densities(
    ax,
    grid[:, 0].numpy(),
    h(grid).exp().numpy(),
    {n: p.log_prob(grid).exp().numpy() for n, p in learned.items()},
)
figure.tight_layout()
Table(
    ("after training", "KL(π‖h)"),
    [(name, f"{max(J, 0):.4f}") for name, J in final.items()],
)

# %% [markdown]
# ## An open project
#
# Put a mixture into an actor. `Mixture` has `rsample` (implicit) and components (summed out); `nabla train`
# knows Gaussians. Take a task whose reward has two good actions in the same state, and find out whether two
# components find both, with which estimator, and what it costs in seconds.
#
# A good answer checks its loss first (`check`, in two dimensions, with a $Q$ that couples them); compares
# with one Gaussian at *equal seconds*, over at least five seeds, with intervals; looks at the weights and
# not at the return only (does one component die? when?); and says what happens as the gap between the two
# good actions widens, for which section 5 has a forecast.
#
# ## Summary
#
# * Drawing a component cuts the weights off: their gradient has mean **zero**, without an error message.
# * **Golden equation**: $\partial a/\partial\theta = -\partial_\theta F/\pi$. No inverse, any mixture. In more
#   than one dimension with *conditional* distribution functions; marginal ones are biased.
# * **Summing out**: $\sum_k w_k\,c(a_k)$. $K$ evaluations, any dimension, no division by a density.
# * Across a gap of $2m$ the implicit gradient of a weight has variance $\sim e^{m^2/2}$; summed out it stays
#   at 2, nabla-log below 4. For overlapping components implicit reparameterization is the better buy.
# * **Measure-valued**: differences of costs, right for jumps; two evaluations a coordinate. **Gumbel**:
#   biased, and variance $\sim 1/T$.
# * A mixture reaches the report's $h$; one Gaussian cannot come closer than $\mathrm{KL} = 0.2265$.

# %% tags=["claims"]
within = 5 * naive.sem["logits"].numpy()
claim(
    "naive: no gradient for the weights", naive.mean["logits"], 0, within
)
claim("the weights do have one", right["logits"].abs().min() > 0.1)
for name in ("mu", "log_std"):
    off = (naive.bias[name].abs() / naive.sem[name]).max()
    claim(f"naive: {name} is right", off < 5)
a, weight = problem.policy.components.nodes(60)
cost = problem.objective.cost(problem.policy, a.movedim(-2, 0))
values = (weight.movedim(-1, 0) * cost).sum(-1).detach().numpy()
w = problem.policy.logits.softmax(-1).numpy()
claim(
    "Exercise 1 is the whole gradient of the logits",
    mixture_weight_gradient(w, values),
    right["logits"],
    1e-6,
)
claim(
    "the golden equation against differences",
    np.stack([path[2], *path[:2]]),
    differences,
    1e-8,
)
gauss = implicit_path(
    np.ones(1), numbers(0.3).numpy(), np.array([0.7]), 0.93
)
claim("one component: 1 and σε", np.ravel(gauss[:2]), [1, 0.63], 1e-12)
claim("… and no weight", gauss[2], 0, 1e-12)
claim("conditional: unbiased", in_plane["conditional"].worst_z < 5)
claim(
    "marginal: tens of standard errors", in_plane["marginal"].worst_z > 10
)
mean, variance = exact_moments(
    marginal_loss, problem.policy, problem.objective
)
for name, m in mean.items():
    claim(f"summed out: {name} is right", m, right[name], 1e-8)
_, implicit = exact_moments(
    reparameterization, problem.policy, problem.objective
)
totals = [
    sum(float(v.sum()) for v in x.values()) for x in (variance, implicit)
]
claim("… and here has less variance", totals[0] < totals[1])
for name, reports in gap_reports.items():
    for m, r in zip(spots[:3], reports, strict=False):
        claim(
            f"{name} at m = {m}: as the closed form",
            16 * float(r.variance["logits"][0]),
            forms[name](m),
            16 * 6 * float(r.variance_sem["logits"][0]),
        )
growth = theory.implicit_weight_moment(6.0)
claim(
    "Laplace at m = 6",
    growth / theory.implicit_weight_growth(6.0),
    1,
    0.05,
)
claim("summed out: 2", theory.marginalized_weight_variance(4.0), 2, 0)
low_four = max(theory.score_weight_variance(m) for m in (1, 2, 3, 4))
claim("nabla-log below 4", low_four < 4)
density = 2 * math.exp(-8) / (2 * math.sqrt(2 * math.pi))
peak = (1 + math.exp(-32)) / (2 * math.sqrt(2 * math.pi))
speed = [
    (ndtr(x + 4) - ndtr(x - 4)) / p for x, p in ((0, density), (4, peak))
]
claim(
    "m = 4: about 3000 times faster in the gap",
    speed[0] / speed[1],
    2980,
    20,
)
apart, close = race.values()
claim(
    "apart: summed out wins per evaluation",
    min(apart, key=apart.get).startswith("marginalized"),
)
claim(
    "overlapping: implicit wins per evaluation",
    min(close, key=close.get).startswith("implicit"),
)
truth = float(jump.gradient()["mu"])
mv, nl = (at_jump[n] for n in ("measure_valued", "score_function"))
claim("a jump: measure-valued is right", mv.worst_z < 5)
silent = at_jump["reparameterization"].mean["mu"]
claim("a jump: reparameterization says 0", silent, 0, 0)
beyond = math.exp(-(0.25**2) / 2)  # P(W > 1/4)
form = beyond * (1 - beyond) / (2 * math.pi * 0.8**2)
within = 5 * float(mv.variance_sem["mu"])
claim("its variance, closed form", mv.variance["mu"].item(), form, within)
fifty = 50 * float(mv.variance["mu"]) < float(nl.variance["mu"])
claim("less than a fiftieth of nabla-log's", fifty)
u = (np.arange(20_000) + 0.5) / 20_000
mine = np.mean(
    [weak_derivative(lambda a: -float(a > 0.5), 0.3, 0.8, x) for x in u]
)
claim("Exercise 6 on the jump", mine, truth, 1e-3)
noise = relaxed["gumbel_softmax"][1]
claim("Gumbel: variance like 1/T", noise[0] / noise[1], 2, 0.3)
last = relaxed["gumbel_softmax"][0][-1]
claim("Gumbel: bias grows with T", last > relaxed["gumbel_softmax"][0][2])
claim(
    "a mixture reaches h", final["mixture, summed out"] < fast(0.02, 0.01)
)
log_std = theory.centred_log_std(2.0)
best = theory.report_kl(2.0, 0.0, log_std)
claim("the best Gaussian: 0.2265", best, 0.2265, 5e-5)
claim("one Gaussian: not below", final["one Gaussian"] > best - 1e-6)
claim("… and near it", final["one Gaussian"], best, 0.05)
claim("naive code stays far", final["mixture, naive code"] > 0.05)

# %% [markdown]
# ## References
#
# * Graves 2016, *Stochastic Backpropagation through Mixture Density Distributions*
#   ([arXiv 1607.05690](https://arxiv.org/abs/1607.05690)); Figurnov, Mohamed, Mnih 2018, *Implicit
#   Reparameterization Gradients*; Jankowiak and Obermeyer 2018, *Pathwise Derivatives Beyond the
#   Reparameterization Trick*.
# * Roeder, Wu, Duvenaud 2017, §4, and Morningstar et al. 2021: sums over components.
# * Mohamed, Rosca, Figurnov, Mnih 2020, §6: measure-valued derivatives. Jang, Gu, Poole 2017 and Maddison,
#   Mnih, Teh 2017: Gumbel-softmax.
# * In this workbench: `estimators/policies/policy.py` (`Mixture.rsample`), `estimators/marginalized.py`,
#   `toy_problems/theory/mixtures.py`; `nabla reproduce density-gap`, `nabla reproduce mixture-policies`.
#
# **Next:** 09, squashed actions, and numbers that survive them.
