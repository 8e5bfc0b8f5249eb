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
# # 11 · The open question in practice
#
# *25 minutes, and about 20 more with all exercises. You need: the variance shoot-out (07) and SAC (10).*
#
# **The question.** When does nabla-log beat the reparameterization trick? For critics that we wrote down,
# 07 has the answer. SAC's critic is a network, and moves. **Which estimator varies least inside a real
# SAC, was that to be foreseen, and does it matter for learning?**
#
# **After this notebook you can**
#
# * say where a SAC actor sits on the map of 07, and prove that it must sit there;
# * measure a critic's curvature without a second derivative, by Stein's lemma;
# * summarise ratios over states and seeds without fooling yourself;
# * foretell the variance of leave-one-out with 32 actions from 2 and from 8;
# * say what such a study shows, and what it does not.

# %% [markdown]
# > **Real questions.**
# >
# > * *“why SAC use `pi = policy.rsample()` while VPG use `pi = policy.sample()`?”* —
# >   [firedup, issue 9](https://github.com/kashif/firedup/issues/9)
# > * SAC's final version lists as its first change the *“use of reparameterization trick to estimate the
# >   policy gradient”* — [haarnoja/sac, pull request 13](https://github.com/haarnoja/sac/pull/13). What was
# >   gained?
# > * An author: *“We believe it's either the lack of reparameterization trick in the policy update or the use
# >   of gaussian mixture models that originally introduced more variance … We have not yet confirmed this”* —
# >   [stable-baselines, issue 270](https://github.com/hill-a/stable-baselines/issues/270)
# > * *“Automatically choose between reparameterization and the score function”* —
# >   [storchastic, issue 14](https://github.com/HEmile/storchastic/issues/14)

# %% tags=["setup"]
import json
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch

import nabla
from estimators import Gaussian, Objective, exact_gradient
from nabla.course import Table, check_exercise, claim, kept, predict
from nabla.course.figures.fig11 import along, told_and_measured

STUDY = Path(nabla.__file__).parents[1] / "studies" / "open_question"
if not STUDY.exists():
    raise FileNotFoundError(
        "the study's results are in the repository, not in the package: "
        "open this notebook in a clone of it"
    )
sys.path.insert(0, str(STUDY))
import draw as study

# %% [markdown]
# ## 1 · What was run
#
# Hours of computing, stored as three small tables in `studies/open_question/results`. To make them again:
#
#     python studies/open_question/study.py   # hours on two cores; it can be killed and started again
#     python studies/open_question/draw.py    # seconds: figures and numbers
#
# *Probes*: SAC is trained as published. At four checkpoints, on replayed states, every estimator of the
# catalogue is measured at the actor's outputs, with the critic as it is at that moment. *Training*: the actor
# is driven by each of six estimators, everything else equal.

# %%
probes, training, cost = (
    study.read(STUDY / "results" / f"{name}.csv")
    for name in ("probes", "training", "cost")
)
about = json.loads((STUDY / "results" / "about.json").read_text())
tasks = list(dict.fromkeys(r["task"] for r in probes))
print(f"{about['date']}, torch {about['torch']}, {about['machine']}")
print(f"{len(probes)} rows of probes, {len(training)} of training")
kinds = ("probed_runs", "training")
Table(
    ("task", "updates, probed", "updates, training"),
    [(t, *(about[k]["tasks"].get(t, "") for k in kinds)) for t in tasks],
)

# %% [markdown]
# ## 2 · Where an actor sits
#
# On a parabola everything hung on $\tau = k\sigma^2/\alpha$ (05, 07): sticking the landing beats Eq. 13 iff
# $\tau > \tfrac12$, and has no variance at $\tau = 1$. For any critic let $k = -\mathbb E[Q''(a)]$, the mean
# curvature under the policy.
#
# > **Predict.** What is τ inside a trained SAC: 0.1, 1, 10? Does it depend on the task?

# %% tags=["predict"]
predict("tau", ...)  # "0.1", "1" or "10"

