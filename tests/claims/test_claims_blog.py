"""Claims B01–B58: the blog "SAC from zero", in its order."""

import itertools
import math

import numpy as np
import torch
from scipy.optimize import minimize

from estimators import (
    Categorical,
    Noise,
    Objective,
    exact_gradient,
    reparameterization,
    score_function,
)
from nabla.claims.ledger import (
    CONDITION,
    HOLDS,
    MISLEADS,
    OPEN,
    RESULT,
    SLIP,
    WRONG,
    below,
    claim,
    equal,
    fact,
    unequal,
)
from toy_problems.problems import FLOAT, gaussian
from toy_problems.quantities import blog, numbers
from toy_problems.quantities import report as q
from toy_problems.tables.constrained_bandit import (
    best_policy,
    dual,
    dual_slope,
    lagrangian,
    optimal_temperature,
)
from toy_problems.tables.policy_gradient import (
    as_printed,
    expected_return,
    full_return,
    policy_gradient,
    reward_to_go,
    trajectories,
    two_step,
)
from toy_problems.tables.soft_mdp import (
    entropy,
    soft_action_values,
    soft_max_value,
    soft_value,
    soft_value_iteration,
    softmax,
)
from toy_problems.tables.tabular import (
    EPISODES,
    GRAPH,
    MDP,
    REWARD,
    action_values,
    dynamic_programming,
    loop,
    monte_carlo,
    optimal_action_values,
    q_learning,
    sample_episodes,
    sarsa,
    sweep,
    td0,
)

from .evidence import control_suite, exact, mean

ALPHA = 0.3
THETA = np.array([[0.3, -0.4], [0.0, 1.1], [-0.7, 0.2]])
PI, UNIFORM, FLAT = softmax(THETA), np.full((3, 2), 0.5), np.zeros((3, 2))
BANDIT, H0 = np.array([1.0, 0.5, 0.0]), 0.5


def alpha_star():
    return optimal_temperature(BANDIT, H0)


def primal():
    """max π·r with H(π) ≥ H₀ by a solver that knows no dual."""
    found = minimize(
        lambda x: -softmax(np.append(x, 0.0)) @ BANDIT,
        [1.0, 0.3],
        constraints={"type": "ineq", "fun": lambda x: entropy(softmax(np.append(x, 0.0))) - H0},
        method="SLSQP",
        tol=1e-12,
    )
    return -float(found.fun)


def finite_values(steps, alpha=0.0):
    """V_t for t = steps … 0 of the small problem without discount: [steps + 1, S]."""
    mdp, V = loop(1.0), [np.zeros(3)]
    gain, P = (PI * mdp.r).sum(-1) + alpha * entropy(PI), np.einsum("sa,sat->st", PI, mdp.P)
    for _ in range(steps):
        V.append(gain + P @ V[-1])
    return V


# The problem and Bellman's equation


@claim(
    "B01",
    where="Corollary 1",
    says="That transitions are Markov makes the reward a function r(s, a).",
    verdict=WRONG,
    correction="It is a further assumption: a reward may depend on the past or on s' while the "
    "transitions are Markov. (If it depends on s' only, its mean given (s, a) will do.)",
)
def test_b01(e):
    once = [[-1.0 if s not in ep[:t] else 0.0 for t, s in enumerate(ep)] for ep in EPISODES]
    e.printed(
        "graph, −1 for a first visit only: the two rewards in s3, episode 1",
        equal(once[0][1], once[0][2]),
    )
    toll = np.where(GRAPH > 0, -1.0 - np.eye(6), 0.0)  # r(s, s'): staying costs 1 more
    V = dynamic_programming(GRAPH, (GRAPH * toll).sum(1))
    step = [(GRAPH[s] * (toll[s] + V)).sum() for s in range(6)]
    e.corrected("r(s, s'): its mean given s gives V = E[r(s, s') + V(s')]", equal(V, step))


@claim(
    "B02",
    where="Eqs 1, 2, 12 and others, s_{t+1} ~ p(s_t|s_{t−1}, a_{t−1})",
    says="s_{t+1} is drawn from p(s_t | s_{t−1}, a_{t−1}).",
    verdict=WRONG,
    correction="s_{t+1} ~ p(s_{t+1} | s_t, a_t).",
    matters=SLIP,
)
def test_b02(e):
    law = [np.eye(6)[0] @ np.linalg.matrix_power(GRAPH, t) for t in range(3)]
    e.printed("graph from s1: the law of s_2 by the index printed", equal(law[1], law[2]))
    e.corrected("by p(·|s_1)", equal(law[1] @ GRAPH, law[2]))


@claim(
    "B03",
    where="Eq. 3, for finite T",
    says="One function V satisfies V = E[r + V(s')] for a finite horizon.",
    verdict=CONDITION,
    correction="V_t = E[r + V_{t+1}], one function for each t, unless the process stops by itself "
    "(a terminal state, as on the graph) or t is part of the state.",
)
def test_b03(e):
    V = dynamic_programming(GRAPH, REWARD)
    e.printed("graph: V − r − PV", equal(V - REWARD - GRAPH @ V, np.zeros(6)))
    V = finite_values(2)
    e.printed("three states, T = 2: V at t = 0 and at t = 1", equal(V[2], V[1]))
    total = expected_return(loop(1.0), THETA, 0, 2)
    e.corrected("V_0 of the backward recursion is E[r_0 + r_1]", equal(V[2][0], total))


@claim(
    "B04",
    where="Eqs 4–5 and the recursion of Q",
    says="Q = r + E[V(s')] = r + E[Q(s', a')].",
    verdict=HOLDS,
)
def test_b04(e):
    mdp = loop(1.0)

    def Q(horizon):
        """E[Σ r | s_0, a_0] by enumeration."""
        table = np.zeros((3, 2))
        for start in range(3):
            for path in trajectories(mdp, PI, start, horizon):
                table[start, path.actions[0]] += path.probability * sum(path.rewards)
        return table / PI

    V = [expected_return(mdp, THETA, start, 2) for start in range(3)]
    e.printed("T = 3 by enumeration: Q_0 and r + E V_1", equal(mdp.r + mdp.P @ V, Q(3)))
    two = np.einsum("sat,tb,tb->sa", mdp.P, PI, Q(2))
    e.printed("Q_0 and r + E Q_1(s', a')", equal(mdp.r + two, Q(3)))


