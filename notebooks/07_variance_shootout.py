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
# # 07 · The variance shoot-out
#
# *30 minutes, and about an hour with all exercises. You need: Eq. 13 (05) and nabla-log with its
# baselines (06).*
#
# **The question.** Two roads lead to the same gradient: reparameterization (05) and nabla-log (06).
# Lahire's report ends with the question which one to take. Everybody says that reparameterization has
# the lower variance. **Is that a theorem — and if not, when is it true, when is it false, and by how
# much?**
#
# **After this notebook you can**
#
# * measure a variance with an error bar that holds, and check it against an exact number;
# * compare estimators of different price;
# * derive when nabla-log has less variance than reparameterization, and bound how far it can fall behind;
# * read and draw the map of who wins where;
# * answer the open question, and say which part of the answer is proved.

# %% [markdown]
# > **Real questions.** Said in public about these two estimators:
# >
# > * *“The reparameterization trick is often said to yield lower variance of the gradient estimate than
# >   the nabla log trick, but this claim is not supported by any theoretical proof in general.”* — Lahire's
# >   [report on the actor loss](https://arxiv.org/abs/2112.15568), its last paragraph
# > * *“Eq. (1) has high variance because f(z) is computed from samples, whose variance is unbound. …
# >   As a result, Eq. (1) has higher variance than Eq. (2).”* Is that an argument? —
# >   [Cross Validated 390437](https://stats.stackexchange.com/questions/390437/variance-of-reparameterization-trick-and-score-function)
# > * Why did the first SAC need a value network? *“We believe it's either the lack of
# >   reparameterization trick in the policy update or the use of gaussian mixture models that originally
# >   introduced more variance … We have not yet confirmed”* — one of SAC's authors in
# >   [stable-baselines, issue 270](https://github.com/hill-a/stable-baselines/issues/270)
# > * *“Would adding a baseline improve the score-function estimator?”* —
# >   [blackbirds, issue 53](https://github.com/arnauqb/blackbirds/issues/53)

# %% tags=["setup"]
import math

import matplotlib.pyplot as plt
import numpy as np
import torch

