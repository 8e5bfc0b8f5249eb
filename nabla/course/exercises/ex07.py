"""Notebook 07, the variance shoot-out: its exercises and the slips they know."""

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from nabla.course.engine import (
    Answer,
    Case,
    Design,
    Exercise,
    Formula,
    Number,
    Offer,
    Prediction,
    Slip,
    close,
)

Array = np.ndarray


def variance_with_error(g: Tensor, exact: float) -> tuple[Tensor, Tensor]:
    """Mean of (g − exact)², and its standard error."""
    squares = (g - exact) ** 2
    return squares.mean(), squares.std() / math.sqrt(len(g))


def _draws(seed: int) -> tuple[Tensor, float]:
    rng = np.random.default_rng(seed)
    exact = float(rng.normal())
    return torch.tensor(exact + rng.standard_t(6, size=40 + seed)), exact


VARIANCE_WITH_ERROR = Formula(
    reference=variance_with_error,
    inputs=_draws,
    tested="the variance about the exact gradient and its standard error, to 9 digits, for 8 sets "
    "of heavy-tailed draws",
    slips={
        "all_of_the_draws": Slip(
            lambda g, exact: (g.var(), g.std() / math.sqrt(len(g))),
            (
                "Both numbers are of g: its variance, and the standard error of its *mean*.",
                "The variance is a mean, too: of the squares. Asked is for the error of that.",
            ),
        ),
        "absolute": Slip(
            lambda g, exact: (abs(g - exact).mean(), abs(g - exact).std() / math.sqrt(len(g))),
            ("These are distances. A variance is a mean of *squares*.",),
        ),
        "summed": Slip(
            lambda g, exact: (
                ((g - exact) ** 2).sum(),
                ((g - exact) ** 2).std() * math.sqrt(len(g)),
            ),
            ("A sum in the place of a mean.",),
        ),
        "variance_of_squares": Slip(
            lambda g, exact: (((g - exact) ** 2).mean(), ((g - exact) ** 2).var() / len(g)),
            ("This is the square of the standard error.",),
        ),
        "variance_over_root": Slip(
            lambda g, exact: (
                ((g - exact) ** 2).mean(),
                ((g - exact) ** 2).var() / math.sqrt(len(g)),
            ),
            ("A variance over √N: which of var and std goes with the root?",),
        ),
        "corrected_twice": Slip(
            lambda g, exact: (
                ((g - exact) ** 2).mean(),
                ((g - exact) ** 2).std() / math.sqrt(len(g) - 1),
            ),
            ("N − 1 is in it twice: torch's std has seen to that.",),
        ),
        "fitted_mean": Slip(
            lambda g, exact: (
                ((g - exact) ** 2).sum() / (len(g) - 1),
                ((g - exact) ** 2).std() / math.sqrt(len(g)),
            ),
            ("N − 1 makes up for a mean that was fitted. Here it is known.",),
        ),
        "population_about_own_mean": Slip(
            lambda g, exact: (
                ((g - g.mean()) ** 2).mean(),
                ((g - g.mean()) ** 2).std() / math.sqrt(len(g)),
            ),
            ("The squares are taken about the mean of the draws, but the exact one is known.",),
        ),
        "about_their_own_mean": Slip(
            lambda g, exact: (
                g.var(),
                ((g - g.mean()) ** 2).std() / math.sqrt(len(g)),
            ),
            (
                "The squares are taken about the mean of the draws.",
                "The exact gradient is known here: then the squares are independent draws, too.",
            ),
        ),
        "error_of_the_mean": Slip(
            lambda g, exact: (
                ((g - exact) ** 2).mean(),
                g.std() / math.sqrt(len(g)),
            ),
            (
                "That is the standard error of the mean of g, not of its variance.",
                "The variance is itself a mean, of certain numbers. How do those scatter?",
            ),
        ),
        "normal_theory": Slip(
            lambda g, exact: (
                ((g - exact) ** 2).mean(),
                ((g - exact) ** 2).mean() * math.sqrt(2 / len(g)),
            ),
            (
                "The factor √(2/N) is right for Gaussian draws only; gradients have heavy tails.",
                "Let the squares say themselves how they scatter.",
            ),
        ),
        "spread_of_one": Slip(
            lambda g, exact: (((g - exact) ** 2).mean(), ((g - exact) ** 2).std()),
            ("This is how far one square scatters. A mean of N scatters less.",),
        ),
        "divided_by_n": Slip(
            lambda g, exact: (((g - exact) ** 2).mean(), ((g - exact) ** 2).std() / len(g)),
            ("A variance falls like 1/N. And a standard deviation?",),
        ),
        "n_in_the_denominator": Slip(
            lambda g, exact: (
                ((g - exact) ** 2).mean(),
                ((g - exact) ** 2).std(correction=0) / math.sqrt(len(g)),
            ),
            ("Nearly: the docstring asks for the standard deviation with N − 1.",),
        ),
        "difference_of_moments": Slip(
            lambda g, exact: (
                (g**2).mean() - exact**2,
                (g**2).std() / math.sqrt(len(g)),
            ),
            (
                "Its mean is right, but the draws of g itself add to the noise: take the "
                "difference first, then square.",
            ),
        ),
        "deviation": Slip(
            lambda g, exact: (
                ((g - exact) ** 2).mean().sqrt(),
                ((g - exact) ** 2).std() / math.sqrt(len(g)),
            ),
            ("The first number is a standard deviation: the variance is its square.",),
        ),
    },
)