# The graph


@claim(
    "B05",
    where="“from left to right”",
    says="Dynamic programming on the graph goes from left to right.",
    verdict=WRONG,
    correction="From right to left: from the terminal state s6 back to s1, as the text computes "
    "it.",
    matters=SLIP,
)
def test_b05(e):
    V = dynamic_programming(GRAPH, REWARD)
    e.printed("one pass s1 … s6", equal(sweep(GRAPH, REWARD, range(6)), V))
    e.corrected("one pass s6 … s1", equal(sweep(GRAPH, REWARD, range(5, -1, -1)), V))


@claim(
    "B06",
    where="the values by dynamic programming",
    says="V = (−2.2667, −2.2, −1⅔, −1, −1.25, 0).",
    verdict=HOLDS,
)
def test_b06(e):
    e.printed("s1 … s5, to the digits printed", equal(numbers("B06.dp"), blog.TEXT[0, :5], 2e-5))


@claim(
    "B07",
    where="“the best path is s2 → s4 → s6”",
    says="s2 → s4 → s6 is the best path, the only one.",
    verdict=WRONG,
    correction="It follows the highest values from s2, but four paths of two steps cost 2; values "
    "are means over all that may happen, not lengths of paths.",
)
def test_b07(e):
    costs = {}
    for middle in itertools.product(range(1, 5), repeat=1):
        for start in (0, 1):
            path = (start, *middle, 5)
            if all(GRAPH[a, b] > 0 for a, b in itertools.pairwise(path)):
                costs[path] = sum(REWARD[s] for s in path)
    best = [p for p, c in costs.items() if c == max(costs.values())]
    e.printed("number of best paths", equal(len(best), 1))
    e.corrected(
        "number of best paths, each of cost 2", equal([len(best), max(costs.values())], [4, -2])
    )
    V = numbers("B06.dp")
    e.corrected("from s2, s4 has the higher value", below(V[4], V[3]))


def _episode(number, states, returns):
    def gather(e):
        V = monte_carlo([EPISODES[number - 1]], REWARD)
        e.printed(
            f"returns after the first visits to {states}",
            equal([V[s - 1] for s in states], returns),
        )

    return gather


@claim("B08", where="Monte Carlo, episode 1", says="Returns −3, −2, 0.", verdict=HOLDS)
def test_b08(e):
    _episode(1, (1, 3, 6), (-3, -2, 0))(e)


@claim("B09", where="Monte Carlo, episode 2", says="Returns −2, −1, 0.", verdict=HOLDS)
def test_b09(e):
    _episode(2, (2, 4, 6), (-2, -1, 0))(e)


@claim("B10", where="Monte Carlo, episode 3", says="Returns −2, −1, 0.", verdict=HOLDS)
def test_b10(e):
    _episode(3, (2, 5, 6), (-2, -1, 0))(e)


@claim("B11", where="Monte Carlo, episode 4", says="Returns −3, −2, 0.", verdict=HOLDS)
def test_b11(e):
    _episode(4, (2, 5, 6), (-3, -2, 0))(e)


@claim(
    "B12",
    where="the averages",
    says="V = (−3, −2⅓, −2, −1, −1.5, 0).",
    verdict=HOLDS,
)
def test_b12(e):
    e.printed("first-visit Monte Carlo, s1 … s5", equal(numbers("B12.mc"), blog.TEXT[1, :5]))


@claim(
    "B13", where="“first-visit MC”", says="The averages are those of first visits.", verdict=HOLDS
)
def test_b13(e):
    e.printed("the text's averages", equal(numbers("B12.mc"), blog.TEXT[1, :5]))
    e.printed("every-visit would give others", unequal(numbers("B13.every"), blog.TEXT[1, :5]))


@claim(
    "B14",
    where="“infinite MC samples … WLLN”",
    says="With ever more episodes Monte Carlo tends to the values of dynamic programming.",
    verdict=HOLDS,
)
def test_b14(e):
    rng = Noise(0)
    walks = sample_episodes(GRAPH, 0, 4000, rng) + sample_episodes(GRAPH, 1, 4000, rng)
    V = dynamic_programming(GRAPH, REWARD)
    few = float(np.abs(monte_carlo(EPISODES, REWARD) - V).max())
    many = float(np.abs(monte_carlo(walks, REWARD) - V).max())
    e.printed("largest error after 8,000 episodes and after the text's 4", below(10 * many, few))
    e.printed("8,000 episodes", equal(many, 0.0, 0.05))


@claim(
    "B15",
    where="“even with these 4 samples”",
    says="The Monte Carlo values prefer s4 to s5 and s2 to s1.",
    verdict=HOLDS,
)
def test_b15(e):
    V = numbers("B12.mc")
    e.printed("V(s5) < V(s4)", below(V[4], V[3]))
    e.printed("V(s1) < V(s2)", below(V[0], V[1]))


@claim(
    "B16",
    where="Eq. 6 as the TD(0) update",
    says="TD(0) updates towards E[r + V(s_{t+1})].",
    verdict=WRONG,
    correction="Towards the sampled r + V(s_{t+1}): with the expectation it needs the model, and "
    "is a damped dynamic-programming update. The text's own numbers are those of the sample.",
)
def test_b16(e):
    V = np.zeros(6)
    for episode in EPISODES:
        for s in episode[:-1]:
            V[s] += 0.5 * (REWARD[s] + GRAPH[s] @ V - V[s])
    e.printed("with the expectation: the text's values", equal(V[:5], blog.TEXT[2, :5]))
    e.corrected("with the sample", equal(td0(EPISODES, REWARD, 0.5)[:5], blog.TEXT[2, :5]))


