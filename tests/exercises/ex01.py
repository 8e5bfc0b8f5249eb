import numpy as np


def _loops(P, r, V):
    return [r[s] + sum(P[s, t] * V[t] for t in range(len(V))) for s in range(len(r))]


def _first_by_slices(episodes, r):
    found = {s: [] for s in range(len(r))}
    for e in episodes:
        e = np.asarray(e)
        for s in np.unique(e):
            found[s].append(r[e[np.argmax(e == s) :]].sum())
    return [np.mean(x) for x in found.values()]


def _first_backwards(episodes, r):
    total, count = np.zeros(len(r)), np.zeros(len(r))
    for e in episodes:
        G, first = 0.0, {}
        for s in reversed(e):
            G += r[s]
            first[s] = G  # the last one written, going backwards, is the first visit
        for s, g in first.items():
            total[s] += g
            count[s] += 1
    return total / count


def _walk(skip_seen, own=True, seen_from_end=False, divide="visits"):
    def answer(episodes, r):
        total, count = np.zeros(len(r)), np.zeros(len(r))
        for e in episodes:
            times = range(len(e))
            seen = set()
            for t in reversed(times) if seen_from_end else times:
                s = e[t]
                if skip_seen and s in seen:
                    continue
                seen.add(s)
                total[s] += sum(r[x] for x in (e[t:] if own else e[t + 1 :]))
                count[s] += 1
        return {"visits": total / count, "none": total, "all": total / len(episodes)}[divide]

    return answer


def _whole(episodes, r):
    return np.array(
        [np.mean([r[list(e)].sum() for e in episodes if s in e]) for s in range(len(r))]
    )


def _td(step):
    def answer(V, s, r, after, rate):
        V = V.copy()
        V[s] = step(V[s], r, V[after], rate)
        return V

    return answer


def _td_in_place(V, s, r, after, rate):
    V[s] += rate * (r + V[after] - V[s])
    return V


def _td_one_hot(V, s, r, after, rate):
    return V + rate * (np.arange(len(V)) == s) * (r + V[after] - V)


def _td_after(V, s, r, after, rate):
    V = V.copy()
    V[after] += rate * (r + V[s] - V[after])
    return V


def _moments_by_draws(P, r, V, s):
    target = r[s] + V
    mean = (P[s] * target).sum()
    return mean, (P[s] * (target - mean) ** 2).sum()


def _moments_cov(P, r, V, s):
    return np.average(r[s] + V, weights=P[s]), np.cov(V, aweights=P[s], ddof=0)


def _rows(mask="done", sarsa="drawn", best="max", discount=True):
    def answer(r, gamma, Q_next, a_next, done):
        gamma = gamma if discount else 1.0
        one, two = np.zeros(len(r)), np.zeros(len(r))
        for i in range(len(r)):
            go_on = {"done": not done[i], "never": True, "inverted": done[i]}[mask]
            q = {"drawn": Q_next[i, a_next[i]], "max": Q_next[i].max(), "mean": Q_next[i].mean()}
            p = {"max": Q_next[i].max(), "argmax": Q_next[i].argmax(), "all": Q_next.max()}
            one[i] = r[i] + gamma * go_on * q[sarsa]
            two[i] = r[i] + gamma * go_on * p[best]
        return one, two

    return answer


def _where(r, gamma, Q_next, a_next, done):
    drawn = Q_next[np.arange(len(r)), a_next]
    return tuple(np.where(done, r, r + gamma * x) for x in (drawn, np.amax(Q_next, axis=1)))


def _masked_reward(r, gamma, Q_next, a_next, done):
    one, two = _rows("never")(r, gamma, Q_next, a_next, done)
    return one * ~done, two * ~done


RIGHT = {
    "bellman_backup": [
        lambda P, r, V: np.array(_loops(P, r, V)),
        lambda P, r, V: r + np.einsum("st,t->s", P, V),
        _loops,
    ],
    "first_visit": [_first_by_slices, _first_backwards, _walk(True)],
    "td_step": [
        _td_in_place,
        _td_one_hot,
        _td(lambda v, r, after, rate: (1 - rate) * v + rate * (r + after)),
    ],
    "td_target_moments": [_moments_by_draws, _moments_cov],
    "targets": [_rows(), _where],
}

