"""Maximum-entropy reinforcement learning in tables: J = Σ_t γ^t E[r + α H(π(·|s_t))]."""

import numpy as np

from toy_problems.tables.tabular import MDP, Array


def softmax(x: Array) -> Array:
    """exp(x)/Σ exp(x) along the last axis."""
    p = np.exp(x - x.max(-1, keepdims=True))
    return p / p.sum(-1, keepdims=True)


def log_sum_exp(x: Array) -> Array:
    """log Σ exp(x) along the last axis."""
    top = x.max(-1, keepdims=True)
    return top[..., 0] + np.log(np.exp(x - top).sum(-1))


def entropy(pi: Array) -> Array:
    """H(π) = −Σ_a π log π, with 0 log 0 = 0. pi: [..., A]."""
    positive = pi > 0
    return -(pi * np.log(np.where(positive, pi, 1.0))).sum(-1)


def soft_value(Q: Array, pi: Array, alpha: float) -> Array:
    """V^π = Σ_a π (Q − α log π) = Σ_a π Q + α H(π). Q, pi: [..., A]."""
    return (pi * Q).sum(-1) + alpha * entropy(pi)


def soft_max_value(Q: Array, alpha: float) -> Array:
    """max_π Σ_a π (Q − α log π) = α log Σ_a exp(Q/α), at π = softmax(Q/α)."""
    return alpha * log_sum_exp(Q / alpha)


def soft_bellman(mdp: MDP, Q: Array, pi: Array, alpha: float) -> Array:
    """(T^π Q)(s, a) = r + γ E_{s'}[V^π(s')] (SAC Eq. 2–3). A contraction with factor γ."""
    return mdp.r + mdp.gamma * mdp.P @ soft_value(Q, pi, alpha)


def soft_action_values(mdp: MDP, pi: Array, alpha: float) -> Array:
    """The fixed point of T^π, solved: Q = r + γP(Σ π Q + αH)."""
    shape, n = mdp.r.shape, mdp.r.size
    step = mdp.gamma * np.einsum("sat,tb->satb", mdp.P, pi).reshape(n, n)
    bonus = mdp.r + mdp.gamma * alpha * mdp.P @ entropy(pi)
    return np.linalg.solve(np.eye(n) - step, bonus.reshape(n)).reshape(shape)


def soft_value_iteration(mdp: MDP, alpha: float, tolerance: float = 1e-13) -> Array:
    """Q ← r + γ P α log Σ exp(Q/α) until it moves by less than `tolerance`: the optimal soft Q.

    Reference: Haarnoja et al. 2017, Eq. 7–8. Needs γ < 1.
    """
    if not 0 <= mdp.gamma < 1:
        raise ValueError(f"soft value iteration needs 0 ≤ γ < 1, got {mdp.gamma}")
    Q = np.zeros_like(mdp.r)
    while True:
        after = mdp.r + mdp.gamma * mdp.P @ soft_max_value(Q, alpha)
        if np.abs(after - Q).max() <= tolerance * (1 + np.abs(Q).max()):
            return after
        Q = after


def residual_minimiser(mdp: MDP, pi: Array, alpha: float) -> Array:
    """argmin_Q Σ_{s,a} E_{s'}[(Q(s, a) − r − γV_Q(s'))²], V_Q inside the square moving along.

    The minimiser of the Bellman *residual* on sampled transitions. It is the soft Q only where
    transitions are deterministic: the square also counts the variance of γV_Q(s') (Baird 1995).
    """
    S, A = mdp.r.shape
    rows, targets = [], []
    for s, a, after in np.ndindex(S, A, S):
        weight = np.sqrt(mdp.P[s, a, after])
        row = np.zeros((S, A))
        row[s, a] += 1
        row[after] -= mdp.gamma * pi[after]
        rows.append(weight * row.reshape(-1))
        targets.append(weight * (mdp.r[s, a] + mdp.gamma * alpha * entropy(pi[after])))
    return np.linalg.lstsq(np.array(rows), np.array(targets), rcond=None)[0].reshape(S, A)