@claim(
    "B17",
    where="the TD(0) updates, α = 0.5",
    says="The ten updates are as printed.",
    verdict=HOLDS,
)
def test_b17(e):
    printed = [-0.5, -0.5, -0.75, -0.5, -0.5, -0.75, -0.5, -1.125, -1.0, -1.0]
    V, seen = np.zeros(6), []
    for episode in EPISODES:
        for s, after in itertools.pairwise(episode):
            V[s] += td0([(s, after)], REWARD - V[s] + V[after], 0.5)[s]
            seen.append(V[s])
    e.printed("one by one", equal(seen, printed))
    e.printed("at the end", equal(numbers("B17.td"), blog.TEXT[2, :5]))


@claim(
    "B18",
    where="the comparison table",
    says="The table agrees with the text.",
    verdict=WRONG,
    correction="Two cells do not: V(s1) by DP is −2.267 (not 2.667), V(s3) by MC is −2 (not −1.0).",
    matters=RESULT,
)
def test_b18(e):
    e.printed("cells that disagree", equal(numbers("B18.wrong_cells")[0], 0))
    where = np.argwhere(np.abs(blog.TABLE - blog.TEXT) > 1e-3)
    e.corrected("row and column, from 0: (DP, s1) and (MC, s3)", equal(where, [[0, 0], [1, 2]]))
    e.corrected("their values", equal([numbers("B06.dp")[0], numbers("B12.mc")[2]], [-34 / 15, -2]))


@claim("B19", where="“Hint: try α = 0.8”", says="α = 0.8 does better.", verdict=HOLDS)
def test_b19(e):
    half, more = numbers("B19.rmse")
    e.printed("root-mean-square error to DP, 0.8 against 0.5", below(more, half))


@claim(
    "B20",
    where="“we got the almost optimal path again”",
    says="The TD(0) values lead along s2 → s4 → s6.",
    verdict=WRONG,
    correction="From s2 they do; but by the rule used before they start in s1, because V(s1) = "
    "−0.5 is above V(s2) = −1.125: s1 was updated once.",
)
def test_b20(e):
    V = numbers("B17.td")
    e.printed("the start with the higher value is s2: V(s1) < V(s2)", below(V[0], V[1]))
    e.corrected("from s2 on, s4: V(s5) < V(s4)", below(V[4], V[3]))
    e.corrected("the path is s1 → s4 → s6: V(s3) < V(s4)", below(V[2], V[3]))


# Learning to act


@claim(
    "B21",
    where="“using Eq. 6 … is known as SARSA”, and a_t under the expectation of Eq. 7",
    says="Eq. 6 is SARSA; in Eq. 7 the next action is drawn as a_t ~ π(·|s_t).",
    verdict=WRONG,
    correction="Eq. 7 is, with a sampled a_{t+1} ~ π(·|s_{t+1}) (with the expectation: expected "
    "SARSA). Eq. 6 is TD(0) for V.",
)
def test_b21(e):
    mdp = loop()
    Q, n = action_values(mdp, PI), mdp.r.size
    shifted = mdp.gamma * np.einsum("sat,sb->satb", mdp.P, PI).reshape(n, n)  # b ~ π(·|s)
    printed = np.linalg.solve(np.eye(n) - shifted, mdp.r.reshape(n))
    e.printed("fixed point with a_t ~ π(·|s_t) against Q^π", equal(printed, Q.reshape(n)))
    learned = sarsa(mdp, PI, 100_000, Noise(0))
    e.corrected("SARSA with a_{t+1} ~ π(·|s_{t+1})", equal(learned, Q, 0.02))


@claim(
    "B22",
    where="a_t = max_a Q and A = ℕ^m",
    says="The action is max_a Q(s, a); A = ℕ^m is finite.",
    verdict=WRONG,
    correction="a_t = argmax_a Q(s_t, a). (ℕ^m is infinite: a finite A is {1, …, n}^m. Wording.)",
    matters=SLIP,
)
def test_b22(e):
    Q = optimal_action_values(loop())[0]
    e.printed(
        "max_a Q is an action",
        fact(f"it is {Q.max():.3f}, the actions are 0 and 1", Q.max() in (0.0, 1.0)),
    )
    e.corrected("Q at its argmax is the maximum", equal(Q[int(Q.argmax())], Q.max()))


@claim("B23", where="Definition 3", says="V* ≥ V^π in every state, for every π.", verdict=HOLDS)
def test_b23(e):
    mdp = loop()
    best = optimal_action_values(mdp).max(-1)
    policies = [np.eye(2)[list(c)] for c in itertools.product(range(2), repeat=3)]
    policies += [softmax(k * np.sin(np.arange(6) * k).reshape(3, 2)) for k in range(1, 21)]
    gaps = [best - (pi * action_values(mdp, pi)).sum(-1) for pi in policies]
    e.printed("least V* − V^π, all 8 deterministic and 20 others", equal(float(np.min(gaps)), 0.0))
    closest = min(float(g.max()) for g in gaps[:8])
    e.printed("one deterministic policy reaches V* in all states at once", equal(closest, 0.0))


@claim(
    "B24",
    where="Eq. 8, “guaranteed to lead to the optimal Q-value”",
    says="Q-learning leads to the optimal Q.",
    verdict=CONDITION,
    correction="In tables, where every (s, a) is tried again and again and the rate falls as "
    "Robbins and Monro ask; not with a constant rate on samples, nor with function approximation.",
    matters=RESULT,
)
def test_b24(e):
    mdp = loop()
    best = optimal_action_values(mdp)
    e.printed(
        "everything tried, falling rate",
        equal(q_learning(mdp, UNIFORM, 100_000, Noise(0)), best, 0.01),
    )
    one_sided = np.array([[1.0, 0.0]] * 3)
    e.printed(
        "one action never tried", equal(q_learning(mdp, one_sided, 20_000, Noise(0)), best, 0.01)
    )
    restless = q_learning(mdp, UNIFORM, 20_000, Noise(0), rate=lambda n: 0.9)
    e.printed("constant rate 0.9", equal(restless, best, 0.01))


