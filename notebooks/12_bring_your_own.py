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
# # 12 · Bring your own
#
# *25 minutes, and about 40 more with all exercises. You need: the reparameterized actor loss (05), the
# score function (06) and squashing (09).*
#
# **The question.** You have an actor loss, or an estimator that you wrote, read about or were sent in a
# pull request. It runs, it learns something. **Is its mean the gradient? And is it the one to use?**
#
# **After this notebook you can**
#
# * check an actor loss of yours, as it is, in one line, and read the verdict;
# * say how many estimates stand behind the word “unbiased”, and what would have gone unnoticed;
# * write an estimator that keeps the contract of this workbench, and put it under test;
# * check without knowing any exact gradient, and a network actor over a batch of states;
# * choose an estimator by what a given precision *costs*, and know when the choice does not matter.

# %% [markdown]
# > **Real questions.** Asked, or asserted, in public:
# >
# > * A request, open since 2020: *“Automatically check unbiasedness of gradient estimator.”* —
# >   [storchastic, issue 21](https://github.com/HEmile/storchastic/issues/21)
# > * *“A batch-mean or moving-average baseline should preserve the expected gradient”* — does it? —
# >   [blackbirds, issue 53](https://github.com/arnauqb/blackbirds/issues/53)
# > * The paper differentiates a term, *“but the code omits it. Why? Because the effect of it is small?”*
# >   (It was a bug, and had been there for a year.) —
# >   [relax, issue 6](https://github.com/duvenaud/relax/issues/6)
# > * *“Automatically choose between reparameterization and the score function”* —
# >   [storchastic, issue 14](https://github.com/HEmile/storchastic/issues/14)
# >
# > None of them needs the source code of the estimator. All of them can be answered by running it.

# %% tags=["setup"]
import math
from functools import partial
from statistics import NormalDist

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch.distributions import Normal

from estimators import (
    Gaussian,
    Noise,
    Objective,
    assert_unbiased,
    batch_mean,
    check,
    exact_gradient,
    exact_moments,
    leave_one_out,
    log_det_tanh,
    per_sample_gradients,
    reparameterization,
    score_function,
    squash,
)
from nabla.advise.table import advice, ranks
from nabla.advise.advising import candidates_for
from nabla.advise.candidates import Wants
from nabla.course import (
    Table,
    check_exercise,
    claim,
    fast,
    kept,
    predict,
    slider,
)
from nabla.course.figures.fig12 import evidence_lines, work_plane
from toy_problems import Problem

DELTA = fast(0.03, 0.01)  # of a check, in standard deviations


def numbers(*x):
    return torch.tensor(x, dtype=torch.float64)


# %% [markdown]
# ## 1 · A loss, as it is
#
# Here is an actor loss as one finds them: PyTorch, `rsample`, a tanh, a critic. It learns Pendulum.
#
# > **Predict.** Read it as a reviewer. Would you merge it?

# %%
alpha = 0.3


def Q(a):
    """A critic without symmetry: [..., d] -> [...]."""
    cubic = 0.7 * a - 0.4 * a**2 + 0.3 * a**3
    return (cubic + torch.cos(2 * a)).sum(-1)


def found_loss(params):
    pi = Normal(params["mu"], params["log_std"].exp())
    u = pi.rsample()
    log_prob = pi.log_prob(u).sum(-1)
    return (alpha * log_prob - Q(torch.tanh(u))).mean()


# %% [markdown]
# `check` takes the loss, and what the loss *ought* to be: the policy (here the Gaussian of $u$) and the
# objective. Since the action is $a = \tanh u$, the objective is a squashed one (notebook 09).

# %%
policy = Gaussian(numbers(0.3, -0.6), numbers(-0.4, -0.2))
squashed = squash(Objective(Q, alpha))
verdict = check(found_loss, policy, squashed)
print(verdict)

