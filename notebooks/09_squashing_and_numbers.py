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
# # 09 · Squashing, and numbers that survive it
#
# *30 minutes, and about an hour with all exercises. You need: the loss of the actor (03) and Eq. 13 (05).*
#
# **The question.** Real actions are bounded, so SAC sends its Gaussian through a tanh: $a = \tanh u$. Then
# $\log\pi(a)$ gets one more term, $\log(1-\tanh^2u)$, and with it come $10^{-6}$s, NaNs and targets like
# “$-\dim A$”. **What is the right formula, what do the wrong ones do to learning, and what does an entropy
# of $-1$ mean?** At the end: discrete actions, where all of this (and all estimators) can be left out.
#
# **After this notebook you can**
#
# * derive the density of a squashed action, and see squashing as a change of $Q$;
# * write the log-determinant without an epsilon, and say what the epsilon breaks;
# * see a saturated actor that cannot come back, and why;
# * compute the entropy of a squashed Gaussian, and say which *two* policies a target allows;
# * derive the loss of the temperature, and the exact gradient for discrete actions.

# %% [markdown]
# > **Real questions.** People asked:
# >
# > * `torch.log(1 - action.pow(2) + 1e-6)` *“produces negative outputs inside the log, which in turn produces
# >   nan … How can I fix this issue?”* —
# >   [Actor-Critic-Methods-Paper-To-Code, issue 7](https://github.com/philtabor/Actor-Critic-Methods-Paper-To-Code/issues/7)
# > * *“Supposedly, using the following log pi calculation is more numerically stable … `2*(np.log(2) - pi -
# >   tf.nn.softplus(-2*pi))`”* — [garage, issue 1174](https://github.com/rlworkgroup/garage/issues/1174)
# > * *“Why target entropy is −dim(A)?”* —
# >   [softlearning, issue 200](https://github.com/rail-berkeley/softlearning/issues/200)
# > * *“Is the default target entropy for discrete SAC too large?”* —
# >   [discuss.ray.io](https://discuss.ray.io/t/target-entropy-in-discrete-sac-implementation/12182); *“How come the
# >   target entropy is positive? … in continuous SAC the target entropy is negative”* —
# >   [sac-discrete.pytorch, issue 29](https://github.com/toshikwa/sac-discrete.pytorch/issues/29)
# > * *“Why should we multiply the inside_term described above by action_probabilities?”* —
# >   [Deep-Reinforcement-Learning-Algorithms-with-PyTorch, issue 21](https://github.com/p-christ/Deep-Reinforcement-Learning-Algorithms-with-PyTorch/issues/21)

# %% tags=["setup"]
import math

import matplotlib.pyplot as plt
import numpy as np
import torch
from scipy.optimize import brentq