def what_a_budget_buys(variance: float, cost: float, budget: float) -> tuple[int, float]:
    """How many estimates, whole ones, and the variance of their mean."""
    n = math.floor(budget / cost)
    return n, variance / n


def _prices(seed: int) -> tuple[float, float, float]:
    rng = np.random.default_rng(seed)
    return float(rng.uniform(0.5, 9)), float(rng.uniform(1, 6)), float(rng.uniform(20, 99))


WHAT_A_BUDGET_BUYS = Formula(
    reference=what_a_budget_buys,
    inputs=_prices,
    tested="number of estimates and variance of their mean for 8 random prices",
    slips={
        "nearest": Slip(
            lambda variance, cost, budget: (
                round(budget / cost),
                variance / round(budget / cost),
            ),
            ("Rounded to the *nearest* whole number, the last one is sometimes not paid for.",),
        ),
        "over_the_price": Slip(
            lambda variance, cost, budget: (math.floor(budget / cost), variance / cost),
            ("A mean of n draws has an n-th of the variance: n is the first number.",),
        ),
        "n_squared": Slip(
            lambda variance, cost, budget: (
                math.floor(budget / cost),
                variance / math.floor(budget / cost) ** 2,
            ),
            ("The sum has n times the variance; the mean divides *that* by n².",),
        ),
        "one_less": Slip(
            lambda variance, cost, budget: (
                math.floor(budget / cost),
                variance / (math.floor(budget / cost) - 1),
            ),
            ("n − 1 belongs to a variance that is estimated. This one is known.",),
        ),
        "price_for_variance": Slip(
            lambda variance, cost, budget: what_a_budget_buys(variance, variance, budget),
            ("The budget is divided by what one estimate *costs*, not by its variance.",),
        ),
        "parts_of_an_estimate": Slip(
            lambda variance, cost, budget: (budget / cost, variance * cost / budget),
            ("There are no parts of an estimate: round the number of them down first.",),
        ),
        "rounded_up": Slip(
            lambda variance, cost, budget: (
                math.ceil(budget / cost),
                variance / math.ceil(budget / cost),
            ),
            ("The last estimate goes over the budget.",),
        ),
        "cost_forgotten": Slip(
            lambda variance, cost, budget: (math.floor(budget), variance / math.floor(budget)),
            ("Estimates have different prices: what is `cost` for?",),
        ),
        "no_gain": Slip(
            lambda variance, cost, budget: (math.floor(budget / cost), variance),
            ("That is the variance of one estimate. What is it for the mean of n?",),
        ),
        "sum": Slip(
            lambda variance, cost, budget: (
                math.floor(budget / cost),
                variance * math.floor(budget / cost),
            ),
            ("That is the variance of their sum.",),
        ),
        "root_n": Slip(
            lambda variance, cost, budget: (
                math.floor(budget / cost),
                variance / math.sqrt(math.floor(budget / cost)),
            ),
            ("Standard deviations fall like 1/√n. Variances?",),
        ),
        "deviation": Slip(
            lambda variance, cost, budget: (
                math.floor(budget / cost),
                math.sqrt(variance / math.floor(budget / cost)),
            ),
            ("The second number is a standard deviation.",),
        ),
    },
)