# %% [markdown]
# Read it from the top. The status is one of four words:
#
# | status | meaning |
# |---|---|
# | `unbiased` | the mean is the gradient, to within a stated δ |
# | `biased` | it is not, and the chance that a right estimator is called so is at most $10^{-6}$ |
# | `undecided` | the budget is used up, or the tails are too heavy for a verdict |
# | `broken` | no mean to speak of: it raises, is not finite, leaves a parameter out, … |
#
# Below stand the rungs of a ladder, cheapest first; it stops at the first “failed”. A plain loss draws
# its own noise, so the exact rung (*nodes*) is out of reach and 32,768 estimates are made. The last line
# is the *diagnosis*: nobody looked at the code. The measured mean was compared with the closed forms of
# known slips, and one fitted.
#
# The loss takes the density of $u$ for the density of $\tanh u$.
#
# ### Exercise 1 · your loss  (★★, 10 minutes)
#
# Write it rightly, for a policy given by its parameters and one draw of noise for each action. (There is
# a function `log_det_tanh(u)` $= \sum_i\log(1-\tanh^2u_i)$, which never underflows.)


# %% tags=["exercise"]
def my_loss(mu, log_std, eps, Q, alpha):
    """α log π(a) − Q(a) for a = tanh u, u = μ + σε.

    mu, log_std, eps: [*batch, d]; Q maps actions [*batch, d] to values.
    Returns the loss of each action: [*batch].
    """
    raise NotImplementedError


# %%
check_exercise("my_loss", my_loss)


# %% tags=["solution"]
def my_loss(mu, log_std, eps, Q, alpha):
    u = mu + log_std.exp() * eps
    log_prob = Normal(mu, log_std.exp()).log_prob(u).sum(-1)
    return alpha * (log_prob - log_det_tanh(u)) - Q(torch.tanh(u))


my_loss = kept(my_loss)


# %%
def mended_loss(params):
    eps = torch.randn_like(params["mu"])
    one = my_loss(params["mu"], params["log_std"], eps, Q, alpha)
    return one.mean()


mended = check(mended_loss, policy, squashed, delta=DELTA)
print(mended)

# %% [markdown]
# ## 2 · What “unbiased” has to mean
#
# No number of draws shows that a bias is *exactly* zero. What can be shown is that a bias of a given
# size would have been seen. Let one estimate have standard deviation $s$ and bias $b$; the mean of $n$
# of them is nearly normal, with standard error $s/\sqrt n$:
#
# $$\frac{\text{mean} - \nabla J}{s/\sqrt n} \;\sim\; \mathcal N\Big(\frac{b}{s}\sqrt n,\; 1\Big).$$
#
# **Alarm** when this leaves $\pm z_f$. For $p$ entries of the gradient that share a false-alarm rate $f$
# on two sides, $z_f$ is the point with $f/(2p)$ above it.
#
# **Miss.** A bias of $b = \delta s$ moves the bell to $\delta\sqrt n$. It stays below the limit with
# probability at most $m$ if the bell's centre is $z_m$ above the limit, with $m$ beyond $z_m$:
#
# $$\delta\sqrt n \ge z_f + z_m \quad\Longleftrightarrow\quad n \ge \Big(\frac{z_f + z_m}{\delta}\Big)^2 .$$
#
# > **Predict.** $\delta = 0.01$, both rates $10^{-6}$, four entries. Thousands of estimates? A million?

# %% tags=["predict"]
predict("how_many", ...)  # your guess in the place of the dots

# %% [markdown]
# ### Exercise 2 · how many  (★★, 5 minutes)


# %% tags=["exercise"]
def estimates_needed(delta, false_alarm, miss, entries):
    """How many estimates show a bias of δ s, s their deviation.

    false_alarm: of all entries together, on both sides; miss: of an
    entry that is off by δ s. NormalDist().inv_cdf(p) is the point
    with p below it.
    """
    raise NotImplementedError


# %%
check_exercise("estimates_needed", estimates_needed)