# %% [markdown]
# There is a reason to be sure. **Stein's lemma**: for $\varepsilon\sim\mathcal N(0, 1)$, integrate by parts
# with the density $\varphi$, for which $\varepsilon\varphi(\varepsilon) = -\varphi'(\varepsilon)$:
#
# $$\mathbb E\big[Q'(\mu + \sigma\varepsilon)\,\varepsilon\big]
#   = -\int Q'\,\varphi'\,\mathrm d\varepsilon
#   = \int \frac{\mathrm d}{\mathrm d\varepsilon}Q'(\mu + \sigma\varepsilon)\,\varphi\,\mathrm d\varepsilon
#   = \sigma\,\mathbb E\big[Q''(a)\big] .$$
#
# Put it into the mean of Eq. 13 for $\log\sigma$ (the table in 05):
#
# $$\frac{\partial J}{\partial\log\sigma} = -\alpha - \sigma\,\mathbb E\big[Q'(a)\,\varepsilon\big]
#   = -\alpha - \sigma^2\,\mathbb E[Q''] = k\sigma^2 - \alpha = \alpha\,(\tau - 1) .$$
#
# **For every critic, τ = 1 is where the policy's width has nothing left to learn.** No parabola needed. (With
# tanh, $Q$ is what $u$ sees: with the log-determinant in it.)
#
# The lemma also measures $k$. A ReLU critic has no second derivative, yet $\mathbb E[Q'\varepsilon]$ is there.
#
# ### Exercise 1 · τ by Stein  (★★, 5 minutes)


# %% tags=["exercise"]
def tau_by_stein(grad_Q, eps, sigma, alpha):
    """τ = kσ²/α with k = −E[Q″], by E[Q′(a) ε] = σ E[Q″(a)].

    grad_Q, eps: arrays, Q′ at the action drawn and its noise; the
    expectation is their mean over draws. Returns a number.
    """
    raise NotImplementedError


# %%
check_exercise("tau_by_stein", tau_by_stein)


# %% tags=["solution"]
def tau_by_stein(grad_Q, eps, sigma, alpha):
    k = -(grad_Q * eps).mean() / sigma
    return k * sigma**2 / alpha


tau_by_stein = kept(tau_by_stein)


# %% tags=["figure"]
def of_base(task, step, quantity):
    """[seeds]: the median over states, where the estimator is Eq. 13."""
    rows = [
        r
        for r in probes
        if (r["task"], r["step"], r["estimator"])
        == (task, step, study.BASE)
    ]
    by_seed = study.groups(rows, "seed").values()
    return np.array(
        [np.median([r[quantity] for r in s]) for s in by_seed]
    )


steps = {
    t: sorted({r["step"] for r in probes if r["task"] == t})
    for t in tasks
}
taus = {
    t: (steps[t], np.array([of_base(t, s, "tau") for s in steps[t]]).T)
    for t in tasks
}
figure, ax = plt.subplots(figsize=(8.5, 4))
along(ax, taus, 1.0, "τ, median over states")
ax.set_title("SAC's policies sit at τ = 1")
figure.tight_layout()
Table(
    ("", "τ at the last checkpoint"),
    [(t, f"{taus[t][1][:, -1].mean():.2f}") for t in tasks],
)

# %% [markdown]
# On all tasks, at all checkpoints, near one: the width follows the critic within a few hundred updates.
# So the theory of 07 has a forecast for every SAC: *sticking the landing and nabla-log with a baseline
# vary little, and Eq. 13, which SAC uses, keeps the noise that the others have lost.*
#
# ## 3 · Which one varies least
#
# How to put thousands of numbers into one? Variances differ between states by orders of magnitude, much
# more than between estimators: so the *ratio* is taken within a state, the **median** over the states of a
# run, and over the seeds the **mean of logarithms** (so that ×10 and ÷10 balance).
#
# ### Exercise 2 · a typical ratio  (★, 5 minutes)


# %% tags=["exercise"]
def typical_ratio(one, other):
    """How many times as large as `other` is `one`, typically?

    one, other: arrays [seeds, states] of variances. The typical state
    of each seed, then the geometric mean over seeds: a number.
    """
    raise NotImplementedError


# %%
check_exercise("typical_ratio", typical_ratio)


# %% tags=["solution"]
def typical_ratio(one, other):
    each_seed = np.median(one / other, axis=1)
    return np.exp(np.log(each_seed).mean())


typical_ratio = kept(typical_ratio)

# %% [markdown]
# > **Predict.** Against Eq. 13: sticking the landing? Nabla-log with leave-one-out of 2, of 32? Nabla-log
# > without any baseline?

# %%
last = {t: steps[t][-1] for t in tasks}
table = {}
for r in probes:
    if r["step"] == last[r["task"]]:
        key = r["task"], study.label(r), r["seed"]
        table.setdefault(key, []).append(r["variance_mu"])
