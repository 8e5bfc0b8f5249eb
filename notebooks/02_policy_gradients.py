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
# # 02 · Policy gradients
#
# *30 minutes, and about an hour with all exercises. You need: values (01) and derivatives.*
#
# **The question.** A policy $\pi_\theta$ chooses actions by chance, the world answers by chance, rewards
# come in. **In which direction should $\theta$ move, if all one has is walks** — no model of the world, no
# derivative of the reward?
#
# **After this notebook you can**
#
# * use the log-derivative trick, and say what it needs (and what not);
# * derive the policy-gradient theorem for a finite horizon, and see the dynamics drop out;
# * say which weights of $\nabla\log\pi$ are right: full return, reward to go, $Q$, advantage — and that
#   the one a popular article prints as “the theorem” is not;
# * prove that a baseline changes no mean, find the best one, and measure what it saves;
# * write the actor's loss of an actor-critic, with the `detach` that makes it right.

# %% [markdown]
# > **Real questions.** People asked these in public:
# >
# > * In REINFORCE, is the return one number for the whole episode? *“R is implemented as a single value
# >   … However it should be implemented as discounted values”* from each step on. —
# >   [udacity/deep-reinforcement-learning, issue
# >   42](https://github.com/udacity/deep-reinforcement-learning/issues/42)
# > * *“Will the multinomial sampling operation break the gradient back propagation? We have
# >   re-parametrization trick for continuous distribution, but we have done nothing here.”* —
# >   [spinningup, issue 171](https://github.com/openai/spinningup/issues/171)
# > * Of an actor and a critic with a loss each: *“They seem to be independent, the critic does not
# >   affect the agent at all.”* —
# >   [bentrevett/pytorch-rl, issue 2](https://github.com/bentrevett/pytorch-rl/issues/2)
# > * The value in the actor's loss depends on the parameters, too: *“the gradient of such loss is not
# >   the gradient from the textbook”* —
# >   [keras-io, issue 194](https://github.com/keras-team/keras-io/issues/194)
# >
# > At the end you can answer all four.

# %% tags=["setup"]
import matplotlib.pyplot as plt
import numpy as np
import torch