# %% tags=["solution"]
def estimates_needed(delta, false_alarm, miss, entries):
    quantile = NormalDist().inv_cdf
    z_alarm = -quantile(false_alarm / (2 * entries))
    z_miss = -quantile(miss)
    return ((z_alarm + z_miss) / delta) ** 2


estimates_needed = kept(estimates_needed)

# %%
needed = estimates_needed(DELTA, 1e-6, 1e-6, 4)
used = mended.numbers("monte carlo")["estimates"]
print(f"by the formula {needed:,.0f}; the check used {used:,}")

# %% [markdown]
# The check takes somewhat more: it looks several times, and each look spends a part of the false-alarm
# rate; and it corrects the limit for skewness. A test that looks at 1,000 draws with a tolerance of 10 %,
# the usual test in a repository, sees a bias of about a sixth of a standard deviation:

# %%
usual = math.sqrt(estimates_needed(1.0, 1e-2, 1e-2, 4) / 1000)
print(f"seen with probability 99 %: a bias of {usual:.2f} s")

# %% [markdown]
# ### A claim from the box, on trial
#
# *“A batch-mean baseline should preserve the expected gradient”*, because $\mathbb E[\nabla\log\pi] = 0$.
# The mean over the batch contains the cost of the very action that it is subtracted from, so it is no
# constant. With $n$ actions, and $\bar c = \frac1n\sum_jc_j$,
#
# $$\begin{aligned}
# \mathbb E\big[(c_i - \bar c)\,\nabla\log\pi(a_i)\big]
#   &= \nabla J - \tfrac1n\,\mathbb E\big[c_i\nabla\log\pi(a_i)\big] \\
#   &\quad - \tfrac1n\sum_{j\ne i}\underbrace{\mathbb E[c_j]\,\mathbb E[\nabla\log\pi(a_i)]}_{0}
#   = \Big(1 - \frac1n\Big)\nabla J .
# \end{aligned}$$
#
# > **Predict.** $n = 2$, $8$, $32$: which of them will be caught, and after how many estimates?

# %% tags=["figure"]
plain = Objective(Q, alpha)
narrow = Gaussian(numbers(0.3), numbers(-0.9))
truth = exact_gradient(narrow, plain)
count = fast(2**14, 2**17)
sizes = np.unique(np.geomspace(64, count, 25).astype(int))
suspects = {
    f"batch mean, n = {n}": partial(
        score_function, n=n, baseline=batch_mean
    )
    for n in (32, 8, 2)
}
suspects["leave-one-out, n = 8"] = partial(
    score_function, n=8, baseline=leave_one_out
)


def standard_errors_off(g):
    """After each of `sizes` estimates, of ∂J/∂μ."""
    off = [
        abs(g[:n].mean() - exact) * n**0.5 / g[:n].std() for n in sizes
    ]
    return np.array(off)


exact = float(truth["mu"])
draws = {
    name: per_sample_gradients(f, narrow, plain, count, Noise(1))["mu"]
    for name, f in suspects.items()
}
seen = {name: g[:, 0].numpy() for name, g in draws.items()}
expected = {
    f"batch mean, n = {n}": abs(exact) / n * sizes**0.5 / g.std()
    for n in (32, 8, 2)
    for g in [seen[f"batch mean, n = {n}"]]
}
limit = -NormalDist().inv_cdf(1e-6 / 4)  # two entries, two sides
figure, ax = plt.subplots(figsize=(9, 4))
evidence_lines(
    ax,
    sizes,
    {name: standard_errors_off(g) for name, g in seen.items()},
    expected,
    limit,
)
figure.tight_layout()
rows = []
for name, g in seen.items():
    off, se = g.mean() / exact - 1, g.std() / len(g) ** 0.5 / abs(exact)
    rows.append((name, f"{off:+.1%} ± {se:.1%}"))
Table(("", "∂J/∂μ is off by"), rows)

