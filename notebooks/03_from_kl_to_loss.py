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
# # 03 · From a divergence to a loss
#
# *30 minutes, and about an hour with all exercises. You need: values (01), and what a density and a
# logarithm are.*
#
# **The question.** SAC's paper *defines* the policy's objective as a divergence from an exponential of
# $Q$, and what its code minimises is $\alpha\log\pi - Q$:
#
# $$J(\theta) = \mathbb E_{s}\Big[\mathrm{KL}\Big(\pi_\theta(\cdot|s)\,\Big\|\,\frac{\exp Q(s,\cdot)}{Z(s)}\Big)\Big] \tag{10}$$
#
# $$J(\theta) = \mathbb E_{s,\varepsilon}\Big[\log\pi_\theta\big(f_\theta(\varepsilon;s)\,|\,s\big) - Q\big(s, f_\theta(\varepsilon;s)\big)\Big] \tag{12}$$
#
# **Why the exponential, where does $Z$ go, where does $\alpha$ come in — and what does this divergence want
# of a policy that cannot match its target?**
#
# **After this notebook you can**
#
# * say what is maximised in maximum-entropy reinforcement learning, and why its solution is a softmax;
# * say what the temperature $\alpha$ does, and why scaling the rewards is the same thing;
# * go from Eq. 10 to Eq. 12 with every step, and say what each step needs;
# * tell the two directions of KL apart, compute both for a mixture of two Gaussians, and say which one
#   SAC uses;
# * correct the example of a well-known report, where the wrong one is used.

# %% [markdown]
# > **Real questions.** People asked these in public:
# >
# > * *“Does it mean, Q is exponential by just a modeling/analytical reason …? There is no intuitive
# >   explanation about it?”* — [AI Stack Exchange 45288](https://ai.stackexchange.com/q/45288)
# > * About an identity with the entropy and KL: *“I do not understand where this part comes from:
# >   $\log\int\exp(Q)\,\mathrm da$”* — [“Value function of deep energy-based policies”, a question on
# >   mathematics, in a
# >   copy](https://math.techqa.club/value-function-of-deep-energy-based-policies-3596645)
# > * *“I thought this step just tries to project the policy into the exp(Q) distribution, so why the
# >   alpha?”* — [rlkit, issue 73](https://github.com/rail-berkeley/rlkit/issues/73)
# > * SAC *“is particularly sensitive to the reward magnitude”*, and there is no reward scale in this
# >   code: is something missing? —
# >   [higgsfield, issue 5](https://github.com/higgsfield-ai/higgsfield/issues/5)
# >
# > At the end you can answer all four.

# %% tags=["setup"]
import math

import matplotlib.pyplot as plt
import numpy as np
import torch

from estimators import Gaussian, Objective, exact_gradient
from nabla.course import (
    Table,
    check_exercise,
    claim,
    fast,
    kept,
    predict,
    slider,
)
from nabla.course.figures.fig03 import (
    densities,
    divergences,
    landscape,
    policy_bars,
)
from toy_problems.quantities.report_example import forward_kl, log_h
from toy_problems.tables.soft_mdp import (
    entropy,
    soft_action_values,
    soft_max_value,
    soft_value,
    soft_value_iteration,
    softmax,
)
from toy_problems.tables.tabular import loop
from toy_problems.theory import (
    centred_log_std,
    critical_separation,
    report_curvature,
    report_kl,
    report_kl_slopes,
    side_minimum,
    side_separation,
    winning_separation,
)


def numbers(*x):
    return torch.tensor(x, dtype=torch.float64)


# %% [markdown]
# ## 1 · Reward and entropy
#
# The **entropy** of a policy, $H(\pi) = \mathbb E_\pi[-\log\pi(a)]$, says how random it is: 0 for a
# sure choice, $\log A$ for a fair one among $A$. (Never negative for a finite number of actions: an
# article that prints $-0.2$ and $-0.69$ for two coins has lost a sign. For densities it may be
# negative: a Gaussian has $\log\sigma + \tfrac12\log 2\pi e$.)
#
# Maximum-entropy reinforcement learning wants rewards *and* entropy, at an exchange rate of $\alpha$.
# In one state, with $Q(a)$ for what the actions are worth:
#
# $$\mathcal V(\pi) = \mathbb E_\pi[Q(a)] + \alpha H(\pi) = \mathbb E_\pi\big[Q(a) - \alpha\log\pi(a)\big].$$
#
# ### Exercise 1 · the soft value of a policy  (★, 5 minutes)


