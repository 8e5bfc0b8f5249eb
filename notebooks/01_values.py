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
# # 01 · Values
#
# *30 minutes, and about an hour with all exercises. You need: means and conditional probabilities.
# Nothing about reinforcement learning.*
#
# **The question.** You stand in some state; rewards will follow, partly by chance. **What is it worth
# to be there** — and how do you find out, with a model of the world, or without one?
#
# Everything in SAC starts here: its critic is a table of values with a network in the place of the
# table. We stay with the table, on a graph of six states where every number can be checked by hand.
#
# **After this notebook you can**
#
# * say what a value is, and derive Bellman's equation from it in two lines;
# * compute values with a model (dynamic programming), from whole episodes (Monte Carlo) and from
#   single steps (TD(0)), and say what each of them needs;
# * explain in which sense Monte Carlo has “high variance” and TD “bias”, with numbers;
# * write the targets of SARSA and of Q-learning, and say what each of the two converges to;
# * find two errors in a table that has been on the internet for years.

# %% [markdown]
# > **Real questions.** People asked these in public:
# >
# > * *“I don't understand in which sense the bias and variance are defined … I also don't understand
# >   how Monte Carlo method is not biased.”* —
# >   [Cross Validated 364997](https://stats.stackexchange.com/questions/364997/what-is-intuition-behind-high-variance-of-monte-carlo-method)
# > * *“Why is done not being used in calculating the target Q-values …? Shouldn't it be used as a mask
# >   to make sure the qvalue of this state is set to just R, not R + gamma\*Q(s')”* —
# >   [pytorch-rl, issue 2](https://github.com/navneet-nmk/pytorch-rl/issues/2)
# > * An episode stops at the time limit, not at its end. Is the target *“being only the reward …
# >   without bootstrapping”* then right? —
# >   [openai/baselines, issue 436](https://github.com/openai/baselines/issues/436)
# > * Is the difference between Q-learning and SARSA that the next action is chosen greedily? *“You can
# >   notice Q-learning doesn't even select A' before the Q-update.”* — [Sutton and Barto's exercises,
# >   issue
# >   26](https://github.com/LyWangPX/Reinforcement-Learning-2nd-Edition-by-Sutton-Exercise-Solutions/issues/26)
# >
# > At the end you can answer all four.

# %% tags=["setup"]
import itertools
import matplotlib.pyplot as plt
import numpy as np

from estimators import Noise
from nabla.course import (
    Table,
    check_exercise,
    claim,
    fast,
    kept,
    predict,
    slider,
)
from nabla.course.figures.fig01 import (
    error_lines,
    graph,
    pass_lines,
    state_lines,
    value_table,
)
from toy_problems.quantities.blog import TABLE, TEXT
from toy_problems.tables.tabular import (
    EPISODES,
    GRAPH,
    MDP,
    REWARD,
    action_values,
    dynamic_programming,
    harmonic,
    monte_carlo,
    optimal_action_values,
    q_learning,
    sample_episodes,
    sarsa,
    sweep,
    td0,
)

P, r = GRAPH, REWARD  # [6, 6], [6]; states are counted from 0


# %% [markdown]
# ## 1 · A graph, a return, a value
#
# The graph is that of a well-read article, “SAC from zero” (see the references). Nobody chooses
# anything yet: from each state one moves along an arrow with the probability written on it. Each
# state costs 1 when one leaves it, $r(s) = -1$, except $s_6$, where everything ends: $r(s_6) = 0$.

# %% tags=["figure"]
figure, ax = plt.subplots(figsize=(7.5, 3.8))
graph(ax, P)
figure.tight_layout()

# %% [markdown]
# The **return** is what is collected from some time on, $G_t = r(s_t) + r(s_{t+1}) + \dots$: a random
# number. The **value** is its mean,
#
# $$V(s) = \mathbb E\big[\,G_t \mid s_t = s\,\big].$$
#
# Here $-V(s)$ is simply the mean number of steps to $s_6$.
#
# > **Predict.** From $s_1$ and from $s_2$ the way out takes at least two steps. Which of the two is the
# > better place to be?
#
# **Bellman's equation.** Split off the first step, $G_t = r(s_t) + G_{t+1}$, and average in two stages:
# first over what happens after $s_{t+1}$, then over $s_{t+1}$,
#
# $$\begin{aligned}
# V(s) &= r(s) + \mathbb E\Big[\,\mathbb E\big[G_{t+1} \mid s_{t+1}\big]\;\Big|\; s_t = s\Big] \\
#   &= r(s) + \sum_{s'} P(s, s')\,V(s'), \qquad\text{or}\quad V = r + PV .
# \end{aligned}$$
#
# The inner mean is a value again, because the graph has no memory (the *Markov* property): what
# follows $s_{t+1}$ does not depend on how one came there. That is all of it: a value is the reward now
# plus the mean value of what comes next.
#
# ### Exercise 1 · one backup  (★, 5 minutes)