seeds = sorted({r["seed"] for r in probes})


def variances(task, name):
    """[seeds, states] at the last checkpoint."""
    return np.array([table[task, name, s] for s in seeds])


shown = [
    "sticking_the_landing",
    f"{study.LEAVE}, n = 2",
    f"{study.LEAVE}, n = 8",
    f"{study.LEAVE}, n = 32",
    "score_function_value",
    "measure_valued",
    "score_function",
]
ratios = {
    name: {
        t: float(
            typical_ratio(variances(t, name), variances(t, study.BASE))
        )
        for t in tasks
    }
    for name in shown
}
print("Variance for μ of one estimate; Eq. 13's is 1.")
short = [
    t.split("-")[0].replace("InvertedDouble", "Double ") for t in tasks
]
Table(
    ("", *short),
    [
        (name.replace("_", " "), *(f"{row[t]:.3g}" for t in tasks))
        for name, row in ratios.items()
    ],
)

# %% [markdown]
# The folklore, *“nabla-log has high variance”*, is about the last line: thousands of times worse. With a
# baseline it is another estimator, and the comparison is close.
#
# One estimate of leave-one-out with 32 actions asks the critic 32 times, of course. The upper row of the
# study's figure is variance, the lower one variance × evaluations of $Q$; both against training.

# %% tags=["figure"]
study.variance_figure(probes)

# %% [markdown]
# Two things to see. Sticking the landing lies below the line everywhere, at Eq. 13's price: one evaluation,
# one gradient. And nabla-log's lead *per evaluation* is there for one action, and gone for six at the last
# checkpoint: that is the dimension, as in the theory; and it shrinks as training goes on and critics get
# steeper.
#
# ## 4 · Foretold
#
# The theory of 07 for a quadratic critic needs two numbers a state, slope and curvature. Nothing else goes
# into the forecast below; every point is a state of a checkpoint.

# %% tags=["figure"]
study.prediction_figure(probes)

# %%
print("State by state, where the measurement tells them apart.")
rows = [
    (
        other.replace("_", " "),
        *(f"{x / count:.0%}" for x in (wins, cheap, told)),
        f"× {np.exp(off):.1f}",
    )
    for _, other, count, wins, cheap, told, off in study.winners(probes)
]
Table(("Eq. 13 against", "wins", "× Q", "foretold", "ratio within"), rows)

# %% [markdown]
# *Who* wins is foretold nearly always. *By how much*, for sticking the landing, is not: a parabola would leave
# it almost no variance at $\tau = 1$, and what it has comes from all that is not a parabola, tanh's
# log-determinant to begin with.
#
# ### A forecast that needs no theory of the critic
#
# Leave-one-out with $n$ actions has the variance (06; Kool et al. 2019)
#
# $$\operatorname{Var}_n = \frac A n + \frac B{n(n-1)} :$$
#
# $A$ is what an exact baseline would leave, $B$ the price of estimating it from the others. Two values of
# $n$ determine both.
#
# ### Exercise 3 · from 2 and 8 to any n  (★★★, 10 minutes)


# %% tags=["exercise"]
def leave_one_out_at(v2, v8, n):
    """A/n + B/(n(n − 1)), A and B from the variances at 2 and at 8.

    v2, v8: variances with n = 2 and n = 8. Returns that with n.
    """
    raise NotImplementedError


# %%
check_exercise("leave_one_out_at", leave_one_out_at)


# %% tags=["solution"]
def leave_one_out_at(v2, v8, n):
    # v2 = A/2 + B/2,  v8 = A/8 + B/56
    B = (v2 / 4 - v8) / (1 / 8 - 1 / 56)
    A = 2 * v2 - B
    return A / n + B / (n * (n - 1))


leave_one_out_at = kept(leave_one_out_at)

# %% tags=["figure"]
at = {
    (study.label(r), r["task"], r["seed"], r["step"], r["state"]): r
    for r in probes
    if r["estimator"] == study.LEAVE
}
trio = [
    [
        at[f"{study.LEAVE}, n = {n}", *k[1:]]["variance_mu"]
        for n in (2, 8, 32)
    ]
    for k in at
    if k[0].endswith("n = 2")
]
v2, v8, v32 = np.array(trio).T
told_32 = leave_one_out_at(v2, v8, 32)
figure, ax = plt.subplots(figsize=(5, 4))
told_and_measured(ax, told_32, v32, "variance with 32 actions")
figure.tight_layout()
middle = np.median(told_32 / v32)
print(f"foretold / measured over {len(v32)} states: median {middle:.3f}")

