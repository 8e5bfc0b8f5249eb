"""Notebook 12, bring your own: its exercises and the slips they know."""

import math
from collections.abc import Callable, Iterator
from statistics import NormalDist

import numpy as np
import torch
from torch import Tensor

from estimators import (
    Estimator,
    Gaussian,
    Noise,
    Objective,
    leave_one_out,
    log_det_tanh,
    reparameterization,
    score_function,
    squash,
)
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
    Surrogate,
    close,
)
from nabla.course.exercises.ex05 import ALL, MOMENTS, PROBLEMS, lopsided
from nabla.course.exercises.ex05 import problem as _problem


def squashed_loss(
    mu: Tensor, log_std: Tensor, eps: Tensor, Q: Answer, alpha: float | Tensor
) -> Tensor:
    u = mu + log_std.exp() * eps
    log_prob = Gaussian(mu, log_std).log_prob(u) - log_det_tanh(u)
    return alpha * log_prob - Q(torch.tanh(u))


def from_loss(answer: Answer) -> Estimator:
    """The estimator whose surrogate is the loss, one draw of ε for each policy."""

    def estimator(policy: Gaussian, objective: Objective, rng: Noise, n: int = 1) -> Tensor:
        eps = rng.normal(tuple(policy.mu.shape), policy.mu)
        value = answer(policy.mu, policy.log_std, eps, lopsided, objective.alpha)
        if value is None:
            raise NotImplementedError
        return value

    return estimator


def _density(mu: Tensor, log_std: Tensor, u: Tensor) -> Tensor:
    return Gaussian(mu, log_std).log_prob(u)


def _wrong_sign(mu: Tensor, log_std: Tensor, eps: Tensor, Q: Answer, alpha: float) -> Tensor:
    u = mu + log_std.exp() * eps
    return alpha * (_density(mu, log_std, u) + log_det_tanh(u)) - Q(torch.tanh(u))


def _squashed_again(mu: Tensor, log_std: Tensor, eps: Tensor, Q: Answer, alpha: float) -> Tensor:
    u = mu + log_std.exp() * eps
    a = torch.tanh(u)
    return alpha * (_density(mu, log_std, u) - log_det_tanh(a)) - Q(a)


def _at_the_action(mu: Tensor, log_std: Tensor, eps: Tensor, Q: Answer, alpha: float) -> Tensor:
    u = mu + log_std.exp() * eps
    a = torch.tanh(u)
    return alpha * (_density(mu, log_std, a) - log_det_tanh(u)) - Q(a)


def _unsquashed_q(mu: Tensor, log_std: Tensor, eps: Tensor, Q: Answer, alpha: float) -> Tensor:
    u = mu + log_std.exp() * eps
    return alpha * (_density(mu, log_std, u) - log_det_tanh(u)) - Q(u)


def _not_squashed(mu: Tensor, log_std: Tensor, eps: Tensor, Q: Answer, alpha: float) -> Tensor:
    u = mu + log_std.exp() * eps
    return alpha * _density(mu, log_std, u) - Q(u)


def _log_std_for_sigma(mu: Tensor, log_std: Tensor, eps: Tensor, Q: Answer, alpha: float) -> Tensor:
    u = mu + log_std * eps
    return alpha * (_density(mu, log_std, u) - log_det_tanh(u)) - Q(torch.tanh(u))


def _reduced(density: Answer, log_det: Answer) -> Answer:
    """The loss with other ways to put the coordinates together."""

    def answer(mu: Tensor, log_std: Tensor, eps: Tensor, Q: Answer, alpha: float) -> Tensor:
        u = mu + log_std.exp() * eps
        each = Gaussian(mu[..., None], log_std[..., None]).log_prob(u[..., None])
        log_prob = density(each) - log_det(log_det_tanh(u[..., None]))
        return alpha * log_prob - Q(torch.tanh(u))

    return answer


