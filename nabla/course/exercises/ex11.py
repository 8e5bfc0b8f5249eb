"""Notebook 11, the open question in practice: its exercises and the slips they know."""

from collections.abc import Iterator

import numpy as np
from numpy import ndarray as Array

from nabla.course.engine import (
    Answer,
    Case,
    Design,
    Exercise,
    Formula,
    Offer,
    Prediction,
    Slip,
    Word,
    close,
)


def tau_by_stein(grad_Q: Array, eps: Array, sigma: float, alpha: float) -> float:
    return -sigma * float((grad_Q * eps).mean()) / alpha


def _critic(seed: int) -> tuple[Array, Array, float, float]:
    rng = np.random.default_rng(seed)
    eps = rng.normal(size=64)
    sigma, alpha = (float(x) for x in rng.uniform(0.2, 0.9, size=2))
    a = 0.3 + sigma * eps
    sign = -1.0 if seed % 4 == 1 else 1.0  # some curve upwards
    return sign * (0.5 - 1.4 * a - 0.6 * np.sin(2 * a)), eps, sigma, alpha


TAU_BY_STEIN = Formula(
    reference=tau_by_stein,
    inputs=_critic,
    tested="against −σ mean(Q′ε)/α, to 9 digits, for 8 random critics of 64 draws",
    slips={
        "absolute": Slip(
            lambda grad_Q, eps, sigma, alpha: sigma * abs(float((grad_Q * eps).mean())) / alpha,
            ("τ may be negative: where Q curves upwards. Nothing is to be made positive here.",),
        ),
        "one_sigma_too_few": Slip(
            lambda grad_Q, eps, sigma, alpha: -float((grad_Q * eps).mean()) / alpha,
            ("Check the units: τ has none, and Q′ has a 1/length in it. A σ is missing.",),
        ),
        "one_sigma_too_many": Slip(
            lambda grad_Q, eps, sigma, alpha: -(sigma**2) * float((grad_Q * eps).mean()) / alpha,
            ("Stein: E[Q′ε] = σE[Q″]. The mean is not E[Q″] yet: divide by σ.",),
        ),
        "noise_left_out": Slip(
            lambda grad_Q, eps, sigma, alpha: -sigma * float(grad_Q.mean()) / alpha,
            ("Stein's mean is of Q′ *times ε*: without the noise it is the slope, not the curve.",),
        ),
        "noise_below": Slip(
            lambda grad_Q, eps, sigma, alpha: -sigma * float((grad_Q / eps).mean()) / alpha,
            ("Q′ times ε, not divided by it: dividing by a small ε is worth nothing.",),
        ),
        "alpha_above": Slip(
            lambda grad_Q, eps, sigma, alpha: -sigma * alpha * float((grad_Q * eps).mean()),
            ("A high temperature makes τ small: which way does α go?",),
        ),
        "not_averaged": Slip(
            lambda grad_Q, eps, sigma, alpha: -sigma * (grad_Q * eps) / alpha,
            ("One number: an expectation is missing, the mean over draws.",),
        ),
        "covariance": Slip(
            lambda grad_Q, eps, sigma, alpha: (
                -sigma * float(np.cov(grad_Q, eps, bias=True)[0, 1]) / alpha
            ),
            ("A covariance takes off a product of means. Asked is the plain mean of Q′ε.",),
        ),
        "covariance_of_sample": Slip(
            lambda grad_Q, eps, sigma, alpha: -sigma * float(np.cov(grad_Q, eps)[0, 1]) / alpha,
            ("A covariance takes off a product of means. Asked is the plain mean of Q′ε.",),
        ),
        "regression": Slip(
            lambda grad_Q, eps, sigma, alpha: -sigma * float(np.polyfit(eps, grad_Q, 1)[0]) / alpha,
            (
                "The slope of a fitted line: less noisy than the mean, in fact. But what is asked "
                "for is Stein's mean, as it stands.",
            ),
        ),
        "sign": Slip(
            lambda g, eps, sigma, alpha: sigma * float((g * eps).mean()) / alpha,
            ("The size is right. k is *minus* the mean second derivative.",),
        ),
        "curvature": Slip(
            lambda g, eps, sigma, alpha: -float((g * eps).mean()) / sigma,
            ("This is k itself. τ = kσ²/α.",),
        ),
        "k_over_alpha": Slip(
            lambda g, eps, sigma, alpha: -float((g * eps).mean()) / (sigma * alpha),
            ("A σ² is missing: τ = kσ²/α.",),
        ),
        "stein_upside_down": Slip(
            lambda g, eps, sigma, alpha: -(sigma**3) * float((g * eps).mean()) / alpha,
            ("Stein: E[Q′ε] = σE[Q″]. Divide by σ to get E[Q″].",),
        ),
        "alpha_forgotten": Slip(
            lambda g, eps, sigma, alpha: -sigma * float((g * eps).mean()),
            ("Where is α?",),
        ),
        "means_multiplied": Slip(
            lambda g, eps, sigma, alpha: -sigma * float(g.mean() * eps.mean()) / alpha,
            ("The mean of the product, not the product of means.",),
        ),
        "summed": Slip(
            lambda g, eps, sigma, alpha: -sigma * float((g * eps).sum()) / alpha,
            ("A mean over the draws, not a sum.",),
        ),
    },
)