from estimators import (
    Categorical,
    Objective,
    exact_gradient,
    exact_moments,
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
from nabla.course.figures.fig02 import curves, parabola, weight_bars
from toy_problems.tables.policy_gradient import (
    as_printed,
    expected_return,
    full_return,
    policy_gradient,
    reward_to_go,
    trajectories,
    two_step,
)
from toy_problems.tables.soft_mdp import softmax
from toy_problems.tables.tabular import MDP, loop

# %% [markdown]
# ## 1 · The log-derivative trick
#
# One state, a few actions, a reward $Q(a)$ for each. The policy is a softmax of logits, $\pi_\theta(a) =
# e^{\theta_a}/\sum_b e^{\theta_b}$, and we want the gradient of the mean reward. In
#
# $$\nabla_\theta\,\mathbb E_{a\sim\pi_\theta}[Q(a)] = \sum_a Q(a)\,\nabla_\theta\pi_\theta(a)$$
#
# the sum is no expectation any more: $\nabla\pi$ is not a probability, so one cannot sample it. But
# $\nabla\log\pi = \nabla\pi/\pi$. Put $\nabla\pi = \pi\,\nabla\log\pi$ in, and it is one again:
#
# $$\nabla_\theta\,\mathbb E_{\pi_\theta}[Q(a)]
#   = \sum_a \pi_\theta(a)\,Q(a)\,\nabla_\theta\log\pi_\theta(a)
#   = \mathbb E_{\pi_\theta}\big[\,Q(a)\;\nabla_\theta\log\pi_\theta(a)\,\big].$$
#
# **Draw an action, look at its reward, and push its log-probability in proportion.** $Q$ is used as a
# number; nothing differentiates it, nor the act of drawing. That answers the question about
# `multinomial`: the gradient does not go *through* the sample, so nothing is broken there. It is needed
# in $\log\pi_\theta(a)$ only, with $a$ held fixed. ($\nabla\log\pi$ is called the **score**. The trick
# asks that $\pi_\theta$ is differentiable, and that actions it can take do not appear out of nowhere as
# $\theta$ moves.)
#
# ### Exercise 1 · the score of a softmax  (★, 5 minutes)


# %% tags=["exercise"]
def softmax_score(theta, a):
    """∂ log π(a)/∂θ_b for every b, π = softmax(θ).

    theta: array [A], logits; a: the number of the action drawn.
    Returns an array [A].
    """
    raise NotImplementedError


# %%
check_exercise("softmax_score", softmax_score)


# %% tags=["solution"]
def softmax_score(theta, a):
    score = -softmax(theta)
    score[a] += 1
    return score


softmax_score = kept(softmax_score)

# %% [markdown]
# The score sums to zero over logits, and has mean zero under $\pi$ — for any policy at all, because
# probabilities sum to one:
#
# $$\mathbb E_{\pi_\theta}[\nabla\log\pi_\theta(a)] = \sum_a\nabla\pi_\theta(a) = \nabla 1 = 0. \tag{0}$$
#
# Remember this line. Everything that is subtle in this notebook is this line.
#
# ## 2 · The theorem
#
# Now $T$ steps: $s_0, a_0, r_0, s_1, a_1, \dots$ Write $\tau$ for the whole walk,
# $R(\tau) = \sum_t r_t$ for its return, and $\bar R(\theta) = \mathbb E[R(\tau)]$ for what we want to
# be large. (The article calls it $J$; here $J$ is the *loss*, so $J = -\bar R$.) A walk is a random
# draw like any other, with probability
#
# $$\begin{aligned}
# p_\theta(\tau) &= p(s_0)\;\prod_t \pi_\theta(a_t|s_t)\;P(s_{t+1}|s_t, a_t), \\
# \log p_\theta(\tau) &= \dots + \sum_t\log\pi_\theta(a_t|s_t) + \sum_t\log P(s_{t+1}|s_t,a_t).
# \end{aligned}$$
#
# The trick of section 1, with $\tau$ for $a$ and $R$ for $Q$. The dynamics do not depend on $\theta$ and
# drop out of $\nabla\log p_\theta$:
#
# $$\nabla\bar R = \mathbb E\big[R(\tau)\,\nabla\log p_\theta(\tau)\big]
#   = \mathbb E\Big[\Big(\sum_n r_n\Big)\Big(\sum_t\nabla\log\pi_\theta(a_t|s_t)\Big)\Big]. \tag{PG}$$
#
# Two sums, with an index each: **every reward meets every score**. That is the policy-gradient theorem. No
# model, no derivative of the reward.
#
# **Causality.** Half of these pairs are noise. Take a reward that came *before* the action, $n < t$.
# Given everything up to $s_t$, $r_n$ is a number and only $a_t$ is random, so by (0)
#
# $$\mathbb E\big[r_n\,\nabla\log\pi_\theta(a_t|s_t)\big]
#   = \mathbb E\Big[r_n\;\mathbb E\big[\nabla\log\pi_\theta(a_t|s_t)\,\big|\,s_0,\dots,s_t\big]\Big] = 0\qquad(n<t).$$
#
# For $n\ge t$ it does not work: $r_n$ depends on $a_t$. That is the point of choosing $a_t$. What is left is
#
# $$\nabla\bar R = \mathbb E\Big[\sum_t \Big(\sum_{n\ge t} r_n\Big)\,\nabla\log\pi_\theta(a_t|s_t)\Big]:$$
#
# each action is weighed by the **reward to go**. Both forms have the same mean. So the single value of the
# first question in the box is no error, only noisier.
#
# ### Exercise 2 · the weights  (★, 5 minutes)


# %% tags=["exercise"]
def to_go(rewards):
    """The reward to go of each step: its own and all later ones.

    rewards: array [T]. Returns an array [T].
    """
    raise NotImplementedError


# %%
check_exercise("to_go", to_go)


# %% tags=["solution"]
def to_go(rewards):
    return np.array([sum(rewards[t:]) for t in range(len(rewards))])


to_go = kept(to_go)

# %% [markdown]
# ### Exercise 3 · one walk's estimate  (★★, 10 minutes)
#
# A table of logits, `theta[s]` for each state:
# $\pi_\theta(\cdot|s) = \operatorname{softmax}(\theta_s)$. Add up the weighted scores of one walk.
# (`softmax_score` from exercise 1 is there.)


# %% tags=["exercise"]
def trajectory_gradient(theta, states, actions, weights):
    """Σ_t w_t ∇_θ log π_θ(a_t | s_t), for one walk.

    theta: array [S, A]; states, actions: lists of T numbers;
    weights: array [T]. Returns an array [S, A].
    """
    raise NotImplementedError


# %%
check_exercise("trajectory_gradient", trajectory_gradient)


# %% tags=["solution"]
def trajectory_gradient(theta, states, actions, weights):
    pi = np.exp(theta) / np.exp(theta).sum(-1, keepdims=True)
    gradient = np.zeros_like(theta)
    for s, a, w in zip(states, actions, weights, strict=True):
        gradient[s] -= w * pi[s]
        gradient[s, a] += w
    return gradient


trajectory_gradient = kept(trajectory_gradient)

# %% [markdown]
# On a small problem every walk can be listed, with its probability; then the mean of the estimate is a
# sum, without any chance. The workbench does that (`policy_gradient`), for any weight. Three states, two
# actions, three steps:

# %%
world, horizon = loop(gamma=1.0), 3
theta = np.array([[0.3, -0.4], [0.0, 1.1], [-0.7, 0.2]])


def differences(mdp, theta, start, horizon, h=1e-5):
    """∇R̄ by central differences: no theorem in it."""
    slope = np.zeros_like(theta)
    for index in np.ndindex(theta.shape):
        step = np.zeros_like(theta)
        step[index] = h
        up = expected_return(mdp, theta + step, start, horizon)
        down = expected_return(mdp, theta - step, start, horizon)
        slope[index] = (up - down) / (2 * h)
    return slope


truth = differences(world, theta, 0, horizon)
means = {
    f.__name__: policy_gradient(world, theta, 0, horizon, f)
    for f in (full_return, reward_to_go, as_printed)
}
Table(
    ("∂J/∂θ in", "s1", "s2", "s3"),
    [
        (name, *(f"{x:+.5f}" for x in g[:, 0]))
        for name, g in {"by differences": truth, **means}.items()
    ],
)

# %% [markdown]
# ## 3 · The version that is printed
#
# The third line is another number. It is the form that the article “SAC from zero” prints as *Theorem 1*:
#
# $$\nabla\bar R \stackrel{?}{=} \mathbb E\Big[\sum_t r_t\,\nabla\log\pi_\theta(a_t|s_t)\Big].$$
#
# One sum in place of two: **each reward meets only its own score**. Look at (PG): of the pairs $(n, t)$
# the ones with $n<t$ may go. Here those with $n > t$ are gone as well, and they are the ones that
# matter.
#
# > **Predict.** Two steps. The first action leads to a place where everything pays 1, or to one where
# > nothing does; it pays nothing itself. What is the printed gradient of the first choice?

# %% tags=["predict"]
predict("printed", ...)  # a number

# %%
flat = np.zeros((3, 2))
forms = (full_return, reward_to_go, as_printed)
one_choice = [
    policy_gradient(two_step(), flat, 0, 2, f)[0, 0] for f in forms
]
Table(
    ("", "∂J/∂θ of the first choice"),
    [
        (f.__name__, f"{g:+.3f}")
        for f, g in zip(forms, one_choice, strict=True)
    ],
)

# %% [markdown]
# Zero: it cannot learn anything that pays later. The proof in the article slips three times on the way there:
#
# * it starts with $\nabla\bar R = \bar R\,\nabla\log\bar R$. True where $\bar R>0$; but the trick is
#   for the *density under the sum*. (On the article's own graph all returns are negative: $\log\bar R$
#   does not exist.)
# * it pulls $\sum_t r_t$ out of the integral over walks, as if every walk had the same return;
# * it arrives at $\mathbb E[\sum r]\cdot\mathbb E[\sum\nabla\log\pi]$, a product of two means. The
#   second mean is zero, by (0). Then, in the last line, the product of two means becomes the mean of a
#   sum of products.
#
# The article goes on to a drunken spider. It stands at the pub; **A** is nearer to home, but behind A
# comes a bridge, and a fall into the lake; **B** is farther, and safe. The article says that policy
# gradients choose A, because they *“can't figure out the long-term results of their actions”*.
#
# > **Predict.** Who chooses A: policy gradients, or the misprint?

# %% tags=["figure"]
P = np.zeros((3, 2, 3))
P[0, 0, 1] = P[0, 1, 2] = P[1, :, 1] = P[2, :, 2] = 1
spider = MDP(P, np.array([[0.5, 0.0], [-1, -1], [1, 1]]), gamma=1.0)


def ascend(weight, updates=40, rate=1.0):
    """P(B) along exact gradient ascent with that weight."""
    theta, path = np.zeros((3, 2)), []
    for _ in range(updates):
        path.append(softmax(theta)[0, 1])
        theta = theta + rate * policy_gradient(
            spider, theta, 0, 2, weight
        )
    return np.array(path)


home = {
    "full return": ascend(full_return),
    "reward to go": ascend(reward_to_go),
    "r_t, as printed": ascend(as_printed),
}
figure, ax = plt.subplots(figsize=(7.5, 3.6))
curves(ax, home, "updates", "probability of B, the safe way")
ax.set_ylim(0, 1)
figure.tight_layout()

# %% [markdown]
# The misprint does. (The two right ones lie on each other: they have the same mean.) With the theorem
# as it is, the spider gets home. What *is* limited is the horizon $T$: what comes after it is seen by
# nobody.
#
# ## 4 · Actor and critic
#
# The reward to go is one draw of what follows. Its mean, given $s_t$ and $a_t$, has a name from
# notebook 01: $Q$. Average in two stages, as for Bellman's equation; the score is a number once $s_t$
# and $a_t$ are given:
#
# $$\mathbb E\Big[\sum_{n\ge t}r_n\,\nabla\log\pi_\theta(a_t|s_t)\Big]
#   = \mathbb E\Big[\underbrace{\mathbb E\Big[\sum_{n\ge t}r_n\,\Big|\,s_t, a_t\Big]}_{Q_t(s_t, a_t)}\,\nabla\log\pi_\theta(a_t|s_t)\Big]$$
#
# and so
#
# $$\nabla\bar R = \mathbb E\Big[\sum_t Q_t(s_t,a_t)\,\nabla\log\pi_\theta(a_t|s_t)\Big].$$
#
# The **actor** is $\pi_\theta$. The **critic** is an estimate of $Q$, learned by TD. Now the question
# “do they affect each other” has its answer: the critic's only job for the actor is to be the *weight*
# of the score. If the actor's loss holds returns and no $Q$, there is no actor-critic, only REINFORCE
# with a spectator. And where $Q$ is wrong, the gradient is biased: that is the price. (The article
# calls the result DDPG. It is not: DDPG's actor has no $\log\pi$, it follows $\nabla_aQ$, as notebook
# 04 does.)
#
# ## 5 · Why a baseline
#
# Add 100 to all rewards. No policy becomes better or worse. But every weight is now near 100, so every
# action that is drawn gets pushed up, and only in the mean, after many draws, do the pushes cancel.
#
# Subtract from the weight anything that **does not depend on the action**, $b(s_t)$. By (0), given $s_t$,
#
# $$\mathbb E\big[b(s_t)\,\nabla\log\pi_\theta(a_t|s_t)\big] = b(s_t)\,\nabla 1 = 0 :$$
#
# the mean stays, whatever $b$ is. The usual choice is $b = V$, and $A = Q - V$ is the **advantage**:
# how much better than usual.
#
# > **Predict.** Five right weights: full return, reward to go, $Q$, reward to go − $V$, $Q - V$. Sort
# > them by variance. Which ones change when all rewards are raised by $c$? Then move the slider.

# %% tags=["figure"]


def finite_values(mdp, pi, horizon):
    """Q_t and V_t of the steps left, backwards: [T, S, A], [T, S]."""
    Q, V = [], [np.zeros(len(pi))]
    for _ in range(horizon):
        Q.insert(0, mdp.r + mdp.P @ V[0])
        V.insert(0, (pi * Q[0]).sum(-1))
    return np.array(Q), np.array(V[:-1])


def weights_of(path, Q, V):
    """Every weight that this notebook has, for one walk."""
    when, go = range(len(path.states)), to_go(path.rewards)
    q = np.array([Q[t][path.states[t], path.actions[t]] for t in when])
    v = np.array([V[t][path.states[t]] for t in when])
    return {
        "full return": np.full(len(go), sum(path.rewards)),
        "reward to go": go,
        "Q": q,
        "reward to go − V": go - v,
        "Q − V": q - v,
        "r_t, as printed": np.array(path.rewards),
    }


def moments(shift):
    """Mean and total variance of one walk's estimate, by weight."""
    mdp = MDP(world.P, world.r + shift, world.gamma)
    pi = softmax(theta)
    Q, V = finite_values(mdp, pi, horizon)
    first, second = {}, {}
    for path in trajectories(mdp, pi, 0, horizon):
        for name, w in weights_of(path, Q, V).items():
            g = trajectory_gradient(theta, path.states, path.actions, w)
            p = path.probability
            first[name] = first.get(name, 0) + p * g
            second[name] = second.get(name, 0) + p * (g**2).sum()
    variance = {k: second[k] - (first[k] ** 2).sum() for k in first}
    return first, variance


def draw_bars(shift):
    figure, ax = plt.subplots(figsize=(8.5, 3.4))
    weight_bars(ax, moments(shift)[1], biased=["r_t, as printed"])
    ax.set_title(f"all rewards + {shift:.2f}")
    figure.tight_layout()


slider(draw_bars, shift=(-2.0, 4.0, 0.25, 1.0))

# %% [markdown]
# The last two do not move at all. The others grow like $c^2$: that is the noise of the *level* of the
# rewards, which means nothing. Note also the last bar. The printed form varies less than the three
# without a baseline. **A small variance is no merit in a number that is wrong**; ask for the mean
# first.
#
# > **Real trap.** A baseline that is made *from the action itself* is none. The mean over a batch that
# > the action is part of shrinks the gradient by $1 - 1/n$ (notebook 06); a $V$ that carries a gradient
# > of its own adds another term (exercise 5).
#
# ### Is V the best baseline?
#
# One state, score $s = \nabla\log\pi(a)$. The variance, summed over the logits, is
# $\mathbb E\big[(Q-b)^2|s|^2\big] - |\nabla\bar R|^2$: a parabola in $b$.
#
# ### Exercise 4 · the best constant  (★★★, 10 minutes)
#
# Where is its minimum? (For a softmax, $s = e_a - \pi$, with $e_a$ the unit vector of $a$.)


# %% tags=["exercise"]
def best_baseline(pi, Q):
    """The b that makes E[(Q(a) − b)² |e_a − π|²] least, a ~ π.

    pi, Q: arrays [A]. Returns a number.
    """
    raise NotImplementedError


# %%
check_exercise("best_baseline", best_baseline)


# %% tags=["solution"]
def best_baseline(pi, Q):
    size = ((np.eye(len(pi)) - pi) ** 2).sum(axis=1)  # |s|²
    return np.sum(pi * size * Q) / np.sum(pi * size)


best_baseline = kept(best_baseline)

# %% tags=["figure"]
arms = np.array([1.0, 2.0, 4.0])


def variance_at(b, pi):
    """Σ_a π (Q − b)² |e_a − π|² − |∇R̄|²."""
    size = ((np.eye(len(pi)) - pi) ** 2).sum(axis=1)
    slope = pi * (arms - pi @ arms)
    return (pi * (arms - b) ** 2 * size).sum() - (slope**2).sum()


def marks_of(pi):
    found = {"none": 0.0, "V": pi @ arms, "best": best_baseline(pi, arms)}
    return {k: (b, variance_at(b, pi)) for k, b in found.items()}


def draw_parabola(sharpness):
    pi = softmax(sharpness * np.array([0.0, 0.5, 1.0]))
    b = np.linspace(-1, 5, 61)
    figure, ax = plt.subplots(figsize=(7.5, 3.8))
    parabola(
        ax, b, np.array([variance_at(x, pi) for x in b]), marks_of(pi)
    )
    ax.set_title("π = " + ", ".join(f"{p:.2f}" for p in pi))
    figure.tight_layout()


slider(draw_parabola, sharpness=(0.0, 5.0, 0.5, 2.5))

# %% [markdown]
# $V$ saves two thirds here, the best one nearly everything: it gives more weight to the actions with a
# large score, the rare ones. The sharper the policy, the farther the two are apart; for a uniform one
# they are the same. In practice one takes $V$: it is what a critic can learn.
#
# ## 6 · The loss of the actor
#
# An autograd library wants a *loss*, whose gradient is the estimate. As in the rest of this course, an
# estimator returns a surrogate (its value means nothing, its gradient is one draw of $\nabla J$, and
# $J = -\mathbb E[Q]$ is to be *minimised*).
#
# ### Exercise 5 · actor-critic, one draw  (★★, 10 minutes)
#
# `policy` is a softmax over a few actions, a batch of them. You have
#
# * `policy.sample(1, rng)`, one action for each policy, `[1, *batch]`, and `policy.log_prob(a)`;
# * `policy.nodes()`: all actions, `[A, *batch]`, and their probabilities, `[A, *batch]`;
# * `objective.Q(a)`, the critic.
#
# Return the surrogate of $-(Q(a) - V)\,\nabla_\theta\log\pi_\theta(a)$ with $V = \sum_a\pi(a)Q(a)$.
# Mind what carries a gradient, and what must not.


# %% tags=["exercise"]
def actor_critic(policy, objective, rng):
    """∇̂J = −(Q(a) − V) ∇_θ log π_θ(a),  V = Σ_a π(a) Q(a).

    Returns the surrogate, one number for each policy: [*batch].
    """
    raise NotImplementedError


# %%
check_exercise("actor_critic", actor_critic)


# %% tags=["solution"]
def actor_critic(policy, objective, rng):
    actions, probabilities = policy.nodes()
    V = (probabilities * objective.Q(actions)).sum(0)
    a = policy.sample(1, rng)
    advantage = (objective.Q(a) - V).detach()
    return -(advantage * policy.log_prob(a)).mean(0)


actor_critic = kept(actor_critic)

# %% [markdown]
# Leave the `detach` out and the product rule adds $+\log\pi(a)\,\nabla V$. Its mean is
# $\mathbb E[\log\pi]\,\nabla V = -H\,\nabla V = +H\,\nabla J$, with $H$ the entropy of the policy.
#
# > **Predict.** So the mean is no longer $\nabla J$ but a multiple of it. Why is that not harmless,
# > when there are many states?

# %%
bandit = Categorical(torch.tensor([0.0, 1.25, 2.5], dtype=torch.float64))
rewards = Objective(lambda a: torch.tensor(arms)[a], alpha=0.0)


def forgotten(policy, objective, rng):
    actions, probabilities = policy.nodes()
    V = (probabilities * objective.Q(actions)).sum(0)
    a = policy.sample(1, rng)
    return -((objective.Q(a) - V) * policy.log_prob(a)).mean(0)


exact = exact_gradient(bandit, rewards)["logits"]
wrong, _ = exact_moments(forgotten, bandit, rewards)
good, good_variance = exact_moments(actor_critic, bandit, rewards)
factor = float(wrong["logits"][0] / exact[0])
print(f"factor {factor:.4f}, entropy {float(bandit.entropy()):.4f}")
three = {"∇J": exact, "with detach": good["logits"]}
three["without"] = wrong["logits"]
Table(
    ("", "logit 1", "logit 2", "logit 3"),
    [
        (name, *(f"{x:+.4f}" for x in g.tolist()))
        for name, g in three.items()
    ],
)

# %% [markdown]
# Every state has an entropy of its own: its part of the gradient comes multiplied by
# $1 + H(\pi(\cdot|s))$, so that states where the policy is undecided count for more. In a network it is
# worse. There $V$ has its own parameters, or shares layers with the policy, and the actor's loss moves *them*
# (that is the report in the box): it raises the critic by $-\log\pi$ at every update, whatever the
# rewards say.
#
# ## 7 · Does it matter?
#
# The same world, a walk an update, the same number of updates, rewards raised by 3. With the full return
# as the weight, more than nine tenths of the variance now are that level.

# %% tags=["figure"]
raised = MDP(world.P, world.r + 3.0, 1.0)
updates, runs = fast(150, 250), 8


def walk(pi, rng):
    """One trajectory: states, actions, rewards."""
    s, states, actions, gains = 0, [], [], []
    for _ in range(horizon):
        a = int(rng.random() > pi[s, 0])
        states.append(s)
        actions.append(a)
        gains.append(raised.r[s, a])
        s = int((rng.random() > raised.P[s, a].cumsum()[:-1]).sum())
    return states, actions, gains


def train(use_baseline, seed, rate=0.1):
    rng, logits, path = np.random.default_rng(seed), np.zeros((3, 2)), []
    for _ in range(updates):
        pi = softmax(logits)
        V = finite_values(raised, pi, horizon)[1]
        path.append(float(V[0][0]) - 3.0 * horizon)
        states, actions, gains = walk(pi, rng)
        if use_baseline:
            w = to_go(gains) - np.array(
                [V[t][s] for t, s in enumerate(states)]
            )
        else:
            w = np.full(horizon, sum(gains))
        logits = logits + rate * trajectory_gradient(
            logits, states, actions, w
        )
    return path


learned = {
    "full return": np.array([train(False, i) for i in range(runs)]),
    "reward to go − V": np.array([train(True, i) for i in range(runs)]),
}
policies = [np.eye(2)[list(c)] for c in np.ndindex(2, 2, 2)]
best = max(finite_values(world, pi, horizon)[1][0][0] for pi in policies)
figure, ax = plt.subplots(figsize=(8, 4))
curves(
    ax, learned, "updates", "expected return (less the 3 a step)", best
)
figure.tight_layout()

# %% [markdown]
# (Pale: each run. Dashed: the best policy that does not look at the clock.) Some runs without a
# baseline are thrown into a corner by their first few walks and stay there: when every weight is
# positive, what is drawn is praised, whatever it was.
#
# ## An open project
#
# Policy gradients leave out the discount of the *state*: code weighs step $t$ by 1 where the theorem has
# $\gamma^t$. Build the smallest chain where that changes which policy is learned.
#
# A good answer has both gradients exactly, by enumeration, and not by simulation; shows a parameter at which
# their signs differ; says of which objective, if any, the gradient without $\gamma^t$ is one; and keeps the
# example small enough to be checked by hand.
#
# ## Summary
#
# * $\nabla\,\mathbb E_\pi[Q] = \mathbb E_\pi[Q\,\nabla\log\pi]$: only $\log\pi$ is differentiated, with
#   the sample held fixed.
# * **The theorem:** every reward meets every score. Rewards before the action may be left out, those
#   after it may not. $\mathbb E[\sum_t r_t\nabla\log\pi(a_t|s_t)]$ is not the gradient of anything that
#   looks ahead.
# * Weights with the same mean: full return, reward to go, $Q$ (actor-critic), and each of them minus
#   $b(s)$. They differ in variance.
# * A baseline costs nothing, since the score has mean zero; $V$ is the usual one, not the best. It must
#   be a *number*: detach it.

# %% tags=["claims"]
for s in theta:
    mean_score = sum(
        p * softmax_score(s, a) for a, p in enumerate(softmax(s))
    )
    claim("the score has mean zero", mean_score, 0.0, 1e-12)
claim("full return: the gradient", means["full_return"], truth, 1e-9)
claim("reward to go: the gradient", means["reward_to_go"], truth, 1e-9)
claim(
    "as printed: another", abs(means["as_printed"] - truth).max() > 0.02
)
claim("two steps: ¼, ¼ and 0", one_choice, [0.25, 0.25, 0.0], 1e-12)
claim("R̄ of the graph is negative", -34 / 15 < 0)
claim("the theorem brings the spider home", home["full return"][-1] > 0.9)
claim("the misprint does not", home["r_t, as printed"][-1] < 0.1)
claim(
    "both right ones are the same",
    home["full return"],
    home["reward to go"],
    1e-9,
)
for shift in (0.0, 1.0, 4.0):
    mean, spread = moments(shift)
    for name in list(mean)[:-1]:
        claim(f"{name}, + {shift:g}: unbiased", mean[name], truth, 1e-8)
low, high = moments(0.0)[1], moments(4.0)[1]
for name in ("Q − V", "reward to go − V"):
    claim(f"{name} does not see the level", low[name], high[name], 1e-9)
claim("full return does", high["full return"] > 5 * low["full return"])
bars = moments(1.0)[1]
claim(
    "at + 1: Q − V is the least",
    bars["Q − V"],
    min(list(bars.values())[:-1]),
)
claim(
    "and full return the largest", bars["full return"], max(bars.values())
)
printed = bars["r_t, as printed"]
claim(
    "as printed: less than the three without a baseline",
    printed < min(list(bars.values())[:3]),
)
for sharp in (0.0, 2.5, 5.0):
    at = marks_of(softmax(sharp * np.array([0.0, 0.5, 1.0])))
    claim(
        "the best baseline is below V's",
        at["best"][1] <= at["V"][1] + 1e-12,
    )
    claim("and V's below none", at["V"][1] < at["none"][1])
at = {
    k: v
    for k, (_, v) in marks_of(bandit.logits.softmax(-1).numpy()).items()
}
claim("V saves two thirds", 1 - at["V"] / at["none"], 0.67, 0.02)
claim("the best nearly everything", at["best"] < 0.06 * at["none"])
even = marks_of(np.full(3, 1 / 3))
claim("uniform: V is the best", even["V"][0], even["best"][0], 1e-12)
claim(
    "the level is most",
    low["full return"] < 0.1 * moments(3.0)[1]["full return"],
)
claim("actor_critic is unbiased", good["logits"], exact, 1e-9)
H = float(bandit.entropy())
claim("without detach: (1 + H) times ∇J", factor, 1 + H, 1e-9)
final = {k: x[:, -1] for k, x in learned.items()}
claim(
    "a baseline learns better here",
    final["reward to go − V"].mean() > final["full return"].mean(),
)

# %% [markdown]
# ## References
#
# * Williams 1992, *Simple Statistical Gradient-Following Algorithms* (REINFORCE); Sutton, McAllester,
#   Singh, Mansour 2000, *Policy Gradient Methods for Reinforcement Learning with Function
#   Approximation*.
# * Greensmith, Bartlett, Baxter 2004, *Variance Reduction Techniques for Gradient Estimates*, theorem 8
#   (the best baseline).
# * Siboni 2026, [*On the “causality” step in policy gradient derivations*](https://arxiv.org/abs/2604.04686).
# * “Deriving Soft Actor Critic (SAC)”, a blog post of June 2023, its Theorem 1. What is wrong in it,
#   and how we know: `docs/claims.md`, B28–B33.
# * In this workbench: `toy_problems/tables/policy_gradient.py`, `estimators/score.py`.
#
# **Next:** 03, where SAC's loss comes from.