# %% [markdown]
# A bias grows out of the noise like $\sqrt n$ (thin lines); what is unbiased stays below for ever. With
# 32 actions a moderate test sees nothing: 3 % of the gradient is a small part of a standard deviation. `check` needs no luck: where an estimator draws through `rng` it integrates instead.

# %%
verdicts = {
    name: check(f, narrow, plain, delta=DELTA)
    for name, f in suspects.items()
}
Table(
    ("", "status", "diagnosis"),
    [(name, v.status, v.diagnosis or "") for name, v in verdicts.items()],
)

# %% [markdown]
# (With 8 or 32 actions an estimate makes too many draws for nodes; those were sampled, and found out all
# the same.) Is the bias harmful? It only shortens the step, and Adam forgives that. But a *moving
# average* or a mean over *states* is no such factor, and the repair costs nothing: leave-one-out.
#
# ## 3 · When nothing is known exactly
#
# Many dimensions, a neural critic, a simulator: there is no exact gradient. Then the check compares,
# draw by draw, with the score function with leave-one-out baseline, which needs nothing but $\log\pi$.
# Below the same loss with the exact gradient withheld.

# %%
blind = check(found_loss, policy, squashed, exact=None)
print(blind.headline)
print("rungs:", ", ".join(e.rung for e in blind.evidence))

# %% [markdown]
# And a **network actor over a batch of states**: let the loss take the actor's *outputs*. One row for
# each state; a scalar loss is taken for the mean over the rows. Here states are numbers, the critic is a
# network as well, and the loss is the usual one: `min` of two critics, mean over the batch.

# %%
states = torch.linspace(-1, 1, 3, dtype=torch.float64)[:, None]
with torch.random.fork_rng():
    torch.manual_seed(0)
    layers = [torch.nn.Linear(2, 16), torch.nn.Tanh()]
    critics = torch.nn.Sequential(*layers, torch.nn.Linear(16, 2))
    actor = torch.nn.Linear(1, 2)
critics, actor = critics.double(), actor.double()


def twin_q(a):
    """min_i Q_i(s, a): [..., 3, 1] -> [..., 3]."""
    s = states.expand(*a.shape[:-1], 1)
    return critics(torch.cat([s, a], -1)).amin(-1)


def batch_loss(params):
    return my_loss(
        params["mu"],
        params["log_std"],
        torch.randn_like(params["mu"]),
        twin_q,
        alpha,
    ).mean()


with torch.no_grad():
    mu, log_std = actor(states).chunk(2, -1)
rows = Gaussian(mu.clone(), log_std.clone())
of_network = check(
    batch_loss, rows, squash(Objective(twin_q, alpha)), delta=0.03
)
print(of_network.headline)

# %% [markdown]
# ## 4 · An estimator of your own
#
# The contract is one line: `estimator(policy, objective, rng)` returns one surrogate for each policy of
# a batch, whose *gradient* is one draw. In return everything works on it: exact moments, `measure`, the
# diagnosis, SAC.
#
# Take an idea from **evolution strategies**: evaluate each perturbation with both signs,
# $a_\pm = \mu \pm \sigma\varepsilon$. For $\mu$ the scores are $\pm\varepsilon/\sigma$, and
#
# $$\tfrac12\Big[c(a_+)\frac{\varepsilon}{\sigma} - c(a_-)\frac{\varepsilon}{\sigma}\Big]
#   = \frac{c(a_+) - c(a_-)}{2\sigma}\,\varepsilon :$$
#
# a finite difference along a random direction. Any constant baseline cancels by itself. For $\log\sigma$
# the score $\varepsilon^2 - 1$ is even, both halves are equal, and nothing cancels.
#
# ### Exercise 3 · antithetic score function  (★★★, 10 minutes)
#
# Draw $\varepsilon$ **once**, by `rng.normal(shape, like)`, and average the score-function estimate over
# the pair. (`policy.mu`, `policy.log_std`; actions `[2, *batch, d]`.)