def second_moments(w: Array, F: Array, dF: Array, ddF: Array) -> tuple[float, float, float]:
    """Of reparameterization, of nabla-log, of nabla-log with b*; for μ, times σ²."""
    pathwise = w @ dF**2
    score = w @ (F**2 + 2 * dF**2 + 2 * F * ddF)
    baseline = w @ (F + ddF)
    return pathwise, score, score - baseline**2


def _integrand(seed: int) -> tuple[Array, Array, Array, Array]:
    """Gauss–Hermite weights, and a cubic plus a cosine there with two derivatives."""
    rng = np.random.default_rng(seed)
    x, w = np.polynomial.hermite_e.hermegauss(40)
    p = np.polynomial.Polynomial(rng.normal(size=4))
    k = rng.uniform(0.5, 2)
    return (
        w / w.sum(),
        p(x) + np.cos(k * x + 0.3),
        p.deriv()(x) - k * np.sin(k * x + 0.3),
        p.deriv(2)(x) - k**2 * np.cos(k * x + 0.3),
    )


def _moments(cross: float = 2, slopes: float = 2, square: float = 1, curve: float = 1) -> Answer:
    """The answer with other factors: of F F″, F′², F² in the score, F″ in the baseline."""

    def answer(w: Array, F: Array, dF: Array, ddF: Array) -> tuple[float, float, float]:
        score = w @ (square * F**2 + slopes * dF**2 + cross * F * ddF)
        return w @ dF**2, score, score - (w @ (F + curve * ddF)) ** 2

    return answer


def _variances(w: Array, F: Array, dF: Array, ddF: Array) -> tuple[float, ...]:
    return tuple(m - (w @ dF) ** 2 for m in second_moments(w, F, dF, ddF))


def _unsquared(w: Array, F: Array, dF: Array, ddF: Array) -> tuple[float, float, float]:
    path, score, _ = second_moments(w, F, dF, ddF)
    return path, score, score - w @ (F + ddF)


def _unweighted(w: Array, F: Array, dF: Array, ddF: Array) -> tuple[float, float, float]:
    same = np.full(len(w), 1 / len(w))
    return second_moments(same, F, dF, ddF)