@claim(
    "B25",
    where="DQN's loss and update",
    says="ψ + λ(y − Q)∇Q descends the squared loss.",
    verdict=HOLDS,
)
def test_b25(e):
    psi, y = torch.tensor([0.3, -0.8], dtype=FLOAT, requires_grad=True), 1.7
    x = torch.tensor([1.2, 0.5], dtype=FLOAT)

    def Q(psi):
        return torch.sin(psi @ x)

    (loss,) = torch.autograd.grad((y - Q(psi)) ** 2 / 2, psi)
    (slope,) = torch.autograd.grad(Q(psi), psi)
    step = (y - Q(psi).detach()) * slope
    e.printed("(y − Q)∇Q is minus the gradient", equal(step.numpy(), -loss.numpy()))
    after = (y - Q(psi.detach() + 0.1 * step)) ** 2 / 2
    e.printed("the loss falls", below(float(after), float((y - Q(psi).detach()) ** 2 / 2)))


@claim(
    "B26",
    where="“DQN details”, the target",
    says="The target is r_t + γQ̂(s_t, a_t).",
    verdict=WRONG,
    correction="r_t + γ max_a Q̂(s_{t+1}, a), as in the loss above it.",
    matters=SLIP,
)
def test_b26(e):
    mdp = loop()
    best = optimal_action_values(mdp)
    e.printed("its fixed point r/(1 − γ) against Q*", equal(mdp.r / (1 - mdp.gamma), best))
    e.corrected("r + γE max Q* is Q*", equal(mdp.r + mdp.gamma * mdp.P @ best.max(-1), best))


@claim(
    "B27",
    where="“works for deterministic action spaces”",
    says="Q-learning is for deterministic action spaces.",
    verdict=WRONG,
    correction="For discrete (finite) ones. (Wording; nothing needs to be deterministic.)",
    matters=SLIP,
)
def test_b27(e):
    mdp = loop()
    error = float(
        np.abs(q_learning(mdp, UNIFORM, 100_000, Noise(0)) - optimal_action_values(mdp)).max()
    )
    e.printed("random actions, random transitions: it fails", below(0.1, error))
    e.corrected("two actions, discrete: it converges", below(error, 0.05))


# Policy gradients


@claim(
    "B28",
    where="Theorem 1, Eq. 10",
    says="∇J = E[Σ_t r_t ∇ log π(a_t|s_t)].",
    verdict=WRONG,
    correction="∇J = E[(Σ_n r_n) Σ_t ∇ log π(a_t|s_t)]; rewards before t may be left out, those "
    "after may not: E[Σ_t (Σ_{n≥t} r_n) ∇ log π(a_t|s_t)].",
    matters=RESULT,
)
def test_b28(e):
    truth, printed = numbers("B28.gradients")
    e.printed("two steps, the reward one step after the choice", equal(printed, truth))
    mdp, step = loop(), 1e-5
    up, down = THETA.copy(), THETA.copy()
    up[0, 0], down[0, 0] = THETA[0, 0] + step, THETA[0, 0] - step
    slope = (expected_return(mdp, up, 0, 3) - expected_return(mdp, down, 0, 3)) / (2 * step)
    e.printed(
        "three states, three steps, one logit",
        equal(policy_gradient(mdp, THETA, 0, 3, as_printed)[0, 0], slope, 1e-7),
    )
    for name, weight in (("full return", full_return), ("reward to go", reward_to_go)):
        e.corrected(f"{name}", equal(policy_gradient(mdp, THETA, 0, 3, weight)[0, 0], slope, 1e-7))


def _two_step_paths():
    """(probability, return, Σ_t ∂ log π/∂θ₀) of each trajectory of the two-step problem."""
    pi = softmax(FLAT)
    return [
        (x.probability, sum(x.rewards), (x.actions[0] == 0) - pi[0, 0])
        for x in trajectories(two_step(), pi, 0, 2)
    ]


@claim(
    "B29",
    where="Eq. 11, ∇J = J ∇ log J",
    says="∇J = J ∇ log J.",
    verdict=CONDITION,
    correction="Where J > 0 (log J must exist); returns may be negative, as on the blog's own "
    "graph. The trick applies to the density under the integral, not to J.",
)
def test_b29(e):
    mdp, step = two_step(), 1e-5

    def log_slope(mdp):
        J = [expected_return(mdp, FLAT + d * np.eye(3, 2), 0, 2) for d in (step, -step)]
        return (math.log(J[0]) - math.log(J[1])) / (2 * step) if min(J) > 0 else math.nan

    J, slope = expected_return(mdp, FLAT, 0, 2), policy_gradient(mdp, FLAT, 0, 2, full_return)[0, 0]
    e.printed("two-step problem, J = ½", equal(J * log_slope(mdp), slope, 1e-7))
    negative = MDP(mdp.P, -mdp.r, 1.0)
    e.printed(
        "its rewards negated, J = −½: log J exists",
        fact("log of a negative number", not math.isnan(log_slope(negative))),
    )
    density = sum(p * R * s for p, R, s in _two_step_paths())
    e.corrected("the trick under the sum, Σ p R ∇ log p, is ∇J", equal(density, slope))


@claim(
    "B30",
    where="the proof of Theorem 1",
    says="The proof's steps hold: Σr taken out of the integrals, E[Σr]E[Σ∇ log π] = E[Σ r∇ log π], "
    "J a maximum over θ.",
    verdict=WRONG,
    correction="∇J = Σ_τ R(τ)∇p(τ) = E[R Σ_t ∇ log π]: the return stays inside, with the "
    "trajectory it belongs to. E[R]·E[Σ∇ log π] is 0, and ∇ log ∫π = ∇ log 1 = 0.",
    matters=RESULT,
)
def test_b30(e):
    paths = _two_step_paths()
    mean_return = sum(p * R for p, R, _ in paths)
    mean_score = sum(p * s for p, _, s in paths)
    inside = sum(p * R * s for p, R, s in paths)
    e.printed(
        "a trajectory's Σr times the total probability is J", equal(paths[0][1] * 1.0, mean_return)
    )
    e.printed("E[Σr]·E[Σ∇ log π] = E[Σr Σ∇ log π]", equal(mean_return * mean_score, inside))
    e.printed(
        "and = E[Σ r_t ∇ log π(a_t)], where that is printed next",
        equal(inside, numbers("B28.gradients")[1]),
    )
    best = expected_return(two_step(), 50 * np.eye(3, 2), 0, 2)
    e.printed("J(θ) = max_θ J", equal(mean_return, best))
    e.corrected("E[R Σ∇ log π] is ∇J", equal(inside, numbers("B28.gradients")[0]))


