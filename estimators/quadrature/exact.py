"""Exact answers: quadrature nodes fed to an estimator as if they were its random draws.

An estimator is run once to see which draws it makes. Its scalar draws become nodes of
N(0, 1) (a uniform one through the distribution function), its categories are all taken in
turn, every combination gets a row of its own, and the weighted mean over rows is the
estimator's mean: no randomness, no flakes. All of it in float64, whatever the policy's dtype.
"""

import math

import torch
from torch import Tensor

from estimators.gradients import Estimator, Gradient, unflatten
from estimators.noise import Noise
from estimators.objective import Objective
from estimators.policies import Policy, TooManyNodes, require_finite
from estimators.quadrature.answer import Exact
from estimators.quadrature.by_nodes import (
    AGREEMENT,
    centred,
    node_gradient,
    require_no_contradiction,
)
from estimators.quadrature.features import breaks_of
from estimators.quadrature.integration import FLOOR, integrate
from estimators.quadrature.nodes import (
    Draw,
    Function,
    category_sizes,
    discover,
    every_category,
    terms,
)
from estimators.quadrature.rounding import EPS, UNITS, jump_moved, rounding_of
from estimators.quadrature.witnesses import CHUNK, contradicted
from estimators.score import score_function
from estimators.watching import Watched

MAX_DRAWS = 3
MAX_ROWS = 2**21
NOISES = 64  # rounding, that two rules may disagree by
ROUNDING = 64 * torch.finfo(torch.float64).eps


def exact_gradient(policy: Policy, objective: Objective, *, tolerance: float = ROUNDING) -> Exact:
    """∇J(θ) = E_π[(α log π(a) − Q(a)) ∇ log π(a)], shaped like the parameters, in float64.

    Where the policy samples from at most three scalars of rng and from categories, these become
    adaptive nodes: jumps and kinks of Q, and components much narrower than others, included in
    one dimension; in two, as far as two million nodes do (jumps along a line or two; to 1e-8); in
    three, refused. Else by the policy's own nodes (Gauss–Hermite: smooth Q, d ≈ 6), unless random
    draws contradict them. Q is looked at for features that nodes would miss, as narrow as
    `estimators.quadrature.features` says; narrower ones are not seen.

    `.error` holds what two rules differ by, what growing tails may hold beyond the nodes, and
    rounding: that of Q near 10⁹ is 10⁻⁷, whatever cancels. TooManyNodes (a ValueError) when all
    but rounding stays above 5e-7 of the scale, or there are no nodes. ValueError on parameters
    that are not finite. tolerance: as in `exact_mean`.
    """
    require_finite(policy)
    policy, objective = _double(policy, objective)
    estimator = centred(policy, objective)
    try:
        draws, _ = _draws_within_reach(estimator, policy, objective)
    except TooManyNodes:  # the policy may have nodes of its own
        return node_gradient(policy, objective)
    breaks = breaks_of(policy, objective, draws)
    exact = _mean(estimator, policy, objective, tolerance=tolerance, breaks=breaks)
    if policy.dim > 1 and breaks is not None:
        require_no_contradiction(policy, objective, exact)
    return exact


def exact_or_none(
    policy: Policy, objective: Objective, *, tolerance: float = ROUNDING
) -> Exact | None:
    """`exact_gradient`, or None beyond its reach."""
    try:
        return exact_gradient(policy, objective, tolerance=tolerance)
    except TooManyNodes:
        return None


def exact_moments(
    estimator: Estimator, policy: Policy, objective: Objective
) -> tuple[Exact, Exact]:
    """Mean and variance of one estimate, elementwise, each a dict shaped like the parameters.

    Deterministic; `.error` of each is its own estimate of its error. Raises TooManyNodes when
    the estimator makes more than three scalar draws, when the two finest rules disagree by more
    than 5e-7 of the scale, or when random draws vary more than the nodes say,
    because the nodes do not resolve the estimator.
    """
    require_finite(policy)
    policy, objective = _double(policy, objective)
    breaks = _breaks(policy, objective)
    mean = _mean(estimator, policy, objective, breaks=breaks)
    variance = _mean(estimator, policy, objective, about=mean, breaks=breaks)
    contradicted(estimator, policy, objective, mean, variance)
    return mean, variance


def exact_mean(
    estimator: Estimator,
    policy: Policy,
    objective: Objective,
    *,
    about: Gradient | None = None,
    tolerance: float = ROUNDING,
    evaluations: float = math.inf,
) -> Exact:
    """E[g], or E[(g − about)²]: as in `exact_moments`, but not cross-examined by random draws.
    Q is looked at for features as in `exact_gradient`.

    tolerance: relative to the scale; as exact as float64 allows by default. Raises TooManyNodes
    also when it would take more than `evaluations` values of Q.
    """
    require_finite(policy)
    policy, objective = _double(policy, objective)
    breaks = _breaks(policy, objective)
    watched = Watched(objective.Q)

    def Q(a: Tensor) -> Tensor:
        q = watched(a)
        if watched.evaluations > evaluations:
            raise TooManyNodes(f"more than {evaluations:,} evaluations of Q; measure it instead")
        return q

    objective = Objective(Q, objective.alpha)
    return _mean(estimator, policy, objective, about, tolerance, breaks)


def exact_expectation(
    f: Function,
    estimator: Estimator,
    policy: Policy,
    objective: Objective,
    *,
    tolerance: float = ROUNDING,
) -> Tensor:
    """E[f(g)] over the draws of one estimate g, flattened, by the same nodes; f maps rows
    {name: [rows, *batch, …]} to such rows. Raises TooManyNodes as `exact_mean`."""
    require_finite(policy)
    policy, objective = _double(policy, objective)
    return _integral(f, estimator, policy, objective, tolerance, policy.spikes())[0]