def _with_log_det(each: Answer) -> Answer:
    """The loss with another log-determinant of each coordinate, made from a."""

    def answer(mu: Tensor, log_std: Tensor, eps: Tensor, Q: Answer, alpha: float) -> Tensor:
        u = mu + log_std.exp() * eps
        a = torch.tanh(u)
        return alpha * (_density(mu, log_std, u) - each(a).sum(-1)) - Q(a)

    return answer


def _alpha_on_density(mu: Tensor, log_std: Tensor, eps: Tensor, Q: Answer, alpha: float) -> Tensor:
    u = mu + log_std.exp() * eps
    return alpha * _density(mu, log_std, u) - log_det_tanh(u) - Q(torch.tanh(u))


def _detached_in_density(
    mu: Tensor, log_std: Tensor, eps: Tensor, Q: Answer, alpha: float
) -> Tensor:
    u = mu + log_std.exp() * eps
    log_prob = _density(mu, log_std, u.detach()) - log_det_tanh(u)
    return alpha * log_prob - Q(torch.tanh(u))


SATURATED = _problem(-25.0, 1.0, 0.4)  # where tanh u rounds to −1, and log(1 − a²) to −∞

MY_LOSS = Surrogate(
    reference=reparameterization,
    problems=[(policy, squash(objective)) for policy, objective in [*PROBLEMS, SATURATED]],
    adapt=from_loss,
    tested=f"{ALL} for a = tanh u, Q = 0.7a − 0.4a² + 0.3a³ + cos 2a, at three (μ, σ, α),"
    " one of them far out, at μ = −25",
    slips={
        "averaged_log_det": Slip(
            _reduced(lambda each: each.sum(-1), lambda each: each.mean(-1)),
            (
                "In one dimension it is right. How are the log-determinants put together?",
                "The determinant of a diagonal matrix is the *product* of its entries.",
            ),
        ),
        "averaged_both": Slip(
            _reduced(lambda each: each.mean(-1), lambda each: each.mean(-1)),
            (
                "In one dimension it is right. What is log π of an action with two coordinates?",
                "Independent coordinates: densities multiply, so their logarithms add.",
            ),
        ),
        "first_log_det": Slip(
            _reduced(lambda each: each.sum(-1), lambda each: each[..., 0]),
            ("In one dimension it is right. Which coordinates does the log-determinant know of?",),
        ),
        "alpha_on_the_density_only": Slip(
            _alpha_on_density,
            ("α weighs the whole of log π(a), the log-determinant too: brackets?",),
        ),
        "clamped": Slip(
            _with_log_det(lambda a: torch.log((1 - a**2).clamp(min=1e-6))),
            ("A clamp makes it finite, and its derivative zero, where tanh saturates.",),
        ),
        "small_epsilon": Slip(
            _with_log_det(lambda a: torch.log(1 - a**2 + 1e-8)),
            ("No epsilon is small enough where tanh saturates: 1 − tanh² u has another form.",),
        ),
        "detached_in_density": Slip(
            _detached_in_density,
            ("Inside log π the action is cut off from μ and σ. Nothing is detached in Eq. 12.",),
        ),
        "log_det_sign": Slip(
            _wrong_sign,
            (
                "The log-determinant has the wrong sign.",
                "tanh squeezes: where it is flat, the density of a is larger than that of u.",
            ),
        ),
        "log_det_of_action": Slip(
            _squashed_again,
            (
                "The log-determinant is taken at the wrong place.",
                "It is a function of u; given a, it would be log(1 − a²), without another tanh.",
            ),
        ),
        "density_at_action": Slip(
            _at_the_action,
            ("The Gaussian is the distribution of u, not of tanh u: where is it evaluated?",),
        ),
        "q_unsquashed": Slip(_unsquashed_q, ("Q wants an action, and an action is tanh u.",)),
        "not_squashed": Slip(
            _not_squashed,
            ("This is the loss of a = u: the policy is not squashed anywhere.",),
        ),
        "log_std_for_sigma": Slip(
            _log_std_for_sigma, ("log_std is log σ: which function of it multiplies ε?",)
        ),
    },
    hints={
        "log_det_forgotten": (
            "The density is that of u. The loss needs that of a = tanh u.",
            "Change of variables: log π(a) = log π(u) − log |da/du|.",
        ),
        "log_det_twice": ("The log-determinant of tanh is in it once too often.",),
        "log_det_epsilon": (
            "Nearly. An epsilon inside the logarithm moves the gradient, a little.",
            "1 − tanh² u has a form that never underflows: log_det_tanh.",
        ),
        "sign": ("It is minus the loss: the actor descends α log π − Q.",),
        "sign_of_q": ("Q has the wrong sign: the actor minimises α log π − Q.",),
        "sign_of_entropy": ("α log π has the wrong sign: entropy is punished.",),
        "missing_entropy": ("The entropy is not felt: is log π detached, or left out?",),
        "alpha_forgotten": ("Where is α?",),
        "detached_cost": ("Q is not felt: is the action cut off from μ and σ?",),
        "not_finite": (
            "Far out tanh u rounds to ±1: what is log(1 − a²) there?",
            "Notebook 09 has a form that holds everywhere: log_det_tanh.",
        ),
        "noise_density": (
            "A part of log π's gradient is missing: −log σ, or the path through u.",
            "Is u detached inside log π?",
        ),
        "missing_gradient": ("No gradient arrives: is something detached?",),
    },
)