# %% tags=["exercise"]
def antithetic(policy, objective, rng):
    """½ Σ± cost(a±) ∇_θ log π_θ(a±),  a± = μ ± σε held fixed.

    Returns the surrogate, one number for each policy: [*batch].
    """
    raise NotImplementedError


# %%
check_exercise("antithetic", antithetic)


# %% tags=["solution"]
def antithetic(policy, objective, rng):
    eps = rng.normal(tuple(policy.mu.shape), policy.mu)
    step = policy.log_std.exp() * eps
    a = torch.stack([policy.mu + step, policy.mu - step]).detach()
    cost = objective.cost(policy, a).detach()  # [2, *batch]
    return (cost * policy.log_prob(a)).mean(0)


antithetic = kept(antithetic)

# %% [markdown]
# > **Predict.** Against two *independent* actions, the same two evaluations of $Q$: what happens to the
# > variance for $\mu$? And for $\log\sigma$?

# %%
two = partial(score_function, n=2)
assert_unbiased(antithetic, narrow, plain)  # for a test suite
pair_variance = exact_moments(antithetic, narrow, plain)[1]
two_variance = exact_moments(two, narrow, plain)[1]
both = pair_variance, two_variance
Table(
    ("variance for", "antithetic", "independent"),
    [(k, *(f"{float(v[k]):.3f}" for v in both)) for k in both[0]],
)

# %% [markdown]
# Good for one parameter, bad for the other, as the parity of the scores said. In a pytest suite
# `assert_unbiased(antithetic, policy, objective)` is a whole test; `estimators.testing` has Hypothesis
# strategies for random policies and objectives. From the command line it is
# `nabla check mine:antithetic report`.

# %% [markdown]
# ### Exercise 4 · when a pair helps  (★★, 5 minutes)
#
# No formula is given. Each half of a pair is an unbiased estimate with the same variance, and the two have
# a covariance, for they share $\varepsilon$. How many times the variance of *two independent* draws, averaged,
# has the average of the pair?


# %% tags=["exercise"]
def pair_against_two(variance, covariance):
    """Variance of a pair's mean, that of two independent draws being 1.

    variance: of one half; covariance: of the two halves.
    Returns a number.
    """
    raise NotImplementedError


# %%
check_exercise("pair_against_two", pair_against_two)


# %% tags=["solution"]
def pair_against_two(variance, covariance):
    pair = (variance + covariance) / 2
    return pair / (variance / 2)


pair_against_two = kept(pair_against_two)

# %% [markdown]
# ## 5 · Which one to use
#
# Variance alone does not decide: an estimator that evaluates $Q$ eight times may well vary less. Give
# both the same budget $B$. One estimate costs $C$ and varies by $V$; the budget pays for $B/C$ of them,
# and their mean varies by
#
# $$\frac{V}{B/C} = \frac{V\,C}{B} .$$
#
# **So compare variance × cost**; the budget drops out. (As long as many estimates fit into it.)
#
# ### Exercise 5 · within a budget  (★, 3 minutes)


# %% tags=["exercise"]
def variance_within(variance, cost, budget):
    """Variance of the mean of all whole estimates the budget pays.

    variance, cost: of one estimate. budget: at least the cost.
    """
    raise NotImplementedError


# %%
check_exercise("variance_within", variance_within)


# %% tags=["solution"]
def variance_within(variance, cost, budget):
    return variance / math.floor(budget / cost)


variance_within = kept(variance_within)

# %% [markdown]
# ### Exercise 6 · pairs, or not  (★★, 10 minutes)
#
# A design. Three unbiased estimators of one gradient: independent score-function draws, antithetic pairs, and
# the pathwise one. You know their exact variances, what a gradient of $Q$ costs, and your budget. Which one,
# and how many of its estimates? (A pair is *one* estimate, and costs two evaluations.)


# %% tags=["exercise"]
def pairs_or_not(variance, covariance, pathwise, price, budget):
    """A plan: ("independent", "pairs" or "pathwise", estimates).

    variance: of one draw; covariance: of the halves of a pair;
    pathwise: variance of one pathwise draw, which costs 1 + price;
    budget: in evaluations. Returns a tuple: the name, how many.
    """
    raise NotImplementedError