def rounding(policy: Policy, objective: Objective) -> Tensor:
    """How large what is summed in ∇J is, [entries]: its floating-point error is a few units of the
    last place (2⁻⁵² in float64, 2⁻²³ in float32) times this, however little remains of the sum.

    E|Δ(cost · ∇ log π)|, if everything in it moves by one such unit. See
    `estimators.quadrature.rounding`.
    """
    require_finite(policy)
    policy, objective = _double(policy, objective)
    try:
        draws, _ = _draws_within_reach(score_function, policy, objective)
    except TooManyNodes:
        return rounding_of(score_function, policy, objective) / EPS
    return rounding_of(score_function, policy, objective, draws) / EPS


def cross_examine(
    estimator: Estimator, policy: Policy, objective: Objective, mean: Exact, variance: Exact
) -> None:
    """TooManyNodes if random draws vary more than the nodes say."""
    contradicted(estimator, *_double(policy, objective), mean, variance)


def _mean(
    estimator: Estimator,
    policy: Policy,
    objective: Objective,
    about: Gradient | None = None,
    tolerance: float = ROUNDING,
    breaks: Tensor | None = None,
) -> Exact:
    """E[g], or E[(g − about)²]."""

    def f(grads: Gradient) -> Gradient:
        return grads if about is None else {k: (g - about[k]) ** 2 for k, g in grads.items()}

    value, error = _integral(f, estimator, policy, objective, tolerance, breaks)
    shapes = {name: p.shape for name, p in policy.parameters().items()}
    return Exact(unflatten(value, shapes), error)


def _integral(
    f: Function,
    estimator: Estimator,
    policy: Policy,
    objective: Objective,
    tolerance: float,
    breaks: Tensor | None,
) -> tuple[Tensor, float]:
    """E[f(g)], flattened, and its largest error. breaks: in the scalars of one sample."""
    draws, scalars = _draws_within_reach(estimator, policy, objective)
    k = every_category(draws)
    height: list[Tensor] = []

    def integrand(x: Tensor) -> tuple[Tensor, Tensor]:
        """x: [m, scalars] -> the sum over the categories, and that of sizes, [m, entries]."""
        each = terms(f, estimator, policy, objective, draws, x, k)
        size = each.abs().sum(1)
        if breaks is not None:  # |f(g)| N(ε): what a jump there is worth
            height.append((size * torch.exp(-(x**2) / 2).prod(1, keepdim=True)).amax(0))
        return each.sum(1), size

    if breaks is not None:  # n samples, one after the other
        samples, rest = divmod(scalars, breaks.shape[1])
        breaks = None if rest or not samples else breaks.repeat(1, samples)
    rounding = UNITS * rounding_of(estimator, policy, objective, draws, f)
    value, error, scale = integrate(
        integrand,
        scalars,
        chunk=max(1, CHUNK // (len(k) * max(1, policy.batch.numel()))),
        limit=4 * MAX_ROWS // max(4, len(k)),
        tolerance=tolerance,
        noise=rounding / UNITS,
        breaks=breaks,
    )
    spikes = policy.spikes()
    if breaks is not None and (spikes is None or len(breaks) > len(spikes)):  # Q's own
        jumps = max(1, len(breaks) // 3) * torch.stack(height).amax(0)
        rounding = rounding + UNITS * jump_moved(policy) * jumps
    if not (error <= AGREEMENT * scale.clamp(min=FLOOR) + NOISES * rounding).all():
        raise TooManyNodes(
            f"two quadrature rules still disagree by {float(error.max()):.1e} (the scale is "
            f"{float(scale.max()):.1e}), heavy tails included, for {scalars} scalar draw(s) at the "
            "limit of nodes; measure it instead"
        )
    return value.to(policy.like.device), float((error + rounding).max())


def _breaks(policy: Policy, objective: Objective) -> Tensor | None:
    """See `breaks_of`; None where a sample's draws are not known."""
    try:
        draws, _ = _draws_within_reach(_one_action, policy, objective)
    except TooManyNodes:
        return None
    return breaks_of(policy, objective, draws)


def _one_action(policy: Policy, objective: Objective, rng: Noise, n: int = 1) -> Tensor:
    """Draws an action and asks nothing of it: Q may have any number of values."""
    policy.sample(1, rng)
    nothing = 0 * sum(p.sum() for p in policy.parameters().values())
    return nothing + policy.like.new_zeros(policy.batch)


def _draws_within_reach(
    estimator: Estimator, policy: Policy, objective: Objective
) -> tuple[list[Draw], int]:
    """The draws of one estimate, and how many of them are scalars; TooManyNodes if they are too
    many to be replaced."""
    draws = discover(estimator, policy, objective)
    scalars = sum(d.size for d in draws if d.categories is None)
    sizes = category_sizes(draws)
    combinations = math.prod(sizes)
    if scalars > MAX_DRAWS or combinations > 2**17:
        raise TooManyNodes(
            f"an estimate makes {scalars} scalar and {len(sizes)} categorical draws "
            f"({combinations} combinations): exact moments reach {MAX_DRAWS} scalar draws and "
            f"{2**17} combinations; measure it instead"
        )
    return draws, scalars


def _double(policy: Policy, objective: Objective) -> tuple[Policy, Objective]:
    """Both in float64; a Q that takes only the policy's own dtype is given that."""
    dtype = policy.like.dtype
    policy = policy.detach().map(torch.Tensor.double)
    if dtype == torch.float64:
        return policy, objective
    Q = objective.Q
    try:
        Q(policy.sample(1, Noise()))
    except RuntimeError:
        return policy, Objective(lambda a: Q(a.to(dtype)).double(), objective.alpha)
    return policy, objective