from estimators import (
    CATALOGUE,
    Gaussian,
    Noise,
    exact_moments,
    measure,
    per_sample_gradients,
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
from nabla.course.figures import estimator_lines, plain
from nabla.course.figures.fig07 import ratio_dots
from nabla.family import load_family
from nabla.figures import variance_bars
from nabla.map.grid import evaluate, parse_axes
from nabla.target import Target
from nabla.map.figure import map_figure
from nabla.reproduce.reproduction import exactly
from nabla.map.winners import collect
from toy_problems import build, theory
from toy_problems.published import PUBLISHED

catalogue = CATALOGUE[Gaussian]


# %% [markdown]
# ## 1 · Measure
#
# An estimate $g$ has the mean $g^* = \nabla J$. Its variance is a mean, too: of the numbers
# $(g - g^*)^2$. So it has a standard error like any mean:
#
# $$\hat v = \frac1N\sum_i (g_i - g^*)^2, \qquad
#   \operatorname{se}(\hat v) = \frac{1}{\sqrt N}\,\operatorname{std}\big[(g_i - g^*)^2\big].$$
#
# Two shortcuts are common, and bad. $\overline{g^2} - (g^*)^2$ has the same mean and more noise. And
# $\operatorname{se}(\hat v) = \hat v\sqrt{2/N}$ (a chi-square interval) is the formula for *Gaussian* $g$:
# gradients of nabla-log have tails so heavy that it is far too narrow.
#
# ### Exercise 1 · a variance with an error bar  (★, 5 minutes)


# %% tags=["exercise"]
def variance_with_error(g, exact):
    """The variance about the exact gradient, and how well it is known.

    g: tensor [N], one parameter's gradient in N draws; exact: its
    exact value, a number. Standard deviations are those with N − 1.
    Returns a tuple: the variance, its standard error.
    """
    raise NotImplementedError


# %%
check_exercise("variance_with_error", variance_with_error)


# %% tags=["solution"]
def variance_with_error(g, exact):
    squares = (g - exact) ** 2
    return squares.mean(), squares.std() / math.sqrt(len(g))


variance_with_error = kept(variance_with_error)

# %% [markdown]
# The workbench does this for every parameter (`measure`), and where an estimator draws few numbers it
# puts quadrature nodes in the place of noise (`exact_moments`): the same variance without chance. Here is
# the report's example, $Q = \log h$ with $h = \tfrac12\mathcal N(-2,1) + \tfrac12\mathcal N(2,1)$, policy
# $\mathcal N(0.7, 1)$, $\alpha = 1$.
#
# > **Predict.** Seven estimators of one gradient. By what factor do the best and the worst differ? Where do
# > finite differences come out — two evaluations with the *same* noise for each parameter? And does the
# > value $V$ help nabla-log as a baseline?

# %% tags=["figure"]
names = (
    "reparameterization",
    "finite_difference",
    "measure_valued",
    "sticking_the_landing",
    "score_function_leave_one_out",
    "score_function",
    "score_function_value",
)
report = build("report")
estimates = fast(20_000, 100_000)
reports, exact_variance = [], {}
for name in names:
    reports.append(
        measure(
            catalogue[name],
            report.policy,
            report.objective,
            estimates=estimates,
            rng=Noise(0),
            name=name,
        )
    )
    cell = catalogue[name], report.policy, report.objective
    exact_variance[name], _ = exactly(cell, "variance", "total")
rows = [
    (
        r.estimator,
        f"{r.total_variance:.3f} ± {1.96 * r.total_variance_sem:.3f}",
        f"{exact_variance[r.estimator]:.4f}",
        f"{r.q_evaluations:.0f}",
    )
    for r in reports
]
figure, axes = plt.subplots(1, 2, figsize=(11, 3.6))
variance_bars(axes[0], reports)
variance_bars(axes[1], reports, per_q=True)
axes[0].set_xlim(0.3, 30)
axes[1].set_xlim(0.3, 3000)
axes[1].tick_params(labelleft=False)
figure.tight_layout()
Table(("", "variance, measured", "exact", "Q evaluations"), rows)

# %% [markdown]
# Two things to keep. `finite_difference` (its bias is $O(h^2)$, here far below the noise) has exactly
# reparameterization's variance: with common noise it *is* the pathwise derivative, paid for in evaluations
# of $Q$. And the baseline $V$ makes nabla-log *worse* here: it is not the best baseline, section 3 says
# what is.
#
# How far off would the chi-square interval be? The ratio of the two standard errors:

# %%
too_narrow = {
    r.estimator: r.total_variance_sem
    / (r.total_variance * math.sqrt(2 / r.estimates))
    for r in reports
}
Table(
    ("", "the textbook interval is too narrow"),
    [
        (name, f"{too_narrow[name]:.1f} times")
        for name in ("reparameterization", "score_function")
    ],
)

# %% [markdown]
# ## 2 · Count what it costs
#
# The right panel above is variance × evaluations of $Q$. Why the product? With a budget of $B$
# evaluations, an estimate that costs $c$ can be averaged $B/c$ times, and the mean has variance
# $v \big/ \tfrac Bc = vc/B$. So **whoever has the smaller $v\cdot c$ has the smaller variance for the same
# money**, at any budget.
#
# `score_function_value` costs 65: its baseline $V$ is an integral over 64 nodes. That is honest, and
# harsh: SAC's first version had a *network* for $V$, which costs one more evaluation, not 64. Leave-one-out
# (06) needs two evaluations and no network. What *cost* means is yours to say: evaluations, gradients of
# $Q$, seconds (`nabla advise` takes all three).
#
# ### Exercise 2 · what a budget buys  (★, 3 minutes)


# %% tags=["exercise"]
def what_a_budget_buys(variance, cost, budget):
    """How many estimates, and how good their mean is.

    variance, cost: of one estimate; budget: in the unit of cost.
    Returns a tuple: the number of estimates, a whole one; the
    variance of their mean.
    """
    raise NotImplementedError


# %%
check_exercise("what_a_budget_buys", what_a_budget_buys)


# %% tags=["solution"]
def what_a_budget_buys(variance, cost, budget):
    n = math.floor(budget / cost)
    return n, variance / n


what_a_budget_buys = kept(what_a_budget_buys)

# %%
money, bought = 256, []
for r in reports:
    n, v = what_a_budget_buys(
        exact_variance[r.estimator], r.q_evaluations, money
    )
    bought.append((v, r.estimator, n))
Table(
    ("256 evaluations of Q buy", "estimates", "variance of their mean"),
    [(name, n, f"{v:.4f}") for v, name, n in sorted(bought)],
)

# %% [markdown]
# ## 3 · The two second moments
#
# Now the theory, for one parameter: $\mu$. Write $a = \mu + \sigma\varepsilon$ and let $F(\varepsilon)$ be
# what is averaged, as a function of the noise. For $\alpha = 0$ that is $-Q$; for $\alpha > 0$ let it be the
# cost with $\log\pi$ held fixed, so that “reparameterization” in this section is sticking the landing. Both
# estimators, times $\sigma$:
#
# $$\text{reparameterization: } F'(\varepsilon), \qquad
#   \text{nabla-log with baseline } b\text{: } \big(F(\varepsilon) - b\big)\,\varepsilon .$$
#
# They have the same mean. So *the order of their second moments is the order of their variances*, and we
# may compare $\mathbb E[F'^2]$ with $\mathbb E[(F-b)^2\varepsilon^2]$. One tool is enough, **Stein's lemma**:
# $\mathbb E[\varepsilon\, G(\varepsilon)] = \mathbb E[G'(\varepsilon)]$ (integrate by parts; the density of
# $\varepsilon$ has $\varphi' = -\varepsilon\varphi$). Use it twice, first with $G = \varepsilon F^2$, then with
# $G = 2FF'$:
#
# $$\mathbb E[\varepsilon^2F^2] = \mathbb E[F^2] + 2\,\mathbb E[\varepsilon FF']
#   = \mathbb E[F^2] + 2\,\mathbb E[F'^2] + 2\,\mathbb E[FF''] .$$
#
# And a baseline turns $\mathbb E[F^2\varepsilon^2]$ into
# $\mathbb E[F^2\varepsilon^2] - 2b\,\mathbb E[F\varepsilon^2] + b^2$, which is least at
# $b^* = \mathbb E[F\varepsilon^2]$. Stein's lemma once more, twice:
# $b^* = \mathbb E[F] + \mathbb E[F'']$ — not the mean of the cost, but the mean *plus its curvature*.
#
# ### Exercise 3 · three second moments  (★★, 10 minutes)
#
# Given $F, F', F''$ at quadrature nodes with weights $w$ (so that $\mathbb E[X]$ is the sum of $w\cdot X$), and
# *without* $\varepsilon$: the second moments of reparameterization, of nabla-log, and of nabla-log with
# $b^*$.


# %% tags=["exercise"]
def second_moments(w, F, dF, ddF):
    """E[F′²], E[F²ε²] and E[(F − b*)²ε²], by Stein's lemma.

    w, F, dF, ddF: arrays [m]: weights (they sum to one), and F, F′,
    F″ at the nodes.
    Returns a tuple of three numbers, in this order.
    """
    raise NotImplementedError


# %%
check_exercise("second_moments", second_moments)


# %% tags=["solution"]
def second_moments(w, F, dF, ddF):
    path = w @ dF**2
    score = w @ (F**2) + 2 * path + 2 * (w @ (F * ddF))
    baseline = w @ F + w @ ddF
    return path, score, score - baseline**2


second_moments = kept(second_moments)

# %% [markdown]
# The difference of the first two is the **criterion**:
#
# $$\text{nabla-log} - \text{reparameterization}
#   = \mathbb E[F^2] + \mathbb E[F'^2] + 2\,\mathbb E[FF''] .$$
#
# Two terms are squares. The third can be negative: where $F$ is large and bent towards zero, as a wave
# is. *“The variance of samples is unbounded”*, the argument of the box, says nothing about its sign.
#
# > **Predict.** For which of these does nabla-log (with $b^*$) win at $\mathcal N(0,1)$: $a$, $a^2$,
# > $a^3 - a$, $(a^2-2)(a^2-9)$, $\cos a$, $\cos 3a$, $e^a$? And what is the worst ratio that it can have
# > against reparameterization, over *all* $F$: 10, 1000, infinite?

# %% tags=["predict"]
predict("worst", ...)  # the ratio, in the place of the dots

# %% [markdown]
# > **Predict**, more modestly: $F = a^2$ at $\mathcal N(0, 1)$. How many times the variance of
# > reparameterization has nabla-log, with its best baseline?

# %% tags=["predict"]
predict("parabola", ...)  # your guess in the place of the dots

# %% tags=["figure"]
integrands = {
    "a": lambda e: e[..., 0],
    "a²": lambda e: e[..., 0] ** 2,
    "a³ − a": lambda e: e[..., 0] ** 3 - e[..., 0],
    "exp a": lambda e: torch.exp(e[..., 0]),
    "cos a": lambda e: torch.cos(e[..., 0]),
    "cos 3a": lambda e: torch.cos(3 * e[..., 0]),
    "(a² − 2)(a² − 9)": lambda e: (
        (e[..., 0] ** 2 - 2) * (e[..., 0] ** 2 - 9)
    ),
    "a exp(a²/6)": theory.worst_integrand(1),
}
seen = {name: theory.expectations(F, 1) for name, F in integrands.items()}
ratios = {n: x.score_optimal / x.pathwise for n, x in seen.items()}
figure, ax = plt.subplots(figsize=(9, 4.4))
ratio_dots(
    ax, dict(sorted(ratios.items(), key=lambda x: -x[1])), theory.bound(1)
)
ax.set_title("the dashed wall: no integrand is to the right of 9/2")
figure.tight_layout()

# %% [markdown]
# ## 4 · It can lose by 9/2 at most
#
# The wall in the figure is a theorem, and its proof fits here. Let $u(\varepsilon) =
# \varepsilon\,e^{\varepsilon^2/6}$. Differentiate once, multiply by the density $\varphi \propto
# e^{-\varepsilon^2/2}$, differentiate again:
#
# $$u'\varphi \propto \big(1 + \tfrac{\varepsilon^2}3\big)\,e^{-\varepsilon^2/3},
#   \qquad -(u'\varphi)' = \tfrac29\,\varepsilon^2\,u\,\varphi .$$
#
# Take any smooth $F$ of moderate growth, subtract its value at the mean, and write the rest as
# $F - F(0) = u\,v$. Then
#
# $$\begin{aligned}
# \mathbb E[F'^2] &= \int (u'v + uv')^2\varphi
#   = \int u^2v'^2\varphi + \int (u'\varphi)\,(uv^2)' \\
#   &= \int u^2v'^2\varphi - \int (u'\varphi)'\,uv^2 \\
#   &\ge \tfrac29\int \varepsilon^2(uv)^2\varphi
#   = \tfrac29\,\mathbb E\big[(F - F(0))^2\varepsilon^2\big] .
# \end{aligned}$$
#
# (Second line: by parts; nothing stays at the ends, nor at $0$, where $uv^2 = (F-F(0))^2/u \to 0$.) The
# right side is nabla-log with the baseline $F(0)$, *the cost at the policy's mean*, one evaluation. So
#
# $$\mathbb E\big[(F-b^*)^2\varepsilon^2\big] \le \mathbb E\big[(F-F(0))^2\varepsilon^2\big]
#   \le \tfrac92\,\mathbb E\big[F'^2\big],$$
#
# with equality for $F = u$. In $D$ dimensions $\tfrac92$ becomes $(D+2)^2/(D+1)$. In the other direction
# there is **no** bound: $\cos wa$ has $F' \propto w$, while nabla-log never sees the slope.
#
# Mind the words: *second moments*. For $F = \varepsilon$ reparameterization has variance zero (its ratio of
# second moments is 3). The bound does not say that nabla-log is never much worse in variance; it says that
# its noise is never much larger than reparameterization's **noise and signal together**.
#
# Which $F$ lets nabla-log win at all? No polynomial of degree three or less (for $\mu$; five for
# $\log\sigma$): for a $Q$ that the policy sees as *nearly a cubic*, reparameterization is right. From
# degree four on it may lose. The waves, with a slider for the phase $\psi = w\mu$, in units of $\pi$:


# %% tags=["figure"]
omega = np.geomspace(0.2, 4, fast(40, 200))
ticks = np.array([0.25, 0.5, 1.0, 2.0, 3.0])
three = ("reparameterization", "score_function_optimal", "score_function")


def waves_by_nodes(psi):
    """From the definition: F = cos(ωε + ψ), five expectations."""
    found = {name: [] for name in three}
    for w in ticks:
        x = theory.expectations(
            lambda e, w=w: torch.cos(w * e[..., 0] + psi), 1
        )
        for name, v in zip(
            three, (x.pathwise, x.score_optimal, x.score), strict=True
        ):
            found[name].append(v)
    return {"x": ticks, **found}


def draw_waves(phase):
    psi = phase * math.pi
    forms = theory.cosine_moments(omega, psi)
    figure, ax = plt.subplots(figsize=(7.5, 4))
    estimator_lines(
        ax,
        omega,
        {name: forms[name] for name in three},
        waves_by_nodes(psi),
        xlabel="ω = wσ, the frequency that the policy sees",
        ylabel="second moment × σ²",
    )
    tie = theory.cosine_boundary(psi)
    ax.axvline(tie, color="black", lw=1, ls="--")
    ax.text(tie, 0.004, f" tie at {tie:.2f}, no baseline", fontsize=9)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_ylim(0.003, 20)
    plain(ax.xaxis)
    ax.set_title("Q = cos wa: beyond ω ≈ 1 nabla-log wins")
    figure.tight_layout()


slider(draw_waves, phase=(0.0, 0.5, 0.05, 0.25))

# %% [markdown]
# ## 5 · The least variance is not the best estimator
#
# > **Predict.** $Q(a) = 1$ for $a > 0.5$ and $0$ elsewhere. What is the variance of reparameterization
# > for $\mu$?

# %%
jump = build("step", alpha=0.0)
truth = jump.gradient()["mu"].item()
at_jump = {}
for name in ("reparameterization", "score_function"):
    moments = exact_moments(catalogue[name], jump.policy, jump.objective)
    at_jump[name] = [float(x["mu"]) for x in moments]
silent = tuple(at_jump["reparameterization"])
rows = [
    (name, f"{m:+.4f}", f"{v:.4f}") for name, (m, v) in at_jump.items()
]
Table(("", "mean", "variance"), [*rows, ("exact", f"{truth:+.4f}", "")])

# %% [markdown]
# Zero variance, and zero gradient, where the truth is $-0.48$. **Look at the bias first**
# (`nabla compare` and `check` do), and leave an estimator that is off out of the race.
#
# ## 6 · SAC's own loss
#
# SAC uses *Eq. 13*, which is not the reparameterization of section 3: it keeps the score (05). Take
# notebook 05's critic, $Q = -\tfrac k2(a-m)^2$, with $\delta = \mu - m$. The cost in terms of the noise is
#
# $$\alpha\log\pi - Q = \text{const} + u\,\varepsilon + \tfrac12B\,\varepsilon^2,
#   \qquad u = k\delta\sigma, \quad B = k\sigma^2 - \alpha .$$
#
# Nabla-log for $\mu$ is $(\text{cost} - b)\,\varepsilon/\sigma$. With $\mathbb E\varepsilon^2 = 1$,
# $\mathbb E\varepsilon^4 = 3$, $\mathbb E\varepsilon^6 = 15$, and $b$ counted from the constant,
#
# $$\mathbb E\big[(u\varepsilon + \tfrac12B\varepsilon^2 - b)^2\varepsilon^2\big]
#   = 3u^2 + \tfrac{15}4B^2 - 3bB + b^2 ,$$
#
# and the mean, $u$, is to be subtracted, squared.
#
# ### Exercise 4 · nabla-log on a parabola  (★★★, 10 minutes)
#
# Which $b$ is the value $V = \mathbb E[\text{cost}]$, which is $b^*$? What variance does either give?


# %% tags=["exercise"]
def nabla_log_variances(k, delta, sigma, alpha):
    """Variance of one nabla-log estimate of ∂J/∂μ, D = 1.

    Q = −k(a − m)²/2, delta = μ − m.
    Returns a tuple: with the baseline V, with the best baseline b*.
    """
    raise NotImplementedError


# %%
check_exercise("nabla_log_variances", nabla_log_variances)


# %% tags=["solution"]
def nabla_log_variances(k, delta, sigma, alpha):
    u2 = (k * delta * sigma) ** 2
    B2 = (k * sigma**2 - alpha) ** 2
    return (
        (2 * u2 + 5 / 2 * B2) / sigma**2,  # b = B/2
        (2 * u2 + 3 / 2 * B2) / sigma**2,  # b = 3B/2
    )


nabla_log_variances = kept(nabla_log_variances)

# %% [markdown]
# Side by side, for $\mu$, times $\sigma^2$:
#
# | Eq. 13 | without its score (STL) | nabla-log, $V$ | nabla-log, $b^*$ |
# |---|---|---|---|
# | $k^2\sigma^4$ | $B^2$ | $2u^2 + \tfrac52B^2$ | $2u^2 + \tfrac32B^2$ |
#
# At the optimum, $\delta = 0$ and $k\sigma^2 = \alpha$, so $u = B = 0$: **nabla-log with a baseline has no
# variance at all, and Eq. 13 keeps $\alpha^2$.** Of course: there $\alpha\log\pi - Q$ is a constant, the cost
# tells no action from another, and a cost less its baseline is nothing; Eq. 13 instead moves the action and
# feels the slope of $Q$ all the time. With $\tau = k\sigma^2/\alpha$ as in 05, nabla-log with $b^*$ beats
# Eq. 13 for $\mu$ inside an ellipse in $(\delta/\sigma,\; 1/\tau)$ about the optimum:
#
# $$2\,\frac{\delta^2}{\sigma^2} + \frac32\Big(\frac1\tau - 1\Big)^2 < 1 .$$
#
# > **Predict.** Draw that region, with $\tau$ along the axis and $|\delta|/\sigma$ up. Where does SAC spend
# > its time — near $\tau = 1$, or far from it?

# %% [markdown]
# ### Exercise 5 · a fair price  (★★, 5 minutes)
#
# No formula is given. The same parabola at its optimum, $\delta = 0$, one action, the best baseline $b^*$. One
# estimate of Eq. 13 may cost more than one of nabla-log, for it needs a gradient of $Q$. How many times as
# much may it cost before nabla-log is the better buy? Write it in $\tau = k\sigma^2/\alpha$ alone.


# %% tags=["exercise"]
def fair_price(tau):
    """Price of Eq. 13, in estimates of nabla-log, that is just fair.

    For μ, at δ = 0. tau: a number, positive, not 1. Returns a number.
    """
    raise NotImplementedError


# %%
check_exercise("fair_price", fair_price)


# %% tags=["solution"]
def fair_price(tau):
    B_over_u = 1 - 1 / tau  # (kσ² − α)/(kσ²)
    return 1.5 * B_over_u**2


fair_price = kept(fair_price)

# %% [markdown]
# ### Exercise 6 · a plan for a budget  (★★★, 15 minutes)
#
# A design. An action costs one evaluation of $Q$, and one more `price` if its gradient is wanted. Choose
# between Eq. 13, averaged over $n$ draws, and nabla-log with leave-one-out over $n$ actions, and choose $n$.
# The referee is the exact variance for $\mu$. (With leave-one-out it is $A/n + B/(n(n-1))$; you may derive
# $A$ and $B$ for the parabola, or let `exact_moments` tell you at $n = 2$ and $3$.)


# %% tags=["exercise"]
def plan(k, delta, sigma, alpha, price, budget):
    """A plan: ("eq13" or "leave_one_out", n).

    Q = −k(a − m)²/2, delta = μ − m. price: of a gradient of Q, in
    evaluations; budget: in evaluations, a whole number.
    Returns a tuple: the estimator's name, n (2 at least for the latter).
    """
    raise NotImplementedError


# %%
check_exercise("plan", plan)


# %% tags=["solution"]
def plan(k, delta, sigma, alpha, price, budget):
    u, B = k * delta * sigma, k * sigma**2 - alpha
    own = (2 * u**2 + 2.5 * B**2) / sigma**2
    others = (2 * u**2 + B**2 / 2) / sigma**2  # Var[c]E[s²] + E[cs]²
    n, m = int(budget / (1 + price)), budget
    eq13 = (k * sigma) ** 2 / n
    loo = own / m + others / (m * (m - 1))
    return ("eq13", n) if eq13 < loo else ("leave_one_out", m)


plan = kept(plan)

# %% [markdown]
# ## 7 · The map
#
# `nabla map` draws who wins over any two settings of a problem: a colour for the winner, paler where the
# second is close, black lines where theory has the boundary. Exact moments on every cell, no noise.


# %% tags=["figure"]
def who_wins(problem, x, y, names, entry="mu", settings=()):
    family = load_family(Target(problem, settings))
    axes, logs = parse_axes(family, (x, y), fast(24, 80))
    sheets = {
        name: evaluate(family, axes, catalogue[name], entry, 2, 0)
        for name in names
    }
    return collect(family, axes, logs, sheets, "variance", entry)


pair = ("reparameterization", "score_function_optimal")
near_optimum = who_wins(
    "sac_quadratic", "tau=0.4:4:log", "distance=0:1.2", pair
)
map_figure(near_optimum, "SAC's loss, quadratic critic: variance for μ")

# %% [markdown]
# So SAC's estimator is not the best even on the simplest critic, where it matters most: late, near the
# optimum. But put sticking the landing in, and the map changes: $B^2$ is never more than nabla-log's
# $\tfrac32B^2 + 2u^2$, so **for a parabola the best is always pathwise**, Eq. 13 for $\tau < \tfrac12$ and STL
# beyond. Nabla-log needs a critic with structure that the policy's width sees: the waves.

# %% tags=["figure"]
both = ("reparameterization", "sticking_the_landing", pair[1])
parabola = who_wins(
    "sac_quadratic", "tau=0.4:4:log", "distance=0:1.2", both
)
waves = who_wins(
    "cosine",
    "frequency=0.3:6:log",
    "mu=0:1.5",
    both,
    settings=("alpha=0.2",),
)
share = {
    label: {
        n: float((m.winner == i).mean()) for i, n in enumerate(m.names)
    }
    for label, m in (("parabola", parabola), ("waves", waves))
}
map_figure(waves, "Q = cos(wa), σ = 0.7, α = 0.2: variance for μ")
Table(
    ("wins on", *waves.names),
    [
        (label, *(f"{100 * v:.0f} %" for v in found.values()))
        for label, found in share.items()
    ],
)

# %% [markdown]
# ## 8 · The report's own example
#
# The report asks its question at $Q = \log h$ with two modes, and a Gaussian $\mathcal N(\varphi, 1)$ between
# them. Nabla-log may spend its noise wisely there: the entropy of a Gaussian is *known*,
# $H = \log\sigma + \tfrac12\log 2\pi e$, so only $Q$ need be estimated,
# $\hat\nabla J = -\alpha\nabla H - (Q(a) - b)\,\nabla\log\pi(a)$.
#
# > **Predict.** Two versions of nabla-log, each with its best baseline: on the whole cost, and on $Q$ alone.
# > Which of them can beat Eq. 13 at $\varphi = 0$, between the modes?

# %% tags=["figure"]
study = PUBLISHED["lahire-example"]()
phi = np.linspace(0, 3, fast(13, 61))
between = {
    s.name: np.array(
        [exactly(s.cell(x, "mu"), "variance", "mu")[0] for x in phi]
    )
    for s in study.series
}
figure, ax = plt.subplots(figsize=(8, 4.2))
estimator_lines(
    ax, phi, between, xlabel="φ", ylabel="variance for μ, one estimate"
)
ax.axvline(1.7238, color="black", lw=1, ls="--")
ax.text(1.7238, 2.4, " Eq. 13 = nabla-log on Q", fontsize=9)
figure.tight_layout()
at_zero = {name: v[0] for name, v in between.items()}
factor = (
    at_zero["reparameterization"]
    / at_zero["score_function_analytic_entropy"]
)
print(f"at φ = 0, Eq. 13 has {factor:.2f} × the variance")

# %% [markdown]
# On $Q$ alone it wins by a factor of six at $\varphi = 0$, and up to $\varphi = 1.72$: between the modes lies
# a valley, whose slopes point to either side ($\mathbb E[Q'^2] = 0.62$) while $Q$ itself hardly changes where
# $\varepsilon$ is large ($\mathbb E[(Q-b^*)^2\varepsilon^2] = 0.10$). On the whole cost nabla-log loses there:
# $\log\pi$, which one knows, is let in as noise. The report's example answers the report's question — with
# “it depends”.
#
# ## 9 · What dimension does
#
# In $D$ dimensions each coordinate's score $\varepsilon_i/\sigma$ multiplies a cost that *all* coordinates
# make noisy. On the parabola with $\delta = 0$, for $\mu$, all coordinates together and times $\sigma^2$: Eq. 13
# has $Dk^2\sigma^4$, nabla-log with $b^*$ has $\tfrac12D(D+2)B^2$. The ratio is
#
# $$\frac{\text{nabla-log}}{\text{Eq. 13}} = \frac{D+2}2\Big(1 - \frac1\tau\Big)^2 :$$
#
# the region where nabla-log wins narrows to $|1 - 1/\tau| < \sqrt{2/(D+2)}$. HalfCheetah has $D = 6$, Humanoid
# $17$: nabla-log's time comes later there, and is shorter. The advantage of a pathwise gradient is that it
# says *which coordinate* was to blame.

# %%
rows, tau = [], 1.6
for D in (1, 2, 6, 17):
    v = theory.quadratic_critic(0.0, 1.0, tau, 1.0, D)
    r = v["score_function_optimal"]["mu"] / v["reparameterization"]["mu"]
    half = math.sqrt(2 / (D + 2))
    rows.append((D, f"{r:.3f}", f"|1 − 1/τ| < {half:.2f}"))
Table(
    ("D", "variance over Eq. 13's, τ = 1.6", "nabla-log wins while"), rows
)

# %% [markdown]
# ## An open project
#
# The map of section 7 is for one dimension and one action. Draw the one that a practitioner needs: which
# estimator has the least variance *per second* in your own SAC, for your critic and your batch?
#
# A good answer measures seconds and not evaluations; gives every variance an error bar, about a gradient
# that is known or averaged over far more draws; keeps the states apart and says how it pools them (the
# median of ratios, 11); repeats it early and late in training; and names one regime in which its
# recommendation is wrong, with a run that shows it.
#
# ## Summary: an answer to the open question
#
# *Is reparameterization's variance lower than nabla-log's?* **Not in general**, and this is what can be
# said:
#
# | | statement | status |
# |---|---|---|
# | 1 | nabla-log − reparameterization $= \mathbb E[F^2] + \mathbb E[F'^2] + 2\mathbb E[FF'']$ | proved (here) |
# | 2 | with $b^*$, nabla-log's second moment is at most $\tfrac92$ of reparameterization's; $(D+2)^2/(D+1)$ in $D$ dimensions. No bound the other way | proved ($D = 1$ here) |
# | 3 | for polynomials of degree ≤ 3 reparameterization wins for $\mu$; degree 4 can turn it ($126 < 196$) | proved |
# | 4 | for $\cos wa$, without a baseline, the tie is near $w\sigma = 1$, exactly $1$ at the phase $\pi/4$ | proved |
# | 5 | in SAC near the optimum nabla-log with a baseline has no variance and Eq. 13 has; STL has none either, and is never worse than nabla-log on a parabola | proved |
# | 6 | on the report's example, $\varphi < 1.72$: nabla-log on $Q$ beats Eq. 13, by six at $\varphi = 0$ | computed |
# | 7 | with a trained critic and a tanh | measured, in notebook 11 |
#
# And before any of it: bias first (a jump makes reparameterization silently wrong), then variance × cost,
# with an error bar.

# %% tags=["claims"]
for r in reports:
    wanted = exact_variance[r.estimator]
    within = 5 * r.total_variance_sem + 1e-3
    claim(
        f"measured as exact: {r.estimator}",
        r.total_variance,
        wanted,
        within,
    )
    claim(f"unbiased: {r.estimator}", r.worst_z < 5)
claim(
    "finite differences have reparameterization's variance",
    exact_variance["finite_difference"],
    exact_variance["reparameterization"],
    1e-4,
)
claim(
    "chi-square: > 3 times too narrow", too_narrow["score_function"] > 3
)
costs = {r.estimator: r.q_evaluations for r in reports}
claim("V by nodes costs 65", costs["score_function_value"], 65)
claim("leave-one-out costs 2", costs["score_function_leave_one_out"], 2)
g = per_sample_gradients(
    catalogue["reparameterization"],
    report.policy,
    report.objective,
    1000,
    Noise(3),
)["mu"][:, 0]
v, se = variance_with_error(g, float(report.gradient()["mu"]))
_, known = exact_moments(
    catalogue["reparameterization"], report.policy, report.objective
)
claim("Exercise 1, real draws", v, float(known["mu"]), 5 * float(se))

a, weights = np.polynomial.hermite_e.hermegauss(60)
weights = weights / weights.sum()
by_stein = second_moments(
    weights, np.cos(3 * a), -3 * np.sin(3 * a), -9 * np.cos(3 * a)
)
x = seen["cos 3a"]
direct = (x.pathwise, x.score, x.score_optimal)
claim("Stein's lemma, cos 3a", by_stein, direct, 1e-9)
winners = {n for n, r in ratios.items() if r < 1}
claim(
    "nabla-log wins on the quartic and the waves only",
    winners == {"(a² − 2)(a² − 9)", "cos a", "cos 3a"},
)
claim("no ratio above 9/2", max(ratios.values()) <= 4.5 + 1e-9)
claim("9/2 is reached", ratios["a exp(a²/6)"], 4.5, 1e-6)
claim("for F = ε the ratio is 3", ratios["a"], 3, 1e-9)
claim("the bound in D dimensions at D = 1", theory.bound(1), 4.5, 0)
for name, F in integrands.items():
    e = torch.tensor(a)[:, None]
    centred = F(e) - F(torch.zeros(1, 1, dtype=torch.float64))
    moment = float(
        (torch.tensor(weights) * (centred * e[:, 0]) ** 2).sum()
    )
    claim(
        f"b = F(0) is within 9/2, too: {name}",
        moment <= 4.5 * seen[name].pathwise * (1 + 1e-9),
    )
quartic = build("quartic")
pair_at_quartic = [
    float(
        exact_moments(catalogue[n], quartic.policy, quartic.objective)[1][
            "mu"
        ]
    )
    for n in ("score_function", "reparameterization")
]
claim("the quartic: 126 and 196", pair_at_quartic, [126.0, 196.0], 1e-6)
claim("degree 3 cannot", theory.smallest_ratio(3) >= 1)
claim("degree 4 can", theory.smallest_ratio(4) < 1)
claim("log σ: degree 5 cannot", theory.smallest_log_std_ratio(5) >= 1)
claim("log σ: degree 6 can", theory.smallest_log_std_ratio(6) < 1)
forms = theory.cosine_moments(ticks, 0.25 * math.pi)
dots = waves_by_nodes(0.25 * math.pi)
for name in three:
    claim(
        f"closed form of the waves: {name}", forms[name], dots[name], 1e-9
    )
tie = theory.cosine_boundary(0.25 * math.pi)
claim("the tie at phase π/4 is 1", tie, 1.0, 1e-9)
claim("a jump: mean and variance 0", silent, (0.0, 0.0), 1e-12)
claim("and the truth is −0.48", truth, -0.48, 0.005)

k, delta, sigma, alpha = 1.7, 0.4, 0.8, 0.5
theirs = theory.quadratic_critic(delta, sigma, k, alpha)
claim(
    "Exercise 4 is the theory's closed form",
    nabla_log_variances(k, delta, sigma, alpha),
    [
        theirs[n]["mu"]
        for n in ("score_function_value", "score_function_optimal")
    ],
    1e-12,
)
best = build(
    "sac_quadratic", tau=1.0, distance=0.0, sigma=sigma, alpha=alpha
)
for name, wanted in (
    ("score_function_value", 0.0),
    ("sticking_the_landing", 0.0),
    ("reparameterization", (alpha / sigma) ** 2),
):
    _, v = exact_moments(catalogue[name], best.policy, best.objective)
    claim(f"at the optimum: {name}", v["mu"], wanted, 1e-9)
tau, ratio = np.meshgrid(*near_optimum.grid.values())
inside = 2 * ratio**2 + 1.5 * (1 / tau - 1) ** 2 < 1
claim(
    "the map is the ellipse",
    (near_optimum.winner == 1) == inside,
    np.ones_like(inside),
)
claim("a parabola: never nabla-log", share["parabola"][pair[1]], 0.0, 0.0)
tau, _ = np.meshgrid(*parabola.grid.values())
claim(
    "a parabola: STL from τ = ½ on",
    (parabola.winner == 1) == (tau > 0.5),
    np.ones_like(tau),
)
claim("waves: nabla-log in a good part", share["waves"][pair[1]] > 0.2)
claim("six times at φ = 0", factor, 6.15, 0.01)
whole = at_zero["score_function_optimal"]
claim("on the whole cost: 1.75 against 0.62", whole, 1.75, 0.005)
on_q = at_zero["score_function_analytic_entropy"]
claim("on Q alone: 0.10", on_q, 0.10, 0.005)
claim(
    "V is a worse baseline than none in section 1",
    exact_variance["score_function_value"]
    > exact_variance["score_function"],
)
claim("Eq. 13 there", at_zero["reparameterization"], 0.62, 0.005)
series = {s.name: s for s in study.series}
tied = [
    exactly(series[n].cell(1.7238, "mu"), "variance", "mu")[0]
    for n in ("reparameterization", "score_function_analytic_entropy")
]
claim("a tie at φ = 1.7238", tied[0], tied[1], 1e-3)
for D in (1, 6, 17):
    t = 1.6
    v = theory.quadratic_critic(0.0, 1.0, t, 1.0, D)
    r = v["score_function_optimal"]["mu"] / v["reparameterization"]["mu"]
    claim(f"ratio in D = {D}", r, (D + 2) / 2 * (1 - 1 / t) ** 2, 1e-12)

# %% [markdown]
# ## References
#
# * Lahire 2021, *Actor Loss of Soft Actor Critic Explained*, [arXiv 2112.15568](https://arxiv.org/abs/2112.15568), §6.
# * Mohamed, Rosca, Figurnov, Mnih 2020, *Monte Carlo Gradient Estimation in Machine Learning* (JMLR 21);
#   Gal 2016, *Uncertainty in Deep Learning*, §3.1: the first tables of such comparisons
#   (`nabla reproduce mohamed2020-fig2`, `nabla reproduce gal2016`).
# * Greensmith, Bartlett, Baxter 2004: the best baseline. Roeder, Wu, Duvenaud 2017: STL. Suh et al. 2022:
#   what a jump does. Xu et al. 2019: a sufficient condition for reparameterization.
# * In this workbench: `toy_problems/theory/__init__.py` (every closed form above, in $D$ dimensions), `nabla map`,
#   `nabla compare`, `nabla advise`.
#
# **Next:** 08, policies with more than one peak.