# %% tags=["exercise"]
def soft_objective(pi, Q, alpha):
    """E_π[Q(a)] + α H(π): mean reward, and entropy at the rate α.

    pi, Q: arrays [A], all probabilities positive; alpha: a number.
    Returns a number.
    """
    raise NotImplementedError


# %%
check_exercise("soft_objective", soft_objective)


# %% tags=["solution"]
def soft_objective(pi, Q, alpha):
    mean_reward = np.sum(pi * Q)
    H = -np.sum(pi * np.log(pi))
    return mean_reward + alpha * H


soft_objective = kept(soft_objective)

# %% [markdown]
# **Which policy is the best one?** Do not differentiate; complete, as one completes a square. Let
#
# $$h(a) = \frac{e^{Q(a)/\alpha}}{Z},\quad Z = \sum_b e^{Q(b)/\alpha},
#   \quad\text{so that}\quad Q(a) = \alpha\log h(a) + \alpha\log Z .$$
#
# Nothing has happened: $h$ is another way to write $Q$. Put it into $\mathcal V$:
#
# $$\begin{aligned}
# \mathcal V(\pi) &= \mathbb E_\pi\big[\alpha\log h(a) + \alpha\log Z - \alpha\log\pi(a)\big] \\
#   &= \alpha\log Z - \alpha\,\underbrace{\mathbb E_\pi\Big[\log\frac{\pi(a)}{h(a)}\Big]}_{\mathrm{KL}(\pi\|h)\ \ge\ 0}.
# \end{aligned} \tag{G}$$
#
# $\mathrm{KL}$ is zero for $\pi = h$ and positive otherwise. So the best policy is
# $h = \operatorname{softmax}(Q/\alpha)$, and its value is $\alpha\log Z$: a soft maximum of $Q$.
#
# **That is why the exponential.** Nobody chose it because it is convenient: the divergence from
# $e^{Q/\alpha}/Z$ *is* the objective $\mathbb E[Q] + \alpha H$, up to a constant and the factor
# $-\alpha$. With another increasing function in its place it would be the divergence from something
# else, and its minimum another policy. And the $\log\int e^Q$ that puzzled the second person in the box
# is what remains when an unnormalised $e^Q$ is put where a density belongs.
#
# (KL is not negative because $\log x\le x-1$: $-\mathrm{KL}(\pi\|h) = \mathbb E_\pi[\log\frac h\pi]
# \le \mathbb E_\pi[\frac h\pi] - 1 = 0$.)
#
# ## 2 · The temperature
#
# ### Exercise 2 · the best policy  (★★, 10 minutes)
#
# Write it so that it also works where $Q$ is in the thousands, as it is in MuJoCo.


# %% tags=["exercise"]
def boltzmann(Q, alpha):
    """The best policy at temperature α, for any finite Q.

    Q: array [A]; alpha: a number. Returns an array [A].
    """
    raise NotImplementedError


# %%
check_exercise("boltzmann", boltzmann)


# %% tags=["solution"]
def boltzmann(Q, alpha):
    x = (Q - Q.max()) / alpha
    weights = np.exp(x)
    return weights / weights.sum()


boltzmann = kept(boltzmann)

# %% [markdown]
# > **Predict.** What is the limit for $\alpha\to0$? For $\alpha\to\infty$? Then move the slider.

# %% tags=["figure"]
Q4 = np.array([1.0, 0.8, 0.0, -1.0])


def draw_policy(alpha):
    figure, ax = plt.subplots(figsize=(7.5, 3.4))
    both = {
        f"softmax(Q/α), α = {alpha:.2f}": boltzmann(Q4, alpha),
        "softmax(Q), whatever α": boltzmann(Q4, 1.0),
    }
    policy_bars(ax, Q4, both)
    figure.tight_layout()


slider(draw_policy, alpha=(0.05, 3.0, 0.05, 0.3))