def spider():
    """From the pub (0), A is near home (1, pays 0.5 now) but then the bridge costs 1; B (2) pays
    nothing now and 1 after."""
    P = np.zeros((3, 2, 3))
    P[0, 0, 1] = P[0, 1, 2] = P[1, :, 1] = P[2, :, 2] = 1
    return MDP(P, np.array([[0.5, 0.0], [-1.0, -1.0], [1.0, 1.0]]), 1.0)


@claim(
    "B31",
    where="the drunken spider",
    says="Policy gradients cannot see the long-term results of actions.",
    verdict=WRONG,
    correction="With the full return they see all of the horizon; only the form printed as Theorem "
    "1 is blind to what follows. A short horizon T limits every method alike.",
    matters=RESULT,
)
def test_b31(e):
    right, printed = (
        policy_gradient(spider(), FLAT, 0, 2, w)[0, 0] for w in (full_return, as_printed)
    )
    e.printed("the gradient favours A, near home but before the bridge", below(0.0, right))
    e.corrected("it favours B", below(right, 0.0))
    e.corrected("Theorem 1 as printed favours A", below(0.0, printed))


@claim(
    "B32",
    where="the actor's update with a critic",
    says="E[Q(s, a)∇ log π] ascends J.",
    verdict=HOLDS,
)
def test_b32(e):
    mdp, horizon = loop(1.0), 3
    V, law, gradient = finite_values(horizon), np.array([1.0, 0, 0]), np.zeros((3, 2))
    for t in range(horizon):
        Q = mdp.r + mdp.P @ V[horizon - 1 - t]
        gradient += law[:, None] * PI * (Q - (PI * Q).sum(-1, keepdims=True))  # Σ_a Q ∇π
        law = law @ np.einsum("sa,sat->st", PI, mdp.P)
    e.printed(
        "Σ_t E[Q_t ∇ log π] is ∇J, six logits",
        equal(gradient, policy_gradient(mdp, THETA, 0, horizon, full_return)),
    )


@claim(
    "B33",
    where="“Putting all these 3 blocks together we arrive at DDPG”",
    says="The critic, the update E[Q∇ log π] and the replay buffer make DDPG.",
    verdict=WRONG,
    correction="DDPG's actor is deterministic and follows ∇_a Q(s, μ(s)) ∇_θ μ(s); it has no log "
    "π. The three blocks make an off-policy stochastic actor-critic.",
    matters=RESULT,
)
def test_b33(e):
    objective = Objective(lambda a: torch.sin(a).sum(-1), 0.0)
    wide, narrow = (gaussian([0.4], [math.log(s)]) for s in (0.1, 0.01))
    score = [q.variances(score_function, p, objective)[0] for p in (wide, narrow)]
    e.printed(
        "nearly deterministic policies: E[Q∇ log π] settles, σ = 0.01 against 0.1",
        below(score[1], score[0]),
    )
    e.corrected("it blows up like 1/σ²", below(50 * score[0], score[1]))
    nearly = gaussian([0.4], [math.log(1e-3)])
    e.corrected(
        "∇_a Q at μ is the limit",
        equal(-mean(reparameterization, nearly, objective)[0], math.cos(0.4), 1e-5),
    )


@claim(
    "B34",
    where="details of half-cheetah",
    says="Half-cheetah observes joint positions, velocities and x, z; its reward is forward "
    "velocity.",
    verdict=WRONG,
    correction="DeepMind's cheetah hides x (17 numbers: 8 positions, z among them, and 9 "
    "velocities; 6 torques are right), and its reward is velocity/10 m/s cut to [0, 1].",
    matters=SLIP,
)
def test_b34(e):
    env = control_suite("cheetah", "run")
    spec = env.observation_spec()
    physics, task = env.physics, env.task

    def observed(x):
        with physics.reset_context():
            physics.named.data.qpos["rootx"] = x
        return task.get_observation(physics)["position"]

    e.printed(
        "the observation moves with x",
        fact("moving x by 1 m changes nothing", not np.allclose(observed(0.0), observed(1.0))),
    )
    with physics.reset_context():
        physics.named.data.qvel["rootx"] = 4.0
    speed, reward = float(physics.speed()), float(task.get_reward(physics))
    e.printed("at about 4 m/s the reward is the speed", equal(reward, speed))
    e.corrected("it is a tenth of the speed", equal(reward, speed / 10))
    with physics.reset_context():
        physics.named.data.qvel["rootx"] = 30.0
    e.corrected("and at most 1", equal(float(task.get_reward(physics)), 1.0))
    size = [spec["position"].shape[0], spec["velocity"].shape[0], env.action_spec().shape[0]]
    e.known("positions, velocities, torques", equal(size, [8, 9, 6]))


@claim(
    "B35",
    where="details of humanoid",
    says="Humanoid: 67 observations, 21 actions, rewarded for reaching 10 m/s.",
    verdict=CONDITION,
    correction="In the task “run” (“walk” asks for 1 m/s); the reward also asks it to stand "
    "upright and to use little control.",
    matters=SLIP,
)
def test_b35(e):
    env = control_suite("humanoid", "run")
    count = sum(int(np.prod(s.shape)) for s in env.observation_spec().values())
    e.printed("observations and actions", equal([count, env.action_spec().shape[0]], [67, 21]))
    for task in ("run", "walk"):
        speed = control_suite("humanoid", task).task._move_speed
        e.printed(f"target speed of “{task}”", equal(speed, 10))


# Entropy


@claim(
    "B36",
    where="“less probable samples have a higher value (i.e. entropy)”",
    says="−p log p is larger for less probable events.",
    verdict=CONDITION,
    correction="−log p is, always. −p log p grows up to p = 1/e and falls after it: against p = "
    "0.95 the statement fails below p = 0.01075.",
)
def test_b36(e):
    def term(p):
        return -p * math.log(p)

    e.printed("p = 0.05 against 0.95", below(term(0.95), term(0.05)))
    e.printed("p = 0.001 against 0.95", below(term(0.95), term(0.001)))
    e.corrected("−log p", below(-math.log(0.95), -math.log(0.001)))
    e.corrected("the turn is at", equal(term(numbers("B36.p")[0]), term(0.95)))