def _z(p: float) -> float:
    """z with P(N(0, 1) > z) = p."""
    return -NormalDist().inv_cdf(p)


def estimates_needed(delta: float, false_alarm: float, miss: float, entries: int) -> float:
    return ((_z(false_alarm / (2 * entries)) + _z(miss)) / delta) ** 2


def _plans(seed: int) -> tuple[float, float, float, int]:
    rng = np.random.default_rng(seed)
    delta, alarm, miss = 10 ** rng.uniform([-2.5, -7, -4], [-0.5, -2, -0.7])
    return float(delta), float(alarm), float(miss), int(rng.integers(2, 9))


ESTIMATES_NEEDED = Formula(
    reference=estimates_needed,
    inputs=_plans,
    tested="against ((z of the alarm + z of the miss)/δ)², to 9 digits, for 8 random plans",
    slips={
        "one_sided_of_one": Slip(
            lambda delta, false_alarm, miss, entries: ((_z(false_alarm) + _z(miss)) / delta) ** 2,
            (
                "As if there were one entry and one side.",
                "The alarm is shared by all entries, and each has two tails.",
            ),
        ),
        "squares_added": Slip(
            lambda delta, false_alarm, miss, entries: (
                (_z(false_alarm / (2 * entries)) ** 2 + _z(miss) ** 2) / delta**2
            ),
            ("The two distances add, on one line; the square is of their sum.",),
        ),
        "multiplied_share": Slip(
            lambda delta, false_alarm, miss, entries: (
                ((_z(false_alarm * entries / 2) + _z(miss)) / delta) ** 2
            ),
            ("More entries leave *less* of the rate for each: divide.",),
        ),
        "times_entries": Slip(
            lambda delta, false_alarm, miss, entries: (
                entries * ((_z(false_alarm / 2) + _z(miss)) / delta) ** 2
            ),
            ("An estimate has all entries at once: what they share is the false alarm.",),
        ),
        "delta_not_squared": Slip(
            lambda delta, false_alarm, miss, entries: (
                (_z(false_alarm / (2 * entries)) + _z(miss)) ** 2 / delta
            ),
            ("The square is of the whole quotient: half a bias takes four times the draws.",),
        ),
        "probability_for_quantile": Slip(
            lambda delta, false_alarm, miss, entries: (
                ((NormalDist().cdf(false_alarm / (2 * entries)) + NormalDist().cdf(miss)) / delta)
                ** 2
            ),
            ("cdf turns a point into a probability. Wanted is the other way: inv_cdf.",),
        ),
        "one_sided": Slip(
            lambda delta, alarm, miss, p: ((_z(alarm / p) + _z(miss)) / delta) ** 2,
            ("A bias can be positive or negative: there are two tails.",),
        ),
        "no_bonferroni": Slip(
            lambda delta, alarm, miss, p: ((_z(alarm / 2) + _z(miss)) / delta) ** 2,
            (
                "The rate is for the whole check, and every entry may raise the alarm.",
                "The entries share it: `false_alarm` divided by their number.",
            ),
        ),
        "even_odds": Slip(
            lambda delta, alarm, miss, p: (_z(alarm / (2 * p)) / delta) ** 2,
            (
                "So many put a bias of δ right at the limit: every second check misses it.",
                "The mean varies, too. How far above the limit must the bias lie?",
            ),
        ),
        "not_squared": Slip(
            lambda delta, alarm, miss, p: (_z(alarm / (2 * p)) + _z(miss)) / delta,
            ("This is √n: a standard error falls like 1/√n.",),
        ),
        "miss_two_sided": Slip(
            lambda delta, alarm, miss, p: ((_z(alarm / (2 * p)) + _z(miss / 2)) / delta) ** 2,
            ("A bias of +δ is missed on one side only: the miss has a single tail.",),
        ),
        "miss_shared": Slip(
            lambda delta, alarm, miss, p: ((_z(alarm / (2 * p)) + _z(miss / p)) / delta) ** 2,
            ("The alarm is shared by the entries; the miss is of one entry that is off.",),
        ),
        "wrong_tail": Slip(
            lambda delta, alarm, miss, p: ((_z(alarm / (2 * p)) - _z(miss)) / delta) ** 2,
            ("One of the two quantiles comes from the other end of the bell.",),
        ),
    },
)


