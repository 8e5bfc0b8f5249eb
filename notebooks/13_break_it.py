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
# # 13 · Break it
#
# *30 minutes, and about 30 more with all exercises. You need: Eq. 13 (05), squashing and discrete actions
# (09) and `check` (12).*
#
# **The question.** Thirteen lines from issue trackers. Each was called a bug by somebody; not all of them
# are bugs. They run, they raise nothing, most of them learn. **What does each one do to the actor?**
# You predict first. Then the gradient's exact mean says it, and then the policy shows where it ends.
#
# **After this notebook you can**
#
# * take the mean of a wrong actor gradient apart into two numbers, and read off what it does;
# * tell a bug that changes *where* the policy ends from one that changes only how fast, or nothing;
# * say why several famous slips are harmless for the actor, and not for the temperature;
# * repair a loss with three of them inside.

# %% [markdown]
# > **Real questions.** Every line below has a thread; the numbers are used throughout.
# >
# > 1. An error goes away if Q is detached in the actor's loss, *“as we only need data info … instead of
# >    its gradient info”* — [TianhongDai, issue 8](https://github.com/TianhongDai/reinforcement-learning-algorithms/issues/8)
# > 2. The entropy loss is added where it should be subtracted; *“This is indeed a bug”* —
# >    [open_spiel, issue 962](https://github.com/google-deepmind/open_spiel/issues/962)
# > 3. *“Missing sum over log_prob”* — [tianshou, issue 40](https://github.com/thu-ml/tianshou/issues/40)
# > 4. *“why we use `dist.log_prob(a_avg)` instead of `dist.log_prob(action)`”*; answer: *“It is better.”* —
# >    [ElegantRL, issue 296](https://github.com/AI4Finance-Foundation/ElegantRL/issues/296)
# > 5. The actor's loss is *“a matrix of [batch_size x batch_size]”* —
# >    [cleanrl, issue 379](https://github.com/vwxyzjn/cleanrl/issues/379)
# > 6. *“the actor loss should instead be computed using x log x”* —
# >    [tianshou, issue 489](https://github.com/thu-ml/tianshou/issues/489)
# > 7. The entropy of the tanh-normal *“is assumed to be equal to entropy of the base (Normal)”* —
# >    [rl_games, issue 153](https://github.com/Denys88/rl_games/issues/153)
# > 8. *“the tanh is applied on `mu`, rather than on the sampled action. In this case the log-prob should
# >    not be corrected”* — [inac_pytorch, issue 1](https://github.com/hwang-ua/inac_pytorch/issues/1)
# > 9. Actions scaled before the correction: *“negative outputs inside the log”* —
# >    [philtabor, issue 7](https://github.com/philtabor/Actor-Critic-Methods-Paper-To-Code/issues/7)
# > 10. *“you forgot to multiply the `log_action_probabilities` by `self.alpha`”* —
# >     [p-christ, issue 21](https://github.com/p-christ/Deep-Reinforcement-Learning-Algorithms-with-PyTorch/issues/21)
# > 11. `.mean()` over states *and* actions of a discrete policy — the code in
# >     [p-christ, issue 58](https://github.com/p-christ/Deep-Reinforcement-Learning-Algorithms-with-PyTorch/issues/58)
# > 12. `log_pi * (log_pi - q + v).detach()`: *“it should be (log_pi - q_value_new_actions)”* —
# >     [robotics-rl-srl, issue 31](https://github.com/araffin/robotics-rl-srl/issues/31)
# > 13. A mixture's log-density is +0.774 where it should be −0.919 —
# >     [numpyro, issue 1489](https://github.com/pyro-ppl/numpyro/issues/1489)
# >
# > What follows is each idea in our notation, not the projects' code, and most have been mended since. One
# > or another stood in a place where it did less harm than it would in the actor's loss; there it stands here.

# %% tags=["setup"]
import math

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch.distributions import Normal