# %% tags=["exercise"]
def bellman_backup(P, r, V):
    """The right side of Bellman's equation, for all states at once.

    P: array [S, S], a row for each state left; r, V: arrays [S].
    Returns an array [S].
    """
    raise NotImplementedError


# %%
check_exercise("bellman_backup", bellman_backup)


# %% tags=["solution"]
def bellman_backup(P, r, V):
    return r + P @ V


bellman_backup = kept(bellman_backup)

# %% [markdown]
# ## 2 · With a model: dynamic programming
#
# Six linear equations for six numbers: $V = (I - P)^{-1}r$. By hand one goes from the end to the start
# (from right to left; the article says “from left to right”, and then computes it the other way). A
# state that can lead to itself needs one line of algebra:
#
# $$\begin{aligned}
# V(s_5) &= -1 + 0.8\cdot 0 + 0.2\,V(s_5) \;\Rightarrow\; V(s_5) = -\tfrac1{0.8} = -1.25, \\
# V(s_3) &= -\tfrac1{0.6} = -1\tfrac23,\qquad V(s_4) = -1, \\
# V(s_2) &= -1 + 0.2\,V(s_4) + 0.8\,V(s_5) = -2.2, \\
# V(s_1) &= -1 + 0.4\,V(s_3) + 0.6\,V(s_4) = -2.2\overline{6}.
# \end{aligned}$$

# %% tags=["figure"]
V = dynamic_programming(P, r)
figure, ax = plt.subplots(figsize=(7.5, 3.8))
graph(ax, P, V)
ax.set_title("values: the mean cost of going home")
figure.tight_layout()

# %% [markdown]
# So $s_2$ is the better place, by a little. Nobody sees it by looking at paths: **four** paths of two
# steps lead home, two from each start. A value is not the length of the best path; it is a mean over
# all paths that may happen. (The article concludes from these values that “the best path” is
# $s_2\to s_4\to s_6$. It is one of the four; and $s_2$ is better *although* that path is taken from it
# with probability 0.2 only.)
#
# With many states one does not solve, one **iterates**: start from $V = 0$, put it into the right
# side of Bellman's equation, and again. After $k$ backups $V$ counts the first $k$ steps of the return.
#
# > **Predict.** After one backup all values but the last are −1. Which of them are right already, and
# > for ever? Which ones will never be exactly right?

# %% tags=["figure"]
backups = [np.zeros(6)]
for _ in range(12):
    backups.append(bellman_backup(P, r, backups[-1]))
figure, axes = plt.subplots(1, 2, figsize=(11, 3.8))
state_lines(
    axes[0], range(13), np.array(backups), V, "backups of all states"
)
axes[0].set_ylim(-3.2, 0.2)
left = np.array(
    [sweep(P, r, range(n)) for n in range(7)]  # s1 first
)
right = np.array(
    [sweep(P, r, range(5, 5 - n, -1)) for n in range(7)]  # s6 first
)
gaps = {
    "from s6 back to s1": abs(right - V).mean(1),
    "from s1 on to s6": abs(left - V).mean(1),
}
pass_lines(axes[1], gaps, "states done, one after the other, once")
figure.tight_layout()

