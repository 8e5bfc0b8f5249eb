"""Exact answers: quadrature nodes fed to an estimator as if they were its random draws.

An estimator is run once to see which draws it makes. Its scalar draws become nodes of
N(0, 1) (a uniform one through the distribution function), its categories are all taken in
turn, every combination gets a row of its own, and the weighted mean over rows is the
estimator's mean: no randomness, no flakes. All of it in float64, whatever the policy's dtype.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from estimators.gradients import Estimator, Gradient, per_sample_gradients, row_gradients
from estimators.integration import FLOOR, integrate
from estimators.moments import Moments
from estimators.noise import Noise
from estimators.objective import Objective
from estimators.policies import MAX_NODES, Categorical, Mixture, Policy, require_finite
from estimators.score import constant, score_function

MAX_DRAWS = 3
MAX_ROWS = 2**21
CHUNK = 2**13  # rows in one backward pass: tensors that stay in cache
WITNESSES = 2**16  # random draws that may contradict the nodes
ROUNDING = 64 * torch.finfo(torch.float64).eps
AGREEMENT = 5e-7  # of two rules, relative to the scale


class Exact(Gradient):
    """A dict of tensors, and `error`: the largest absolute error of any of its entries."""

    def __init__(self, values: Gradient, error: float) -> None:
        super().__init__(values)
        self.error = error

    def __repr__(self) -> str:
        return f"{super().__repr__()} ± {self.error:.0e}"


class TooManyNodes(ValueError):
    """There is no exact answer within reach."""


def exact_gradient(policy: Policy, objective: Objective) -> Exact:
    """∇J(θ) = E_π[(α log π(a) − Q(a)) ∇ log π(a)], shaped like the parameters, in float64.

    All categories; Gaussians and mixtures up to d = 3 by adaptive nodes, jumps of Q included, as
    far as `estimators.integration` resolves them; smooth ones up to d ≈ 6 by Gauss–Hermite,
    unless random draws contradict it. `.error` is its own estimate of its error; TooManyNodes
    (a ValueError) when that stays above 5e-7 of the scale. ValueError on parameters that are
    not finite.
    """
    require_finite(policy)
    policy, objective = _double(policy, objective)
    d = 0 if isinstance(policy, Categorical) else policy.parameters()["mu"].shape[-1]
    if d <= MAX_DRAWS:
        return _mean(score_function, policy, objective)
    return _gauss_hermite_gradient(policy, objective, d)


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
    mean = _mean(estimator, policy, objective)
    variance = _mean(estimator, policy, objective, about=mean)
    _cross_examine(estimator, policy, objective, mean, variance)
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

    tolerance: relative to the scale; as exact as float64 allows by default. Raises TooManyNodes
    also when it would take more than `evaluations` values of Q.
    """
    require_finite(policy)
    policy, objective = _double(policy, objective)
    used = 0

    def Q(a: Tensor) -> Tensor:
        nonlocal used
        q = objective.Q(a)
        used += q.numel()
        if used > evaluations:
            raise TooManyNodes(f"more than {evaluations:,} evaluations of Q; measure it instead")
        return q

    return _mean(estimator, policy, Objective(Q, objective.alpha), about, tolerance)


def exact_expectation(
    f: Callable[[Gradient], Gradient],
    estimator: Estimator,
    policy: Policy,
    objective: Objective,
    *,
    tolerance: float = ROUNDING,
) -> Tensor:
    """E[f(g)] over the draws of one estimate g, flattened, by the same nodes; f maps rows
    {name: [rows, *batch, …]} to such rows. Raises TooManyNodes as `exact_mean`."""
    require_finite(policy)
    return _integral(f, estimator, *_double(policy, objective), tolerance)[0]


def cross_examine(
    estimator: Estimator, policy: Policy, objective: Objective, mean: Exact, variance: Exact
) -> None:
    """TooManyNodes if random draws vary more than the nodes say."""
    _cross_examine(estimator, *_double(policy, objective), mean, variance)