# %% [markdown]
# Only $Q/\alpha$ matters. Multiply all rewards by 5 and $\alpha$ by 5, and nothing changes. So “the
# reward scale” of SAC's first version *is* a temperature, $1/\alpha$ (answer to the fourth question),
# and with a learned $\alpha$ nobody needs it.
#
# The orange bars are the target of some popular texts, $e^Q/Z$, written down beside an update with
# $\alpha\log\pi - Q$. The two do not belong together unless $\alpha = 1$: that is where the third
# question comes from. The paper is consistent, because its Eq. 10 *has* $\alpha = 1$.
#
# **Over time.** The entropy of *tomorrow* counts as well. A choice between **a**, which pays 1 and
# ends, and **b**, which pays nothing and leads to four free actions that pay nothing either, at
# $\alpha = 1$:

# %%
after_b = soft_max_value(np.zeros(4), 1.0)  # four actions, log 4
with_future = boltzmann(np.array([1.0, after_b]), 1.0)
bonus_only = boltzmann(np.array([1.0, 0.0]), 1.0)
Table(
    ("", "P(b)"),
    [
        ("entropy as a bonus of this state only", f"{bonus_only[1]:.3f}"),
        ("SAC: the value of b is log 4", f"{with_future[1]:.3f}"),
    ],
)

# %% [markdown]
# SAC goes where there will be *options*. That is what “maximum entropy” adds to an exploration bonus:
# it changes the values, not only the policy.
#
# ## 3 · Eq. 10 → (⋆) → Eq. 12
#
# Now actions are real numbers, and the policy is a family, $\pi_\theta$: it cannot be any $h$ it likes.
# So SAC asks for the member that is nearest to $h$. In each state (left out), with $h = e^{Q/\alpha}/Z$
# and $Z = \int e^{Q(a)/\alpha}\mathrm da$:
#
# $$\begin{aligned}
# \mathrm{KL}(\pi_\theta\|h)
#  &= \int \pi_\theta(a)\,\log\frac{\pi_\theta(a)}{e^{Q(a)/\alpha}/Z}\,\mathrm da
#  &&\text{definition}\\
#  &= \int \pi_\theta(a)\big[\log\pi_\theta(a) - Q(a)/\alpha\big]\mathrm da + \log Z
#  &&\textstyle\int\pi_\theta = 1\\
#  &= \tfrac1\alpha\,\underbrace{\mathbb E_{a\sim\pi_\theta}\big[\alpha\log\pi_\theta(a) - Q(a)\big]}_{J(\theta)} + \log Z .
# \end{aligned} \tag{⋆}$$
#
# * $Z$ knows the critic, not the actor: $\nabla_\theta\log Z = 0$. It is never computed. (It must be *finite*:
#   for bounded actions it is; on all of $\mathbb R$, $Q$ has to fall off. For $Q = \cos a$ there is no
#   $h$.)
# * $J$ is $-\mathcal V$, the soft value with a minus sign. Equation (G) again.
# * $\nabla J = \alpha\,\nabla\mathrm{KL}$: the same direction and the same minimum. “The same
#   gradient”, as one reads, it is for $\alpha = 1$.
#
# And Eq. 12? It is (⋆) with the action written as a function of noise, $a = f_\theta(\varepsilon)$ with
# $\varepsilon\sim\mathcal N(0,1)$ and $f_\theta(\varepsilon) = \mu+\sigma\varepsilon$. A mean over $a$
# is the same number as the mean over the $\varepsilon$ that $a$ is made from:
#
# $$\mathbb E_{a\sim\pi_\theta}\big[\alpha\log\pi_\theta(a) - Q(a)\big]
#   = \mathbb E_{\varepsilon\sim\mathcal N(0,1)}\big[\alpha\log\pi_\theta(f_\theta(\varepsilon)) - Q(f_\theta(\varepsilon))\big]. \tag{12}$$
#
# Nothing is differentiated here; it holds for a $Q$ that jumps. What it is good for is the *next* step,
# the gradient, and that one is not free (notebook 04).

# %%
well = Objective(lambda a: -((a**2 - 1) ** 2).sum(-1), alpha=0.5)
grid = np.linspace(-7, 7, 8001)
width = grid[1] - grid[0]


def kl_from_target(mu, log_std):
    """KL(π‖h) and log Z on a grid, h = exp(Q/α)/Z."""
    Q = -((grid**2 - 1) ** 2)
    log_Z = math.log(np.exp(Q / well.alpha).sum() * width)
    z = (grid - mu) / math.exp(log_std)
    log_pi = -(z**2) / 2 - log_std - math.log(2 * math.pi) / 2
    gap = log_pi - Q / well.alpha + log_Z
    return (np.exp(log_pi) * gap).sum() * width, log_Z