# %% [markdown]
# $s_4$ is right at once. $s_3$ and $s_5$ can repeat themselves, so every backup adds a smaller and
# smaller correction, for ever (the error is multiplied by 0.4 and by 0.2 each time). On the right: done once,
# *in the right order* and with the self-loops solved, six updates are enough. In the other order they are
# not.
#
# ## 3 · From whole episodes: Monte Carlo
#
# Now the probabilities are unknown; one can only walk. The article gives four walks:
#
# | episode | returns after the first visits |
# |---|---|
# | $s_1\to s_3\to s_3\to s_6$ | $G(s_1) = -3,\; G(s_3) = -2$ |
# | $s_2\to s_4\to s_6$ | $G(s_2) = -2,\; G(s_4) = -1$ |
# | $s_2\to s_5\to s_6$ | $G(s_2) = -2,\; G(s_5) = -1$ |
# | $s_2\to s_5\to s_5\to s_6$ | $G(s_2) = -3,\; G(s_5) = -2$ |
#
# A value is a mean of returns, so average the returns. Where a state comes twice in an episode one has
# a choice: **first-visit** Monte Carlo counts the return after the first visit only. Different episodes
# are independent, so by the law of large numbers the averages tend to $V$; and each of them has *exactly*
# the mean $V(s)$, however few there are. That is what “Monte Carlo is not biased” means: **not that the
# estimate is right, but that it is not wrong in a direction.**
#
# ### Exercise 2 · first visits  (★★, 10 minutes)


# %% tags=["exercise"]
def first_visit(episodes, r):
    """V(s): the mean return after the first visit to s in an episode.

    episodes: lists of state numbers, first to last; r: array [S].
    Returns an array [S]; every state is visited at least once.
    """
    raise NotImplementedError


# %%
check_exercise("first_visit", first_visit)


# %% tags=["solution"]
def first_visit(episodes, r):
    returns = [[] for _ in r]
    for episode in episodes:
        for s in set(episode):
            first = list(episode).index(s)
            returns[s].append(sum(r[x] for x in episode[first:]))
    return np.array([np.mean(g) for g in returns])


first_visit = kept(first_visit)

# %%
mc = first_visit(EPISODES, r)
names = [f"V(s{i})" for i in range(1, 7)]
values = {
    "first visits": mc,
    "every visit": monte_carlo(EPISODES, r, True),
    "with a model": V,
}
Table(
    ("", *names),
    [(name, *np.round(v, 3)) for name, v in values.items()],
)

# %% [markdown]
# ## 4 · From single steps: TD(0)
#
# Monte Carlo waits for the end of the episode. Bellman's equation says what to do sooner: $V(s)$
# should equal the mean of $r + V(s')$. We have one draw of that, with our present guess for $V(s')$.
# Move a part of the way there ($\lambda$ is the rate; the letter $\alpha$ is taken, for the temperature):
#
# $$V(s) \leftarrow V(s) + \lambda\,\big(\underbrace{r(s) + V(s')}_{\text{target}} - V(s)\big).$$
#
# Learning a guess from a guess is called **bootstrapping**. (The article's Eq. 6 has an expectation
# over $s'$ in the target. With it one would need the model again; its own numbers, like everybody's
# TD(0), use the one $s'$ that was drawn.)
#
# ### Exercise 3 · one step of TD(0)  (★, 5 minutes)


# %% tags=["exercise"]
def td_step(V, s, r, after, rate):
    """The values after one step of TD(0): only the state left learns.

    V: array [S]; s, after: the state left and the state come to;
    r, rate: numbers. Returns the new array [S].
    """
    raise NotImplementedError


# %%
check_exercise("td_step", td_step)


# %% tags=["solution"]
def td_step(V, s, r, after, rate):
    V = V.copy()
    V[s] += rate * (r + V[after] - V[s])
    return V


td_step = kept(td_step)


# %%
def steps(episode):
    return list(itertools.pairwise(episode))


td, printed = np.zeros(6), []
for episode in EPISODES:
    for s, after in steps(episode):
        td = td_step(td, s, r[s], after, rate=0.5)
        printed.append(float(td[s]))
print("ten updates:", *printed)
Table(("", *names), [("TD(0)", *td)])

# %% [markdown]
# These are the article's ten updates, to the last digit. It then suggests $\lambda = 0.8$; that is
# better indeed, and still far off. Four episodes are few. Move the slider: the same 150 walks, TD(0) at
# another rate, every state's value on its way to the dashed line.

# %% tags=["figure"]
rng = Noise(4)
walks = [sample_episodes(P, i % 2, 1, rng)[0] for i in range(150)]
shown = range(0, 151, 2)


def draw_rates(rate):
    history = np.array([td0(walks[:n], r, rate) for n in shown])
    figure, ax = plt.subplots(figsize=(8, 3.8))
    state_lines(ax, list(shown), history, V, "episodes")
    ax.set_ylim(-4, 0.6)
    ax.set_title(f"TD(0), rate {rate:.2f}")
    figure.tight_layout()