SECOND_MOMENTS = Formula(
    reference=second_moments,
    inputs=_integrand,
    tolerance=1e-8,
    tested="all three second moments against quadrature, to 8 digits, for 8 integrands: a random "
    "cubic plus a random cosine",
    slips={
        "squared_slope_of_product": Slip(
            lambda w, F, dF, ddF: (
                w @ dF**2,
                w @ (F**2 + 4 * F * dF + dF**2),
                w @ (F**2 + 4 * F * dF + dF**2) - (w @ F) ** 2,
            ),
            ("Differentiate F² twice by ε: the product rule, at both steps.",),
        ),
        "baseline_squared_inside": Slip(
            lambda w, F, dF, ddF: (
                w @ dF**2,
                w @ (F**2 + 2 * dF**2 + 2 * F * ddF),
                w @ (F**2 + 2 * dF**2 + 2 * F * ddF) - w @ (F + ddF) ** 2,
            ),
            ("b* is a number: the mean first, then the square.",),
        ),
        "slope_squared_outside": Slip(
            lambda w, F, dF, ddF: ((w @ dF) ** 2, *second_moments(w, F, dF, ddF)[1:]),
            ("The first one is a square of a mean. Asked for is the mean of a square.",),
        ),
        "baseline_added": Slip(
            lambda w, F, dF, ddF: (
                *second_moments(w, F, dF, ddF)[:2],
                second_moments(w, F, dF, ddF)[1] + (w @ (F + ddF)) ** 2,
            ),
            ("The best baseline cannot make it larger: look at a sign.",),
        ),
        "baseline_twice": Slip(
            lambda w, F, dF, ddF: (
                *second_moments(w, F, dF, ddF)[:2],
                second_moments(w, F, dF, ddF)[1] - 2 * (w @ (F + ddF)) ** 2,
            ),
            ("−2b E[Fε²] + b² E[ε²]: at b = b* the two do not add to −2b*².",),
        ),
        "baseline_kurtosis": Slip(
            lambda w, F, dF, ddF: (
                *second_moments(w, F, dF, ddF)[:2],
                second_moments(w, F, dF, ddF)[1] - 3 * (w @ (F + ddF)) ** 2,
            ),
            ("b² stands with E[ε²], which is 1: E[ε⁴] = 3 is not in it.",),
        ),
        "noise_left_out": Slip(
            lambda w, F, dF, ddF: (w @ dF**2, w @ F**2, w @ F**2 - (w @ F) ** 2),
            ("The score has an ε: E[F²ε²], and not E[F²].",),
        ),
        "cross_term_once": Slip(
            _moments(cross=1),
            ("Look at the term with F F″: Stein's lemma is used twice, what factor does it get?",),
        ),
        "cross_term_missing": Slip(
            _moments(cross=0),
            ("The derivative of F F′ has two parts.",),
        ),
        "cross_term_sign": Slip(
            _moments(cross=-2),
            ("Stein's lemma has no minus sign: the density's own derivative takes it away.",),
        ),
        "slopes_once": Slip(
            _moments(slopes=1),
            ("The term with F′² is too small: differentiate F² twice.",),
        ),
        "square_missing": Slip(
            _moments(square=0),
            ("E[ε·G] with G = εF²: what is the derivative of the first factor?",),
        ),
        "value_as_baseline": Slip(
            _moments(curve=0),
            (
                "The third one has the mean of F as its baseline. That is not the best one.",
                "b* = E[Fε²]. Use Stein's lemma on it, too.",
            ),
        ),
        "baseline_sign": Slip(
            _moments(curve=-1),
            ("b* = E[Fε²] = E F plus something, not minus.",),
        ),
        "variances": Slip(
            _variances,
            ("These are the variances. Asked for are second moments: nothing is subtracted.",),
        ),
        "baseline_not_squared": Slip(
            _unsquared,
            ("(F − b)²ε² has E[ε²] b² in it: check the power of the baseline.",),
        ),
        "weights_ignored": Slip(
            _unweighted,
            ("Nodes are not draws: the expectation is the sum of w times the values.",),
        ),
    },
)


def nabla_log_variances(k: float, delta: float, sigma: float, alpha: float) -> tuple[float, float]:
    """Variance of ∂J/∂μ for Q = −k(a − m)²/2: baseline V, baseline b*."""
    return nabla_log_variances_of(k * delta * sigma, k * sigma**2 - alpha, sigma)


def nabla_log_variances_of(u: float, B: float, sigma: float) -> tuple[float, float]:
    """From the slope u and the curvature B of the cost along ε."""
    return (2 * u**2 + 2.5 * B**2) / sigma**2, (2 * u**2 + 1.5 * B**2) / sigma**2


def _curve(seed: int) -> tuple[float, ...]:
    rng = np.random.default_rng(seed)
    return tuple(float(x) for x in rng.uniform(0.2, 2.0, size=4))


def _forms(
    linear: float = 2, value: float = 2.5, best: float = 1.5, sign: float = -1, power: int = 2
) -> Answer:
    """The answer with other factors."""

    def answer(k: float, delta: float, sigma: float, alpha: float) -> tuple[float, float]:
        u2, B2 = (k * delta * sigma) ** 2, (k * sigma**2 + sign * alpha) ** 2
        return (
            (linear * u2 + value * B2) / sigma**power,
            (linear * u2 + best * B2) / sigma**power,
        )

    return answer