from estimators import (
    Categorical,
    Gaussian,
    Mixture,
    Noise,
    Objective,
    check,
    exact,
    exact_gradient,
    exact_moments,
    log_det_tanh,
    per_sample_gradients,
    reparameterization,
    squash,
)
from estimators.quadrature import exact_mean
from nabla.course import Table, check_exercise, claim, fast, kept
from nabla.course.figures.fig13 import landing, two_parts


def numbers(*x):
    return torch.tensor(x, dtype=torch.float64)


# %% [markdown]
# ## 1 · The lines
#
# Here is the right loss of one draw, and then the thirteen. `each` is $\log\pi$ of each coordinate,
# `[*batch, d]`; the critic adds up over coordinates; α is 0.4.

# %%
alpha = 0.4


def Q(a):
    """[..., d] -> [...]; one peak, without symmetry."""
    bowl = -1.2 * (a - 0.4) ** 2 + 0.3 * torch.sin(3 * a)
    return bowl.sum(-1)


values = numbers(1.0, 0.2, 0.7, -0.5)  # of four discrete choices


def draw(policy, rng):
    """One action, and log π of each coordinate: [*batch, d]."""
    eps = rng.normal(tuple(policy.mu.shape), policy.mu)
    a = policy.mu + policy.log_std.exp() * eps
    return a, Normal(policy.mu, policy.log_std.exp()).log_prob(a)


def right(policy, objective, rng):
    a, each = draw(policy, rng)
    return objective.alpha * each.sum(-1) - objective.Q(a)


# %% [markdown]
# **A Gaussian policy in two dimensions** (number 5: of one dimension, in three states).


# %%
def bug_1(policy, objective, rng):
    """Q detached."""
    a, each = draw(policy, rng)
    return objective.alpha * each.sum(-1) - objective.Q(a).detach()


def bug_2(policy, objective, rng):
    """The entropy with the wrong sign."""
    a, each = draw(policy, rng)
    return -objective.alpha * each.sum(-1) - objective.Q(a)


def bug_3(policy, objective, rng):
    """log π [*batch, d] and Q [*batch, 1]: broadcast, then averaged."""
    a, each = draw(policy, rng)
    return (objective.alpha * each - objective.Q(a)[..., None]).mean(-1)


def bug_4(policy, objective, rng):
    """log π at the mean, Q at the action."""
    a, _ = draw(policy, rng)
    pi = Normal(policy.mu, policy.log_std.exp())
    return objective.alpha * pi.log_prob(policy.mu).sum(-1) - objective.Q(
        a
    )


def bug_5(policy, objective, rng):
    """log π [S, 1] minus Q [S]: a matrix [S, S]."""
    a, each = draw(policy, rng)
    column = objective.alpha * each.sum(-1, keepdim=True)
    return (column - objective.Q(a)[..., None, :]).mean(-1)


def bug_6(policy, objective, rng):
    """x log x."""
    a, each = draw(policy, rng)
    log_prob = each.sum(-1)
    return objective.alpha * log_prob.exp() * log_prob - objective.Q(a)


# %% [markdown]
# **With a tanh** somewhere ($a = \tanh u$ in 7; no tanh on the action in 8; $a = 2\tanh u$ in 9), **four
# discrete choices** (10, 11), **log π as the carrier** (12) and **a mixture** of two (13).


# %%
def bug_7(policy, objective, rng):
    """The density of u for that of tanh u."""
    u, each = draw(policy, rng)
    return alpha * each.sum(-1) - Q(torch.tanh(u))


def bug_8(policy, objective, rng):
    """The correction for a tanh that is not there."""
    a, each = draw(policy, rng)
    return objective.alpha * (
        each.sum(-1) - log_det_tanh(a)
    ) - objective.Q(a)


def bug_9(policy, objective, rng):
    """The correction made of the scaled action."""
    u, each = draw(policy, rng)
    a = 2 * torch.tanh(u)
    each = each - torch.log(1 - a**2 + 1e-6)
    return alpha * each.sum(-1) - Q(a)