# %% [markdown]
# It holds within what the measurement allows, from networks that have hardly learned to the last checkpoint.
# So whoever has measured $n = 2$ and $8$ need not try others.

# %% [markdown]
# ### Exercise 4 · what the first term costs  (★★, 5 minutes)
#
# No formula is given. An actor sits at $\tau$, its critic is a parabola there. How many times Eq. 13's variance
# for $\mu$ has sticking the landing? Derive it; then look at your number where the trained actors are.


# %% tags=["exercise"]
def without_first_term(tau):
    """Variance for μ without the first term, Eq. 13's being 1.

    tau: a number, positive. Returns a number.
    """
    raise NotImplementedError


# %%
check_exercise("without_first_term", without_first_term)


# %% tags=["solution"]
def without_first_term(tau):
    return (1 - 1 / tau) ** 2


without_first_term = kept(without_first_term)

# %% [markdown]
# ### Exercise 5 · spend it  (★★★, 15 minutes)
#
# A design, from what a probe tells. You know the variance of Eq. 13 and that of leave-one-out with 2 and
# with 8 actions; an action costs one evaluation, a gradient `price` more. Choose an estimator and its $n$.


# %% tags=["exercise"]
def spend(eq13, v2, v8, price, budget):
    """A plan: ("eq13" or "leave_one_out", n).

    eq13: variance of one draw of Eq. 13; v2, v8: of leave-one-out at
    n = 2 and 8; price: of a gradient, in evaluations; budget: in
    evaluations, a whole number. Returns a tuple: the name, n.
    """
    raise NotImplementedError


# %%
check_exercise("spend", spend)


# %% tags=["solution"]
def spend(eq13, v2, v8, price, budget):
    B = (v2 / 4 - v8) / (1 / 8 - 1 / 56)
    A = 2 * v2 - B
    n, m = int(budget / (1 + price)), budget
    loo = A / m + B / (m * (m - 1))
    return ("eq13", n) if eq13 / n < loo else ("leave_one_out", m)


spend = kept(spend)

# %% [markdown]
# ## 5 · Does it matter?
#
# > **Predict.** Eq. 13 replaced by an estimator with a third of its variance, or with a hundredth: how much
# > faster does SAC learn?

# %% tags=["figure"]
study.learning_figure(training, cost)

# %%
ends = {}
for (task, arm), rows in study.groups(training, "task", "arm").items():
    ends.setdefault(task, {})[arm] = study.curves(rows)[1][:, -1]
gaps = {}
for task, arms in ends.items():
    middles = [float(np.mean(v)) for v in arms.values()]
    widest = max(float(np.ptp(v)) for v in arms.values())
    gaps[task] = float(np.ptp(middles)), widest
Table(
    ("", "best and worst arm differ by", "seeds of one arm by up to"),
    [(t, *(f"{x:.3g}" for x in pair)) for t, pair in gaps.items()],
)

# %% [markdown]
# On every task seeds of one arm differ by more than the arms. **With three seeds no order can be read off,
# and none is claimed.** What can be said: nabla-log with a baseline *drives a SAC actor as well as anything*
# in these runs, and what costs more is dearer without showing more.
#
# Why so little? The actor's step averages over a batch of $B$ states, and by the law of total variance
#
# $$\operatorname{Var}\Big[\frac1B\sum_s g_s\Big] = \frac1B\Big(
#   \underbrace{\mathbb E_s\big[\operatorname{Var}[g_s \mid s]\big]}_{\text{within: the estimator's}}
#   + \underbrace{\operatorname{Var}_s\big[\mathbb E[g_s \mid s]\big]}_{\text{between states}}\Big):$$
#
# the estimator owns only the first part; both are divided by $B$ = 128 or 256, and Adam averages over
# steps again. And the critic, not the actor, sets the pace of these runs.
#
# ## What this does not say
#
# Runs of a few thousand steps, three seeds, small networks in the training part, one rule for the
# temperature. The variance tables are measured; the claim “it does not matter” is not made.
#
# ## An open project
#
# Ask the question of a task that is not in the study. Train with `nabla train`, probe with `nabla probe`, and
# foretell before you look: where $\tau$ will be, which estimator will vary least, by how much.
#
# A good answer writes its forecast down *before* the probe; uses at least three seeds and says which
# spread its intervals are about (states of one seed share a critic); separates variance per estimate from
# variance per evaluation; and reports a forecast that failed as carefully as one that held.
#
# ## Summary
#
# * By Stein's lemma $\partial J/\partial\log\sigma = \alpha(\tau - 1)$ for every critic: a trained policy sits at
#   τ = 1, and SAC's do, on every task.
# * There Eq. 13 is the noisiest of the good estimators. Sticking the landing costs the same and varies less,
#   on every task. Leave-one-out nabla-log of 8 varies less per evaluation for few actions, not for six.
# * Who wins was foretold from slope and curvature; leave-one-out with 32 from 2 and 8.
# * None of it shows in these learning curves.
#
# So the box's questions: SAC uses `rsample` because it works with one action and no baseline. It is not
# necessary for low variance; a *baseline* would have done, too.

