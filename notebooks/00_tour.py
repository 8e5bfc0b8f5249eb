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
# # 00 · A tour
#
# *15 minutes, 25 with the exercises. You need: a little probability (mean, variance, the Gaussian) and
# a little Python.*
#
# **The question.** Soft Actor-Critic improves its policy $\pi_\theta$ by making this number smaller, state by
# state:
#
# $$J(\theta) = \mathbb E_{a\sim\pi_\theta}\big[\alpha\log\pi_\theta(a) - Q(a)\big] .
#   \tag{12}$$
#
# $Q(a)$ says how good the action $a$ is; $-\log\pi_\theta(a)$ is large where the policy is spread out, and the
# temperature $\alpha$ says what that is worth. To go downhill one needs $\nabla_\theta J$, and all one has is
# actions drawn at random. **There are a dozen ways to estimate that gradient. Which are right, and how
# noisy are they?**
#
# **After this notebook you can**
#
# * see whether your installation works (`nabla doctor`);
# * read the numbers of this workbench: bias, variance, their errors, cost;
# * tell an estimate from an exact answer, and check an estimator of your own;
# * use the exercises — they know common mistakes — and find your way through the course.

# %% [markdown]
# > **Real questions** that this notebook begins to answer:
# >
# > * *“As the criterion decreases, reward should increase. However when I run the code, I observe that
# >   reward increases with increasing criterion.”* —
# >   [SLM-Lab, issue 437](https://github.com/kengz/SLM-Lab/issues/437)
# > * *“Why does SAC's policy run gradient descent?”* —
# >   [spinningup, issue 241](https://github.com/openai/spinningup/issues/241)
# > * *“According to the SAC paper equation 12 it seems to me, it should be
# >   `loss_policy = (log_pi - q_value_new_actions).mean()`”* — and the code had something else:
# >   [robotics-rl-srl, issue 31](https://github.com/araffin/robotics-rl-srl/issues/31)

# %% tags=["setup"]
import inspect
import math

import matplotlib.pyplot as plt
import numpy as np
import torch