def bug_10(policy, objective, rng):
    """α forgotten."""
    p = policy.logits.softmax(-1)
    return (p * (p.log() - values)).sum(-1)


def bug_11(policy, objective, rng):
    """The mean over choices in the place of the sum."""
    p = policy.logits.softmax(-1)
    return (p * (alpha * p.log() - values)).mean(-1)


def bug_12(policy, objective, rng):
    """Everything detached but a factor log π."""
    a = policy.sample(1, rng)
    cost = objective.cost(policy, a).detach()
    return (cost * policy.log_prob(a))[0]


def bug_13(policy, objective, rng):
    """A mixture's weights not normalised in its density."""
    a = policy.rsample(1, rng)
    log_prob = policy.log_prob(a) + policy.logits.logsumexp(-1)
    return (alpha * log_prob - objective.Q(a))[0]


# %% [markdown]
# > **Predict**, before you go on. One word for each line:
# >
# > | word | what it does to the actor |
# > |---|---|
# > | `nothing` | the same gradient, draw by draw |
# > | `noise` | the same mean gradient, with more variance |
# > | `length` | the right direction, another length |
# > | `temperature` | exactly right, for another α |
# > | `blind` | Q is not felt |
# > | `elsewhere` | the policy ends where no α would put it |
# > | `nan` | not a number |

# %%
mine = {
    1: "?", 2: "?", 3: "?", 4: "?", 5: "?", 6: "?", 7: "?",
    8: "?", 9: "?", 10: "?", 11: "?", 12: "?", 13: "?",
}  # fmt: skip

# %% [markdown]
# ## 2 · Two numbers tell
#
# The gradient has two parts,
#
# $$\nabla J = \underbrace{-\nabla_\theta\,\mathbb E[Q(a)]}_{V,\ \text{value}}
#   \;+\; \underbrace{\alpha\nabla_\theta\,\mathbb E[\log\pi_\theta(a)]}_{S,\ \text{entropy}} .$$
#
# Let $m$ be the mean of a suspect, and ask for the $x, y$ that bring $x V + y S$ nearest to $m$:
#
# | found | so $m$ is | word |
# |---|---|---|
# | $m = V + S$ | the gradient | `nothing`, or `noise` if the variance differs |
# | $x = y$ | $x\,\nabla J$ | `length` |
# | $x \ne 0$, $y \ne x$ | $x$ times the gradient at temperature $\alpha\,y/x$ | `temperature` |
# | $x = 0$ | entropy alone | `blind` |
# | a residual stays | of another objective, or of none | `elsewhere` |
#
# One policy is not enough: at a single one anything may look like another temperature. So $m$, $V$ and
# $S$ of **two** policies are stacked, and one pair $x, y$ must serve both. Nodes in place of noise make
# all of it exact: the word is not a matter of opinion.


# %%
def moved(policy):
    """Another policy of the same kind."""
    return policy.map(lambda p: 0.6 * p + 0.2)


flat_policy = Gaussian(numbers(-0.5, 0.1), numbers(-0.7, -0.4))
states = Gaussian(
    numbers(-0.5, 0.1, 0.9)[:, None], numbers(-0.7, -0.4, 0.2)[:, None]
)
choices = Categorical(numbers(0.3, -0.2, 0.1, 0.6))
pair = Mixture(
    numbers(0.9, 0.2),
    numbers(-0.8, 0.7)[:, None],
    numbers(-0.5, -0.9)[:, None],
)
plain = Objective(Q, alpha)
twice = Objective(lambda a: Q(2 * a), alpha)
discrete = Objective(lambda a: values[a], alpha)
path = reparameterization
gentle = Objective(lambda a: Q(a / 3), alpha)
target = Mixture(
    numbers(1.0, 0.0),
    numbers(-0.9, 0.8)[:, None],
    numbers(-1.0, -1.0)[:, None],
)
two_peaks = Objective(lambda a: alpha * target.log_prob(a), alpha)
cases = {n: (flat_policy, plain, path) for n in (1, 2, 3, 4, 8, 12)}
cases[5] = states, plain, path
cases[6] = flat_policy, gentle, path
cases[7] = flat_policy, squash(plain), path
cases[9] = flat_policy, squash(twice), path
cases[10] = cases[11] = choices, discrete, exact
cases[13] = pair, two_peaks, path
bugs = {n: globals()[f"bug_{n}"] for n in range(1, 14)}