slider(draw_rates, rate=(0.02, 1.0, 0.02, 0.1))

# %% [markdown]
# A small rate is slow, a large one never settles: it always believes the last few walks. (To converge,
# the rate has to fall, slowly: $\sum\lambda = \infty$, $\sum\lambda^2 < \infty$.)
#
# ## 5 · A table, and its two errors
#
# The article closes with a comparison. Here it is as printed, to its last digit.
#
# > **Predict.** Two of its eighteen cells contradict the article's own text. Which two? You have all
# > you need: section 2 and the table of section 3.

# %%
Table(
    ("", *names),
    [
        (name, *(f"{x:.3f}" for x in row))
        for name, row in zip(("DP", "MC", "TD(0)"), TABLE, strict=True)
    ],
)

# %% [markdown]
# Neither of the errors needs a computer: a mean of costs cannot be positive, and $s_3$ was visited in
# one episode, that went around its loop once.

# %% tags=["figure"]
ours = np.array([V, mc, td])
figure, ax = plt.subplots(figsize=(9, 2.6))
value_table(ax, TABLE, ours, ("DP", "MC", "TD(0)"))
figure.tight_layout()

# %% [markdown]
# Values without an error bar look like facts. The article says of the MC and TD columns that they
# “aren't entirely correct but are close” and “didn't do too badly”. By how much should one expect them
# to be off?
#
# ## 6 · In which sense Monte Carlo varies, and TD is biased
#
# Both methods move a guess towards a **target**; compare the targets. From $s_1$:
#
# * Monte Carlo's is the return $G$: its mean is $V(s_1)$, always.
# * TD's is $r + V(s')$: its mean is $V(s_1)$ *if $V(s')$ is right*. It is not, at the start.
#
# For the variance, condition on the first step. With
# $\operatorname{Var}[X] = \operatorname{Var}\,\mathbb E[X|s'] + \mathbb E\operatorname{Var}[X|s']$,
#
# $$\operatorname{Var}[G \mid s_1] = \underbrace{\operatorname{Var}\big[V(s')\big]}_{\text{TD's, once } V \text{ is right}}
#   + \sum_{s'}P(s_1, s')\operatorname{Var}[G \mid s'] .$$
#
# A return varies by everything that happens until the end; a TD target by one step. How much is that?
# From $s_3$ the number of steps is geometric, with variance $(1-p)/p^2 = 0.4/0.36 = 1.11$; from $s_4$
# nothing is random.
#
# ### Exercise 4 · mean and variance of TD's target  (★★★, 10 minutes)


# %% tags=["exercise"]
def td_target_moments(P, r, V, s):
    """Mean and variance of the target r(s) + V(s') over s' ~ P(s, ·).

    P: array [S, S]; r, V: arrays [S]; s: a state's number.
    Returns a tuple of two numbers.
    """
    raise NotImplementedError


# %%
check_exercise("td_target_moments", td_target_moments)


# %% tags=["solution"]
def td_target_moments(P, r, V, s):
    mean = P[s] @ V
    return r[s] + mean, P[s] @ (V - mean) ** 2


td_target_moments = kept(td_target_moments)

# %%
at_start = td_target_moments(P, r, np.zeros(6), 0)
at_end = td_target_moments(P, r, V, 0)
geometric = 0.4 / 0.36
return_variance = at_end[1] + P[0, 2] * geometric
targets = {
    "return G": (0, return_variance),
    "TD, V = 0": (at_start[0] - V[0], at_start[1]),
    "TD, V right": (at_end[0] - V[0], at_end[1]),
}
Table(
    ("target, from s1", "bias", "variance"),
    [(name, f"{b:+.3f}", f"{v:.3f}") for name, (b, v) in targets.items()],
)

# %% [markdown]
# That is the sense: of the *targets*. Monte Carlo's has five times the variance of TD's, and no bias.
# TD's has a bias of 1.27 at the start (a guess of zero for everything that comes after the step), which
# goes away as $V$ becomes right.
#
# > **Predict.** What is better after 3 episodes? After 300? TD(0) with a large rate, with a small one,
# > with a falling one, or Monte Carlo?

# %% tags=["figure"]
counts = [2, 4, 8, 16, 32, 64, 128, 256]
runs = fast(16, 60)