from estimators import (
    Categorical,
    Gaussian,
    Noise,
    Objective,
    exact_gradient,
    exact_moments,
    log_det_tanh,
    score_function,
    squash,
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
from nabla.course.figures.fig09 import (
    entropy_curve,
    temperatures,
    three_forms,
    two_policies,
)
from toy_problems.tables import constrained_bandit
from toy_problems.theory import squashed


def numbers(*x):
    return torch.tensor(x, dtype=torch.float64)


# %% [markdown]
# ## 1 · The density of a squashed action
#
# Let $u \sim \mathcal N(\mu, \sigma^2)$ and $a = \tanh u$. The tanh is one-to-one, so the mass in a small
# interval goes over as it is: $\pi(a)\,\mathrm da = \mathcal N(u)\,\mathrm du$. With $\mathrm da/\mathrm du = 1 - \tanh^2u$,
#
# $$\log\pi(a) = \log\mathcal N(u;\mu,\sigma^2) - \log\big(1 - \tanh^2u\big)$$
#
# (SAC, appendix C; for a vector, a sum over coordinates). tanh squeezes the line into $(-1, 1)$: less room,
# higher density, so the correction is positive.
#
# ## 2 · The logarithm of almost nothing
#
# > **Predict.** In float32 (what networks use), `log(1 - tanh(u)**2)`: from which $u$ on is it $-\infty$? And
# > with `+ 1e-6` inside: what is its value at $u = 10$, and what its *derivative*?

# %% tags=["predict"]
predict("saturated", ...)  # its value at u = 10, with 1e-6

# %% [markdown]
# $1 - \tanh^2u$ is the difference of two numbers that agree in more and more digits. Write it otherwise
# *before* computing:
#
# $$1 - \tanh^2u = \frac1{\cosh^2u} = \frac4{(e^u + e^{-u})^2}.$$
#
# ### Exercise 1 · the log-determinant  (★★, 10 minutes)
#
# Turn this into a formula for $\log(1-\tanh^2u)$ that is right for *every* $u$: no epsilon, no clamp. (You
# may use `softplus(x)` $= \log(1+e^x)$ with `threshold=40`, or `torch.logaddexp`.)


# %% tags=["exercise"]
def log_det(u):
    """log(1 − tanh² u), for u from −800 to 800.

    u: tensor [n], float64. Returns a tensor [n].
    """
    raise NotImplementedError


# %%
check_exercise("log_det", log_det)


# %% tags=["solution"]
def log_det(u):
    log_2_cosh = torch.logaddexp(u, -u)
    return 2 * (math.log(2) - log_2_cosh)


log_det = kept(log_det)

# %%
forms = {
    "stable": log_det,
    "naive": lambda u: torch.log(1 - torch.tanh(u) ** 2),
    "epsilon": lambda u: torch.log(1 - torch.tanh(u) ** 2 + 1e-6),
}
at = [1.0, 5.0, 8.0, 10.0, 20.0]
table = {}
for name, f in forms.items():
    u = torch.tensor(at, dtype=torch.float32, requires_grad=True)
    value = f(u)
    (slope,) = torch.autograd.grad(value.sum(), u)
    table[name] = value.tolist(), slope.tolist()
Table(
    ("", "", *(f"u = {u:g}" for u in at)),
    [
        (name, what, *(f"{x:.3f}" for x in row))
        for name, both in table.items()
        for what, row in zip(("value", "slope"), both, strict=True)
    ],
)

# %% tags=["figure"]
u = torch.linspace(0, 14, 281, dtype=torch.float32, requires_grad=True)
values, slopes = {}, {}
for name, f in forms.items():
    value = f(u)
    (slope,) = torch.autograd.grad(value.sum(), u)
    values[name] = value.detach().numpy()
    slopes[name] = slope.numpy()
figure, axes = plt.subplots(1, 2, figsize=(11, 3.8))
three_forms(axes[0], u.detach().numpy(), values, "u", "log(1 − tanh² u)")
three_forms(axes[1], u.detach().numpy(), slopes, "u", "its derivative")
axes[1].set_ylim(-3, 0.5)
figure.suptitle("float32; a cross: from here on it is not finite")
figure.tight_layout()

# %% [markdown]
# The epsilon does not make the formula a little inexact. It puts a floor at $\log 10^{-6} = -13.8$, and **a
# floor has no slope**: the derivative, which ought to be $-2\tanh u \approx -2$, fades to 0 beyond $u \approx
# 7$. (The NaN in the first question of the box has another cause, too: the epsilon was added to $1 - a^2$
# for an $a$ that had been *scaled* to the action bounds; $1-a^2$ belongs to the tanh before the scaling.)
#
# ## 3 · Squashing changes the energy, not the policy
#
# Put $\log\pi(a)$ into the cost, and sort by what depends on $u$ how:
#
# $$\alpha\log\pi(a) - Q(a) = \alpha\log\mathcal N(u)
#   - \underbrace{\big[\,Q(\tanh u) + \alpha\log(1-\tanh^2u)\,\big]}_{\displaystyle\tilde Q(u)} .$$
#
# That is the cost of a plain **Gaussian** policy for another critic, $\tilde Q$. So everything of notebooks
# 05 to 08, the three terms, STL, baselines, mixtures, holds for a squashed policy as it stands, *in $u$*.
# No `atanh` is ever needed. (In this workbench `squash(objective)` is that one line.)
#
# ### Exercise 2 · the squashed cost  (★, 5 minutes)


# %% tags=["exercise"]
def squashed_cost(log_prob, u, Q, alpha):
    """α log π(a) − Q(a) at a = tanh u.

    log_prob: log N(u; μ, σ²), tensor [n]; u: tensor [n], |u| ≤ 25;
    Q: a function of actions, [n] -> [n]. Returns a tensor [n].
    """
    raise NotImplementedError


# %%
check_exercise("squashed_cost", squashed_cost)


# %% tags=["solution"]
def squashed_cost(log_prob, u, Q, alpha):
    det = 2 * (math.log(2) - torch.logaddexp(u, -u))
    return alpha * (log_prob - det) - Q(torch.tanh(u))


squashed_cost = kept(squashed_cost)

# %% [markdown]
# ## 4 · A saturated actor
#
# What pulls on $u$? Differentiate $\tilde Q$:
#
# $$\tilde Q'(u) = \underbrace{Q'(\tanh u)\,(1-\tanh^2u)}_{\text{value}} \;-\;
#   \underbrace{2\alpha\tanh u}_{\text{entropy}} .$$
#
# The critic's pull carries the factor $1-\tanh^2u$: at $u = 5$ it is down to 0.02 %. Once an action is
# saturated, *the critic cannot be heard* — through any pathwise gradient. What still pulls is the entropy,
# with the full force $2\alpha$, back to the middle. It comes from the log-determinant alone. So if the
# log-determinant is cut short, **nothing** is left.
#
# > **Predict.** An actor at $\mu = 10$, whose best action is $a = 0.2$; float32. Three training runs, with the
# > three forms. Where does each go?

# %% tags=["figure"]
alpha, best, steps = 0.2, 0.2, fast(150, 250)


def come_back(form):
    """μ along plain descent of the actor's loss, σ = 0.5, float32."""
    mu = torch.tensor([10.0], requires_grad=True)
    rng, path = Noise(0), []
    for _ in range(steps):
        path.append(mu.item())
        eps = rng.normal((64, 1), mu)
        u = mu + 0.5 * eps
        log_prob = -(eps**2) / 2  # plus a constant
        energy = -2 * (torch.tanh(u) - best) ** 2 + alpha * form(u)
        loss = (alpha * log_prob - energy).mean()
        (g,) = torch.autograd.grad(loss, mu)
        mu = (mu - 0.2 * g).detach().requires_grad_()
    return np.array(path)


paths = {name: come_back(f) for name, f in forms.items()}
figure, ax = plt.subplots(figsize=(7.5, 3.8))
three_forms(ax, np.arange(steps), paths, "updates", "μ, before the tanh")
ax.axhline(math.atanh(best), color="black", lw=1, ls="--")
ax.text(0, math.atanh(best), " best action", va="bottom", fontsize=9)
figure.tight_layout()
Table(
    ("", *paths),
    [("μ in the end", *(f"{p[-1]:.2f}" for p in paths.values()))],
)

# %% [markdown]
# *Naive* is NaN after one update, and says so. *Epsilon* hardly moves, and says nothing: its curve of the
# loss is smooth and flat. *Stable* walks back. Short of that extreme, the epsilon is a bias:

# %%
Q = lambda a: torch.cos(4 * a).sum(-1)  # noqa: E731
gradients, rows = {}, []
for mean, sigma in ((0.0, 1.0), (2.0, 2.0), (3.0, 3.0)):
    policy = Gaussian(numbers(mean), numbers(math.log(sigma)))
    right = exact_gradient(policy, squash(Objective(Q, alpha)))
    shifted = Objective(
        lambda u: Q(torch.tanh(u)) + alpha * forms["epsilon"](u).sum(-1),
        alpha,
    )
    soft = exact_gradient(policy, shifted)
    gradients[mean] = float(right["log_std"]), float(soft["log_std"])
    pair = (f"{g:+.4f}" for g in gradients[mean])
    rows.append((f"{mean:g}", f"{sigma:g}", *pair))
Table(("μ", "σ", "∂J/∂log σ", "with epsilon"), rows)

# %% [markdown]
# ## 5 · How much entropy does a squashed Gaussian have?
#
# Take the mean of $-\log\pi(a)$, term by term:
#
# $$H(a) = \underbrace{\log\sigma + \tfrac12\log2\pi e}_{H(u)} + \mathbb E\big[\log(1-\tanh^2u)\big].$$
#
# The last term has no closed form: take nodes. (Some libraries return $H(u)$ for it. It has no upper bound.)
#
# ### Exercise 3 · the entropy  (★★, 10 minutes)


# %% tags=["exercise"]
def squashed_entropy(mu, sigma, eps, w):
    """H(tanh u), u = μ + σε, in nats.

    eps, w: numpy arrays [m], nodes and weights of N(0, 1), so that
    E[f(ε)] = Σ w f(ε). |u| < 40. Returns a number.
    """
    raise NotImplementedError


# %%
check_exercise("squashed_entropy", squashed_entropy)


# %% tags=["solution"]
def squashed_entropy(mu, sigma, eps, w):
    u = mu + sigma * eps
    det = 2 * (math.log(2) - np.logaddexp(u, -u))
    return math.log(sigma) + math.log(2 * math.pi * math.e) / 2 + w @ det


squashed_entropy = kept(squashed_entropy)

# %% [markdown]
# > **Predict.** $\mu = 0$, and $\sigma$ grows from 0. Does the entropy grow with it for ever? Which density on
# > $(-1, 1)$ has the most entropy, and how near can a squashed Gaussian come?
#
# Move the target. The dots are the widths that have it; on the right, the two policies.


# %% tags=["figure"]
widths = np.geomspace(0.006, 12, fast(40, 90))
heights = np.array([squashed.entropy(0.0, s) for s in widths])
a = np.linspace(-0.9995, 0.9995, 801)
turn = 0.8744  # where the entropy is largest; found in the claims


def solutions(target):
    """The two σ with that entropy, μ = 0."""
    missing = lambda s: squashed.entropy(0.0, s) - target  # noqa: E731
    return np.array(
        [brentq(missing, 1e-3, turn), brentq(missing, turn, 99)]
    )


def density(sigma):
    u = np.arctanh(a)
    normal = np.exp(-((u / sigma) ** 2) / 2) / (
        sigma * math.sqrt(2 * math.pi)
    )
    return normal / (1 - a**2)


def draw_entropy(target):
    roots = solutions(target)
    figure, axes = plt.subplots(1, 2, figsize=(11, 3.8))
    entropy_curve(axes[0], widths, heights, target, roots)
    curves = {f"σ = {s:.2g}": density(s) for s in roots}
    two_policies(axes[1], a, curves)
    axes[1].set_title(f"both have entropy {target:g}")
    figure.tight_layout()


slider(draw_entropy, target=(-3.0, 0.6, 0.2, -1.0))

# %% [markdown]
# **Every target has two solutions.** At most the entropy is 0.684 (at $\sigma = 0.87$), a little below $\log 2
# = 0.693$, that of the uniform density, which a squashed Gaussian only resembles. Beyond, a *wider* Gaussian
# piles up at the ends, and the entropy falls again. With the usual target of $-1$ for each dimension:
#
# * $\sigma = 0.090$: a narrow policy, what one had in mind;
# * $\sigma = 2.92$: **bang-bang**. 36 % of its actions have $|a| > 0.99$, and 0 is its *least* likely action.
#
# Where does the peak at 0 break in two? In terms of $u$, with $\mu = 0$,
# $\frac{\mathrm d}{\mathrm du}\log\pi(a) = -u/\sigma^2 + 2\tanh u \approx (2 - 1/\sigma^2)\,u$ near 0: for
# $\sigma^2 > \tfrac12$ the middle is a minimum. The common clip `log_std` ≤ 2 allows $\sigma = 7.4$: bang-bang
# is inside. A log of the entropy that “meets its target” does not say which of the two it is: **log σ, too.**
#
# And why $-\dim A$? It is a choice, not a theorem: an entropy of $-1$ is that of a uniform density of width
# $e^{-1} = 0.37$ (of 2) per dimension. A *density* may be above 1, so its entropy may be negative; the
# entropy of *discrete* actions, $-\sum p\log p$, never is. That answers the third question
# and half of the fourth.
#
# ## 6 · Targets, and the temperature
#
# SAC asks for $\mathbb E[Q]$ as large as possible subject to $H(\pi) \ge \bar H$. Give the constraint a price
# $\alpha \ge 0$. For one state and discrete actions with values $r$,
#
# $$\begin{aligned}
# g(\alpha) &= \max_\pi\; \pi\cdot r + \alpha\big(H(\pi) - \bar H\big)
#   = \alpha\log\sum_a e^{r_a/\alpha} - \alpha\bar H, \\
# \pi_\alpha &= \operatorname{softmax}(r/\alpha)
# \end{aligned}$$
#
# (03), and the best price minimises $g$. At a maximum the derivative through $\pi_\alpha$ is zero (the envelope
# theorem), so what is left is the explicit $\alpha$.
#
# ### Exercise 4 · the slope of the dual  (★★, 5 minutes)


# %% tags=["exercise"]
def temperature_slope(r, alpha, target):
    """dg/dα, g(α) = α log Σ exp(r/α) − α·target.

    r: numpy array [A]; alpha, target: numbers.
    Returns a number.
    """
    raise NotImplementedError


# %%
check_exercise("temperature_slope", temperature_slope)


# %% tags=["solution"]
def temperature_slope(r, alpha, target):
    z = (r - r.max()) / alpha
    log_p = z - np.log(np.exp(z).sum())
    return -(np.exp(log_p) @ log_p) - target  # H(π_α) − target


temperature_slope = kept(temperature_slope)

# %% [markdown]
# It is the derivative of SAC's $\text{loss}(\alpha) = \mathbb E[-\alpha\log\pi - \alpha\bar H]$ at a fixed policy.
# Too little entropy: negative slope, $\alpha$ rises. It can rise *above 1*; nothing is wrong with that.
#
# > **Predict.** Three actions, $r = (1, \tfrac12, 0)$, and the targets $0.98\log 3$ (a common default),
# > $0.5\log 3$ and $1.02\log 3$. Where does $\alpha$ go?

# %% tags=["figure"]
r = np.array([1.0, 0.5, 0.0])
shares = {f"{s:g} · log 3": s * math.log(3) for s in (0.98, 0.5, 1.02)}
walks = {
    name: constrained_bandit.temperature_descent(
        r, target, alpha=0.1, rate=0.5, steps=400
    )
    for name, target in shares.items()
}
goals = {
    name: constrained_bandit.optimal_temperature(r, target)
    for name, target in shares.items()
    if target < math.log(3)
}
figure, ax = plt.subplots(figsize=(7.5, 3.8))
temperatures(ax, walks, goals, "α")
ax.set_ylim(0.05, 200)
figure.tight_layout()
Table(
    ("target", "α*", "π(1)", "π(2)", "π(3)"),
    [
        (name, *(f"{x:.3f}" for x in (goal, *p)))
        for name, goal in goals.items()
        for p in [constrained_bandit.best_policy(goal, r)]
    ],
)


# %%
def best_share(actions, target):
    """P(best) of a policy that is uniform on the other actions."""

    def entropy(p):
        rest = 1 - p
        return -p * math.log(p) - rest * math.log(rest / (actions - 1))

    return brentq(lambda p: entropy(p) - target, 1 / actions, 1 - 1e-9)


at_most = {n: best_share(n, 0.98 * math.log(n)) for n in (2, 4, 18)}
Table(
    ("target", "actions", "P(best) at most"),
    [(f"0.98 log {n}", n, f"{p:.3f}") for n, p in at_most.items()],
)

# %% [markdown]
# $0.98\log|A|$ is nearly uniform: with two actions the best one gets 58 %, with eighteen 15 %. So the person
# on the Ray forum is right to wonder; and $\alpha$ becomes as large as it takes to make $Q$ nearly irrelevant.
# A target that no policy has, above $\log|A|$, or above $\log 2$ for each squashed dimension, sends $\alpha$
# to infinity: that is what it looks like in the logs.
#
# ## 7 · Discrete actions: an inner product
#
# For finitely many actions the expectation is a sum, and there is nothing to estimate:
#
# $$\begin{aligned}
# J &= \sum_a \pi(a)\,\big[\alpha\log\pi(a) - Q(a)\big] = \pi^\top(\alpha\log\pi - Q), \\
# \frac{\partial J}{\partial\,\text{logit}_k} &= \pi_k\big(c_k - \pi^\top c\big),\qquad c = \alpha\log\pi - Q .
# \end{aligned}$$
#
# That is why the inside is multiplied by the probabilities: they are the weights of the expectation that a
# sample would stand for. (The gradient of the $\alpha\log\pi$ *inside* adds $\alpha\sum\pi\,\nabla\log\pi = 0$.)
#
# ### Exercise 5 · the discrete actor  (★★, 5 minutes)
#
# `policy.nodes()` gives all actions and their probabilities, both `[A, *batch]`, attached to the logits;
# `objective.cost(policy, actions)` takes them all at once. (The listing in
# [issue 58](https://github.com/p-christ/Deep-Reinforcement-Learning-Algorithms-with-PyTorch/issues/58) of the same
# project ends with `policy_loss.mean()`, over states *and* actions. What does that do to the gradient?)


# %% tags=["exercise"]
def discrete_loss(policy, objective, rng):
    """∇J for finitely many actions, exactly: nothing is drawn.

    Returns the surrogate, one number for each policy: [*batch].
    """
    raise NotImplementedError


# %%
check_exercise("discrete_loss", discrete_loss)


# %% tags=["solution"]
def discrete_loss(policy, objective, rng):
    a, p = policy.nodes()  # [A, *batch]
    return (p * objective.cost(policy, a)).sum(0)


discrete_loss = kept(discrete_loss)

# %%
arms = Categorical(numbers(0.3, -0.5, 0.1, 0.4))
reward = numbers(1.0, 0.2, -0.7, 0.5)
bandit = Objective(lambda a: reward[a], 0.3)
spread, rows = {}, []
for f in (discrete_loss, score_function):
    mean, variance = exact_moments(f, arms, bandit)
    spread[f.__name__] = float(variance["logits"].sum())
    means = (f"{x:+.4f}" for x in mean["logits"].tolist())
    rows.append((f.__name__, *means, f"{spread[f.__name__]:.3f}"))
logits = [f"mean, logit {i}" for i in range(1, 5)]
Table(("", *logits, "total variance"), rows)

# %% [markdown]
# ## An open project
#
# Which constant hides in your favourite library? Collect the forms of the squashed log-density that are in
# use (an epsilon, a clamp of the action, a clamp of $\log\sigma$), and map where each of them is wrong.
#
# A good answer quotes code with its address and version; shows errors of the *gradient*, in float32, over a
# grid of $(\mu, \sigma)$; finds for each form a state that an actor reaches in training; and proves by a run
# that it matters, or that it does not.
#
# ## Summary
#
# * $\log\pi(\tanh u) = \log\mathcal N(u) - \log(1-\tanh^2u)$, and $\log(1-\tanh^2u) = 2\,(\log2 - u -
#   \operatorname{softplus}(-2u))$ for every $u$. As it stands it is $-\infty$ from $u\approx9$ (float32), $19$ (float64).
# * An epsilon puts a floor under it, and a floor has no slope: a saturated actor is then felt by nothing.
# * Squashing is $\tilde Q(u) = Q(\tanh u) + \alpha\log(1-\tanh^2u)$ with a plain Gaussian policy.
# * The entropy is at most 0.684, and every target has two solutions: $-1$ is $\sigma = 0.090$, or bang-bang
#   with $\sigma = 2.92$. The middle is a minimum as soon as $\sigma^2 > \tfrac12$.
# * The temperature's slope is $H - \bar H$. $0.98\log|A|$ is nearly uniform; above $\log|A|$, $\alpha\to\infty$.
# * Discrete actions: $\pi^\top(\alpha\log\pi - Q)$, exact, no variance; a sum, not a mean.

# %% tags=["claims"]
u = torch.linspace(-300, 300, 1201, dtype=torch.float64)
claim(
    "log_det is the package's", log_det(u), log_det_tanh(u[:, None]), 1e-9
)
for dtype, first, last in (
    (torch.float32, 8.9, 9.2),
    (torch.float64, 18.5, 19.5),
):
    x = torch.linspace(5, 25, 20_001, dtype=torch.float64).to(dtype)
    gone = float(x[~forms["naive"](x).isfinite()][0])
    claim(f"naive, {dtype}: −∞ from {gone:.1f}", first < gone < last)
value, slope = (dict(zip(at, x, strict=True)) for x in table["epsilon"])
claim("epsilon: −13.8 at 10", value[10.0], -13.8, 0.05)
claim("epsilon: no slope at 10 (float32)", slope[10.0], 0, 0)
claim("stable: slope −2", table["stable"][1][3], -2, 1e-6)
claim(
    "at u = 5 the critic's pull is 0.02 %",
    1 - math.tanh(5) ** 2,
    2e-4,
    5e-5,
)
claim("naive: NaN after one update", np.isnan(paths["naive"][1]))
claim("epsilon: stays", paths["epsilon"][-1] > 9.5)
claim("stable: comes back", abs(paths["stable"][-1]), 0, 0.6)
claim(
    "at (2, 2): 7 % off",
    1 - gradients[2.0][1] / gradients[2.0][0],
    0.07,
    0.01,
)
claim(
    "at (3, 3): 43 % off",
    1 - gradients[3.0][1] / gradients[3.0][0],
    0.43,
    0.01,
)
policy = Gaussian(numbers(0.4), numbers(-0.2))
objective = Objective(Q, alpha)
x = policy.sample(5, Noise(1))
mine = squashed_cost(
    policy.log_prob(x), x[:, 0], lambda a: Q(a[:, None]), alpha
)
claim(
    "the squashed cost is squash's",
    mine,
    squash(objective).cost(policy, x),
    1e-12,
)
torch_tanh = torch.distributions.TransformedDistribution(
    torch.distributions.Normal(policy.mu, policy.log_std.exp()),
    [torch.distributions.TanhTransform()],
)
theirs = alpha * torch_tanh.log_prob(torch.tanh(x))[:, 0] - Q(
    torch.tanh(x)
)
claim("… and torch's, where that is finite", mine, theirs, 1e-6)
eps = np.linspace(-9, 9, 2001)
w = np.exp(-(eps**2) / 2) / np.exp(-(eps**2) / 2).sum()
for mean, sigma in ((0.0, 0.5), (0.7, 1.3)):
    claim(
        f"entropy at ({mean}, {sigma})",
        squashed_entropy(mean, sigma, eps, w),
        squashed.entropy(mean, sigma),
        1e-9,
    )
flat = brentq(
    lambda s: (
        squashed.entropy(0, s + 1e-4) - squashed.entropy(0, s - 1e-4)
    ),
    0.5,
    1.5,
)
claim("the most entropy is at σ = 0.87", flat, turn, 1e-3)
claim("and is 0.684", squashed.entropy(0.0, flat), 0.684, 5e-4)
narrow, wide = solutions(-1.0)
claim("−1: σ = 0.090", narrow, 0.0897, 5e-5)
claim("−1: σ = 2.92", wide, 2.92, 5e-3)
edge = math.atanh(0.99) / wide / math.sqrt(2)
claim("36 % beyond 0.99", math.erfc(edge), 0.36, 0.006)
claim("0 is the wide one's least likely", density(wide).argmin(), 400, 0)
modes = [
    len(squashed.modes(0.0, s))
    for s in (math.sqrt(0.49), math.sqrt(0.51))
]
claim("one mode below σ² = ½, two above", modes, [1, 2], 0)
claim("log_std ≤ 2 allows 7.4", math.exp(2), 7.4, 0.05)
claim(
    "uniform of width 0.37 has entropy −1",
    math.log(math.exp(-1)),
    -1,
    1e-12,
)
t, h = 0.7, 1e-5
differences = (
    constrained_bandit.dual(t + h, r, 0.9)
    - constrained_bandit.dual(t - h, r, 0.9)
) / (2 * h)
claim(
    "the slope of the dual",
    temperature_slope(r, t, 0.9),
    differences,
    1e-8,
)
for name, goal in goals.items():
    claim(
        f"α arrives: {name}",
        walks[name][-1],
        goal,
        fast(0.05, 0.05) * goal,
    )
claim("0.98 log 3: α* = 1.93", goals["0.98 · log 3"], 1.93, 0.005)
claim("an impossible target: α grows", walks["1.02 · log 3"][-1] > 10)
claim("two actions: 58 %", at_most[2], 0.58, 0.005)
claim("eighteen: 15 %", at_most[18], 0.15, 0.005)
claim(
    "the inner product has no variance", spread["discrete_loss"], 0, 1e-12
)
claim("nabla-log has", spread["score_function"] > 0.4)
mean, _ = exact_moments(discrete_loss, arms, bandit)
claim(
    "and is the gradient",
    mean["logits"],
    exact_gradient(arms, bandit)["logits"],
    1e-12,
)

# %% [markdown]
# ## References
#
# * Haarnoja, Zhou, Abbeel, Levine 2018, *Soft Actor-Critic*, appendix C ([arXiv 1801.01290](https://arxiv.org/abs/1801.01290));
#   Haarnoja et al. 2018b, *Soft Actor-Critic Algorithms and Applications*, §5
#   ([arXiv 1812.05905](https://arxiv.org/abs/1812.05905)): the temperature.
# * Christodoulou 2019, *Soft Actor-Critic for Discrete Action Settings*: the inner product and the target
#   $0.98\log|A|$.
# * In this workbench: `estimators/objective.py` (`squash`, `log_det_tanh`), `toy_problems/theory/squashed.py`,
#   `toy_problems/tables/constrained_bandit.py`.
#
# **Next:** 10, all parts together: a running SAC.