def antithetic(policy: Gaussian, objective: Objective, rng: Noise, n: int = 1) -> Tensor:
    """½ Σ± cost(μ ± σε) ∇_θ log π_θ(μ ± σε)"""
    eps = rng.normal((n, *policy.mu.shape), policy.mu)
    step = policy.log_std.exp() * eps
    a = torch.stack([policy.mu + step, policy.mu - step]).detach()
    return (objective.cost(policy, a).detach() * policy.log_prob(a)).mean(0).mean(0)


def _pair(policy: Gaussian, rng: Noise) -> Tensor:
    step = policy.log_std.exp() * rng.normal(tuple(policy.mu.shape), policy.mu)
    return torch.stack([policy.mu + step, policy.mu - step])


def _attached_pair(policy: Gaussian, objective: Objective, rng: Noise) -> Tensor:
    a = _pair(policy, rng)
    return (objective.cost(policy, a).detach() * policy.log_prob(a)).mean(0)


def _summed(policy: Gaussian, objective: Objective, rng: Noise) -> Tensor:
    a = _pair(policy, rng).detach()
    return (objective.cost(policy, a).detach() * policy.log_prob(a)).sum(0)


def _difference(policy: Gaussian, objective: Objective, rng: Noise) -> Tensor:
    a = _pair(policy, rng).detach()
    c = objective.cost(policy, a).detach()
    return (c[0] - c[1]) / 2 * policy.log_prob(a[0])


def _mean_cost(policy: Gaussian, objective: Objective, rng: Noise) -> Tensor:
    a = _pair(policy, rng).detach()
    return objective.cost(policy, a).detach().mean(0) * policy.log_prob(a).mean(0)


def _path_pair(policy: Gaussian, objective: Objective, rng: Noise) -> Tensor:
    return objective.cost(policy, _pair(policy, rng)).mean(0)


def _two_draws(policy: Gaussian, objective: Objective, rng: Noise) -> Tensor:
    return score_function(policy, objective, rng, n=2)


def _leave_one_out(policy: Gaussian, objective: Objective, rng: Noise) -> Tensor:
    return score_function(policy, objective, rng, n=2, baseline=leave_one_out)