def falling(episodes):
    """V after each count of episodes, TD(0) with the rate 10/(10 + n)."""
    V, visits, found = np.zeros(6), np.zeros(6, dtype=int), []
    for n, episode in enumerate(episodes, 1):
        for s, after in steps(episode):
            V = td_step(V, s, r[s], after, harmonic(int(visits[s])))
            visits[s] += 1
        if n in counts:
            found.append(V)
    return found


methods = {
    "Monte Carlo": lambda e: [
        np.nan_to_num(monte_carlo(e[:n], r)) for n in counts
    ],
    "TD(0), rate 0.5": lambda e: [td0(e[:n], r, 0.5) for n in counts],
    "TD(0), rate 0.05": lambda e: [td0(e[:n], r, 0.05) for n in counts],
    "TD(0), falling rate": falling,
}
squares = {name: [] for name in methods}
for seed in range(runs):
    rng = Noise(seed)
    episodes = [
        sample_episodes(P, i % 2, 1, rng)[0] for i in range(counts[-1])
    ]
    for name, method in methods.items():
        squares[name].append(
            [((v - V)[:5] ** 2).mean() for v in method(episodes)]
        )
rmse = {k: np.sqrt(np.mean(x, axis=0)) for k, x in squares.items()}
figure, ax = plt.subplots(figsize=(8, 4))
error_lines(ax, counts, rmse, "episodes", "root-mean-square error of V")
figure.tight_layout()

# %% [markdown]
# With four episodes, as in the article, expect Monte Carlo to be off by 0.7, a third of what it
# estimates. It falls like $1/\sqrt n$ from the start. TD with a constant rate first is biased, then
# stops improving where its rate lets the noise of the last steps through: high at 0.5, low but late at 0.05.
# With a falling rate it does about as well as Monte Carlo. So neither is better by itself. What TD buys
# is something else: **it needs no end**. It learns from a single step, of anybody's, long ago: from a
# replay buffer, as SAC does.
#
# ## 7 · Choosing: SARSA and Q-learning
#
# Now let the reader of the graph **choose**: in each state, action 0 is its upper arrow and action 1 its
# lower one; one gets what one chose with probability 0.9 and the other arrow with 0.1. From $s_6$
# a coin puts one back to $s_1$ or $s_2$, so the game never ends, and we discount: the return is
# $\sum_t\gamma^t r_t$ with $\gamma = 0.9$. The value of *choosing $a$ now, then following $\pi$* is
#
# $$Q^\pi(s, a) = r(s,a) + \gamma\sum_{s'}P(s'|s,a)\sum_{a'}\pi(a'|s')\,Q^\pi(s',a'),$$
#
# and of choosing $a$ now, then the best,
#
# $$Q^*(s, a) = r(s,a) + \gamma\sum_{s'}P(s'|s,a)\;\max_{a'}Q^*(s',a').$$
#
# Again the right sides are means over one step, and one draw of each is a TD target:
#
# | | target | converges to |
# |---|---|---|
# | **SARSA** | $r + \gamma\, Q(s', a')$, with $a'\sim\pi$ the action that was drawn | $Q^\pi$ of the policy that acts |
# | **Q-learning** | $r + \gamma\,\max_{b} Q(s', b)$, whatever was drawn | $Q^*$, whoever acts |
#
# The first is **on-policy**; the second is **off-policy**: it asks for nothing but that everything is
# tried again and again. (The article calls its Eq. 6 SARSA; that is TD(0) for $V$. Its Eq. 7 is, once
# the next action is drawn in the next state.) And where an episode really **ends**, nothing comes
# after: the target is $r$ alone, that is what the flag `done` is for. A time limit is no such end. The
# world goes on, only we stop watching: keep the bootstrap there.
#
# ### Exercise 5 · two targets  (★★, 10 minutes)


# %% tags=["exercise"]
def targets(r, gamma, Q_next, a_next, done):
    """The targets of SARSA and of Q-learning; nothing follows an end.

    A batch of n transitions. r: [n]; Q_next: Q(s', ·), [n, A];
    a_next: a', whole numbers [n]; done: True where s' is the end, [n].
    Returns a tuple of two arrays [n]: SARSA's, Q-learning's.
    """
    raise NotImplementedError


# %%
check_exercise("targets", targets)


# %% tags=["solution"]
def targets(r, gamma, Q_next, a_next, done):
    chosen = Q_next[np.arange(len(r)), a_next]
    best = Q_next.max(axis=1)
    return r + gamma * ~done * chosen, r + gamma * ~done * best


