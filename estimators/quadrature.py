"""Exact answers: quadrature nodes fed to an estimator as if they were its random draws.

An estimator is run once to see which draws it makes. Its scalar draws become nodes of
N(0, 1) (a uniform one through the distribution function), its categories are all taken in
turn, every combination gets a row of its own, and the weighted mean over rows is the
estimator's mean: no randomness, no flakes. One scalar draw is integrated panel by panel, split
until two rules agree (so kinks and jumps of Q are found); two or three by product rules of
growing order. Every answer carries its own error.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from estimators.gradients import Estimator, Gradient, per_sample_gradients, row_gradients
from estimators.noise import Noise
from estimators.objective import Objective
from estimators.policies import MAX_NODES, Categorical, Mixture, Policy
from estimators.score import score_function

REACH = 12.0  # ε ∈ [−12, 12]: beyond, N(0, 1) has mass 4e-33
NODES = 16  # a panel
MAX_DRAWS = 3
MAX_ROWS = 2**21
CHUNK = 2**13  # rows in one backward pass: tensors that stay in cache
MAX_PANELS = 512
FLOOR = 1e-2  # a scale below this counts as this: a zero is a zero to within rounding


class Exact(Gradient):
    """A dict of tensors, and `error`: the largest absolute error of any of its entries."""

    def __init__(self, values: Gradient, error: float) -> None:
        super().__init__(values)
        self.error = error


class TooManyNodes(ValueError):
    """There is no exact answer within reach."""


def exact_gradient(policy: Policy, objective: Objective) -> Exact:
    """∇J(θ) = E_π[(α log π(a) − Q(a)) ∇ log π(a)] for each parameter, like the parameters.

    Deterministic, for any Q that the score function can take, jumps included. Gaussians and
    mixtures up to d = 3 by adaptive nodes, smooth ones up to d ≈ 6 by Gauss–Hermite, all
    categories. `.error` is its own estimate of its error; TooManyNodes (a ValueError) when that
    stays above 5e-7 of the gradient's scale.
    """
    d = 0 if isinstance(policy, Categorical) else policy.parameters()["mu"].shape[-1]
    if d <= MAX_DRAWS:
        mean, error = _mean(score_function, policy, objective)
    else:
        mean, error = _gauss_hermite_gradient(policy, objective, d)
    return Exact(mean, error)


def exact_moments(
    estimator: Estimator, policy: Policy, objective: Objective
) -> tuple[Exact, Exact]:
    """Mean and variance of one estimate, elementwise, each a dict shaped like the parameters.

    Deterministic; `.error` of each is its own estimate of its error. Raises TooManyNodes when
    the estimator makes more than three scalar draws or the two finest rules disagree by more
    than 5e-7 of the scale.
    """
    mean, mean_error = _mean(estimator, policy, objective)
    square, error = _mean(estimator, policy, objective, about=mean)
    return Exact(mean, mean_error), Exact(square, error)


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
    estimator: Estimator, policy: Policy, objective: Objective, about: Gradient | None = None
) -> tuple[Gradient, float]:
    """E[g], or E[(g − about)²], and the error of the worst entry."""
    policy = policy.detach()
    draws = _discover(estimator, policy, objective)
    scalars = sum(d.size for d in draws if d.categories is None)
    sizes = [d.categories for d in draws if d.categories is not None for _ in range(d.size)]
    combinations = math.prod(sizes)
    if scalars > MAX_DRAWS or combinations > MAX_ROWS // NODES:
        raise TooManyNodes(
            f"an estimate makes {scalars} scalar and {len(sizes)} categorical draws "
            f"({combinations} combinations): exact moments reach {MAX_DRAWS} scalar draws and "
            f"{MAX_ROWS // NODES} combinations; measure it instead"
        )
    k = torch.cartesian_prod(*[torch.arange(s) for s in sizes]) if sizes else torch.zeros(1, 0)
    k = k.reshape(combinations, len(sizes)).long()
    shapes = {name: p.shape for name, p in policy.parameters().items()}
    like = next(iter(policy.parameters().values()))

    def integrand(x: Tensor) -> Tensor:
        """x: [m, scalars] -> [m, entries], summed over the categories."""
        every_x = x.repeat_interleave(combinations, 0).to(like)
        every_k = k.repeat(len(x), 1).to(like.device)
        nodes = _Nodes(draws, every_x, every_k, policy.batch)
        grads = per_sample_gradients(estimator, policy, objective, len(every_x), nodes)
        out = []
        for name, g in grads.items():
            g = g if about is None else (g - about[name]) ** 2
            w = torch.as_tensor(nodes.weight).to(g)
            out.append((g * w.reshape(*w.shape, *(1,) * (g.ndim - w.ndim))).flatten(1))
        return torch.cat(out, 1).double().unflatten(0, (len(x), combinations)).sum(1)

    chunk = max(1, CHUNK // (combinations * max(1, policy.batch.numel())))
    tolerance = 64 * torch.finfo(like.dtype).eps
    value, error, scale = _integrate(integrand, scalars, chunk, MAX_ROWS // combinations, tolerance)
    allowed = 5e-7 if like.dtype == torch.float64 else 1e-3
    if not (error <= allowed * scale.clamp(min=FLOOR)).all():
        raise TooManyNodes(
            f"two quadrature rules still disagree by {float(error.max()):.1e} (the scale is "
            f"{float(scale.max()):.1e}) for {scalars} scalar draw(s) at the limit of "
            f"{MAX_ROWS:,} nodes; measure it instead"
        )
    parts = value.to(like).split([s.numel() for s in shapes.values()])
    mean = {name: v.view(s) for (name, s), v in zip(shapes.items(), parts, strict=True)}
    return mean, float(error.max())


def _integrate(
    f: Callable[[Tensor], Tensor], draws: int, chunk: int, limit: int, tolerance: float
) -> tuple[Tensor, Tensor, Tensor]:
    """∫ f(ε) N(ε; 0, I) dε: value, error and scale ∫|f|, each [entries]."""
    if draws == 0:
        value = f(torch.zeros(1, 0, dtype=torch.float64))[0]
        return value, tolerance / 64 * value.abs(), value.abs()
    if draws == 1:
        return _adaptive(f, chunk, tolerance)
    return _product(f, draws, chunk, limit, tolerance)


def _gauss() -> tuple[np.ndarray, np.ndarray]:
    """Gauss–Legendre on [−1, 1]."""
    return np.polynomial.legendre.leggauss(NODES)


def _lobatto() -> tuple[np.ndarray, np.ndarray]:
    """Gauss–Lobatto on [−1, 1]: it looks at the ends, so no jump hides between panels."""
    last = np.polynomial.Legendre.basis(NODES - 1)
    t = np.concatenate([[-1.0], np.sort(last.deriv().roots().real), [1.0]])
    return t, 2 / (NODES * (NODES - 1) * last(t) ** 2)


def _on_panels(
    rule: tuple[np.ndarray, np.ndarray], left: Tensor, right: Tensor
) -> tuple[Tensor, Tensor]:
    """The rule on each panel, times the normal density: nodes and weights [panels, NODES]."""
    t, w = (torch.as_tensor(v) for v in rule)
    half = (right - left)[:, None] / 2
    x = (left + right)[:, None] / 2 + half * t
    return x, half * w * torch.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)


def _adaptive(
    f: Callable[[Tensor], Tensor], chunk: int, tolerance: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Panels over [−REACH, REACH], each halved until whole and halves agree."""

    rule = _lobatto()

    def panels(left: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
        x, w = _on_panels(rule, left, right)
        terms = (_chunked(f, x.reshape(-1, 1), chunk) * w.reshape(-1, 1)).unflatten(0, x.shape)
        return terms.sum(1), terms.abs().sum(1)  # [panels, entries] both

    ends = torch.tensor([[-REACH], [REACH]], dtype=torch.float64)
    error = f(ends).abs().sum(0) * math.exp(-(REACH**2) / 2) / math.sqrt(2 * math.pi) / REACH
    edges = torch.linspace(-REACH, REACH, 9, dtype=torch.float64)
    left, right = edges[:-1], edges[1:]
    whole, size = panels(left, right)
    value, scale = torch.zeros_like(error), size.sum(0)
    for _ in range(60):
        middle = (left + right) / 2
        halves, _ = panels(torch.cat([left, middle]), torch.cat([middle, right]))
        first, second = halves.chunk(2)
        gap = (first + second - whole).abs()
        undone = ~(gap <= tolerance * scale.clamp(min=FLOOR)).all(1)
        value, error = (
            value + (first + second)[~undone].sum(0),
            error + gap[~undone].sum(0),
        )
        if not undone.any() or undone.sum() > MAX_PANELS or not halves.isfinite().all():
            break
        left, right = (
            torch.cat([left[undone], middle[undone]]),
            torch.cat([middle[undone], right[undone]]),
        )
        whole = torch.cat([first[undone], second[undone]])
    if undone.any():
        value, error = value + (first + second)[undone].sum(0), error + gap[undone].sum(0)
    return value, error, scale


def _product(
    f: Callable[[Tensor], Tensor], draws: int, chunk: int, limit: int, tolerance: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Product of panel rules with ever more panels, an even number: 0 is an edge and, Gauss rules
    keeping off the edges, a sign(ε) does no harm."""
    before: Tensor | None = None
    error = scale = torch.tensor(torch.inf)
    for panels in (4, 6, 8, 12, 16, 24, 32, 48, 64):
        if (NODES * panels) ** draws > limit:
            break
        edges = torch.linspace(-REACH, REACH, panels + 1, dtype=torch.float64)
        x, w = (v.reshape(-1) for v in _on_panels(_gauss(), edges[:-1], edges[1:]))
        value, scale, tail = _product_sum(f, x, w, draws, chunk)
        if before is not None:
            error = (value - before).abs() + tail
            if (error <= tolerance * scale.clamp(min=FLOOR)).all():
                return value, error, scale
        before = value
    if before is None:
        raise TooManyNodes(f"{draws} scalar draws need more than {limit:,} quadrature nodes")
    return before, error.expand_as(before), scale


def _product_sum(
    f: Callable[[Tensor], Tensor], x: Tensor, w: Tensor, draws: int, chunk: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Σ w f, Σ |w f|, and Σ |w f| on the border of the grid x^draws, never held whole."""
    sums: list[Tensor] = []
    for flat in torch.arange(len(x) ** draws).split(chunk):
        index = torch.stack([flat // len(x) ** i % len(x) for i in range(draws)], 1)
        terms = f(x[index]) * w[index].prod(1, keepdim=True)
        border = ((index == 0) | (index == len(x) - 1)).any(1)
        part = [terms.sum(0), terms.abs().sum(0), terms[border].abs().sum(0)]
        sums = part if not sums else [a + b for a, b in zip(sums, part, strict=True)]
    return sums[0], sums[1], sums[2]


def _chunked(f: Callable[[Tensor], Tensor], x: Tensor, chunk: int) -> Tensor:
    return torch.cat([f(part) for part in x.split(chunk)])


def _gauss_hermite_gradient(policy: Policy, objective: Objective, d: int) -> tuple[Gradient, float]:
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
            if error <= 1e-12 * scale:
                break
        before = flat
    if not error <= 5e-7 * scale:
        raise TooManyNodes(
            f"no exact gradient in d = {d}: Gauss–Hermite is not there at order {order}, "
            f"{components}·{order}^{d} nodes (the last two orders differ by {error:.1e}); "
            f"the limit is {MAX_NODES:,} nodes"
        )
    return gradient, error