def flat(gradient):
    return torch.cat([g.detach().flatten() for g in gradient.values()])


def entropy_only(policy, objective, squashed):
    zero = Objective(lambda a: 0 * policy.log_prob(a).detach(), alpha)
    return squash(zero) if squashed else zero


def parts(n, policy):
    """m, V and S of suspect n at one policy."""
    _, objective, _ = cases[n]
    zero = entropy_only(policy, objective, squashed=n in (7, 9))
    S = flat(exact_gradient(policy, zero))
    V = flat(exact_gradient(policy, objective)) - S
    return flat(exact_mean(bugs[n], policy, objective)), V, S


def is_a_number(n):
    policy, objective, _ = cases[n]
    copies = policy.map(lambda p: p.expand(64, *p.shape))
    loss = bugs[n](copies, objective, Noise(0))
    return bool(loss.isfinite().all())


def varies_alike(n):
    policy, objective, reference = cases[n]
    one, other = (
        flat(exact_moments(f, policy, objective)[1])
        for f in (bugs[n], reference)
    )
    return torch.allclose(one, other, atol=1e-7)


def effect(n):
    """(word, x, y) of suspect n."""
    if not is_a_number(n):
        return "nan", math.nan, math.nan
    policy, _, _ = cases[n]
    both = [parts(n, p) for p in (policy, moved(policy))]
    m, V, S = (torch.cat(part) for part in zip(*both, strict=True))
    basis = torch.stack([V, S], 1)
    xy = torch.linalg.lstsq(basis, m[:, None]).solution
    x, y = xy[:, 0].tolist()
    if (basis @ xy - m[:, None]).abs().max() > 1e-6:
        return "elsewhere", math.nan, math.nan
    if abs(x - 1) + abs(y - 1) < 1e-6:
        return ("nothing" if varies_alike(n) else "noise"), x, y
    if abs(x) < 1e-6:
        return "blind", 0.0, y
    return ("length" if abs(x - y) < 1e-6 else "temperature"), x, y


effects, rows = {n: effect(n) for n in bugs}, []
for n, (word, x, y) in effects.items():
    told = ("", "") if math.isnan(x) else (f"{x:.2f}", f"{y:.2f}")
    guess = {"?": "", word: "✔"}.get(mine[n], f"you: {mine[n]}")
    rows.append((n, word, *told, guess))
Table(("line", "effect", "x", "y", "predicted"), rows)

# %% tags=["figure"]
figure, ax = plt.subplots(figsize=(6.5, 4.5))
two_parts(
    ax,
    {str(n): (x, y) for n, (_, x, y) in effects.items() if x == x},
)
ax.set_title("the star is the gradient")
figure.tight_layout()

# %% [markdown]
# Eight of thirteen lie in this plane, three of them on the star. Off the plane are 6, 7, 8 and 13
# (`elsewhere`), and 9, which has no place at all.
#
# Does `check` agree? It compares means with a list of known slips: it names 1, 2, 3, 7, 8, 10 and 11, rejects
# 6 and 13, which are not in its list, and the harmless ones pass. (It asks for independent rows as well, which the matrix of number
# 5 has not: that one is checked as a loss of the whole batch.)


# %%
def batch_loss(params):
    policy = Gaussian(params["mu"], params["log_std"])
    a = policy.mu + policy.log_std.exp() * torch.randn_like(policy.mu)
    log_prob = policy.log_prob(a)[:, None]  # [S, 1]
    return (alpha * log_prob - Q(a)).mean()  # of [S, S]