from estimators import (
    CATALOGUE,
    Gaussian,
    Noise,
    check,
    exact_gradient,
    exact_moments,
    measure,
    per_sample_gradients,
    reparameterization,
    score_function,
    sticking_the_landing,
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
from nabla.course.figures import intervals
from nabla.doctor import doctor
from nabla.figures import comparison_figure
from toy_problems import PROBLEMS, build

# %% [markdown]
# ## 1 · Is everything here?
#
# The same as `nabla doctor` in a terminal. Extras that are not installed are no trouble; a line with ✗
# is, and says what to do.

# %%
status = doctor()

# %% [markdown]
# ## 2 · One problem
#
# A *policy* says which actions are likely: here a Gaussian with mean $\mu = 0.7$ and $\sigma = 1$. An
# *objective* has $Q$ and $\alpha$. This pair is the example of a technical report on SAC's actor loss
# (Lahire 2021): two hills, $Q(a) = \log\big(\tfrac12\mathcal N(a; -2, 1) + \tfrac12\mathcal N(a; 2, 1)\big)$.

# %% tags=["figure"]
problem = build("report")
policy, objective = problem.policy, problem.objective
grid = torch.linspace(-6, 6, 400, dtype=torch.float64)[:, None]
figure, ax = plt.subplots(figsize=(7, 3))
ax.plot(grid, objective.Q(grid).exp(), color="black", label="exp Q")
density = policy.log_prob(grid).exp()
ax.fill_between(grid[:, 0], density, alpha=0.3, label="policy π")
ax.set_xlabel("action a")
ax.legend(frameon=False)
figure.tight_layout()

# %% [markdown]
# ### Exercise 1 · what an action costs  (★, 3 minutes)
#
# Inside the expectation of Eq. 12 stands the **cost** of one action, $\alpha\log\pi(a) - Q(a)$. Write it for a
# Gaussian. Then run the next cell. Make a mistake on purpose (forget $\alpha$, say) and run it again: the
# verdict climbs from *to do* to *done*, and it says which slip it thinks you made. Running it again with
# the same mistake gives the next hint. Solutions are folded below each exercise; they also rebind the
# name, so everything after works whether you solved it or not.


# %% tags=["exercise"]
def cost(a, mu, sigma, q, alpha):
    """α log π(a) − Q(a) for π = N(μ, σ²), where q = Q(a).

    All are numbers. Returns a number.
    """
    raise NotImplementedError


# %%
check_exercise("cost", cost)


# %% tags=["solution"]
def cost(a, mu, sigma, q, alpha):
    z = (a - mu) / sigma
    log_prob = -(z**2) / 2 - math.log(sigma * math.sqrt(2 * math.pi))
    return alpha * log_prob - q


cost = kept(cost)

# %% [markdown]
# ## 3 · Estimates have errors
#
# One draw of an estimator is a random number. Average many, and the average has a **standard error**,
# which this workbench never leaves out.
#
# ### Exercise 2 · a mean and its error  (★, 3 minutes)


# %% tags=["exercise"]
def mean_and_error(draws):
    """The mean of independent draws and its standard error.

    draws: a numpy array [n]. Returns a tuple of two numbers.
    """
    raise NotImplementedError


# %%
check_exercise("mean_and_error", mean_and_error)


# %% tags=["solution"]
def mean_and_error(draws):
    n = len(draws)
    return draws.mean(), draws.std(ddof=1) / math.sqrt(n)


mean_and_error = kept(mean_and_error)

# %% [markdown]
# > **Predict.** Three estimators of $\partial J/\partial\mu$, all unbiased, with 10 draws each; then with
# > 1000. How do the intervals shrink, and which is the widest?

# %% tags=["predict"]
predict("intervals", ...)  # by which factor?

# %% [markdown]
# Move the slider (it is the logarithm of the number of draws). The dashed line is the exact gradient.

# %% tags=["figure"]
three = {
    "reparameterization": reparameterization,
    "sticking_the_landing": sticking_the_landing,
    "score_function": score_function,
}
exact = exact_gradient(policy, objective)
pools = {
    name: per_sample_gradients(f, policy, objective, 10_000, Noise(4))[
        "mu"
    ][:, 0].numpy()
    for name, f in three.items()
}


def draw_intervals(log10_draws):
    count = round(10**log10_draws)
    figure, ax = plt.subplots(figsize=(7, 2.4))
    means = {
        name: mean_and_error(pool[:count]) for name, pool in pools.items()
    }
    intervals(ax, means, float(exact["mu"]))
    ax.set_xlim(-2.5, 3.5)
    ax.set_xlabel(f"∂J/∂μ from {count} draws, with 95 % interval")
    figure.tight_layout()


slider(draw_intervals, log10_draws=(1.0, 4.0, 0.25, 1.5))

# %% [markdown]
# The intervals shrink like $1/\sqrt n$, and the widest is *sticking the landing*, which is known for its low
# variance. On this problem, at this point, for this parameter, it is the worst of the three: “the
# reparameterization trick has lower variance” is folklore, and which estimator wins is a question to
# *measure* (notebooks 05 and 07 say when and why).

# %% [markdown]
# ### Exercise 3 · how many draws?  (★★, 4 minutes)
#
# Variance is what an estimator costs you. How many draws must be averaged until the standard error is,
# say, a tenth of the gradient?


# %% tags=["exercise"]
def draws_needed(variance, gradient, fraction):
    """n such that the standard error is fraction × |gradient|.

    variance: of one draw. All are numbers. Returns n, not rounded.
    """
    raise NotImplementedError


# %%
check_exercise("draws_needed", draws_needed)


# %% tags=["solution"]
def draws_needed(variance, gradient, fraction):
    wanted_error = fraction * gradient
    return variance / wanted_error**2


draws_needed = kept(draws_needed)

# %% [markdown]
# ## 4 · Exact answers
#
# On small problems nothing needs to be random: `exact_gradient` integrates, and `exact_moments` feeds
# quadrature nodes to an estimator *as if they were its random draws*, which gives its mean and its variance
# to many digits, with their own error. Everything random here is held against numbers like these.

# %%
needed, rows = {}, []
for name, f in three.items():
    mean, variance = exact_moments(f, policy, objective)
    m, v = float(mean["mu"]), float(variance["mu"])
    needed[name] = draws_needed(v, float(exact["mu"]), 0.1)
    cells = f"{m:+.6f}", f"{v:.4f}", f"{needed[name]:.0f}"
    rows.append((name, *cells))
rows.append(("exact gradient", f"{float(exact['mu']):+.6f}", "", ""))
Table(("", "mean", "variance", "draws for 10 %"), rows)

# %% [markdown]
# ## 5 · The whole catalogue in one picture
#
# `nabla compare report` in a terminal draws this. How to read it:
#
# * **variance of one estimate**, with a 95 % interval: lower is better;
# * **× Q evaluations**: an estimator that asks the critic twice may be beaten by another, averaged over two
#   draws. Evaluations are counted, never declared;
# * **violins**: single draws. All means (markers) lie on the dashed line, except for one: a *biased*
#   estimator, kept as an exhibit. Notebook 06 says why it is off by exactly one half.

# %% tags=["figure"]
names = (
    *three,
    "score_function_leave_one_out",
    "score_function_batch_mean",
)
estimates = fast(20_000, 200_000)
reports, samples = [], {}
for name in names:
    f = CATALOGUE[Gaussian][name]
    reports.append(
        measure(
            f,
            policy,
            objective,
            estimates=estimates,
            rng=Noise(0),
            name=name,
        )
    )
    g = per_sample_gradients(f, policy, objective, 2000, Noise(1))
    samples[name] = torch.cat([g["mu"], g["log_std"]], 1).numpy()
figure = comparison_figure(reports, samples, "Lahire's example, φ = 0.7")
figure.set_size_inches(11, 5.5)
figure

# %% [markdown]
# An estimator is a few lines in the order of its equation. This one is the whole of *sticking the landing*:

# %%
print(inspect.getsource(sticking_the_landing))

# %% [markdown]
# What it returns is a **surrogate**: only its *gradient* means anything. That is why the value of a
# policy-gradient “loss” may rise while the policy gets better (the first question in the box above).
#
# ## 6 · Is mine right?
#
# > **Predict.** Somebody writes the actor loss with `log_prob.detach()`, “because the entropy is only a
# > bonus”. Is the gradient still right?

# %% tags=["predict"]
predict("detached_entropy", ...)  # "yes" or "no"


# %%
def my_actor_loss(policy, objective, rng):
    a = policy.rsample(1, rng)
    log_prob = policy.log_prob(a).detach()
    return (objective.alpha * log_prob - objective.Q(a)).mean(0)


verdict = check(my_actor_loss, policy, objective)
print(verdict)

# %% [markdown]
# `check` takes estimators, plain PyTorch losses, and functions that return gradients; it is for stochastic
# gradients what `gradcheck` is for derivatives. Notebook 12 is about yours.
#
# ## 7 · The course
#
# | | one question each |
# |---|---|
# | 01 values | what is a value, and how is it learned? |
# | 02 policy gradients | how does one differentiate what one can only sample? |
# | 03 from KL to loss | where does Eq. 12 come from? |
# | 04 reparameterization | when may the gradient move inside? |
# | 05 Eq. 13 | where does the first term come from? |
# | 06 nabla-log | the other way: what do baselines do, and when are they wrong? |
# | 07 shoot-out | which estimator wins where? |
# | 08 mixtures | what if the policy has several hills? |
# | 09 squashing and numbers | what do tanh and float32 break? |
# | 10 SAC assembled | how do the parts become an algorithm? |
# | 11 in practice | which estimator wins inside a trained SAC? |
# | 12 bring your own | is *your* estimator right? |
# | 13 break it | what does each famous bug do? |
#
# Each runs alone. On the toy problems: `nabla problems`; on the estimators: `nabla estimators`.

# %%
kinds = {kind.__name__: len(c) for kind, c in CATALOGUE.items()}
print("Toy problems:", ", ".join(PROBLEMS))
Table(("estimators for a", *kinds), [("how many", *kinds.values())])

# %% [markdown]
# ## An open project
#
# Take one number from a paper on reinforcement learning that is a mean over runs, and give it the error bar
# that it should have had: from the number of runs, and from what can be read off its figures.
#
# A good answer says what the runs have in common (a seed? an environment?) and so how many are independent;
# computes the error of the *mean* and not the spread of a run; and says how many runs it would take to tell
# the paper's two best methods apart, with the assumption that this rests on.
#
# ## Summary
#
# * $J$ is an expectation under the very thing that is to be changed; its gradient has to be *estimated*.
# * A number comes with its error, or it is exact and says how exact.
# * Compare **bias** first, then **variance**, then **variance × cost**.
# * The value of a surrogate means nothing, its gradient does.

# %% tags=["claims"]
a, mu, sigma = 0.4, 0.7, 1.0
one = torch.tensor([a], dtype=torch.float64)
claim(
    "the cost of exercise 1 is the workbench's",
    cost(a, mu, sigma, float(objective.Q(one)), objective.alpha),
    float(objective.cost(policy, one)),
    1e-12,
)
for name, f in three.items():
    mean, _ = exact_moments(f, policy, objective)
    claim(f"{name} is unbiased", mean["mu"], exact["mu"], 1e-9)
spread = {n: p.std() for n, p in pools.items()}
widest = max(spread, key=spread.get)
claim("widest for μ: STL", widest == "sticking_the_landing")
ten = [mean_and_error(p[:100])[1] for p in pools.values()]
thousand = [mean_and_error(p)[1] for p in pools.values()]
ratio = np.array(ten) / np.array(thousand)
claim("100 × the draws, a tenth of the error", ratio, [10] * 3, 3)
by_name = {r.estimator: r for r in reports}
half = by_name["score_function_batch_mean"].mean["mu"]
se = float(by_name["score_function_batch_mean"].sem["mu"])
claim("the biased one is off by one half", half, exact["mu"] / 2, 5 * se)
claim(
    "the loss with log π detached is biased", verdict.status == "biased"
)
claim("and is told why", verdict.diagnosis == "missing_entropy")

# %% [markdown]
# ## References
#
# * Haarnoja, Zhou, Abbeel, Levine 2018, *Soft Actor-Critic* (arXiv 1801.01290), Eq. 12.
# * Lahire 2021, *Actor Loss of Soft Actor Critic Explained* (arXiv 2112.15568): the example.
# * Mohamed, Rosca, Figurnov, Mnih 2020, *Monte Carlo Gradient Estimation in Machine Learning*: the map
#   of the whole subject.
#
# **Next:** 01, values; or straight to 05 if you have read the SAC paper and one equation bothers you.