def _about_zero(policy: Gaussian, objective: Objective, rng: Noise) -> Tensor:
    a = _pair(policy, rng)[0].detach()
    a = torch.stack([a, -a])
    return (objective.cost(policy, a).detach() * policy.log_prob(a)).mean(0)


def _weighed(weigh: Callable[[Tensor], Tensor]) -> Answer:
    """With other weights for the two actions, made from their costs [2, *batch]."""

    def answer(policy: Gaussian, objective: Objective, rng: Noise) -> Tensor:
        a = _pair(policy, rng).detach()
        return (weigh(objective.cost(policy, a).detach()) * policy.log_prob(a)).mean(0)

    return answer


def _q_for_cost(policy: Gaussian, objective: Objective, rng: Noise) -> Tensor:
    a = _pair(policy, rng).detach()
    return (objective.Q(a).detach() * policy.log_prob(a)).mean(0)


def _half_of_one(policy: Gaussian, objective: Objective, rng: Noise) -> Tensor:
    return score_function(policy, objective, rng) / 2


def _log_std_for_std(policy: Gaussian, objective: Objective, rng: Noise) -> Tensor:
    step = policy.log_std * rng.normal(tuple(policy.mu.shape), policy.mu)
    a = torch.stack([policy.mu + step, policy.mu - step]).detach()
    return (objective.cost(policy, a).detach() * policy.log_prob(a)).mean(0)


ANTITHETIC = Surrogate(
    reference=antithetic,
    problems=PROBLEMS,
    tested=MOMENTS,
    slips={
        "difference_only": Slip(
            _difference,
            (
                "For μ it is right. For log σ something is lost.",
                "The score for log σ is even in ε: both halves of the pair pull the same way.",
            ),
        ),
        "one_of_two": Slip(
            _half_of_one,
            ("It is half of the gradient: one action, and the ½ of two. Where is the other?",),
        ),
        "about_zero": Slip(
            _about_zero,
            ("The pair lies about μ, not about 0: the *noise* changes its sign, not the action.",),
        ),
        "each_others_baseline": Slip(
            _weighed(lambda cost: cost - cost.flip(0)),
            (
                "The other action's cost is subtracted. But that action is not independent.",
                "With the same ε in both, a baseline from one of them is biased for the other.",
            ),
        ),
        "scores_subtracted": Slip(
            _weighed(lambda cost: torch.stack([cost[0], -cost[1]])),
            ("Both halves are added: the sign of ε is in the action already.",),
        ),
        "q_for_cost": Slip(
            _q_for_cost,
            ("The weight is Q. The cost is α log π − Q: an entropy is missing, and a sign.",),
        ),
        "log_std_for_sigma": Slip(
            _log_std_for_std, ("log_std is log σ: which function of it multiplies ε?",)
        ),
        "product_of_means": Slip(
            _mean_cost,
            (
                "The mean of products is not the product of means.",
                "Each action's cost belongs to its own score.",
            ),
        ),
    },
    methods={
        "one_action": Slip(
            score_function,
            ("Only one of the two actions is used.",),
        ),
        "two_draws": Slip(
            _two_draws,
            (
                "These are two independent actions: two draws of ε.",
                "One draw of ε, used twice: once with each sign.",
            ),
        ),
        "leave_one_out": Slip(
            _leave_one_out,
            ("This is leave-one-out on two independent actions. Draw ε once.",),
        ),
        "antithetic_path": Slip(
            _path_pair,
            (
                "The pair is right, the estimator is the reparameterized one: the action moves.",
                "Score function: actions are held fixed, the cost is a number, log π moves.",
            ),
        ),
        "reparameterization": Slip(
            reparameterization,
            ("This is the reparameterized estimator, of a single action.",),
        ),
    },
    hints={
        "factor_n": ("It is twice the gradient: is the pair summed, not averaged?",),
        "factor": ("It is the gradient times a constant: is the pair averaged?",),
        "attached_action": ("The actions move with θ. Are they detached?",),
        "attached_cost": ("The cost is differentiated as well: hold it fixed.",),
        "sign": ("The sign: descent on α log π − Q.",),
        "sign_of_q": ("Q has the wrong sign: the cost is α log π − Q.",),
        "missing_entropy": ("The cost is α log π − Q; one of the two is missing.",),
        "alpha_forgotten": ("Where is α? objective.cost weighs it.",),
        "missing_gradient": ("No gradient arrives: is log π detached as well?",),
        "detached_cost": ("Q is not felt.",),
    },
)