def loss(mu, log_std):
    """J by Gauss–Hermite nodes."""
    at = Gaussian(numbers(mu), numbers(log_std))
    a, w = at.nodes(60)
    return float((w * well.cost(at, a)).sum())


rows = []
for mu, log_std in ((0.4, -0.7), (-1.1, -0.2)):
    kl, log_Z = kl_from_target(mu, log_std)
    rows.append((loss(mu, log_std), well.alpha * (kl - log_Z)))
h = 1e-5
kl_slope = kl_from_target(0.4 + h, -0.7)[0]
kl_slope = (kl_slope - kl_from_target(0.4 - h, -0.7)[0]) / (2 * h)
J_slope = float(
    exact_gradient(Gaussian(numbers(0.4), numbers(-0.7)), well)["mu"]
)
print(
    f"dJ/dμ = {J_slope:+.6f}, dKL/dμ = {kl_slope:+.6f}, α = {well.alpha}"
)
Table(
    ("J", "α(KL − log Z)"),
    [(f"{J:+.6f}", f"{other:+.6f}") for J, other in rows],
)

# %% [markdown]
# ### Exercise 3 · the loss of a Gaussian on a parabola  (★★, 10 minutes)
#
# The one case that everybody should have done by hand, and that notebooks 05 to 07 come back to:
# $Q(a) = -\tfrac k2(a-m)^2$.


# %% tags=["exercise"]
def gaussian_loss(mu, sigma, k, m, alpha):
    """J = E[α log π(a) − Q(a)], a ~ N(μ, σ²), Q = −k(a − m)²/2.

    All numbers, sigma > 0. Returns a number: no sampling, no grid.
    """
    raise NotImplementedError


# %%
check_exercise("gaussian_loss", gaussian_loss)


# %% tags=["solution"]
def gaussian_loss(mu, sigma, k, m, alpha):
    mean_log_pi = -np.log(sigma) - np.log(2 * np.pi * np.e) / 2
    mean_Q = -k * ((mu - m) ** 2 + sigma**2) / 2
    return alpha * mean_log_pi - mean_Q


gaussian_loss = kept(gaussian_loss)

# %% [markdown]
# From it: $\partial_\mu J = k(\mu - m)$ and $\partial_{\log\sigma}J = k\sigma^2 - \alpha$. The best
# policy has $\mu = m$ and $\sigma^2 = \alpha/k$: as wide as the critic is flat, times the temperature.
# Here $h$ *is* a Gaussian, so KL goes to zero.
#
# **Does it improve the policy?** After a step to the nearest $h$ the critic belongs to the old policy.
# Evaluate again, project again: *soft policy iteration*. Each round raises the soft value in every
# state (lemma 2 of the paper). In a table, with three states:

# %%
mdp, temperature = loop(), 0.2
pi, history = np.full((3, 2), 0.5), []
for _ in range(6):
    Q = soft_action_values(mdp, pi, temperature)
    history.append(soft_value(Q, pi, temperature))
    pi = softmax(Q / temperature)
best_Q = soft_value_iteration(mdp, temperature)
best_V = soft_max_value(best_Q, temperature)
sweeps = [(f"sweep {i}", *v) for i, v in enumerate(history, 1)]
Table(
    ("soft value of", "s1", "s2", "s3"),
    [
        (name, *(f"{x:.5f}" for x in v))
        for name, *v in (*sweeps, ("the best there is", *best_V))
    ],
)