# %%
check_exercise("pairs_or_not", pairs_or_not)


# %% tags=["solution"]
def pairs_or_not(variance, covariance, pathwise, price, budget):
    plans = {
        "independent": (variance, 1.0),
        "pairs": ((variance + covariance) / 2, 2.0),
        "pathwise": (pathwise, 1.0 + price),
    }

    def mean_variance(name):
        v, cost = plans[name]
        return v / int(budget / cost)

    best = min(plans, key=mean_variance)
    return best, int(budget / plans[best][1])


pairs_or_not = kept(pairs_or_not)

# %% [markdown]
# `nabla advise` does the comparison: it measures every unbiased estimator that applies, counts what it
# evaluates, and ranks. Three situations, the same problem.
#
# > **Predict** the winner where (a) a gradient of $Q$ costs as much as a value; (b) $\nabla Q$ is not
# > available, as for a simulator; (c) $Q$ may be evaluated only once for each update.

# %%
mine = Problem("mine", narrow, plain)
situations = {
    "a, ∇Q costs one evaluation": Wants(gradient_cost=1.0),
    "b, no ∇Q": Wants(differentiable=False, gradient_cost=1.0),
    "c, one evaluation": Wants(several=False, gradient_cost=1.0),
}
ranked = {
    name: candidates_for(mine, wants, fast(4000, 40_000), 0)[0]
    for name, wants in situations.items()
}
for name, wants in situations.items():
    print(f"({name}) {advice(ranked[name], wants)}\n")

# %%
Table(*ranks(ranked["a, ∇Q costs one evaluation"]))

# %% [markdown]
# In one dimension four well-placed *values* of $Q$ beat a value and a gradient: measure-valued
# derivatives win (a) and (b). Their price grows with the dimension, though — four values for every
# coordinate — and where only one evaluation is allowed they are out.
#
# Everything is in one picture: variance against cost. Dashed lines join equal variance × cost; the lower
# left is better, and along a dashed line nothing is gained. Move the price of $\nabla Q$: pathwise
# estimators wander to the right, the others stay.


# %% tags=["figure"]
everyone = ranked["a, ∇Q costs one evaluation"]


def priced(price):
    return np.array(
        [c.report.q_evaluations + price * c.gradients for c in everyone]
    )


variances = np.array([c.variance for c in everyone])


def draw_plane(price):
    figure, ax = plt.subplots(figsize=(9.5, 4.6))
    work_plane(
        ax,
        [c.name for c in everyone],
        priced(price),
        variances,
        np.array([c.report.total_variance_sem for c in everyone]),
    )
    ax.set_title(f"a gradient of Q costs {price:g} × a value of Q")
    figure.tight_layout()


slider(draw_plane, price=(0.0, 10.0, 0.5, 1.0))

# %% [markdown]
# When several lie on the same dashed line, `advise` says that the difference is not significant. That is
# an answer, too: take the one that is easiest to get right.
#
# ## An open project
#
# Take an actor loss from a public repository, as it is, and put it on trial: `check`, with the policy and the
# squashing that it is for, in as many dimensions as it is used in.
#
# A good answer quotes the lines with their address; adapts them without repairing them; states what the
# trial could have seen ($\delta$, both rates) and not only its verdict; explains a rejection down to the
# line, with the corrected loss accepted; and, if nothing is found, says which slips of notebook 13 would
# have been.
#
# ## Summary
#
# * `check(loss, policy, objective)` takes a loss as it is. Policy and objective say what its gradient
#   ought to be; the verdict says by how much it is off, in which parameter, and which slip that looks like.
# * “Unbiased” means: a bias of $\delta$ standard deviations would have been seen. That takes
#   $((z_f + z_m)/\delta)^2$ estimates, about a million for 1 %, or none where nodes reach.
# * A baseline that sees its own action scales the gradient by $1 - 1/n$.
# * Without an exact gradient the score function is the reference. Network actors are checked at their
#   outputs, a row for each state.
# * Choose by variance × cost. Which wins depends on what $\nabla Q$ costs, and whether it exists.