WRONG = {
    "bellman_backup": [
        (lambda P, r, V: r + P.T @ V, "value", "transposed"),
        (lambda P, r, V: np.dot(P, V), "value", "no_reward"),
        (lambda P, r, V: (P * (r + V)).sum(1), "value", "reward_of_next"),
        (lambda P, r, V: r + sum(V) / len(V), "value", "plain_mean"),
        (lambda P, r, V: -V + r + P @ V, "value", "difference"),
        (lambda P, r, V: P @ V - r, "value", "turned"),
        (lambda P, r, V: -(r + P @ V), "value", "sign"),
        (lambda P, r, V: (r + P @ V).sum(), "shape", None),
    ],
    "first_visit": [
        (_walk(False), "value", "every_visit"),
        (_walk(True, seen_from_end=True), "value", "last_visit"),
        (_walk(True, own=False), "value", "reward_left_out"),
        (_walk(True, divide="none"), "value", "not_averaged"),
        (_walk(True, divide="all"), "value", "over_all_episodes"),
        (_whole, "value", "whole_episode"),
        (lambda episodes, r: _first_backwards(episodes[:1], r), "value", "first_of_all"),
        (lambda episodes, r: _first_backwards(episodes, r)[0], "shape", None),
    ],
    "td_step": [
        (_td(lambda v, r, after, rate: v + rate * (r - v)), "value", "no_bootstrap"),
        (_td_after, "value", "successor"),
        (_td(lambda v, r, after, rate: v + rate * (v - r - after)), "value", "sign"),
        (_td(lambda v, r, after, rate: v + rate * (r + after)), "value", "own_value_kept"),
        (_td(lambda v, r, after, rate: r + after), "value", "rate_one"),
        (_td(lambda v, r, after, rate: rate * (r + after - v)), "value", "replaced"),
        (_td(lambda v, r, after, rate: rate * v + (1 - rate) * (r + after)), "value", None),
        (lambda V, s, r, after, rate: (1 - rate) * V[s] + rate * (r + V[after]), "shape", "number"),
        (lambda V, s, r, after, rate: V, "value", "zero"),
    ],
    "td_target_moments": [
        (
            lambda P, r, V, s: (P[s] @ (r[s] + V), P[s] @ np.square(r[s] + V)),
            "value",
            "second_moment",
        ),
        (
            lambda P, r, V, s: (_moments_cov(P, r, V, s)[0], _moments_cov(P, r, V, s)[1] ** 0.5),
            "value",
            "standard_deviation",
        ),
        (lambda P, r, V, s: _moments_cov(P, 0 * r, V, s), "value", "no_reward"),
        (lambda P, r, V, s: (r[s] + P[s] @ V, (r[s] + V).var()), "value", "unweighted"),
        (
            lambda P, r, V, s: (r[s] + P[s] @ V, (P[s] * (r[s] + V - V[s]) ** 2).sum()),
            "value",
            "about_the_value",
        ),
        (lambda P, r, V, s: (r + P @ V, 0.0), "shape", None),
        (lambda P, r, V, s: r[s] + P[s] @ V, "shape", None),
        (lambda P, r, V, s: _moments_by_draws(P, r, V, s)[::-1], "value", "order"),
    ],
    "targets": [
        (_rows("never"), "value", "done_forgotten"),
        (_rows("inverted"), "value", "done_inverted"),
        (_masked_reward, "value", "reward_masked"),
        (_rows(discount=False), "value", "gamma_forgotten"),
        (_rows(sarsa="max"), "value", "max_for_both"),
        (_rows(sarsa="mean"), "value", "expected_sarsa"),
        (_rows(best="argmax"), "value", "argmax"),
        (_rows(best="all"), "value", "max_over_batch"),
        (lambda *x: _rows()(*x)[::-1], "value", "order"),
        (lambda *x: _rows()(*x)[0], "shape", None),
        (_rows("never", sarsa="max"), "value", "done_forgotten"),
    ],
}