# %% [markdown]
# ## 4 · Two directions
#
# $\mathrm{KL}(\pi\|h)$ and $\mathrm{KL}(h\|\pi)$ are two different numbers, and where the family cannot
# match $h$, they want two different policies. A report on SAC's loss gives this example: $Q = \log h$
# with two peaks,
#
# $$h = \tfrac12\mathcal N(-m, 1) + \tfrac12\mathcal N(m, 1),\quad m = 2,\qquad \pi = \mathcal N(\varphi, \sigma^2),\ \sigma = 1,$$
#
# and finds that the best policy is $\varphi = 0$, *between* the peaks, “which means that most actions
# will be around 0, whereas they should be around −2 or 2”. It minimises $\mathrm{KL}(h\|\pi)$.
#
# > **Predict.** SAC minimises the other one, $\mathrm{KL}(\pi\|h)$. Where does it put $\varphi$?
#
# **Forward, $\mathrm{KL}(h\|\pi)$:** a mean under $h$. Only $-\mathbb E_h[\log\pi(a)]$ depends on the policy,
#
# $$\mathrm{KL}(h\|\pi) = \text{const} + \log\sigma + \frac{\mathbb E_h[(a-\varphi)^2]}{2\sigma^2}
#   \quad\Rightarrow\quad \varphi = \mathbb E_h[a],\quad \sigma^2 = \operatorname{Var}_h[a]:$$
#
# it matches the mean and the variance. Where $h$ has mass, $\pi$ must have some: it **covers**.
#
# ### Exercise 4 · the forward fit  (★★, 10 minutes)
#
# For peaks of different weight: $h = w\,\mathcal N(-m,1) + (1-w)\,\mathcal N(m,1)$.


# %% tags=["exercise"]
def forward_fit(m, w):
    """(φ, σ) with the least KL(h‖N(φ, σ²)), h = wN(−m,1) + (1−w)N(m,1).

    m, w: numbers. Returns a tuple of two numbers.
    """
    raise NotImplementedError


# %%
check_exercise("forward_fit", forward_fit)


# %% tags=["solution"]
def forward_fit(m, w):
    mean = -w * m + (1 - w) * m
    second_moment = 1 + m**2
    return mean, np.sqrt(second_moment - mean**2)


forward_fit = kept(forward_fit)

# %% [markdown]
# **Reverse, $\mathrm{KL}(\pi\|h)$:** a mean under the *policy*. It does not care for what $h$ has where
# $\pi$ has nothing; but where $h$ has little, $\log h$ is very negative, and a policy that goes there
# pays. It **seeks**. With $\log h(a) = -\tfrac12(a^2+m^2) + \log\cosh(ma)$ + const and
# $a = \varphi+\sigma\varepsilon$, at $\sigma = 1$,
#
# $$\mathrm{KL}(\pi\|h) = \text{const} + \mathbb E\big[\tfrac12(\varphi+\varepsilon)^2 - \log\cosh m(\varphi+\varepsilon)\big].$$
#
# ### Exercise 5 · its slope  (★★★, 10 minutes)
#
# Differentiate by $\varphi$. The mean over $\varepsilon$ is a weighted sum over nodes:
# $\mathbb E[g(\varepsilon)] \approx \sum_i w_i\,g(\varepsilon_i)$.


# %% tags=["exercise"]
def reverse_slope(m, phi, eps, w):
    """d/dφ KL(N(φ, 1) ‖ h), h = ½N(−m, 1) + ½N(m, 1).

    m, phi: numbers; eps, w: arrays [n], nodes and weights of N(0, 1).
    Returns a number.
    """
    raise NotImplementedError


# %%
check_exercise("reverse_slope", reverse_slope)


# %% tags=["solution"]
def reverse_slope(m, phi, eps, w):
    a = phi + eps
    return np.sum(w * (a - m * np.tanh(m * a)))


reverse_slope = kept(reverse_slope)

# %%
eps, w = np.polynomial.hermite_e.hermegauss(60)
w = w / w.sum()
low, high = 0.5, 3.0
for _ in range(60):  # bisection: where the slope is zero
    middle = (low + high) / 2
    if reverse_slope(2.0, middle, eps, w) < 0:
        low = middle
    else:
        high = middle
phi_star = low
print(f"slope at 0: {reverse_slope(2.0, 0.0, eps, w):+.3f}")
print(f"and zero at ±{phi_star:.3f}, near the peaks")
print(f"curvature at 0: {report_curvature(2.0):+.3f} (a maximum)")

# %% [markdown]
# The slope is zero at $\varphi = 0$ as well, by symmetry, but it is a **maximum** there. SAC's loss
# takes *one* of the peaks, $\varphi = \pm1.797$. Which one depends on where it starts. So the report's
# worry is right in kind (one Gaussian is a poor stand-in for two peaks) and wrong in its picture: such
# a policy does not stand between the goals, it forgets one of them.
#
# Move the three sliders. Left: target and policy. Right: both divergences along $\varphi$ at this
# $\sigma$, with their minima (triangles).