# %% tags=["claims"]
claim("the found loss is biased", verdict.status == "biased")
fits = verdict.diagnosis == "log_det_forgotten"
claim("its slip is named", fits)
mc = verdict.numbers("monte carlo")
claim("32,768 estimates were made", mc["estimates"], 32_768)
claim("the mended loss is unbiased", mended.status == "unbiased")
million = estimates_needed(0.01, 1e-6, 1e-6, 4)
claim("about a million for δ = 0.01", million, 1e6, 1e5)
claim("the check takes somewhat more", needed < used < 1.6 * needed)
claim("1000 draws show about a sixth of s", usual, 1 / 6, 0.01)
mean, _ = exact_moments(suspects["batch mean, n = 2"], narrow, plain)
claim(
    "a batch mean of two halves the gradient",
    mean["mu"] / truth["mu"],
    0.5,
    1e-9,
)
for n in (2, 8, 32):
    v = verdicts[f"batch mean, n = {n}"]
    claim(f"batch mean, n = {n}: biased", v.status == "biased")
    claim("… by 1 − 1/n", "1 − 1/n" in str(v.evidence[-1]))
kept = verdicts["leave-one-out, n = 8"].status == "unbiased"
claim("leave-one-out is unbiased", kept)
claim("found without an exact gradient", blind.status == "biased")
rungs = [e.rung for e in blind.evidence]
claim("by the reference", "reference" in rungs)
claim("the network's loss passes", of_network.status == "unbiased")
gain = pair_variance["mu"] < two_variance["mu"]
loss = pair_variance["log_std"] > two_variance["log_std"]
claim("antithetic: less for μ, more for log σ", bool(gain and loss))
same = exact_moments(reparameterization, narrow, plain)[0]
pair_mean = exact_moments(antithetic, narrow, plain)[0]
claim("antithetic has the same mean", pair_mean["mu"], same["mu"], 1e-9)
free, dear = (variances * priced(price) for price in (0.0, 10.0))
path = [i for i, c in enumerate(everyone) if c.gradients]
rest = [i for i, c in enumerate(everyone) if not c.gradients]
wins = [w[path].min() < w[rest].min() for w in (free, dear)]
claim("free ∇Q: pathwise wins; at 10 it does not", wins, [True, False])
best = [ranked[name][0].name for name in situations]
claim("a and b", [b == "measure_valued" for b in best[:2]], [True] * 2)
claim("c", best[2] == "sticking_the_landing")
four = next(c for c in everyone if c.name == "measure_valued")
claim("four values of Q", four.report.q_evaluations, 4)
no_gradient = ranked["b, no ∇Q"][0]
claim("without ∇Q the best uses none", no_gradient.gradients, 0)
single = [c.report.q_evaluations for c in ranked["c, one evaluation"]]
claim("with one evaluation nobody takes two", max(single), 1)

# %% [markdown]
# ## References
#
# * Mohamed, Rosca, Figurnov, Mnih 2020, *Monte Carlo Gradient Estimation in Machine Learning*, section 9.1
#   (testing estimators); [storchastic, issue 21](https://github.com/HEmile/storchastic/issues/21) asks for it.
# * Kool, van Hoof, Welling 2019, *Buy 4 REINFORCE Samples, Get a Baseline for Free!* (leave-one-out).
# * Salimans, Ho, Chen, Sidor, Sutskever 2017, *Evolution Strategies as a Scalable Alternative* (the pair).
# * In this workbench: `docs/testing.md`; `estimators/checking/check.py` is the ladder, `nabla advise --help`.
#
# **Next:** 13, thirteen real bugs; and back to 10 for the whole of SAC if you have skipped it.