def typical_ratio(one: Array, other: Array) -> float:
    return float(np.exp(np.log(np.median(one / other, axis=1)).mean()))


def _variances(seed: int) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    return tuple(np.exp(rng.normal(0, 1, size=(3, 8)) * 1.5) for _ in range(2))  # type: ignore[return-value]


TYPICAL_RATIO = Formula(
    reference=typical_ratio,
    inputs=_variances,
    tested="against exp(mean over seeds of log(median over states of one/other)), to 9 digits, for "
    "8 random tables of 3 seeds and 8 states",
    slips={
        "log_before_median": Slip(
            lambda one, other: float(np.exp(np.median(np.log(one / other), axis=1).mean())),
            (
                "Nearly: a median of an even number of states is a mean of two, and the logarithm "
                "does not pass through that. First the median, then the logarithm.",
            ),
        ),
        "medians_of_all": Slip(
            lambda one, other: float(np.median(one) / np.median(other)),
            ("States differ far more than estimators do: compare within a state first.",),
        ),
        "geometric_over_all": Slip(
            lambda one, other: float(np.exp(np.log(one / other).mean())),
            ("A single odd state rules a mean, even of logarithms. Over states, take the median.",),
        ),
        "mean_of_all": Slip(
            lambda one, other: float((one / other).mean()),
            ("Plain means over states and seeds: a single odd state rules it.",),
        ),
        "median_of_all_logs": Slip(
            lambda one, other: float(np.exp(np.median(np.log(one / other)))),
            ("First a number for each seed, then over seeds.",),
        ),
        "median_of_medians": Slip(
            lambda one, other: float(np.median(np.median(one / other, axis=1))),
            ("Over seeds it is a mean, of logarithms.",),
        ),
        "each_seed": Slip(
            lambda one, other: np.median(one / other, axis=1),
            ("Right so far: a number for each seed. And over seeds?",),
        ),
        "exp_log_swapped": Slip(
            lambda one, other: float(np.log(np.exp(np.median(one / other, axis=1)).mean())),
            ("A geometric mean is exp of the mean of log, not log of the mean of exp.",),
        ),
        "base_ten": Slip(
            lambda one, other: float(10 ** np.log(np.median(one / other, axis=1)).mean()),
            ("np.log is natural: its inverse is exp, not a power of 10.",),
        ),
        "ratio_of_medians": Slip(
            lambda a, b: float(np.exp(np.log(np.median(a, axis=1) / np.median(b, axis=1)).mean())),
            (
                "States differ far more than estimators do: compare within a state first.",
                "The median of ratios, not the ratio of medians.",
            ),
        ),
        "plain_mean": Slip(
            lambda a, b: float(np.median(a / b, axis=1).mean()),
            ("A ratio of 10 and one of 1/10 should balance. Over seeds, which mean does that?",),
        ),
        "seeds_for_states": Slip(
            lambda a, b: float(np.exp(np.log(np.median(a / b, axis=0)).mean())),
            ("[seeds, states]: the median is over states.",),
        ),
        "upside_down": Slip(
            lambda a, b: 1 / typical_ratio(a, b),
            ("one / other, not other / one.",),
        ),
        "mean_over_states": Slip(
            lambda a, b: float(np.exp(np.log((a / b).mean(1)).mean())),
            ("A single odd state rules a mean. Over states, take the median.",),
        ),
        "all_at_once": Slip(
            lambda a, b: float(np.median(a / b)),
            (
                "The states of a seed share one critic: they are no independent runs.",
                "First a number for each seed, then over seeds.",
            ),
        ),
        "logarithm": Slip(
            lambda a, b: float(np.log(np.median(a / b, axis=1)).mean()),
            ("This is the logarithm of it.",),
        ),
    },
)