targets = kept(targets)

# %%
arrows = [(2, 3), (3, 4), (2, 5), (5, 5), (4, 5)]  # upper, lower
moves = np.zeros((6, 2, 6))
for s, pair in enumerate(arrows):
    for a in (0, 1):
        moves[s, a, pair[a]] += 0.9
        moves[s, a, pair[1 - a]] += 0.1
moves[5, :, [0, 1]] = 0.5  # from s6, a coin
game = MDP(moves, np.repeat(r[:, None], 2, 1), gamma=0.9)

coin = np.full((6, 2), 0.5)  # the policy that acts: at random
Q_coin, Q_best = action_values(game, coin), optimal_action_values(game)
best_arrow = [("upper", "lower")[q.argmax()] for q in Q_best]
best_arrow[3] = "no choice"  # both arrows lead to the same state
Table(
    ("", "coin: upper", "lower", "Q*: upper", "lower", "best arrow"),
    [
        (
            f"s{s + 1}",
            *(f"{q:.3f}" for q in (*Q_coin[s], *Q_best[s])),
            best_arrow[s],
        )
        for s in range(5)
    ],
)

# %% [markdown]
# > **Predict.** Both algorithms watch *the same coin* play. Which of them will find $Q^*$?

# %% tags=["predict"]
predict("same_coin", ...)  # "SARSA" or "Q-learning"

# %% tags=["figure"]
lengths = [300, 1000, 3000, 10_000, fast(10_000, 30_000)]
lengths = sorted(set(lengths))
seeds = range(fast(1, 3))


def distance(learn, goal):
    """Mean over seeds of the largest error, at each length."""
    found = [
        [abs(learn(game, coin, n, Noise(i)) - goal).max() for i in seeds]
        for n in lengths
    ]
    return np.mean(found, axis=1)


learned = {
    "SARSA, from Q of the coin": distance(sarsa, Q_coin),
    "Q-learning, from Q*": distance(q_learning, Q_best),
    "SARSA, from Q*": distance(sarsa, Q_best),
}
figure, ax = plt.subplots(figsize=(8, 4))
error_lines(ax, lengths, learned, "steps", "largest error of Q")
figure.tight_layout()

# %% [markdown]
# Q-learning finds the best policy while a coin plays; SARSA finds, correctly, what the coin is worth. (The
# dip: from its start at zero it comes past $Q^*$ on the way down to $Q$ of the coin.) SAC's
# critic is of SARSA's kind, with one twist: its next action is drawn afresh from the *present*
# policy, not taken from the buffer (notebook 10).
#
# ## An open project
#
# Give the chain an action with a large reward and a small chance of a large cost. Find the number of episodes
# after which TD(0) and Monte Carlo have the same error, and how it moves as the cost becomes rarer.
#
# A good answer has both errors about exact values, averaged over many runs, with error bars; separates bias
# from variance; explains the crossing by the two variances of exercise 4; and finds a chain in which the two
# never cross.
#
# ## Summary
#
# * A value is the mean of the return. **Bellman:** it is the reward now plus the mean value of what
#   comes next, because the state is all that counts.
# * With a model: solve, or iterate backups. One pass is enough from the end to the start.
# * **Monte Carlo** averages returns: no bias, a variance of everything that may happen. **TD(0)** moves
#   to $r + V(s')$: the variance of one step, a bias while $V$ is wrong, and no need for an end.
# * In the article's table $V(s_1)$ by DP should be −2.267 (not 2.667) and $V(s_3)$ by MC −2 (not −1).
# * **SARSA** draws the next action and finds $Q^\pi$; **Q-learning** maximises and finds $Q^*$. Where an
#   episode ends, nothing is added to the reward.