@dataclass(frozen=True)
class _Draw:
    """One call of the noise source: [*lead, rows, *batch, *tail], K categories or a scalar."""

    lead: tuple[int, ...]
    tail: tuple[int, ...]
    categories: int | None

    @property
    def size(self) -> int:
        return math.prod(self.lead) * math.prod(self.tail)


class _Calls(Noise):
    """Remembers the shapes of the draws."""

    def __init__(self) -> None:
        self.source = Noise()
        self.calls: list[tuple[tuple[int, ...], int | None]] = []

    def normal(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        self.calls.append((tuple(shape), None))
        return self.source.normal(shape, like)

    def uniform(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        self.calls.append((tuple(shape), None))
        return self.source.uniform(shape, like)

    def categorical(self, weights: Tensor, shape: tuple[int, ...]) -> Tensor:
        self.calls.append((tuple(shape), weights.shape[-1]))
        return self.source.categorical(weights, shape)

    def threshold(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        raise TooManyNodes(
            "categories with common random numbers jump where nodes do not look: measure it instead"
        )


class _Nodes(Noise):
    """Hands out nodes: columns of x for scalars, of k for categories; collects their weights."""

    def __init__(self, draws: list[_Draw], x: Tensor, k: Tensor, batch: torch.Size) -> None:
        self.draws, self.x, self.k, self.batch = list(draws), x, k, batch
        self.weight: Tensor | float = 1.0

    def _columns(self, source: Tensor) -> Tensor:
        draw, ones = self.draws.pop(0), (1,) * len(self.batch)
        m, lead = len(source), draw.lead
        columns = source[:, : draw.size].reshape(m, *lead, *draw.tail).movedim(0, len(lead))
        columns = columns.reshape(*lead, m, *ones, *draw.tail)
        return columns.expand(*lead, m, *self.batch, *draw.tail)

    def normal(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        size = self.draws[0].size
        eps = self._columns(self.x)
        self.x = self.x[:, size:]
        return eps.to(like)

    def uniform(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        u = torch.erfc(-self.normal(shape, like) / math.sqrt(2)) / 2  # ndtr is 0 below −9
        return u.minimum(torch.full_like(u, 1 - torch.finfo(u.dtype).eps))  # the interval is open

    def categorical(self, weights: Tensor, shape: tuple[int, ...]) -> Tensor:
        draw = self.draws[0]
        k = self._columns(self.k)
        self.k = self.k[:, draw.size :]
        p = weights.detach().expand(*k.shape, -1).gather(-1, k[..., None])[..., 0]
        self.weight = self.weight * p.reshape(-1, *p.shape[len(draw.lead) :]).prod(0)
        return k


def _discover(estimator: Estimator, policy: Policy, objective: Objective) -> list[_Draw]:
    """The draws of one estimate; the axis of rows is the one that grows with their number."""
    seen = []
    for count in (1, 2):
        calls = _Calls()
        per_sample_gradients(estimator, policy, objective, count, calls)
        seen.append(calls.calls)
    draws = []
    for (one, categories), (two, _) in zip(*seen, strict=True):
        axes = [i for i, (a, b) in enumerate(zip(one, two, strict=True)) if a != b]
        if len(axes) != 1:
            raise TooManyNodes(f"cannot tell which axis of a draw {list(one)} holds the rows")
        after = axes[0] + 1 + len(policy.batch)
        draws.append(_Draw(one[: axes[0]], one[after:], categories))
    return draws


def _mean(
    estimator: Estimator,
    policy: Policy,
    objective: Objective,
    about: Gradient | None = None,
    tolerance: float = ROUNDING,
) -> Exact:
    """E[g], or E[(g − about)²]."""

    def f(grads: Gradient) -> Gradient:
        return grads if about is None else {k: (g - about[k]) ** 2 for k, g in grads.items()}

    value, error = _integral(f, estimator, policy, objective, tolerance)
    shapes = {name: p.shape for name, p in policy.parameters().items()}
    parts = value.split([s.numel() for s in shapes.values()])
    mean = {name: v.view(s) for (name, s), v in zip(shapes.items(), parts, strict=True)}
    return Exact(mean, error)


def _integral(
    f: Callable[[Gradient], Gradient],
    estimator: Estimator,
    policy: Policy,
    objective: Objective,
    tolerance: float,
) -> tuple[Tensor, float]:
    """E[f(g)], flattened, and its largest error."""
    draws = _discover(estimator, policy, objective)
    scalars = sum(d.size for d in draws if d.categories is None)
    sizes = [d.categories for d in draws if d.categories is not None for _ in range(d.size)]
    combinations = math.prod(sizes)
    if scalars > MAX_DRAWS or combinations > 2**17:
        raise TooManyNodes(
            f"an estimate makes {scalars} scalar and {len(sizes)} categorical draws "
            f"({combinations} combinations): exact moments reach {MAX_DRAWS} scalar draws and "
            f"{2**17} combinations; measure it instead"
        )
    k = torch.cartesian_prod(*[torch.arange(s) for s in sizes]) if sizes else torch.zeros(1, 0)
    k = k.reshape(combinations, len(sizes)).long()
    device = next(iter(policy.parameters().values())).device

    def integrand(x: Tensor) -> Tensor:
        """x: [m, scalars] -> [m, entries], summed over the categories."""
        every_x = x.repeat_interleave(combinations, 0).to(device)
        every_k = k.repeat(len(x), 1).to(device)
        nodes = _Nodes(draws, every_x, every_k, policy.batch)
        grads = per_sample_gradients(estimator, policy, objective, len(every_x), nodes)
        out = []
        for g in f(grads).values():
            w = torch.as_tensor(nodes.weight).to(g)
            out.append((g * w.reshape(*w.shape, *(1,) * (g.ndim - w.ndim))).flatten(1))
        return torch.cat(out, 1).cpu().unflatten(0, (len(x), combinations)).sum(1)

    value, error, scale = integrate(
        integrand,
        scalars,
        chunk=max(1, CHUNK // (combinations * max(1, policy.batch.numel()))),
        limit=4 * MAX_ROWS // max(4, combinations),
        tolerance=tolerance,
        breaks=_spikes(policy) if scalars == 1 else None,
    )
    if not (error <= AGREEMENT * scale.clamp(min=FLOOR)).all():
        raise TooManyNodes(
            f"two quadrature rules still disagree by {float(error.max()):.1e} (the scale is "
            f"{float(scale.max()):.1e}) for {scalars} scalar draw(s) at the limit of nodes; "
            "measure it instead"
        )
    return value.to(device), float(error.max())


def _double(policy: Policy, objective: Objective) -> tuple[Policy, Objective]:
    """Both in float64; a Q that takes only the policy's own dtype is given that."""
    dtype = next(iter(policy.parameters().values())).dtype
    policy = policy.detach().map(torch.Tensor.double)
    if dtype == torch.float64:
        return policy, objective
    Q = objective.Q
    try:
        Q(policy.sample(1, Noise()))
    except RuntimeError:
        return policy, Objective(lambda a: Q(a.to(dtype)).double(), objective.alpha)
    return policy, objective


def _spikes(policy: Policy) -> Tensor | None:
    """Where a mixture's components lie in the ε of each other, [breaks]: a narrow one is a spike
    of log π that nodes laid for a wide one may miss."""
    if not isinstance(policy, Mixture) or policy.mu.numel() > 16 or policy.mu.shape[-1] > 1:
        return None
    mu, sigma = policy.mu[..., 0].cpu(), policy.log_std[..., 0].exp().cpu()  # [*batch, K]
    reach = torch.tensor([-8.0, -2.0, 0.0, 2.0, 8.0], dtype=mu.dtype)
    there = mu[..., None] + sigma[..., None] * reach  # [*batch, K, 5]
    eps = (there[..., None, :, :] - mu[..., :, None, None]) / sigma[..., :, None, None]
    return eps.flatten()


def _cross_examine(
    estimator: Estimator, policy: Policy, objective: Objective, mean: Exact, variance: Exact
) -> None:
    """TooManyNodes if random draws vary more about the mean than the nodes say: they have seen
    what nodes did not."""
    count = WITNESSES // max(1, policy.batch.numel())
    if count < 1000:
        return
    seen, rng = None, Noise(0, next(iter(mean.values())).device)
    for _ in range(max(1, count // CHUNK)):
        grads = per_sample_gradients(estimator, policy, objective, min(count, CHUNK), rng)
        squares = torch.cat([((g - mean[name]) ** 2).flatten(1) for name, g in grads.items()], 1)
        seen = Moments.of(squares) if seen is None else seen + Moments.of(squares)
    assert seen is not None
    said = torch.cat([v.flatten() for v in variance.values()])
    if surprising(seen, said + variance.error + 1e-18):
        raise TooManyNodes(
            "random draws vary more than the nodes say: the estimator has features too narrow for "
            "the nodes; measure it instead"
        )


def surprising(squares: Moments, due: Tensor) -> bool:
    """Whether chance does not explain that squares are on average more than was due.

    If their mean is r times what it should be and stems from k squares of one size, at most k/r
    of them were due: Chernoff's bound on that is exp(−k(log r − 1 + 1/r)), here e⁻²⁵. Too
    little variation is no evidence: heavy tails do that to a sample.
    """
    r = (squares.mean / due).clamp(min=1.0)
    k = (squares.mean / squares.sem) ** 2  # not a number, and no evidence, where all are alike
    return bool((k * (r.log() - 1 + 1 / r) > 25).any())


def _gauss_hermite_gradient(policy: Policy, objective: Objective, d: int) -> Exact:
    """Σ_m w_m cost(a_m) ∇ log π(a_m) with Gauss–Hermite orders that grow until two agree."""
    components = policy.logits.shape[-1] if isinstance(policy, Mixture) else 1
    leaf = policy.map(lambda p: p.detach().clone().requires_grad_())
    before: Tensor | None = None
    error, scale, order = math.inf, 1.0, 0
    for finer in (2, 4, 6, 8, 10, 12, 16, 20):
        if components * finer**d > MAX_NODES:
            break
        order = finer
        a, w = (t.detach() for t in policy.nodes(order))  # [m, *batch, d], [m, *batch]
        cost = objective.cost(policy, a).detach()
        with torch.enable_grad():
            gradient = row_gradients((w * cost * leaf.log_prob(a)).sum(0), leaf)
        flat = torch.cat([g.flatten() for g in gradient.values()])
        if before is not None:
            scale = float((w * cost.abs()).sum(0).max())
            error = float((flat - before).abs().max())
            if error <= 1e-12 * scale and order >= 8:
                break
        before = flat
    if not error <= AGREEMENT * scale:
        raise TooManyNodes(
            f"no exact gradient in d = {d}: Gauss–Hermite is not there at order {order}, "
            f"{components}·{order}^{d} nodes (the last two orders differ by {error:.1e}); "
            f"the limit is {MAX_NODES:,} nodes"
        )
    rng, baseline = Noise(0, before.device if before is not None else "cpu"), (w * cost).sum(0)
    seen = Moments.of(torch.zeros(0, len(flat), device=flat.device))
    for _ in range(WITNESSES // CHUNK):
        copies = policy.map(lambda p: p.expand(CHUNK, *p.shape).clone().requires_grad_())
        surrogate = score_function(copies, objective, rng, baseline=constant(baseline))
        grads = row_gradients(surrogate, copies)
        seen += Moments.of(torch.cat([g.flatten(1) for g in grads.values()], 1))
    if ((seen.mean - flat).abs() > error + 6 * seen.sem + 1e-9 * scale).any():
        raise TooManyNodes(
            f"no exact gradient in d = {d}: random draws contradict Gauss–Hermite of order "
            f"{order}, for which Q is not smooth enough"
        )
    return Exact(gradient, error)