verdicts = {
    n: check(bugs[n], *cases[n][:2], budget=2**15)
    for n in bugs
    if n not in (5, 9)
}
verdicts[5] = check(batch_loss, *cases[5][:2], budget=2**17, delta=0.04)
Table(
    ("line", "status", "diagnosis"),
    [
        (n, v.status, v.diagnosis or "")
        for n, v in sorted(verdicts.items())
    ],
)

# %% [markdown]
# ## 3 · Where each of them ends
#
# > **Predict** for 1, 2, 3, 7 and 8: wider or narrower than the right policy, or in another place?
#
# Gradient descent with the suspect's own draws, from one start. In grey $e^{Q/\alpha}$, the best there is;
# dashed where the right loss ends (for a Gaussian the closest one); in colour, the bug. Two-dimensional
# ones show their first coordinate, those with a tanh the action itself.


# %%
def descend(estimator, n, updates, rate):
    """The policy after some updates, each the mean of 64 draws."""
    policy, objective, _ = cases[n]
    rng = Noise(n)
    for _ in range(updates):
        g = per_sample_gradients(estimator, policy, objective, 64, rng)
        old = policy.parameters()
        policy = type(policy)(
            **{k: old[k] - rate * g[k].mean(0) for k in old}
        )
    return policy


def seen(policy, n, x):
    """Density (or probabilities) of the first coordinate on x."""
    if n in (10, 11):
        return policy.logits.softmax(-1).numpy()
    scale = {7: 1.0, 9: 2.0}.get(n)
    u = torch.tensor(x if scale is None else np.arctanh(x / scale))
    if isinstance(policy, Mixture):
        return policy.log_prob(u[:, None]).exp().numpy()
    mu, log_std = (p.flatten()[0] for p in policy.parameters().values())
    density = Normal(mu, log_std.exp()).log_prob(u).exp()
    if scale is not None:
        density = density / (scale * (1 - torch.tanh(u) ** 2))
    return density.numpy()


def both(n):
    """Without the bug, with it."""
    updates, rate = fast(60, 250), {10: 0.6, 11: 0.6}.get(n, 0.06)
    good = descend(cases[n][2], n, updates, rate)
    return good, None if n == 9 else descend(bugs[n], n, updates, rate)


ended = {n: both(n) for n in bugs}

# %% tags=["figure"]
names = [
    "Q detached",
    "entropy's sign",
    "sum missing",
    "log π at the mean",
    "S × S matrix",
    "x log x",
    "log-det forgotten",
    "log-det without tanh",
    "scaled inside the log",
    "α forgotten",
    "mean over choices",
    "log π carries",
    "weights not normalised",
]


def best_on(n, x):
    """exp(Q/α) on x, normalised; one coordinate."""
    if n in (10, 11):
        return (values / alpha).softmax(-1).numpy()
    critic = {6: gentle.Q, 13: two_peaks.Q}.get(n, Q)
    p = torch.exp(critic(torch.tensor(x)[:, None]) / alpha).numpy()
    return p / p.sum() / (x[1] - x[0])


def out_of_sight(bad):
    if bad is None:
        return "not a number"
    if not isinstance(bad, Gaussian):
        return ""
    sigma = float(bad.log_std.flatten()[0].exp())
    return "" if 0.02 < sigma < 5 else f"σ = {float(f'{sigma:.1g}'):g}"


grids = dict.fromkeys(range(1, 14), np.linspace(-1.6, 2.2, 400))
grids[6] = np.linspace(-3, 5, 400)
grids[7] = np.linspace(-0.999, 0.999, 400)
grids[9] = 2 * grids[7]
grids[10] = grids[11] = np.arange(4)
figure, axes = plt.subplots(3, 5, figsize=(12, 7))
for n, ax in zip(sorted(ended), axes.flat, strict=False):
    x, (good, bad) = grids[n], ended[n]
    landing(
        ax,
        x,
        best_on(n, x),
        seen(good, n, x),
        None if bad is None else seen(bad, n, x),
        f"{n} · {names[n - 1]}\n{effects[n][0]}",
        out_of_sight(bad),
    )