@claim(
    "B37",
    where="H(X=a), H(X=b)",
    says="The two terms are −0.05 and −0.15.",
    verdict=WRONG,
    correction="+0.049 and +0.150: −p log p is positive.",
    matters=MISLEADS,
)
def test_b37(e):
    terms = [-p * math.log(p) for p in (0.95, 0.05)]
    e.printed("−p log p", equal(terms, [-0.05, -0.15], 0.005))
    e.corrected("−p log p", equal(terms, [0.05, 0.15], 0.005))


@claim(
    "B38",
    where="H(X), H(Y)",
    says="The entropies are −0.2 and −0.69.",
    verdict=WRONG,
    correction="+0.199 and +0.693 nats: of the two the fair coin has the larger entropy, as the "
    "text wants to say.",
    matters=MISLEADS,
)
def test_b38(e):
    e.printed("H(X), H(Y)", equal(numbers("B38.entropies"), [-0.2, -0.69], 0.005))
    e.corrected("H(X), H(Y)", equal(numbers("B38.entropies"), [0.2, 0.69], 0.005))


@claim(
    "B39",
    where="Eqs 12–13, H(π(a_t|s_t)) in a sum over n",
    says="The entropy bonus at every step n is H(π(a_t|s_t)).",
    verdict=WRONG,
    correction="H(π(·|s_n)): a function of the distribution in state s_n, not of a_t, with n as "
    "its index.",
    matters=SLIP,
)
def test_b39(e):
    V = finite_values(2, ALPHA)[2]
    bonus = 2 * ALPHA * entropy(PI)  # H(π(·|s_t)) at both steps
    e.printed(
        "V over two steps with H of the first state twice", equal(finite_values(2)[2] + bonus, V)
    )
    P = np.einsum("sa,sat->st", PI, loop().P)
    e.corrected(
        "with H of each state",
        equal(finite_values(2)[2] + ALPHA * (entropy(PI) + P @ entropy(PI)), V),
    )


@claim(
    "B40",
    where="Eq. 15, the soft recursion",
    says="Q = r + E[Q(s', a') − α log π(a'|s')].",
    verdict=HOLDS,
)
def test_b40(e):
    mdp = loop()
    Q = soft_action_values(mdp, PI, ALPHA)
    after = np.einsum("sat,tb,tb->sa", mdp.P, PI, Q - ALPHA * np.log(PI))
    e.printed("γ = 0.9, six pairs", equal(mdp.r + mdp.gamma * after, Q))
    V = finite_values(3, ALPHA)
    two = loop(1.0).r + loop(1.0).P @ V[2]
    e.printed("finite horizon: E_π[Q_0 − α log π] is V_0", equal(soft_value(two, PI, ALPHA), V[3]))


@claim(
    "B41",
    where="cross-references to equations",
    says="The equation numbers in the text point to the equations meant.",
    verdict=WRONG,
    correction="SARSA is Eq. 7 (not 6); “plug in Eq. 10” means 13; the soft recursion is Eq. 15 "
    "(three times called 16). (Wording.)",
    matters=SLIP,
)
def test_b41(e):
    # what the text calls the equation, the number it gives, the number it has
    references = [
        ("Bellman equation", 3, 3),
        ("SARSA's update", 6, 7),
        ("Q-learning's update", 8, 8),
        ("the objective of policy gradients", 9, 9),
        ("the soft value, plugged in", 10, 13),
        ("the definition of Q, plugged in", 14, 14),
        ("the soft Q-function", 16, 15),
        ("the soft Q-function, for the critic", 16, 15),
        ("the soft Q relationship, backwards in time", 15, 15),
        ("the soft Q, rearranged", 16, 15),
    ]
    off = [name for name, said, is_ in references if said != is_]
    e.printed("references that miss", equal(len(off), 0))
    e.corrected("references that miss", equal(len(off), 5))


@claim(
    "B42",
    where="the soft critic's update ψ ← ψ + α(…)∇Q",
    says="The update descends the soft Bellman error.",
    verdict=CONDITION,
    correction="With a learning rate λ in place of its first α, which is the temperature two "
    "symbols later; and a_{t+1} under the expectation.",
    matters=SLIP,
)
def test_b42(e):
    def after(rate, q=0.3, y=1.7):
        return (y - (q + rate * (y - q))) ** 2

    e.printed("loss after a step with rate 0.1", below(after(0.1), after(0.0)))
    e.printed("with a temperature of 2.5 as the rate", below(after(2.5), after(0.0)))


@claim(
    "B43",
    where="max J = max E[Q(s_1, a_1) − α log π(a_1|s_1)]",
    says="J is E[Q(s_1, a_1) − α log π(a_1|s_1)].",
    verdict=WRONG,
    correction="E[Q(s_0, a_0) − α log π(a_0|s_0)].",
    matters=SLIP,
)
def test_b43(e):
    mdp = loop()
    V = soft_value(soft_action_values(mdp, PI, ALPHA), PI, ALPHA)
    gain, P = (PI * mdp.r).sum(-1) + ALPHA * entropy(PI), np.einsum("sa,sat->st", PI, mdp.P)
    J = sum(0.9**t * np.linalg.matrix_power(P, t)[0] @ gain for t in range(400))
    e.printed("from s_0 = 0: the value at time 1", equal(P[0] @ V, J))
    e.corrected("the value at time 0", equal(V[0], J))