# %% tags=["figure"]
actions = np.linspace(-7, 7, 281)
phis = np.linspace(-4, 4, 81)


def normal(a, phi, sigma):
    z = (a - phi) / sigma
    return np.exp(-(z**2) / 2) / sigma / math.sqrt(2 * math.pi)


def along(m, sigma):
    """Both divergences for every φ; the reverse one is even in φ."""
    half = [report_kl(m, p, math.log(sigma)) for p in phis[40:]]
    forward_at_0 = forward_kl(0.0, sigma, m)
    return {
        "KL(π‖h), SAC's": np.array(half[:0:-1] + half),
        "KL(h‖π)": forward_at_0 + phis**2 / (2 * sigma**2),
    }


def draw_divergences(m, phi, sigma):
    figure, axes = plt.subplots(1, 2, figsize=(11, 3.8))
    target = {"h": np.exp(log_h(actions, m))}
    policy = {"π": normal(actions, phi, sigma)}
    densities(axes[0], actions, target | policy, f"m = {m:.1f}")
    axes[0].set_ylim(0, 0.6)
    divergences(axes[1], phis, along(m, sigma), phi, "divergence")
    axes[1].set_ylim(0, 4)
    axes[1].set_title(f"σ = {sigma:.1f}", fontsize=11)
    figure.tight_layout()


slider(
    draw_divergences,
    m=(0.5, 3.5, 0.1, 2.0),
    phi=(-4.0, 4.0, 0.1, 1.8),
    sigma=(0.4, 3.0, 0.1, 1.0),
)

# %% [markdown]
# > **Predict.** Now let $\sigma$ be free, as it is in SAC. Is $\varphi = 0$ still a maximum for $m = 2$?

# %% tags=["predict"]
predict("free_width", ...)  # "yes" or "no"

# %% [markdown]
# Not at all: with $\sigma$ free, one wide Gaussian at 0 is the *only* minimum for $m = 2$, with
# $\sigma = 2.05$. It costs little to be wide when the valley between the peaks is shallow. Only when
# they are farther apart do minima at the sides appear (from $m = 2.41$), and win (from $m = 2.80$). At
# every $m$ the one in the middle stays a local minimum: a policy that starts there stays there.