def variance_within(variance: float, cost: float, budget: float) -> float:
    return variance / math.floor(budget / cost)


def _purse(seed: int) -> tuple[float, ...]:
    rng = np.random.default_rng(seed)
    cost = rng.uniform(1.0, 5.0)
    return float(rng.uniform(0.5, 9.0)), float(cost), float(cost * rng.uniform(2.1, 30))


VARIANCE_WITHIN = Formula(
    reference=variance_within,
    inputs=_purse,
    tested="against the variance of the mean of as many whole estimates as the budget pays, for 8 "
    "random cases",
    slips={
        "nearest": Slip(
            lambda v, c, b: v / round(b / c),
            ("Rounded to the *nearest* whole number, the last one is sometimes not paid for.",),
        ),
        "price_forgotten": Slip(
            lambda v, c, b: v / b,
            ("The number of estimates is not the budget: each costs something.",),
        ),
        "root_n": Slip(
            lambda v, c, b: v / math.sqrt(math.floor(b / c)),
            ("Standard deviations fall like 1/√m. Variances?",),
        ),
        "price_above": Slip(
            lambda v, c, b: v / (b * c),
            ("A dearer estimate makes *fewer*: which way does the cost go?",),
        ),
        "one_less": Slip(
            lambda v, c, b: v / (math.floor(b / c) - 1),
            ("m − 1 belongs to a variance that is estimated. This one is known.",),
        ),
        "price_twice": Slip(
            lambda v, c, b: v / math.floor(b / c) / c,
            ("The cost is in it twice: it has made the number of estimates already.",),
        ),
        "not_whole": Slip(
            lambda v, c, b: v * c / b,
            ("Half an estimate cannot be bought. (Without that, it is right: variance × cost.)",),
        ),
        "rounded_up": Slip(
            lambda v, c, b: v / math.ceil(b / c),
            ("That is one more than the budget pays.",),
        ),
        "standard_deviation": Slip(
            lambda v, c, b: math.sqrt(v / math.floor(b / c)),
            ("This is the standard deviation.",),
        ),
        "of_the_sum": Slip(
            lambda v, c, b: v * math.floor(b / c),
            ("This is the variance of their sum. The mean divides by their number, squared.",),
        ),
        "squared": Slip(
            lambda v, c, b: v / math.floor(b / c) ** 2,
            ("m independent draws: the sum's variance is m times as large, and then?",),
        ),
        "inverted": Slip(
            lambda v, c, b: v * c,
            ("This is the work, variance × cost. What does the budget buy?",),
        ),
    },
)


def pair_against_two(variance: float, covariance: float) -> float:
    """Variance of the mean of an antithetic pair over that of two independent draws."""
    return 1 + covariance / variance


def _halves(seed: int) -> tuple[float, float]:
    rng = np.random.default_rng(seed)
    v = float(rng.uniform(0.5, 9.0))
    return v, float(v * rng.uniform(-0.9, 0.9))