handles, labels = axes.flat[0].get_legend_handles_labels()
for ax in axes.flat[13:]:
    ax.axis("off")
axes.flat[13].legend(handles, labels, loc="center", frameon=False)
figure.tight_layout()

# %% [markdown]
# ## 4 · Why
#
# **4 is harmless here, 5 as well.** Put $a = \mu + \sigma\varepsilon$ in:
# $\log\pi(a) = \log\pi(\mu) - \tfrac12|\varepsilon|^2$. The two densities differ by a number without
# $\theta$, so every draw has the same gradient. And the mean over a matrix is the mean of its means,
#
# $$\frac1{S^2}\sum_{ij}\big(\alpha\log\pi_i - Q_j\big)
#   = \frac1S\sum_i\alpha\log\pi_i - \frac1S\sum_jQ_j ,$$
#
# exactly the loss that was meant. The same matrix in a *critic's* loss is a disaster:
# $\sum_{ij}(q_i - y_j)^2$ is least where every $q_i$ is the batch's mean target.
#
# **… but not for the temperature.** The dual step (notebook 10) compares $-\log\pi$ with a target
# entropy. With number 4 it reads $-\log\pi(\mu)$, which is too small by $\mathbb E[\tfrac12|\varepsilon|^2]
# = d/2$. Driven to $\bar{\mathcal H} = -d$, the policy really has $-d/2$.
#
# **2, 3, 10: another α.** $-\alpha$ rewards certainty, and σ collapses. Averaging the $d$ coordinates of
# log π, but not of $Q$, leaves $\alpha/d$. A forgotten α is $\alpha = 1$. None of them shows in a
# learning curve as an error; tuned temperatures even make up for 3 and 10.
#
# ### Exercise 1 · where σ ends  (★★, 5 minutes)
#
# For $Q(a) = -\tfrac k2|a|^2$ in $d$ dimensions, $\partial J/\partial\log\sigma = -\alpha + k\sigma^2$ for
# each coordinate. Where does σ end — without a bug, with number 10's, with number 3's?


# %% tags=["exercise"]
def final_sigma(k, alpha, d):
    """Zeros of ∂J/∂ log σ = −α + kσ², and of what the bugs make of it.

    Returns a tuple: σ without a bug, with α forgotten, with log π
    averaged over the d coordinates.
    """
    raise NotImplementedError


# %%
check_exercise("final_sigma", final_sigma)


# %% tags=["solution"]
def final_sigma(k, alpha, d):
    temperatures = alpha, 1.0, alpha / d
    return tuple(math.sqrt(t / k) for t in temperatures)


final_sigma = kept(final_sigma)

# %% [markdown]
# ### Exercise 2 · what number 4 reports  (★★, 5 minutes)


# %% tags=["exercise"]
def entropy_seen(sigma):
    """H = −E[log π(a)] of N(μ, diag σ²), and −log π(μ).

    sigma: an array, one σ for each coordinate.
    Returns a tuple of two numbers: H, −log π(μ).
    """
    raise NotImplementedError


# %%
check_exercise("entropy_seen", entropy_seen)


# %% tags=["solution"]
def entropy_seen(sigma):
    normaliser = np.log(sigma * np.sqrt(2 * np.pi))
    return (normaliser + 0.5).sum(), normaliser.sum()


entropy_seen = kept(entropy_seen)

