"""Notebook 05, Eq. 13 term by term: its exercises and the slips they know."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from estimators import (
    Estimator,
    Gaussian,
    Noise,
    Objective,
    linear,
    reparameterization,
    reparameterization_eq13,
    score_function,
    score_function_full,
    sticking_the_landing,
)
from estimators.gradients import grad_a
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
    Unfit,
    Word,
    close,
)

Pair = tuple[Tensor, Tensor]


def lopsided(a: Tensor) -> Tensor:
    """A Q without symmetry, so that no slip is right by accident: coordinates weigh 1, 1½, … and
    neighbours feel each other."""
    weight = 1 + torch.arange(a.shape[-1], dtype=a.dtype) / 2
    alone = 0.7 * a - 0.4 * a**2 + 0.3 * a**3 + torch.cos(2 * a)
    return (weight * alone).sum(-1) + (a[..., 1:] * a[..., :-1]).sum(-1) / 2


def problem(mu: float, log_std: float, alpha: float) -> tuple[Gaussian, Objective]:
    policy = Gaussian(*(torch.tensor([x], dtype=torch.float64) for x in (mu, log_std)))
    return policy, Objective(lopsided, alpha)


PROBLEMS = [problem(0.3, -0.4, 0.6), problem(-0.7, 0.2, 0.25)]
WHERE = "Q = 0.7a − 0.4a² + 0.3a³ + cos 2a at (μ, σ, α) = (0.3, 0.67, 0.6) and (−0.7, 1.22, 0.25)"
ALL = (
    "shapes, the graph, and mean and variance against the exact ones, by quadrature, in 1 "
    "dimension and in 2 that differ and feel each other,"
)
MOMENTS = f"{ALL} for {WHERE}"


def _noise(seed: int) -> tuple[Tensor, ...]:
    """μ, log σ and ε: three actions."""
    rng = np.random.default_rng(seed)
    return tuple(torch.tensor(rng.normal(size=3)) for _ in range(3))


def score_term(mu: Tensor, log_std: Tensor, eps: Tensor) -> Pair:
    return eps / log_std.exp(), eps**2 - 1


SCORE_TERM = Formula(
    reference=score_term,
    inputs=_noise,
    tested="both partial derivatives against the score of N(μ, σ²), to 9 digits, for 8 random "
    "sets of three actions",
    slips={
        "total_derivative": Slip(
            lambda mu, log_std, eps: (torch.zeros_like(eps), -torch.ones_like(eps)),
            (
                "This is the derivative of log π_θ(f_θ(ε)): it sees θ through the action, too.",
                "Hold the action fixed: put a = μ + σε in only after you have differentiated.",
            ),
        ),
        "path": Slip(
            lambda mu, log_std, eps: (-eps / log_std.exp(), -(eps**2)),
            (
                "This is the path, not the score: log π differentiated by the action, times ∇f.",
                "∇_θ log π_θ(a): a is a number here, θ alone moves.",
            ),
        ),
        "by_sigma": Slip(
            lambda mu, log_std, eps: (eps / log_std.exp(), (eps**2 - 1) / log_std.exp()),
            ("The second part is the derivative by σ. The parameter is log σ: chain rule.",),
        ),
        "normaliser": Slip(
            lambda mu, log_std, eps: (eps / log_std.exp(), eps**2),
            ("log π has a term −log σ. What is its derivative by log σ?",),
        ),
        "log_std_for_sigma": Slip(
            lambda mu, log_std, eps: (eps / log_std, eps**2 - 1),
            ("log_std is log σ: take its exponential to get σ.",),
        ),
        "standardised_twice": Slip(
            lambda mu, log_std, eps: (eps / log_std.exp(), (eps / log_std.exp()) ** 2 - 1),
            ("(a − μ)/σ is ε itself: there is no σ left in the second part.",),
        ),
        "not_standardised": Slip(
            lambda mu, log_std, eps: (eps / log_std.exp(), (eps * log_std.exp()) ** 2 - 1),
            ("(a − μ)/σ is ε itself: there is no σ left in the second part.",),
        ),
        "times_sigma": Slip(
            lambda mu, log_std, eps: (eps / log_std.exp(), (eps**2 - 1) * log_std.exp()),
            ("Chain rule: ∂/∂ log σ = σ ∂/∂σ, and ∂/∂σ has a 1/σ. Which of the two is too much?",),
        ),
        "sign_of_normaliser": Slip(
            lambda mu, log_std, eps: (eps / log_std.exp(), eps**2 + 1),
            ("log π has a term −log σ: look at the sign of its derivative.",),
        ),
        "half_kept": Slip(
            lambda mu, log_std, eps: (eps / log_std.exp(), eps**2 / 2 - 1),
            ("The square brings down a 2 when differentiated: the half goes.",),
        ),
        "not_squared": Slip(
            lambda mu, log_std, eps: (eps / log_std.exp(), eps - 1),
            ("The second part has mean zero under the noise, as every score. Does yours?",),
        ),
        "missing_sigma": Slip(
            lambda mu, log_std, eps: (eps, eps**2 - 1),
            (
                "Check the units of the first part: the derivative by μ is one over a length.",
                "(a − μ)/σ² in terms of ε is not ε.",
            ),
        ),
        "variance_for_sigma": Slip(
            lambda mu, log_std, eps: (eps / log_std.exp() ** 2, eps**2 - 1),
            ("(a − μ)/σ², and a − μ = σε: one σ cancels.",),
        ),
        "summed": Slip(
            lambda mu, log_std, eps: tuple(x.sum() for x in score_term(mu, log_std, eps)),
            ("One derivative for each action: there is nothing to sum.",),
        ),
    },
)


def eq13(mu: Tensor, sigma: Tensor, eps: Tensor, grad_Q: Tensor, alpha: float) -> Pair:
    bracket = -alpha * eps / sigma - grad_Q
    return alpha * eps / sigma + bracket, alpha * (eps**2 - 1) + bracket * sigma * eps


def from_formula(answer: Answer) -> Estimator:
    """The estimator whose draws are what the formula returns."""

    def estimator(policy: Gaussian, objective: Objective, rng: Noise, n: int = 1) -> Tensor:
        mu, sigma = policy.mu.detach(), policy.log_std.detach().exp()
        eps = rng.normal(tuple(mu.shape), mu)
        grad_q = grad_a(objective.Q, mu + sigma * eps)
        value = answer(mu, sigma, eps, grad_q, float(objective.alpha))
        if value is None:
            raise NotImplementedError
        if not isinstance(value, tuple | list | Tensor) or len(value) != 2:
            raise Unfit("return two tensors, the derivatives by μ and by log σ")
        for name, part in zip(("μ", "log σ"), value, strict=True):
            if not isinstance(part, Tensor) or part.shape != mu.shape:
                got = list(part.shape) if isinstance(part, Tensor) else type(part).__name__
                raise Unfit(f"the part for {name} must be {list(mu.shape)}, got {got}")
        return linear(policy, mu=value[0], log_std=value[1])

    return estimator


def _eq13_without(*dropped: str) -> Answer:
    """Eq. 13 with terms left out."""

    def answer(mu: Tensor, sigma: Tensor, eps: Tensor, grad_Q: Tensor, alpha: float) -> Pair:
        score, entropy, value = (float(name not in dropped) for name in TERMS)
        bracket = -entropy * alpha * eps / sigma - value * grad_Q
        first = score * alpha * eps / sigma
        return first + bracket, score * alpha * (eps**2 - 1) + bracket * sigma * eps

    return answer


TERMS = ("score", "entropy", "value")


def _wrong_path(mu: Tensor, sigma: Tensor, eps: Tensor, grad_Q: Tensor, alpha: float) -> Pair:
    bracket = -alpha * eps / sigma - grad_Q
    score = eps / sigma, eps**2 - 1
    return tuple(alpha * s + bracket * s for s in score)  # type: ignore[return-value]


def _path_of_ones(mu: Tensor, sigma: Tensor, eps: Tensor, grad_Q: Tensor, alpha: float) -> Pair:
    bracket = -alpha * eps / sigma - grad_Q
    return alpha * eps / sigma + bracket, alpha * (eps**2 - 1) + bracket


def _path_without_sigma(
    mu: Tensor, sigma: Tensor, eps: Tensor, grad_Q: Tensor, alpha: float
) -> Pair:
    bracket = -alpha * eps / sigma - grad_Q
    return alpha * eps / sigma + bracket, alpha * (eps**2 - 1) + bracket * eps


def _scored(factor: float, alpha_too: bool = True) -> Answer:
    """Eq. 13 with `factor` times its first term."""

    def answer(mu: Tensor, sigma: Tensor, eps: Tensor, grad_Q: Tensor, alpha: float) -> Pair:
        weight = factor * alpha if alpha_too else factor
        bracket = -alpha * eps / sigma - grad_Q
        return weight * eps / sigma + bracket, weight * (eps**2 - 1) + bracket * sigma * eps

    return answer


def _bracketed(grad_log_prob: Answer) -> Answer:
    """Eq. 13 with another ∇_a log π(a), of σ and ε."""

    def answer(mu: Tensor, sigma: Tensor, eps: Tensor, grad_Q: Tensor, alpha: float) -> Pair:
        bracket = alpha * grad_log_prob(sigma, eps) - grad_Q
        return alpha * eps / sigma + bracket, alpha * (eps**2 - 1) + bracket * sigma * eps

    return answer


def _alpha_on_q(mu: Tensor, sigma: Tensor, eps: Tensor, grad_Q: Tensor, alpha: float) -> Pair:
    return eq13(mu, sigma, eps, alpha * grad_Q, alpha)


def _path_without_eps(mu: Tensor, sigma: Tensor, eps: Tensor, grad_Q: Tensor, alpha: float) -> Pair:
    bracket = -alpha * eps / sigma - grad_Q
    return alpha * eps / sigma + bracket, alpha * (eps**2 - 1) + bracket * sigma


def _value_by_sigma(mu: Tensor, sigma: Tensor, eps: Tensor, grad_Q: Tensor, alpha: float) -> Pair:
    return -grad_Q, -alpha - grad_Q * eps


def _swapped(mu: Tensor, sigma: Tensor, eps: Tensor, grad_Q: Tensor, alpha: float) -> Pair:
    return eq13(mu, sigma, eps, grad_Q, alpha)[::-1]


def _doubled_score(mu: Tensor, sigma: Tensor, eps: Tensor, grad_Q: Tensor, alpha: float) -> Pair:
    g = eq13(mu, sigma, eps, grad_Q, alpha)
    return g[0] + alpha * eps / sigma, g[1] + alpha * (eps**2 - 1)


KEPT_ENTROPY = (
    "The terms with log π are two: one at fixed action, one along the path. The second is missing.",
    "The bracket is (α ∇_a log π(a) − ∇_a Q(a)). What is ∇_a log π for a Gaussian?",
)

EQ13 = Surrogate(
    reference=reparameterization_eq13,
    problems=PROBLEMS,
    adapt=from_formula,
    tested=MOMENTS,
    slips={
        "score_for_path": Slip(
            _wrong_path,
            (
                "The bracket is multiplied by something that is not ∇_θ f_θ(ε).",
                "f_θ(ε) = μ + σε: differentiate that, not log π. (An article on SAC prints the "
                "same slip; below you see it diverge.)",
            ),
        ),
        "path_of_log_std": Slip(
            _path_of_ones,
            ("∂f/∂ log σ is not ∂f/∂μ: f = μ + exp(log σ)·ε.",),
        ),
        "path_by_sigma": Slip(
            _path_without_sigma,
            ("You took ∂f/∂σ. The parameter is log σ, and σ = exp(log σ).",),
        ),
        "value_by_sigma": Slip(
            _value_by_sigma,
            ("In the value term you took ∂f/∂σ. The parameter is log σ.",),
        ),
        "path_of_entropy_missing": Slip(_eq13_without("entropy"), KEPT_ENTROPY),
        "value_only": Slip(
            _eq13_without("score", "entropy"),
            (
                "The entropy is missing: α log π gives two of the three terms.",
                "Or are all three there, and the first two cancel for log σ as well? There they "
                "must leave something: log π has a −log σ.",
            ),
        ),
        "alpha_on_q": Slip(
            _alpha_on_q,
            ("α weighs log π only: where do the brackets close?",),
        ),
        "grad_log_prob_variance": Slip(
            _bracketed(lambda sigma, eps: -eps / sigma**2),
            ("∇_a log π(a) = −(a − μ)/σ², and a − μ = σε: one σ cancels.",),
        ),
        "grad_log_prob_no_sigma": Slip(
            _bracketed(lambda sigma, eps: -eps),
            ("∇_a log π(a) = −(a − μ)/σ²: a derivative by a is one over a length.",),
        ),
        "path_without_noise": Slip(
            _path_without_eps,
            ("∂f/∂ log σ: f = μ + exp(log σ)·ε, and ε is still there.",),
        ),
        "swapped": Slip(_swapped, ("Both parts are right, in the other order: μ first.",)),
    },
    methods={
        "sticking_the_landing": Slip(
            _eq13_without("score"),
            (
                "The mean is right, so what is missing has mean zero. Which term has?",
                "Eq. 13 has a term before the bracket. This is Eq. 13 without it: sticking the "
                "landing, the subject of the next section.",
            ),
        ),
        "alpha_not_in_score": Slip(
            _scored(1.0, alpha_too=False),
            ("α weighs the first term, too: it is ∇_θ α log π_θ(a).",),
        ),
        "sign_of_score": Slip(
            _scored(-1.0),
            ("The mean is right, so look at the term whose mean is zero: at its sign.",),
        ),
        "doubled_score": Slip(
            _doubled_score,
            ("A term with mean zero is in it twice: draw by draw this is not Eq. 13.",),
        ),
    },
    hints={
        "sign": ("Descent or ascent? ∇J is the gradient of the loss, α log π − Q.",),
        "sign_of_q": ("Look at the sign in front of ∇_a Q: the loss has −Q.",),
        "sign_of_entropy": ("∇_a log π(a) = −(a − μ)/σ²: has it kept its sign?",),
        "alpha_forgotten": ("Where is α? It stands before every log π.",),
        "missing_entropy": ("The terms with log π cancel each other here. Check their signs.",),
    },
)

SURROGATE_HINTS = {
    "sign": ("The mean is minus the gradient: the loss is α log π − Q, not its negative.",),
    "sign_of_q": ("Q has the wrong sign: the actor *minimises* α log π − Q.",),
    "sign_of_entropy": ("α log π has the wrong sign: as it stands, entropy is punished.",),
    "missing_entropy": (
        "The entropy is not felt: no gradient comes back from log π.",
        "Is log π detached, or computed under no_grad?",
    ),
    "detached_cost": (
        "Q is not felt at all: the action is cut off from θ.",
        "A policy has two ways to draw. Which of them lets ∇_θ f through?",
    ),
    "alpha_forgotten": ("Where is α? objective.alpha, or let objective.cost weigh it.",),
    "attached_action": (
        "This is a score function whose action moves with θ as well: half of each method.",
        "Reparameterised, the cost itself is the surrogate; no factor log π.",
    ),
    "factor": ("It is proportional to the gradient: a constant factor too much.",),
    "missing_gradient": (
        "No gradient arrives. Which of sample and rsample lets it through?",
        "Or is the result detached, or made under torch.no_grad()?",
    ),
}

SCORE_FUNCTION = Slip(
    score_function,
    (
        "This is the score-function form: the cost is held fixed and log π carries the gradient.",
        "Here the *action* is to carry it: a = f_θ(ε), and the cost itself is the surrogate.",
    ),
)
FULL_SCORE = Slip(score_function_full, SCORE_FUNCTION.hints)


def _q_detached(policy: Gaussian, objective: Objective, rng: Noise) -> Tensor:
    a = policy.rsample(1, rng)
    return (objective.alpha * policy.log_prob(a) - objective.Q(a).detach()).mean(0)


Q_DETACHED = Slip(
    _q_detached,
    (
        "The action moves with θ, but Q does not hear of it.",
        "Q's own parameters are not in θ; its *action* is. Is Q detached, or under no_grad?",
    ),
)


def _density_for_log(policy: Gaussian, objective: Objective, rng: Noise) -> Tensor:
    a = policy.rsample(1, rng)
    return (objective.alpha * policy.log_prob(a).exp() - objective.Q(a)).mean(0)


def _log_std_for_std(policy: Gaussian, objective: Objective, rng: Noise) -> Tensor:
    a = policy.mu + policy.log_std * rng.normal((1, *policy.mu.shape), policy.mu)
    return objective.cost(policy, a).mean(0)


def _half_frozen(policy: Gaussian, objective: Objective, rng: Noise) -> Tensor:
    frozen = Gaussian(policy.mu.detach(), policy.log_std)
    return objective.cost(frozen, policy.rsample(1, rng)).mean(0)


def _score_doubled(policy: Gaussian, objective: Objective, rng: Noise) -> Tensor:
    a = policy.rsample(1, rng)
    score = objective.alpha * policy.log_prob(a.detach())
    return (objective.cost(policy, a) + score).mean(0)


def _score_without_alpha(policy: Gaussian, objective: Objective, rng: Noise) -> Tensor:
    a = policy.rsample(1, rng)
    return (objective.cost(policy, a) - policy.log_prob(a.detach())).mean(0)


ACTOR_LOSS = Surrogate(
    reference=reparameterization,
    problems=PROBLEMS,
    tested=MOMENTS,
    slips={
        "q_detached": Q_DETACHED,
        "density": Slip(
            _density_for_log,
            ("This weighs the density. The loss has its logarithm.",),
        ),
        "log_std_for_std": Slip(
            _log_std_for_std,
            ("log_std is log σ: the noise is multiplied by σ.",),
        ),
    },
    methods={
        "score_function": SCORE_FUNCTION,
        "score_function_full": FULL_SCORE,
        "sticking_the_landing": Slip(
            sticking_the_landing,
            (
                "The parameters inside log π are held fixed: Eq. 13 without its first term.",
                "Unbiased, but asked for is the *total* derivative: nothing is detached.",
            ),
        ),
    },
    hints=SURROGATE_HINTS,
)

STICKING = Surrogate(
    reference=sticking_the_landing,
    problems=PROBLEMS,
    tested=MOMENTS,
    slips={"q_detached": Q_DETACHED},
    methods={
        "half_frozen": Slip(
            _half_frozen,
            ("θ is μ *and* log σ: one of them still moves inside log π.",),
        ),
        "score_doubled": Slip(
            _score_doubled,
            ("The first term is in it twice: it was to be taken away.",),
        ),
        "score_without_alpha": Slip(
            _score_without_alpha,
            ("What is taken away is ∇_θ log π. The first term is α times that.",),
        ),
        "eq13": Slip(
            reparameterization,
            (
                "This is Eq. 13 itself: its first term is still there.",
                "The first term is ∇_θ log π_θ(a) at fixed a. Which θ must not be seen?",
                "policy.detach() has the same numbers, and no gradient.",
            ),
        ),
        "score_function": SCORE_FUNCTION,
        "score_function_full": FULL_SCORE,
    },
    hints={
        **SURROGATE_HINTS,
        "missing_entropy": (
            "log π is detached as a whole: the path through the action is gone as well.",
            "Detach the parameters *inside* log π, not log π.",
        ),
        "detached_cost": (
            "The action is cut off from θ, so Q is not felt: it must come from the policy itself.",
        ),
        "missing_gradient": (
            "No gradient arrives: detached are the parameters *and* the action.",
            "The action comes from the policy, log π from its detached copy.",
        ),
    },
)


def variances(k: float, sigma: float, alpha: float) -> tuple[float, float]:
    """Of ∂J/∂μ for Q = −k(a − m)²/2: Eq. 13, sticking the landing."""
    return (k * sigma) ** 2, ((alpha - k * sigma**2) / sigma) ** 2


def _curve(seed: int) -> tuple[float, ...]:
    rng = np.random.default_rng(seed)
    return tuple(float(x) for x in rng.uniform(0.2, 2.0, size=3))


VARIANCES = Formula(
    reference=variances,
    inputs=_curve,
    tested="both variances against their closed forms, to 9 digits, for 8 random (k, σ, α); the "
    "notebook compares the forms with exact_moments",
    slips={
        "terms_subtracted": Slip(
            lambda k, sigma, alpha: ((k * sigma) ** 2, (k * sigma) ** 2 - (alpha / sigma) ** 2),
            (
                "A difference of squares is not the square of a difference. (It can be negative!)",
                "Collect the factor before ε first, then square it.",
            ),
        ),
        "sigma_squared": Slip(
            lambda k, sigma, alpha: (k * sigma**2, variances(k, sigma, alpha)[1]),
            ("The first factor is kσ: square all of it.",),
        ),
        "mixed_units": Slip(
            lambda k, sigma, alpha: ((k * sigma) ** 2, (k * sigma**2 - alpha / sigma) ** 2),
            ("The two terms of the second factor have different units: kσ and α/σ.",),
        ),
        "ratio": Slip(
            lambda k, sigma, alpha: ((k * sigma) ** 2, (1 - alpha / (k * sigma**2)) ** 2),
            ("That is the *ratio* of the two variances.",),
        ),
        "second_not_squared": Slip(
            lambda k, sigma, alpha: ((k * sigma) ** 2, k * sigma - alpha / sigma),
            ("That is the factor before ε: square it.",),
        ),
        "by_log_std": Slip(
            lambda k, sigma, alpha: (2 * (k * sigma**2) ** 2, 2 * (k * sigma**2 - alpha) ** 2),
            ("These are the variances of ∂J/∂ log σ, at δ = 0. Asked is for μ.",),
        ),
        "standard_deviations": Slip(
            lambda k, sigma, alpha: (k * sigma, abs(alpha - k * sigma**2) / sigma),
            ("These are standard deviations: the factor before ε, not its square.",),
        ),
        "factors": Slip(
            lambda k, sigma, alpha: (k * sigma, k * sigma - alpha / sigma),
            ("These are the factors before ε. What is the variance of a number times ε?",),
        ),
        "terms_added": Slip(
            lambda k, sigma, alpha: (
                (k * sigma) ** 2,
                (k * sigma) ** 2 + (alpha / sigma) ** 2,
            ),
            (
                "Variances add for independent terms. Both terms come from the same ε.",
                "Collect the factor before ε first, then square it.",
            ),
        ),
        "sign_inside": Slip(
            lambda k, sigma, alpha: ((k * sigma) ** 2, ((alpha + k * sigma**2) / sigma) ** 2),
            ("Look at the two signs before ε: the entropy pulls one way, Q the other.",),
        ),
        "score_in_eq13": Slip(
            lambda k, sigma, alpha: (
                (k * sigma) ** 2 + (alpha / sigma) ** 2,
                ((alpha - k * sigma**2) / sigma) ** 2,
            ),
            ("For μ the first term and the path of log π cancel, draw by draw.",),
        ),
        "alpha_forgotten": Slip(
            lambda k, sigma, alpha: ((k * sigma) ** 2, ((1 - k * sigma**2) / sigma) ** 2),
            ("Where is α?",),
        ),
        "units": Slip(
            lambda k, sigma, alpha: ((k * sigma) ** 2, (alpha - k * sigma**2) ** 2),
            ("The second one lacks a length: ∇_a log π = −ε/σ.",),
        ),
    },
)


def break_even(k: float, sigma: float) -> float:
    """α at which both variances for μ are the same: τ = ½."""
    return 2 * k * sigma**2


BREAK_EVEN = Formula(
    reference=break_even,
    inputs=lambda seed: _curve(seed)[:2],
    tested="the temperature at which both variances are equal, to 9 digits, for 8 random (k, σ)",
    slips={
        "no_variance": Slip(
            lambda k, sigma: k * sigma**2,
            (
                "There the second variance is *zero*. Asked is where it is the same as the first.",
                "Between that and α = 0 it falls; beyond it grows. Where is it back?",
            ),
        ),
        "half": Slip(
            lambda k, sigma: k * sigma**2 / 2,
            ("τ = ½ is right. Is α then half of kσ², or twice?",),
        ),
        "no_entropy": Slip(
            lambda k, sigma: 0.0,
            ("At α = 0 the first term is zero: true, and dull. There is another α.",),
        ),
        "one_sigma": Slip(
            lambda k, sigma: 2 * k * sigma,
            ("Check the units: α is a reward, and so is k times a length *squared*.",),
        ),
        "of_tau": Slip(
            lambda k, sigma: 0.5,
            ("That is τ = kσ²/α. Solve it for α.",),
        ),
    },
)


def choose_term(k: float, sigma: float, alpha: float, budget: int) -> tuple[str, int]:
    """All of the budget, for the estimator with the smaller variance."""
    eq13, without = variances(k, sigma, alpha)
    return ("eq13" if eq13 < without else "sticking", budget)


def _terms(k: float, sigma: float, alpha: float, budget: int) -> Case:
    eq13, without = variances(k, sigma, alpha)
    offers = {
        "eq13": Offer(float, lambda n: eq13 / n),
        "sticking": Offer(float, lambda n: without / n),
    }
    told = f"for k = {k:g}, σ = {sigma:g}, α = {alpha:g}"
    return Case((k, sigma, alpha, budget), offers, budget, told)


def _any_terms() -> Iterator[Case]:
    rng = np.random.default_rng(0)
    while True:
        k, sigma, alpha = (float(x) for x in rng.uniform(0.2, 4.0, size=3))
        yield _terms(k, sigma, alpha, int(rng.integers(2, 9)))


CHOOSE_TERM = Design(
    cases=close(_any_terms(), each=30),
    tested="the exact variance for μ of the mean of n draws, for sixty (k, σ, α) and budgets "
    "where the choice is close, against the best plan's; at most 5 % more is good",
    slips={
        "always_sticking": Slip(
            lambda k, sigma, alpha, budget: ("sticking", budget),
            (
                "Dropping a term of mean zero does not always help.",
                "The term is not independent of the others: sometimes it cancels noise. When?",
            ),
        ),
        "always_eq13": Slip(
            lambda k, sigma, alpha, budget: ("eq13", budget),
            ("Near the optimum the other one has hardly any variance.",),
        ),
        "tau_one": Slip(
            lambda k, sigma, alpha, budget: (
                "sticking" if k * sigma**2 > alpha else "eq13",
                budget,
            ),
            ("τ = 1 is where it is best. The two are equal elsewhere: exercise 6.",),
        ),
        "upside_down": Slip(
            lambda k, sigma, alpha, budget: (
                "eq13" if k * sigma**2 > alpha / 2 else "sticking",
                budget,
            ),
            ("The border is right. Which of the two is better beyond it?",),
        ),
        "one_draw": Slip(
            lambda k, sigma, alpha, budget: (choose_term(k, sigma, alpha, budget)[0], 1),
            ("The right one, but most of the budget is left over.",),
        ),
    },
)

EXERCISES: dict[str, Exercise] = {
    "score_term": SCORE_TERM,
    "eq13": EQ13,
    "actor_loss": ACTOR_LOSS,
    "sticking": STICKING,
    "variances": VARIANCES,
    "break_even": BREAK_EVEN,
    "choose_term": CHOOSE_TERM,
}

PREDICTIONS: dict[str, Prediction] = {
    "first_term": Word("sometimes", ("always", "sometimes", "never")),
    "share_at_two": Number(lambda: variances(2.0, 1.0, 1.0)[1] / variances(2.0, 1.0, 1.0)[0]),
}