PAIR_AGAINST_TWO = Formula(
    reference=pair_against_two,
    inputs=_halves,
    tested="the ratio of both variances, to 9 digits, for 8 random (variance, covariance)",
    slips={
        "sign": Slip(
            lambda variance, covariance: 1 - covariance / variance,
            ("The two halves are *added*: a negative covariance helps.",),
        ),
        "twice": Slip(
            lambda variance, covariance: 1 + 2 * covariance / variance,
            ("Var(x + y) = Var x + Var y + 2 Cov: both sides have a 2.",),
        ),
        "against_one": Slip(
            lambda variance, covariance: (1 + covariance / variance) / 2,
            ("That is against *one* draw. Two independent ones have half of its variance.",),
        ),
        "against_two_of_one": Slip(
            lambda variance, covariance: (variance + covariance) / 2,
            ("That is the pair's variance itself. Asked is how many times that of two draws.",),
        ),
        "upside_down": Slip(
            lambda variance, covariance: 1 / (1 + covariance / variance),
            ("Above stands the pair.",),
        ),
        "correlation_squared": Slip(
            lambda variance, covariance: 1 - (covariance / variance) ** 2,
            ("That is for a control variate with the best factor. A pair has no factor.",),
        ),
    },
)


def pairs_or_not(
    variance: float, covariance: float, pathwise: float, price: float, budget: int
) -> tuple[str, int]:
    """The best of the three that the whole budget pays for."""
    return _stall(variance, covariance, pathwise, price, budget).best


def _stall(variance: float, covariance: float, pathwise: float, price: float, budget: int) -> Case:
    offers = {
        "independent": Offer(float, lambda n: variance / n),
        "pairs": Offer(lambda n: 2.0 * n, lambda n: (variance + covariance) / 2 / n),
        "pathwise": Offer(lambda n: (1 + price) * n, lambda n: pathwise / n),
    }
    told = (
        f"for variance {variance:g}, covariance {covariance:g}, pathwise {pathwise:g}, a gradient "
        f"at {price:g}"
    )
    return Case((variance, covariance, pathwise, price, budget), offers, budget, told)


def _only(name: str) -> Answer:
    def answer(
        variance: float, covariance: float, pathwise: float, price: float, budget: int
    ) -> tuple[str, int]:
        each = {"independent": 1.0, "pairs": 2.0, "pathwise": 1 + price}[name]
        return name, int(budget / each)

    return answer


def _least_of_one(
    variance: float, covariance: float, pathwise: float, price: float, budget: int
) -> tuple[str, int]:
    of_one = {
        "independent": variance,
        "pairs": (variance + covariance) / 2,
        "pathwise": pathwise,
    }
    name = min(of_one, key=lambda name: of_one[name])
    return _only(name)(variance, covariance, pathwise, price, budget)


def _any_stall() -> Iterator[Case]:
    rng = np.random.default_rng(0)
    while True:
        variance, pathwise, price = (float(x) for x in rng.uniform(0.5, 5.0, size=3))
        covariance = float(variance * rng.uniform(-0.9, 0.9))
        yield _stall(variance, covariance, pathwise, price, int(rng.integers(8, 40)))


PAIRS_OR_NOT = Design(
    cases=close(_any_stall(), each=10),
    tested="the variance of what the plan buys, for thirty estimators, prices and budgets where "
    "the choice is close, against the best plan's; at most 5 % more is good",
    slips={
        "always_pairs": Slip(
            _only("pairs"),
            ("Where both halves go the same way a pair is *worse* than two draws.",),
        ),
        "always_independent": Slip(
            _only("independent"),
            ("Where the halves go opposite ways a pair is better than two draws.",),
        ),
        "always_pathwise": Slip(
            _only("pathwise"),
            ("A gradient of Q has its price: how many draws does it leave?",),
        ),
        "prices_ignored": Slip(
            _least_of_one,
            ("Compared is one estimate with one. A pair costs two evaluations, for a start.",),
        ),
    },
)

EXERCISES: dict[str, Exercise] = {
    "my_loss": MY_LOSS,
    "estimates_needed": ESTIMATES_NEEDED,
    "antithetic": ANTITHETIC,
    "variance_within": VARIANCE_WITHIN,
    "pair_against_two": PAIR_AGAINST_TWO,
    "pairs_or_not": PAIRS_OR_NOT,
}

PREDICTIONS: dict[str, Prediction] = {
    "how_many": Number(lambda: estimates_needed(0.01, 1e-6, 1e-6, 4)),
}