@claim(
    "B44",
    where="“we can't just differentiate when π is stochastic”",
    says="The objective cannot be differentiated because π is stochastic; it takes stochastic "
    "calculus.",
    verdict=WRONG,
    correction="The expectation is an ordinary function of θ. Nabla-log or reparameterization give "
    "its gradient from samples; no stochastic calculus (and no KL) is needed for that.",
    matters=RESULT,
)
def test_b44(e):
    policy, objective = blog.parabola()
    truth = exact(policy, objective)

    def J(mu):
        return 1.7 * ((mu - 1.1) ** 2 + 0.49) / 2

    slope = (J(0.3 + 1e-4) - J(0.3 - 1e-4)) / 2e-4
    e.printed(
        "E[α log π − Q] has no derivative in μ",
        fact(f"it is {slope:.4f}", not math.isfinite(slope)),
    )
    e.corrected("∇J by quadrature", equal(truth[0], slope, 1e-7))
    e.corrected("nabla-log has that mean", equal(mean(score_function, policy, objective), truth))
    e.corrected("reparameterization too", equal(mean(reparameterization, policy, objective), truth))


@claim(
    "B45",
    where="the KL target exp(Q)/Z, and α in the updates after it",
    says="The target exp(Q)/Z is consistent with the updates that carry α.",
    verdict=WRONG,
    correction="With temperature α the target is exp(Q/α)/Z; exp(Q)/Z belongs to α = 1.",
    matters=MISLEADS,
)
def test_b45(e):
    Q, alpha = torch.tensor([1.3, -0.2, 0.4], dtype=FLOAT), 0.2
    objective = Objective(lambda a: Q[a], alpha)
    for kind, logits, name in ((e.printed, Q, "exp(Q)/Z"), (e.corrected, Q / alpha, "exp(Q/α)/Z")):
        gradient = exact_gradient(Categorical(logits), objective)["logits"]
        kind(f"∇E[α log π − Q] at π = {name}, α = 0.2", equal(gradient.numpy(), [0.0] * 3))


@claim(
    "B46",
    where="the expansion of the KL",
    says="KL(π ‖ exp Q/Z) = E[log Z + log π − Q].",
    verdict=HOLDS,
)
def test_b46(e):
    Q, pi = np.array([1.3, -0.2, 0.4]), np.array([0.2, 0.5, 0.3])
    target = np.exp(Q) / np.exp(Q).sum()
    expanded = (pi * (math.log(np.exp(Q).sum()) + np.log(pi) - Q)).sum()
    e.printed("three actions", equal(expanded, (pi * np.log(pi / target)).sum()))


@claim(
    "B47",
    where="first update, α∇ log π − ∇_a Q ∇ log π",
    says="The first printed update descends the KL.",
    verdict=WRONG,
    correction="θ ← θ − λ(α log π − Q)∇ log π by the policy-gradient theorem (a minus sign; Q, not "
    "its slope): the printed bracket has mean (1.7, 0) where −∇L is (1.36, −0.633).",
    matters=RESULT,
)
def test_b47(e):
    n = numbers("B47.bracket")
    e.printed("expected bracket against −∇L, (μ, log σ)", equal(n[:2], n[2:]))
    policy, objective = blog.parabola()
    step = -np.array(mean(score_function, policy, objective))
    e.corrected("−E[(α log π − Q)∇ log π] against −∇L", equal(step, n[2:]))


@claim(
    "B48",
    where="the parameterised update",
    says="The parameterised update is SAC's.",
    verdict=WRONG,
    correction="θ ← θ − λ[α∇_θ log π + (α∇_a log π − ∇_a Q)∇_θ f_θ(ε)]: descent, a plus inside, "
    "and ∇_θ f, not ∇_θ log π, as the last factor.",
    matters=RESULT,
)
def test_b48(e):
    descent = numbers("B47.bracket")[2:]
    e.printed("expected bracket against −∇L, (μ, log σ)", equal(numbers("B48.bracket"), descent))
    policy, objective = blog.parabola()
    e.corrected(
        "minus the mean of Eq. 13",
        equal(-np.array(mean(reparameterization, policy, objective)), descent),
    )


@claim(
    "B49",
    where="π = μ + σᵀN(0, 1)",
    says="A diagonal Gaussian is μ + σᵀε.",
    verdict=WRONG,
    correction="μ + σ ⊙ ε, coordinate by coordinate: σᵀε is one number, the same for all "
    "coordinates.",
    matters=SLIP,
)
def test_b49(e):
    sigma, eps = np.array([0.5, 2.0]), np.eye(2)  # E over ε of products: identity
    inner = np.array([sigma @ eps, sigma @ eps])
    e.printed("covariance under μ + σᵀε, σ = (0.5, 2)", equal(inner @ inner.T, np.diag(sigma**2)))
    product = sigma[:, None] * eps
    e.corrected("under μ + σ ⊙ ε", equal(product @ product.T, np.diag(sigma**2)))


# The temperature


@claim(
    "B50",
    where="the constraint reshuffled, the Lagrangian at T",
    says="L = E[r] − α(H₀ + E[log π]).",
    verdict=HOLDS,
)
def test_b50(e):
    pi, alpha = np.array([0.6, 0.3, 0.1]), 0.4
    printed = pi @ BANDIT - alpha * (H0 + pi @ np.log(pi))
    e.printed("bandit: both lines", equal(printed, pi @ (BANDIT - alpha * H0 - alpha * np.log(pi))))
    e.printed("reward plus α times the slack", equal(printed, lagrangian(pi, alpha, BANDIT, H0)))
    sure = np.array([0.98, 0.01, 0.01])
    e.printed(
        "a violated constraint lowers it",
        below(lagrangian(sure, 1.0, BANDIT, H0), float(sure @ BANDIT)),
    )


def _two_policies():
    """A family of two: always the best arm, or uniform. Constrained best, and its dual."""
    family = [np.array([1.0, 0, 0]), np.full(3, 1 / 3)]
    best = max(float(pi @ BANDIT) for pi in family if entropy(pi) >= H0)
    grid = np.linspace(0, 5, 50_001)
    values = [[lagrangian(pi, a, BANDIT, H0) for a in grid[:: len(grid) - 1]] for pi in family]
    lines = [np.interp(grid, [0, 5], v) for v in values]  # L is linear in α
    return best, float(np.maximum(*lines).min())