# %% [markdown]
# **6: the expectation is there already.** $\mathbb E_\pi[\log\pi]$ *is* $\int\pi\log\pi$: the draw weighs
# by π. Weigh again, and along $\log\sigma$ the entropy's $-\alpha$ becomes
# $-\alpha\,\mathbb E[\pi(\log\pi + 1)]$: a temperature that the policy sets itself, negative where the
# density is below $1/e$. Wide policies are punished for their entropy, narrow ones rewarded beyond
# measure; where that balances depends on the units in which actions are counted.
#
# **7 and 8: whose entropy?** Number 7 maximises the entropy of $u$, which grows without bound: the more $u$
# spreads, the more of $a = \tanh u$ sits at ±1. Number 8 has $-\alpha\log(1-\tanh^2a)$ too much in its
# loss, for large actions about $2\alpha|a|$: a pull towards 0.
#
# **9: the value is not a number, its gradient is.** $\log(1 - a^2 + 10^{-6})$ of an action between 1 and 2
# is the logarithm of a negative number. Autograd does not mind: the derivative of $\log x$ is $1/x$ on both
# sides. So the actor goes on, with a gradient that has a pole at $|a| = 1$ and no mean; what breaks first
# is the *critic*, whose target contains $\log\pi$.
#
# **11 only shortens the step** by the number of choices, and Adam divides that out. **12 is no bug:** it is
# the score function, the form of SAC's first version; the mean is right, the variance is not (05, 06).
#
# **13: a density that does not integrate to one.** Logits are weights up to a factor; without $-\log\sum_k
# e^{\ell_k}$ log π is too large by a number that depends on the logits, and its gradient
# $\alpha\,w_k$ pushes every logit down, the heavier ones more.
#
# ### Exercise 3 · a mixture's density  (★, 5 minutes)


# %% tags=["exercise"]
def mixture_log_prob(logits, log_probs):
    """log π(a) of a mixture of K components.

    logits, log_probs: arrays [K]; log_probs holds the components'
    log densities at a.
    Returns a number.
    """
    raise NotImplementedError


# %%
check_exercise("mixture_log_prob", mixture_log_prob)


# %% tags=["solution"]
def mixture_log_prob(logits, log_probs):
    log_w = logits - np.logaddexp.reduce(logits)
    return np.logaddexp.reduce(log_w + log_probs)


mixture_log_prob = kept(mixture_log_prob)

# %% [markdown]
# ### Exercise 4 · a review  (★★★, 10 minutes)
#
# This has three bugs. Write it without them. (Nothing else is wrong with it.)
#
# ```python
# def found(policy, objective, rng):
#     a = policy.sample(1, rng)                            # [1, *batch, d]
#     pi = Normal(policy.mu, policy.log_std)
#     log_prob = pi.log_prob(a)                            # [1, *batch, d]
#     q = objective.Q(a)[..., None]                        # [1, *batch, 1]
#     return (objective.alpha * log_prob - q).mean(-1)[0]  # [*batch]
# ```


# %% tags=["exercise"]
def reviewed(policy, objective, rng):
    """∇̂J = d/dθ [α log π_θ(f_θ(ε)) − Q(f_θ(ε))], one action.

    Returns the surrogate, one number for each policy: [*batch].
    """
    raise NotImplementedError


# %%
check_exercise("reviewed", reviewed)


# %% tags=["solution"]
def reviewed(policy, objective, rng):
    a = policy.rsample(1, rng)
    pi = Normal(policy.mu, policy.log_std.exp())
    log_prob = pi.log_prob(a).sum(-1)
    return (objective.alpha * log_prob - objective.Q(a))[0]


reviewed = kept(reviewed)

# %% [markdown]
# ## An open project
#
# Make a bug of your own: a line that looks right, passes a glance and a short training, and is wrong.
# Exchange it with a colleague's.
#
# A good answer is not a typing error but a misreading of an equation; comes with the step size, the seed and
# the curve at which it goes unnoticed; is found, or not, by `check` (say which rung, in how many dimensions,
# with how many estimates); and ends with the test that would have kept it out.
#
# ## Summary
#
# | what it does | numbers | how you would notice |
# |---|---|---|
# | `nothing` to the actor | 4, 5 | not at all; 4 in the entropy, 5 in the critic |
# | `noise` | 12 | slower learning |
# | `length` | 11 | a learning rate that does not carry over |
# | `temperature` | 2, 3, 10 | entropy too low or too high, for a given α |
# | `blind` | 1 | entropy grows for ever, returns do not |
# | `elsewhere` | 6, 7, 8, 13 | worse returns, and nothing else |
# | `nan` | 9 | at once |
#
# The loud bug is the cheapest one. Those that end elsewhere learn, look healthy, and are found by
# comparing a gradient with what it should be: notebook 12.