def leave_one_out_at(v2: float, v8: float, n: int) -> float:
    within, between = _parts(v2, v8)
    return within / n + between / (n * (n - 1))


def _parts(v2: float, v8: float) -> tuple[float, float]:
    """A and B of A/n + B/(n(n − 1)), from n = 2 and n = 8."""
    b = (v2 / 4 - v8) / (1 / 8 - 1 / 56)
    return 2 * v2 - b, b


def _pair(seed: int) -> tuple[float, float, int]:
    rng = np.random.default_rng(seed)
    a, b = rng.uniform(0.2, 3.0, size=2)
    return float(a / 2 + b / 2), float(a / 8 + b / 56), int(rng.integers(9, 64))


LEAVE_ONE_OUT_AT = Formula(
    reference=leave_one_out_at,
    inputs=_pair,
    tested="against A/n + B/(n(n − 1)) with the A and B that fit n = 2 and 8, to 9 digits, for 8 "
    "random cases; the notebook holds it against what was measured at n = 32",
    slips={
        "parts_swapped": Slip(
            lambda v2, v8, n: _parts(v2, v8)[1] / n + _parts(v2, v8)[0] / (n * (n - 1)),
            ("A and B are in each other's place.",),
        ),
        "fitted_to_n_squared": Slip(
            lambda v2, v8, n: (lambda b: (2 * v2 - b) / n + b / (n * (n - 1)))(
                (v8 - v2 / 4) / (1 / 64 - 1 / 8)
            ),
            ("At n = 8 the second part is B/(8·7), not B/64.",),
        ),
        "precedence": Slip(
            lambda v2, v8, n: _parts(v2, v8)[0] / n + _parts(v2, v8)[1] / n * (n - 1),
            ("x / n * (n - 1) is (x / n)·(n − 1) in Python: brackets.",),
        ),
        "n_forgotten": Slip(
            lambda v2, v8, n: _parts(v2, v8)[0] / n + _parts(v2, v8)[1] / (n - 1),
            ("The second part falls like 1/n²: an n is missing below.",),
        ),
        "sign": Slip(
            lambda v2, v8, n: _parts(v2, v8)[0] / n - _parts(v2, v8)[1] / (n * (n - 1)),
            ("Both parts add to the variance: look at a sign.",),
        ),
        "second_part_only": Slip(
            lambda v2, v8, n: 2 * v2 / (n * (n - 1)),
            ("As if all of v2 fell like 1/(n(n − 1)): it has a part that falls like 1/n.",),
        ),
        "solved_upside_down": Slip(
            lambda v2, v8, n: (lambda b: (v2 / 2 - b) / n + b / (n * (n - 1)))((v8 - 4 * v2) / 48),
            ("v2 = A/2 + B/2: A is *divided* by n. Your equations multiply.",),
        ),
        "one_over_n": Slip(
            lambda v2, v8, n: 8 * v8 / n,
            ("Only the first part falls like 1/n. The second is still there at n = 8.",),
        ),
        "one_over_n_from_2": Slip(
            lambda v2, v8, n: 2 * v2 / n,
            ("Only the first part falls like 1/n, and at n = 2 the second is as large.",),
        ),
        "n_squared": Slip(
            lambda v2, v8, n: (lambda b: (2 * v2 - b / 2) / n + b / n**2)(
                (v8 - v2 / 4) / (1 / 64 - 1 / 16)
            ),
            ("The second part has n(n − 1), not n².",),
        ),
        "line": Slip(
            lambda v2, v8, n: v8 + (v8 - v2) / 6 * (n - 8),
            ("This is a straight line through both; variances do not become negative.",),
        ),
        "first_part": Slip(
            lambda v2, v8, n: _parts(v2, v8)[0] / n,
            ("Right so far: this is the first part. The second is missing.",),
        ),
        "not_divided": Slip(
            lambda v2, v8, n: _parts(v2, v8)[0] + _parts(v2, v8)[1] / (n - 1),
            ("This is n times the variance.",),
        ),
    },
)