# %% tags=["claims"]
claim(
    "the values of the text",
    V,
    [-34 / 15, -2.2, -5 / 3, -1, -1.25, 0],
    1e-12,
)
claim("s2 is better than s1", V[1] > V[0])
claim("Bellman's equation", bellman_backup(P, r, V), V, 1e-12)
two = [
    (i, j)
    for i in (0, 1)
    for j in range(5)
    if P[i, j] > 0 and P[j, 5] > 0
]
claim("four paths of two steps", len(two), 4)
late = abs(backups[5] - V)[2:5] / abs(backups[4] - V)[2:5].clip(1e-300)
claim("s4 is right after one backup", backups[1][3], V[3])
claim("s3 and s5 by factors 0.4 and 0.2", late[[0, 2]], [0.4, 0.2], 1e-9)
claim(
    "six updates, right order", gaps["from s6 back to s1"][-1], 0, 1e-12
)
claim("the other order: far off", gaps["from s1 on to s6"][-1] > 0.4)
claim("MC, the text's averages", mc, TEXT[1], 1e-12)
steps_printed = [-0.5, -0.5, -0.75, -0.5, -0.5]
steps_printed += [-0.75, -0.5, -1.125, -1, -1]
claim("ten updates as printed", printed, steps_printed)
claim("and td0 of the workbench", td, td0(EPISODES, r, 0.5), 1e-12)
off = [
    np.sqrt(((td0(EPISODES, r, rate) - V)[:5] ** 2).mean())
    for rate in (0.5, 0.8)
]
claim("0.8 is better, and still far off", off[0] > off[1] > 0.7)
cells = abs(TABLE - ours) > 1e-3
claim("two wrong cells", cells.sum(), 2)
claim("(DP, s1) and (MC, s3)", [cells[0, 0], cells[1, 2]], [True, True])
claim("they should be", [ours[0, 0], ours[1, 2]], [-2.267, -2], 1e-3)
claim("variance of G from s1", return_variance, 0.551, 5e-4)
claim("geometric: 1.11", geometric, 1.11, 2e-3)
ratio = return_variance / at_end[1]
claim("five times TD's", ratio, 5, 0.2)
claim("TD's bias at the start: 1.27", at_start[0] - V[0], 1.267, 1e-3)
claim("no bias at the end", at_end[0], V[0], 1e-12)
walked = sample_episodes(P, 0, fast(500, 4000), Noise(9))
G = np.array([sum(r[s] for s in walk) for walk in walked])
tolerance = 5 * G.std() / np.sqrt(len(G))
claim("a return has mean V", G.mean(), V[0], tolerance)
spread = 5 * ((G - G.mean()) ** 2).std() / np.sqrt(len(G))
claim("and that variance", G.var(), return_variance, spread)
fall = rmse["Monte Carlo"][2] / rmse["Monte Carlo"][6]
claim("MC: error by 4 in 16 times the episodes", fall, 4, fast(2.5, 1.2))
four = rmse["Monte Carlo"][1]
claim("after four episodes: off by 0.7", four, 0.7, fast(0.2, 0.05))
last = {k: x[-1] for k, x in rmse.items()}
claim(
    "a constant rate does not settle",
    last["TD(0), rate 0.5"] > 2 * last["Monte Carlo"],
)
near = last["TD(0), falling rate"] / last["Monte Carlo"]
claim("a falling rate does about as well", near < fast(2.5, 1.6))
claim(
    "early, a small rate is worst",
    rmse["TD(0), rate 0.05"][1] > rmse["Monte Carlo"][1],
)
claim(
    "the upper arrow is best in s2 only",
    Q_best[[0, 1, 2, 4]].argmax(1),
    [1, 0, 1, 1],
)
claim(
    "SARSA finds Q of the coin",
    learned["SARSA, from Q of the coin"][-1] < fast(0.6, 0.25),
)
claim(
    "Q-learning finds Q*",
    learned["Q-learning, from Q*"][-1] < fast(0.6, 0.25),
)
claim("SARSA does not", learned["SARSA, from Q*"][-1] > 0.4)

# %% [markdown]
# ## References
#
# * Sutton and Barto 2018, *Reinforcement Learning*, chapters 3 to 6 (Bellman: Eq. 3.14; first-visit Monte
#   Carlo: §5.1; TD(0): Eq. 6.2; SARSA: Eq. 6.7; Q-learning: Eq. 6.8).
# * Robbins and Monro 1951, *A Stochastic Approximation Method*; Watkins 1989, *Learning from Delayed
#   Rewards*.
# * “Deriving Soft Actor Critic (SAC): going from zero to one of the key RL algorithms”, a blog post of
#   June 2023: the graph, the four episodes and the table. What it gets wrong, and how we know:
#   `docs/claims.md`, B05–B27.
# * In this workbench: `toy_problems/tables/tabular.py`.
#
# **Next:** 02, the gradient of a value by the parameters of a policy.