NABLA_LOG_VARIANCES = Formula(
    reference=nabla_log_variances,
    inputs=_curve,
    tested="both variances against their closed forms, to 9 digits, for 8 random (k, δ, σ, α); the "
    "notebook compares the forms with exact_moments",
    slips={
        "one_sigma": Slip(
            _forms(power=1),
            ("The score is ε/σ, and a variance has it squared.",),
        ),
        "second_moments_of_both": Slip(
            _forms(linear=3, value=3.75),
            ("These are second moments about V = 0: no baseline, no mean taken off.",),
        ),
        "step_without_sigma": Slip(
            lambda k, delta, sigma, alpha: nabla_log_variances_of(
                k * delta, k * sigma**2 - alpha, sigma
            ),
            ("Along ε the linear part of the cost is kδσ·ε: a σ is missing.",),
        ),
        "curvature_without_square": Slip(
            lambda k, delta, sigma, alpha: nabla_log_variances_of(
                k * delta * sigma, k * sigma - alpha, sigma
            ),
            ("Along ε the cost curves by kσ² − α: σ comes in twice.",),
        ),
        "curvature_not_halved": Slip(
            _forms(value=10, best=6),
            ("The cost has ½(kσ² − α)ε²: a half is missing, and it is squared.",),
        ),
        "linear_once": Slip(
            _forms(linear=1),
            ("E[(uε·ε)²] = u²E[ε⁴], and the square of the mean, u², comes off.",),
        ),
        "second_moments": Slip(
            _forms(linear=3),
            ("These are second moments: subtract the square of the mean, kδ.",),
        ),
        "no_baseline": Slip(
            _forms(value=3.75, best=3.75),
            ("No baseline is in it: it changes what stands before the square of the curvature.",),
        ),
        "value_twice": Slip(
            _forms(best=2.5),
            (
                "The second one is the variance with V, too.",
                "Minimise over b: its best value is E[cost·ε²], not the mean of the cost.",
            ),
        ),
        "best_twice": Slip(
            _forms(value=1.5),
            ("The first one is the best baseline's. V is the plain mean of the cost.",),
        ),
        "sign_inside": Slip(
            _forms(sign=1),
            ("Q curves the cost one way and α log π the other: look at the sign between them.",),
        ),
        "alpha_forgotten": Slip(
            _forms(sign=0),
            ("The cost is α log π − Q: its curvature has a part with α.",),
        ),
        "units": Slip(
            _forms(power=0),
            ("The score is ε/σ: a length is missing.",),
        ),
    },
)


def fair_price(tau: float) -> float:
    """Variance of nabla-log with b* over that of Eq. 13, for μ at δ = 0."""
    return 1.5 * (1 - 1 / tau) ** 2


FAIR_PRICE = Formula(
    reference=fair_price,
    inputs=lambda seed: (float(np.random.default_rng(seed).uniform(0.1, 4.0)),),
    tested="the ratio of both variances for μ at δ = 0, to 9 digits, for 8 random τ",
    slips={
        "upside_down": Slip(
            lambda tau: 1 / (1.5 * (1 - 1 / tau) ** 2),
            ("The more the *other* one varies, the more this one may cost.",),
        ),
        "value_for_best": Slip(
            lambda tau: 2.5 * (1 - 1 / tau) ** 2,
            ("That is with V as the baseline. Asked is the best one, b*.",),
        ),
        "without_baseline": Slip(
            lambda tau: 3.75 * (1 - 1 / tau) ** 2,
            ("That is with no baseline but the mean cost left out. Asked is b*.",),
        ),
        "alpha_for_k": Slip(
            lambda tau: 1.5 * (tau - 1) ** 2,
            ("Eq. 13's variance is k²σ²: divide by that, not by (α/σ)².",),
        ),
        "root": Slip(
            lambda tau: math.sqrt(1.5) * abs(1 - 1 / tau),
            ("A ratio of standard deviations. Twice the deviation takes *four* times the draws.",),
        ),
        "sticking": Slip(
            lambda tau: (1 - 1 / tau) ** 2,
            ("That is sticking the landing against Eq. 13. Nabla-log has another factor.",),
        ),
    },
)