# %% tags=["figure"]
many = fast(25, 49)
half_phi = np.linspace(0, 4.5, many // 2 + 1)
phi_axis = np.concatenate([-half_phi[:0:-1], half_phi])
sigma_axis = np.geomspace(0.3, 3.6, fast(20, 36))


def surface(m):
    half = np.array(
        [
            [report_kl(m, p, math.log(s)) for s in sigma_axis]
            for p in half_phi
        ]
    )
    return np.concatenate([half[:0:-1], half])


def minima(m):
    """Local minima (φ, σ), the lowest first."""
    centre = (0.0, math.exp(centred_log_std(m)))
    side = side_minimum(m)
    if side is None:
        return [centre]
    sides = [(x, math.exp(side[1])) for x in (side[0], -side[0])]
    lower = report_kl(m, *side) < report_kl(m, 0.0, math.log(centre[1]))
    return [*sides, centre] if lower else [centre, *sides]


found = {m: minima(m) for m in (2.0, 3.0)}
at_two = surface(2.0)
figure, axes = plt.subplots(1, 2, figsize=(11, 4))
for ax, m, kl in zip(axes, found, (at_two, surface(3.0)), strict=True):
    title = f"KL(π‖h), m = {m:g}: {len(found[m])} minim" + (
        "um" if len(found[m]) == 1 else "a"
    )
    landscape(ax, phi_axis, sigma_axis, kl, found[m], title)
figure.tight_layout()

# %% [markdown]
# (The filled circle is the lowest minimum. On the right its mirror image is as low; the one in the
# middle is not.)
#
# ## 5 · Both at once: the temperature decides whether to choose
#
# With $Q = \log h$ and a temperature, the target is $h^{1/\alpha}/Z$: hot, it is one broad hill; cold,
# two needles. Since $J = \alpha\,\mathbb E[\log\pi] - \mathbb E[Q]$, the surface for any $\alpha$ is
# that for $\alpha=1$ plus $(1-\alpha)H(\pi)$; no new computation.
#
# > **Predict.** For $m = 2$ and $\alpha = 1$ the best Gaussian covers both peaks. Does cooling move it
# > to a side, little by little?

# %% tags=["figure"]
H_of_sigma = np.log(sigma_axis) + math.log(2 * math.pi * math.e) / 2


def best_at(alpha):
    """J over (φ, σ), its profile along φ, and the best (φ ≥ 0, σ)."""
    J = at_two + (1 - alpha) * H_of_sigma
    profile = J.min(1)
    i = len(profile) // 2 + profile[len(profile) // 2 :].argmin()
    return profile, (phi_axis[i], sigma_axis[J[i].argmin()])


def draw_temperature(alpha):
    profile, (phi, sigma) = best_at(alpha)
    p = np.exp((log_h(actions) - log_h(actions).max()) / alpha)
    p = p / (p.sum() * (actions[1] - actions[0]))
    figure, axes = plt.subplots(1, 2, figsize=(11, 3.6))
    fit = normal(actions, phi, sigma)
    label = "$h^{1/\\alpha}/Z$"
    curves = {label: p, "best Gaussian": fit}
    densities(axes[0], actions, curves, f"α = {alpha:.2f}")
    lines = {"J at the best σ": profile}
    divergences(axes[1], phi_axis, lines, phi, "J")
    figure.tight_layout()


slider(draw_temperature, alpha=(0.15, 2.0, 0.05, 0.35))

# %% [markdown]
# It does not go little by little: it jumps, when the sides become lower than the middle (at
# $\alpha\approx0.42$ here). Where SAC's temperature falls during training, this is the moment when it
# makes up its mind. Notebook 08 gives it a mixture, so that it need not.
#
# ## An open project
#
# SAC minimises $\mathrm{KL}(\pi\|h)$. Build the same actor for $\mathrm{KL}(h\|\pi)$, with samples from $h$ by
# importance weights, on the two peaks of this notebook.
#
# A good answer derives its gradient and checks it against quadrature; shows where each of the two ends, from
# several starts; measures how the variance of the weights grows with the distance of the peaks, and where
# that makes the forward KL useless; and says what a robot would do with the wide policy.
#
# ## Summary
#
# * $\mathbb E_\pi[Q]+\alpha H(\pi) = \alpha\log Z - \alpha\,\mathrm{KL}(\pi\|e^{Q/\alpha}/Z)$. The
#   exponential is not a convenience: this divergence *is* the maximum-entropy objective. The best
#   policy of all is $\operatorname{softmax}(Q/\alpha)$, worth $\alpha\log Z$.
# * Only $Q/\alpha$ matters. With a temperature the target is $e^{Q/\alpha}/Z$; $e^Q/Z$ belongs to $\alpha=1$.
# * Eq. 10 is (⋆) up to $\log Z$, which no actor can move, and the factor $\alpha$. Eq. 12 is (⋆) with
#   $a=f_\theta(\varepsilon)$.
# * SAC minimises the **reverse** divergence, which seeks. In the report's example $\varphi=0$ is a
#   maximum of it ($\sigma=1$), and the policy takes a peak, $\varphi=\pm1.797$. With $\sigma$ free it
#   covers both until $m=2.80$.

# %% tags=["claims"]
coins = [float(entropy(np.array([p, 1 - p]))) for p in (0.95, 0.5)]
claim("two coins: +0.2 and +0.69", coins, [0.2, 0.69], 0.005)
star = boltzmann(Q4, 0.3)
top = soft_objective(star, Q4, 0.3)
claim("the best value is α log Z", top, soft_max_value(Q4, 0.3), 1e-12)
rng = np.random.default_rng(0)
for _ in range(3):
    other = softmax(rng.normal(size=4))
    kl = np.sum(other * np.log(other / star))
    value = soft_objective(other, Q4, 0.3)
    claim("(G): α log Z − α KL", value, top - 0.3 * kl, 1e-12)
claim("α → 0: greedy", boltzmann(Q4, 0.01), [1, 0, 0, 0], 1e-6)
claim("α → ∞: uniform", boltzmann(Q4, 1e4), np.full(4, 0.25), 1e-3)
claim(
    "5 Q at 5 α is Q at α",
    boltzmann(5 * Q4, 1.5),
    boltzmann(Q4, 0.3),
    1e-12,
)
claim(
    "P(b) = 4/(4 + e), not 1/(1 + e)",
    with_future[1],
    4 / (4 + math.e),
    1e-9,
)
claim("the bonus: 1/(1 + e)", bonus_only[1], 1 / (1 + math.e), 1e-9)
for J, from_kl in rows:
    claim("J = α(KL − log Z)", J, from_kl, 1e-8)
claim("∇J = α∇KL", J_slope, well.alpha * kl_slope, 1e-6)
parabola = Objective(lambda a: -1.7 * ((a - 1.1) ** 2).sum(-1) / 2, 0.2)
at = Gaussian(numbers(0.3), numbers(-0.4))
a, weight = at.nodes(20)
by_nodes = float((weight * parabola.cost(at, a)).sum())
closed = gaussian_loss(0.3, math.exp(-0.4), 1.7, 1.1, 0.2)
claim("the parabola's J", closed, by_nodes, 1e-12)
optimum = Gaussian(numbers(1.1), numbers(math.log(0.2 / 1.7) / 2))
for name, g in exact_gradient(optimum, parabola).items():
    claim(f"no slope at μ = m, σ² = α/k ({name})", g, 0.0, 1e-9)
rises = np.diff(np.array(history), axis=0).min()
claim("soft policy iteration never falls", rises > -1e-12)
claim("and arrives", history[-1], best_V, 1e-4)
claim("φ* = 1.797", phi_star, 1.797, 5e-4)
claim("φ = 0 is a maximum", report_curvature(2.0) < 0)
claim("no slope at φ*", report_kl_slopes(2.0, phi_star)[0], 0.0, 1e-4)
claim(
    "the peak is better than the middle",
    report_kl(2.0, phi_star) < report_kl(2.0, 0.0),
)
claim("forward: φ = 0", forward_fit(2.0, 0.5)[0], 0.0)
claim(
    "forward: minimum at mean and variance",
    min(forward_kl(0.0, s, 2.0) for s in (2.1, 5**0.5, 2.4)),
    forward_kl(0.0, forward_fit(2.0, 0.5)[1], 2.0),
    1e-12,
)
claim("σ free, m = 2: only the middle", len(found[2.0]), 1)
claim("with σ = 2.05", found[2.0][0][1], 2.05, 5e-3)
claim("side minima from 2.41", side_separation(), 2.41, 5e-3)
claim("that win from 2.80", winning_separation(), 2.80, 5e-3)
claim("σ = 1: a maximum beyond 1.46", critical_separation() < 2)
claim(
    "m = 3: three minima, a side lowest",
    [len(found[3.0]), found[3.0][0][0] > 2],
    [3, 1],
)
best = {alpha: best_at(alpha)[1][0] for alpha in (0.2, 0.35, 0.9, 1.0)}
claim("hot: the middle", [best[1.0], best[0.9]], [0.0, 0.0])
claim("cold: a side", min(best[0.2], best[0.35]) > 1.4)
scan = np.arange(0.3, 0.6, 0.01)
modes = np.array([best_at(alpha)[1][0] for alpha in scan])
claim("it changes at 0.42", scan[modes > 1].max(), 0.42, 0.04)
claim("and it jumps", not ((modes > 0.3) & (modes < 1.2)).any())

# %% [markdown]
# ## References
#
# * Haarnoja, Zhou, Abbeel, Levine 2018, *Soft Actor-Critic*, Eq. 10–12 and lemma 2; Haarnoja et al.
#   2017, *Reinforcement Learning with Deep Energy-Based Policies*; Haarnoja et al. 2018b, *Soft
#   Actor-Critic Algorithms and Applications* (the temperature).
# * Lahire 2021, [*Actor Loss of Soft Actor Critic Explained*](https://arxiv.org/abs/2112.15568), §3–4,
#   and §6 for the mixture. The corrections: `docs/claims.md`, R02–R05, R10–R11, R24–R27, R38; for the
#   two texts with $e^Q/Z$, S10 and B36–B38, B45, B56.
# * In this workbench: `toy_problems/tables/soft_mdp.py`, `toy_problems/theory/sac.py`.
#
# **Next:** 04, the gradient of Eq. 12: what may move inside the mean, and when.