@claim(
    "B51",
    where="“strong duality (i.e. that the optimal policy … has entropy ≥ H₀)”",
    says="Strong duality means that the optimal policy has entropy at least H₀.",
    verdict=WRONG,
    correction="That is feasibility. Strong duality is that max_π min_α L = min_α max_π L, no gap; "
    "it follows from concavity and a policy with entropy above H₀ (Slater).",
)
def test_b51(e):
    best, least = _two_policies()
    e.printed("two policies, the best with entropy ≥ ½ chosen: no gap", equal(best, least, 1e-4))
    e.corrected("all distributions: no gap", equal(primal(), dual(alpha_star(), BANDIT, H0), 1e-7))


@claim(
    "B52",
    where="max J = min_{α≥0} max_π L",
    says="The constrained maximum equals min over α ≥ 0 of max over π of L.",
    verdict=CONDITION,
    correction="Over all distributions with H₀ < log |A| (concave, Slater); for a parametric "
    "family there may be a gap.",
)
def test_b52(e):
    e.printed("bandit, all distributions", equal(primal(), dual(alpha_star(), BANDIT, H0), 1e-7))
    best, least = _two_policies()
    e.printed("bandit, a family of two policies", equal(best, least, 1e-4))


@claim(
    "B53",
    where="α* = argmin E_{π*}[r − αH₀ − α log π*]",
    says="α* is the argmin of that with π* held as found.",
    verdict=WRONG,
    correction="With π held the expression is linear in α: flat for the optimal π, so that every α "
    "is an argmin, and least at an end for any other. α* minimises the dual max_π L(π, α); its "
    "slope at α is H(π_α) − H₀, which is why the gradient step on α is right all the same.",
)
def test_b53(e):
    star = alpha_star()
    grid = np.linspace(0, 10 * star, 1001)
    held = best_policy(0.9 * star, BANDIT)  # π as found at the present α
    argmin = grid[np.argmin([lagrangian(held, a, BANDIT, H0) for a in grid])]
    e.printed("π* of 0.9 α* held: argmin over [0, 10 α*]", equal(float(argmin), star, 1e-3))
    flat = [lagrangian(best_policy(star, BANDIT), a, BANDIT, H0) for a in (0.0, 10 * star)]
    e.corrected("the optimal π held: L at α = 0 and at 10 α*", equal(*flat))
    least = grid[np.argmin([dual(a, BANDIT, H0) if a > 0 else math.inf for a in grid])]
    e.corrected("argmin of the dual", equal(float(least), star, 1e-2))
    slope = (dual(1.001 * star + 1e-5, BANDIT, H0) - dual(1.001 * star - 1e-5, BANDIT, H0)) / 2e-5
    e.corrected(
        "its slope is H(π_α) − H₀", equal(slope, dual_slope(1.001 * star, BANDIT, H0), 1e-6)
    )


@claim(
    "B54",
    where="the recursion to T − 1",
    says="r_{T−1} + max r_T = Q_{T−1} − α_T H₀.",
    verdict=CONDITION,
    correction="With the last maximum over policies that obey the entropy constraint, max_π "
    "E[r_T]; max over actions, as printed, is larger.",
)
def test_b54(e):
    star, now = alpha_star(), 0.7
    Q = now + float(soft_max_value(BANDIT, star))  # soft Q at T − 1, π_T optimal
    e.printed("max over policies with H ≥ H₀", equal(now + primal(), Q - star * H0, 1e-7))
    e.printed("max over actions", equal(now + BANDIT.max(), Q - star * H0, 1e-7))


@claim(
    "B55",
    where="the loss of α",
    says="min_α E[−α log π − αH₀] moves α the right way.",
    verdict=HOLDS,
)
def test_b55(e):
    star = alpha_star()
    for factor, sign in ((0.5, -1), (2.0, 1)):
        slope = float(entropy(best_policy(factor * star, BANDIT))) - H0
        e.printed(
            f"at {factor} α* descent moves towards α*: sign of the slope",
            equal(np.sign(slope), sign),
        )
    e.printed("at α* it rests", equal(dual_slope(star, BANDIT, H0), 0.0))


@claim(
    "B56",
    where="“Why the exponent? … doesn't change our objective”",
    says="The exponential is a convenience that does not change the objective; Z is there because "
    "Q does not integrate to 1.",
    verdict=WRONG,
    correction="It is what makes KL = −E[Q] − H + log Z, the objective itself: another increasing "
    "function gives another optimum. Z normalises exp Q.",
)
def test_b56(e):
    Q = np.array([1.3, -0.2, 0.4])
    best = float(soft_max_value(Q, 1.0))
    softplus = np.log1p(np.exp(Q))
    for kind, weight, name in (
        (e.printed, softplus, "softplus Q"),
        (e.corrected, np.exp(Q), "exp Q"),
    ):
        pi = weight / weight.sum()
        kind(f"π = {name}/Z has the largest E[Q] + H", equal(float(soft_value(Q, pi, 1.0)), best))


@claim(
    "B57",
    where="the performance figures",
    says="With a learned temperature SAC outperforms DDPG across the board.",
    verdict=OPEN,
    correction="Learning curves on two tasks, one of them not run to convergence: an experiment "
    "with seeds and intervals would tell. That a fixed temperature costs reward is right.",
)
def test_b57(e):
    mdp = loop()
    rewards = []
    for alpha in (1.0, 0.05):
        pi = softmax(soft_value_iteration(mdp, alpha) / alpha)
        rewards.append(float((pi * action_values(mdp, pi)).sum(-1)[0]))
    e.known("plain value of the soft optimum, α = 1 against 0.05", below(*rewards))


@claim(
    "B58",
    where="Eqs 7–8 without γ, DQN with it",
    says="The updates without γ and DQN's with γ are of one problem.",
    verdict=CONDITION,
    correction="For γ = 1, in problems that end. With γ < 1 the fixed points differ: write γ in "
    "Eqs 7–8.",
    matters=SLIP,
)
def test_b58(e):
    ends = np.array([-1.0, -1.0, 0.0])  # a chain of two steps to the end
    P = np.diag([1.0, 1.0], 1)
    plain = dynamic_programming(P, ends)
    for gamma in (1.0, 0.9):
        e.printed(
            f"chain of two steps, γ = {gamma}", equal(dynamic_programming(gamma * P, ends), plain)
        )