def leave_one_out_variance(k: float, delta: float, sigma: float, alpha: float, n: int) -> float:
    """Of ∂J/∂μ with n actions, for Q = −k(a − m)²/2: A/n + B/(n(n − 1))."""
    u, B = k * delta * sigma, k * sigma**2 - alpha
    own = nabla_log_variances_of(u, B, sigma)[0]
    others = (u**2 + B**2 / 2 + u**2) / sigma**2  # Var[cost] E[s²] + E[cost·s]²
    return own / n + others / (n * (n - 1))


def plan(
    k: float, delta: float, sigma: float, alpha: float, price: float, budget: int
) -> tuple[str, int]:
    """The better of the two that the whole budget pays for."""
    case = _shop(k, delta, sigma, alpha, price, budget)
    return case.best


def _shop(k: float, delta: float, sigma: float, alpha: float, price: float, budget: int) -> Case:
    offers = {
        "eq13": Offer(lambda n: (1 + price) * n, lambda n: (k * sigma) ** 2 / n),
        "leave_one_out": Offer(
            float, lambda n: leave_one_out_variance(k, delta, sigma, alpha, n), least=2
        ),
    }
    told = f"for k = {k:g}, δ = {delta:g}, σ = {sigma:g}, α = {alpha:g}, a gradient at {price:g}"
    return Case((k, delta, sigma, alpha, price, budget), offers, budget, told)


def _whole(name: str) -> Answer:
    def answer(
        k: float, delta: float, sigma: float, alpha: float, price: float, budget: int
    ) -> tuple[str, int]:
        return name, budget if name == "leave_one_out" else int(budget / (1 + price))

    return answer


def _price_blind(
    k: float, delta: float, sigma: float, alpha: float, price: float, budget: int
) -> tuple[str, int]:
    loo = nabla_log_variances(k, delta, sigma, alpha)[0] < (k * sigma) ** 2
    return _whole("leave_one_out" if loo else "eq13")(k, delta, sigma, alpha, price, budget)


def _any_shop() -> Iterator[Case]:
    rng = np.random.default_rng(0)
    while True:
        k, sigma, alpha, price = (float(x) for x in rng.uniform(0.2, 2.0, size=4))
        delta, budget = float(rng.normal()), int(rng.integers(4, 12))
        yield _shop(k, delta, sigma, alpha, price, budget)


PLAN = Design(
    cases=close(_any_shop(), each=40),
    tested="the exact variance for μ of what the plan buys, for eighty problems, prices and "
    "budgets where the choice is close, against the best plan's; at most 5 % more is good",
    slips={
        "always_eq13": Slip(
            _whole("eq13"),
            (
                "Near the optimum the cost is nearly flat: nabla-log has little to be noisy of.",
                "And a gradient has its price.",
            ),
        ),
        "always_leave_one_out": Slip(
            _whole("leave_one_out"),
            ("Far from the optimum the cost is steep: its score is noisy, and Eq. 13 is not.",),
        ),
        "price_ignored": Slip(
            _price_blind,
            ("Compared is one estimate with one. What do the two cost?",),
        ),
    },
)

EXERCISES: dict[str, Exercise] = {
    "variance_with_error": VARIANCE_WITH_ERROR,
    "what_a_budget_buys": WHAT_A_BUDGET_BUYS,
    "second_moments": SECOND_MOMENTS,
    "nabla_log_variances": NABLA_LOG_VARIANCES,
    "fair_price": FAIR_PRICE,
    "plan": PLAN,
}

PREDICTIONS: dict[str, Prediction] = {
    "parabola": Number(lambda: (15 - 3**2) / 4),
    "worst": Number(lambda: 4.5),
}