# %% tags=["claims"]
words = {n: word for n, (word, _, _) in effects.items()}
said = {
    "nothing": (4, 5),
    "noise": (12,),
    "length": (11,),
    "temperature": (2, 3, 10),
    "blind": (1,),
    "elsewhere": (6, 7, 8, 13),
    "nan": (9,),
}
for word, them in said.items():
    for n in them:
        claim(f"{n} · {names[n - 1]}: {word}", words[n] == word)
seen_alpha = [alpha * effects[n][2] / effects[n][1] for n in (2, 3, 10)]
claim("temperatures −α, α/2, 1", seen_alpha, [-alpha, alpha / 2, 1], 1e-6)
claim("11 is a quarter long", effects[11][1:], [0.25, 0.25], 1e-6)
passed = [n for n, v in verdicts.items() if v.status == "unbiased"]
claim("check passes 4, 5 and 12", sorted(passed), [4, 5, 12])
known = {1: "detached_cost", 2: "sign_of_entropy", 10: "alpha_forgotten"}
for n, key in {**known, 7: "log_det_forgotten"}.items():
    claim(f"check names {n}: {key}", verdicts[n].diagnosis == key)
claim("check names 8", verdicts[8].diagnosis == "log_det_twice")
claim("check names 11", verdicts[11].diagnosis == "factor_1/n")
per_dimension = verdicts[3].diagnosis == "entropy_per_dimension"
claim("check names 3", per_dimension)
rejected = [n for n in (6, 13) if verdicts[n].status == "biased"]
claim("check rejects 6 and 13", rejected == [6, 13])
true, reported = entropy_seen(np.array([0.5, 0.7, 1.1, 0.2, 0.9, 2.0]))
claim("−log π(μ) is too small by d/2", true - reported, 3.0, 1e-12)
some = per_sample_gradients(bug_9, *cases[9][:2], 256, Noise(0))
claim("9 has finite gradients", bool(flat(some).isfinite().all()))
q, y = numbers(1.0, 5.0, 0.0), numbers(2.0, 3.0, 7.0)
matrices = [((x[:, None] - y) ** 2).sum() for x in (q, 0 * q + y.mean())]
claim("a matrix of critics: less at ȳ", bool(matrices[1] < matrices[0]))
one = mixture_log_prob(np.ones(2), np.full(2, -0.9189385))
claim("numpyro's case: −0.919", one, -0.9189385, 1e-9)
off = np.logaddexp.reduce(np.ones(2) - 0.9189385)
claim("… and +0.774 without the normaliser", off, 0.77420866, 1e-6)
wide, tight = (ended[n][1].log_std.exp()[0] for n in (1, 2))
fine = ended[1][0].log_std.exp()[0]
claim("1 ends wider, 2 narrower", bool(tight < fine < wide))
order = ended[3][1].log_std[0] < ended[3][0].log_std[0]
claim("3 ends narrower", bool(order))
narrow = ended[6][1].log_std[0] < ended[6][0].log_std[0]
claim("6 ends narrower, with this critic", bool(narrow))
nearer = ended[8][1].mu.abs() < ended[8][0].mu.abs()
claim("8 ends nearer to 0", bool(nearer.all()))

# %% [markdown]
# ## References
#
# * Haarnoja et al. 2018b, *Soft Actor-Critic Algorithms and Applications*: the losses, and appendix C for
#   the tanh. Haarnoja et al. 2018a, first edition: number 12.
# * The thirteen threads in the box; a request for such checks in a library:
#   [storchastic, issue 21](https://github.com/HEmile/storchastic/issues/21).
# * In this workbench: `estimators/checking/slips.py` and `estimators/checking/diagnosis.py`, the slips that `check` knows.
#
# **Next:** nothing. Break something of your own, and see whether you can predict it.