# %% tags=["claims"]
cubic = Objective(lambda a: (a - a**2 - 0.1 * a**3).sum(-1), 0.6)
at_03, log_std = (torch.tensor([x]).double() for x in (0.3, -0.4))
there = Gaussian(at_03, log_std)
eps = np.random.default_rng(0).normal(size=400_000)
sigma = np.exp(-0.4)
a = 0.3 + sigma * eps
tau = tau_by_stein(1 - 2 * a - 0.3 * a**2, eps, sigma, 0.6)
slope = float(exact_gradient(there, cubic)["log_std"])
claim("∂J/∂log σ = α(τ − 1), on a cubic", 0.6 * (tau - 1), slope, 0.01)
end_taus = np.array([taus[t][1][:, -1].mean() for t in tasks])
claim("τ near 1 at the end, on every task", end_taus, 1.0, 0.25)
all_taus = np.concatenate([v.ravel() for _, v in taus.values()])
claim("… and at every checkpoint", np.log(all_taus), 0.0, np.log(2.5))
landing = list(ratios["sticking_the_landing"].values())
claim("sticking the landing varies less", max(landing) < 1)
worst = ratios["score_function"]
claim("no baseline: more than ten times worse", min(worst.values()) > 10)
claim("… and thousands on most tasks", sorted(worst.values())[1] > 1000)
eight = {t: 8 * r for t, r in ratios[f"{study.LEAVE}, n = 8"].items()}
claim("8, per Q: wins with one action", eight["Pendulum-v1"] < 1)
claim("… and not with six", eight["HalfCheetah-v5"] > 1)
from_study = study.relative(probes, "variance_mu", cost=False)
key = "Reacher-v5", "sticking_the_landing", last["Reacher-v5"]
same = np.exp(np.log(from_study[key]).mean())
mine = ratios["sticking_the_landing"]["Reacher-v5"]
claim("the exercise's summary is the study's", mine, same, 1e-9)
won = list(study.winners(probes))
foretold = [told / count for _, _, count, _, _, told, _ in won]
claim("who wins is foretold nearly always", min(foretold) > 0.9)
factor = next(
    np.exp(w[-1]) for w in won if w[1] == "sticking_the_landing"
)
claim("not the factor, for sticking the landing", factor > 3)
claim("32 from 2 and 8: the median is right", middle, 1.0, 0.03)
inside = [gap < widest for gap, widest in gaps.values()]
claim("seeds differ more than arms", inside, [True] * len(gaps))
price = {(c["task"], c["arm"]): c["update_seconds"] for c in cost}
dearer = [
    price[t, f"{study.LEAVE}, n = 32"] > 1.5 * price[t, study.BASE]
    for t in ends
]
claim("32 actions make an update dearer", dearer, [True] * len(ends))
one_price = [
    price[t, "sticking_the_landing"] / price[t, study.BASE] for t in ends
]
claim("sticking the landing costs the same", one_price, 1.0, 0.15)

# %% [markdown]
# ## References
#
# * Lahire 2021, *Actor Loss of Soft Actor Critic Explained* (arXiv 2112.15568), whose last section asks.
# * Stein 1981, *Estimation of the Mean of a Multivariate Normal Distribution*.
# * Roeder, Wu, Duvenaud 2017, *Sticking the Landing*; Kool, van Hoof, Welling 2019 (leave-one-out).
# * In this workbench: `studies/open_question`, `docs/study.md`, `toy_problems/theory/local.py`; the command
#   `nabla probe RUN` measures a run of yours.
#
# **Next:** 12, an estimator or a loss of yours.