def without_first_term(tau: float) -> float:
    """Variance of sticking the landing over that of Eq. 13, for μ: ((τ − 1)/τ)²."""
    return (1 - 1 / tau) ** 2


WITHOUT_FIRST_TERM = Formula(
    reference=without_first_term,
    inputs=lambda seed: (float(np.random.default_rng(seed).uniform(0.2, 4.0)),),
    tested="the ratio of both variances for μ on a parabola, to 9 digits, for 8 random τ",
    slips={
        "not_squared": Slip(
            lambda tau: abs(1 - 1 / tau),
            ("That is a ratio of standard deviations.",),
        ),
        "upside_down": Slip(
            lambda tau: 1 / (1 - 1 / tau) ** 2,
            ("At τ = 1 sticking the landing has *no* variance. Yours?",),
        ),
        "by_alpha": Slip(
            lambda tau: (tau - 1) ** 2,
            ("Eq. 13's deviation is kσ: divide by that. In units of α/σ it is τ.",),
        ),
        "terms_added": Slip(
            lambda tau: 1 + 1 / tau**2,
            ("Both terms come from one ε: collect what stands before it, then square.",),
        ),
        "sign": Slip(
            lambda tau: (1 + 1 / tau) ** 2,
            ("The entropy pulls against Q: look at the sign between the two.",),
        ),
    },
)


def spend(eq13: float, v2: float, v8: float, price: float, budget: int) -> tuple[str, int]:
    """The better of the two that the whole budget pays for."""
    return _offered(eq13, v2, v8, price, budget).best


def _offered(eq13: float, v2: float, v8: float, price: float, budget: int) -> Case:
    offers = {
        "eq13": Offer(lambda n: (1 + price) * n, lambda n: eq13 / n),
        "leave_one_out": Offer(float, lambda n: leave_one_out_at(v2, v8, n), least=2),
    }
    told = f"for Eq. 13's {eq13:g}, {v2:g} at 2 and {v8:g} at 8, a gradient at {price:g}"
    return Case((eq13, v2, v8, price, budget), offers, budget, told)


def _all_for(name: str) -> Answer:
    def answer(eq13: float, v2: float, v8: float, price: float, budget: int) -> tuple[str, int]:
        return name, budget if name == "leave_one_out" else int(budget / (1 + price))

    return answer


def _scaled(eq13: float, v2: float, v8: float, price: float, budget: int) -> tuple[str, int]:
    n = int(budget / (1 + price))
    return ("leave_one_out", budget) if 2 * v2 / budget < eq13 / n else ("eq13", n)


def _any_offer() -> Iterator[Case]:
    rng = np.random.default_rng(0)
    while True:
        eq13, a, b, price = (float(x) for x in rng.uniform(0.2, 3.0, size=4))
        yield _offered(eq13, a / 2 + b / 2, a / 8 + b / 56, price, int(rng.integers(4, 12)))


SPEND = Design(
    cases=close(_any_offer(), each=40),
    tested="the variance of what the plan buys, by A/n + B/(n(n − 1)), for eighty critics, prices "
    "and budgets where the choice is close, against the best plan's; at most 5 % more is good",
    slips={
        "always_eq13": Slip(
            _all_for("eq13"),
            ("With many actions leave-one-out falls faster than 1/n at first: exercise 3.",),
        ),
        "always_leave_one_out": Slip(
            _all_for("leave_one_out"),
            ("Where the critic is steep it stays behind, whatever n is.",),
        ),
        "one_over_n": Slip(
            _scaled,
            ("From n = 2 it does not fall like 1/n: a part falls like 1/n².",),
        ),
    },
)

EXERCISES: dict[str, Exercise] = {
    "tau_by_stein": TAU_BY_STEIN,
    "typical_ratio": TYPICAL_RATIO,
    "leave_one_out_at": LEAVE_ONE_OUT_AT,
    "without_first_term": WITHOUT_FIRST_TERM,
    "spend": SPEND,
}

PREDICTIONS: dict[str, Prediction] = {"tau": Word("1", ("0.1", "1", "10"))}
