"""High dimension and learned critics: the same measurements for d up to 50."""

import math
from collections.abc import Callable
from functools import cache, partial

import numpy as np

from estimators import CATALOGUE, Estimator, Gaussian, Noise, Objective, exact_moments, squash
from toy_problems import theory
from toy_problems.problems import Problem, build, gaussian
from toy_problems.published import critics
from toy_problems.published.studies import Cell, Series, Study, with_constant

DIMENSIONS = np.array([1.0, 2.0, 5.0, 10.0, 20.0, 50.0])
NAMES = (
    "reparameterization", "sticking_the_landing", "score_function_value",
    "score_function_leave_one_out", "measure_valued",
)  # fmt: skip
Totals = dict[str, float]  # {estimator: total variance}


def high_dimension() -> Study:
    """Total variance against d: all coordinates curved, all oscillating, or one of them."""
    made: dict[str, tuple[Callable[[int], Problem], Callable[[int], Totals]]] = {
        "quadratic": (lambda d: build("sac_quadratic", d=d), _quadratic),
        "Σ cos 3aᵢ": (lambda d: build("cosine", d=d), partial(_cosines, every=True)),
        "cos 3a₁": (_one_cosine, partial(_cosines, every=False)),
    }
    series = []
    for group, (make, forms) in made.items():
        lines = [forms(int(d)) for d in DIMENSIONS]
        for name in NAMES:
            known = name in lines[0]
            mine = {"total": np.array([f[name] for f in lines])} if known else {}
            nodes = slice(0, 2 if known and "leave" not in name else 0)
            series.append(Series(group, name, DIMENSIONS, partial(_cell, make, name), mine, nodes))
    return Study(
        "Total variance of one estimate in d dimensions, α > 0",
        "lines: closed forms; measure-valued (3d + 1 evaluations of Q): power of d ≥ 5", "d",
        series, ("total",), log="xy", trend=True,
        notes=("Q evaluations of an estimate: 1; leave-one-out 2; measure-valued 3d + 1",),
    )  # fmt: skip


def neural_critics() -> Study:
    """Total variance against d, critics frozen: a target, networks fitted to it, a random one."""
    relu, tanh = (partial(critics.fitted, activation=a) for a in ("relu", "tanh"))
    made: dict[str, Callable[[int], Problem]] = {
        "target": lambda d: _squashed(critics.target(d), d),
        "ReLU network fitted to it": lambda d: _squashed(relu(d), d),
        "tanh network fitted to it": lambda d: _squashed(tanh(d), d),
        "random tanh network": lambda d: build("mlp", d=d),
    }
    series = [
        Series(group, name, DIMENSIONS, partial(_cell, make, name), exact=slice(0))
        for group, make in made.items()
        for name in NAMES
    ]
    fits = [
        f"{what} network explains of its target, d = 1 … 50: "
        + ", ".join(f"{critics.explained(make(int(d)), int(d)):.2f}" for d in DIMENSIONS)
        for what, make in (("ReLU", relu), ("tanh", tanh))
    ]
    return Study(
        "Total variance of one estimate, tanh policy, frozen critic of d actions",
        "lines: the power of d ≥ 5", "d", series, ("total",), log="xy", trend=True,
        notes=(
            *fits,
            "V is the mean cost of 4,096 other draws",
            "one network for each d: ± is the measurement's, networks differ more",
        ),
    )  # fmt: skip


def _squashed(Q: critics.Critic, d: int) -> Problem:
    return Problem("critic", gaussian(0.2, math.log(0.5), d), squash(Objective(Q, 0.1)))


def _one_cosine(d: int) -> Problem:
    p = build("cosine", d=d)
    return Problem("one", p.policy, Objective(lambda a: (3 * a[..., 0]).cos(), p.objective.alpha))


def _cell(make: Callable[[int], Problem], name: str, x: float, entry: str) -> Cell:
    p = make(int(x))
    estimator = _value(p) if name == "score_function_value" else CATALOGUE[Gaussian][name]
    return estimator, p.policy, p.objective


def _value(p: Problem) -> Estimator:
    """With V in closed form, or the mean of other draws: nodes do not reach d = 50."""
    if p.name == "one":
        p1 = build("cosine", d=1)
        assert p1.value is not None
        entropy = (p.policy.dim - 1) * float(p1.policy.entropy())
        return with_constant(float(p1.value(p1.policy)) - float(p.objective.alpha) * entropy)
    if p.value is not None:
        return with_constant(float(p.value(p.policy)))
    a = p.policy.sample(4096, Noise(1))
    return with_constant(float(p.objective.cost(p.policy, a).mean()))


def _pairs(centred: float, var_f: float, var_s: float, square: float) -> float:
    """Leave-one-out at n = 2, summed over the entries."""
    return float(theory.leave_one_out_variance(2, centred, var_f, var_s, math.sqrt(square)))


def _quadratic(d: int) -> Totals:
    """`build("sac_quadratic", d=d)`: distance .6, τ 1.5, σ .7, α .5."""
    sigma, alpha, delta = 0.7, 0.5, 0.6 * 0.7
    k = 1.5 * alpha / sigma**2
    totals = {
        name: float(f["total"])
        for name, f in theory.quadratic_critic(delta, sigma, k, alpha, d).items()
        if name in NAMES
    }
    B, u2 = alpha - k * sigma**2, (k * delta * sigma) ** 2
    var_f, var_s = d * B**2 / 2 + u2, d / sigma**2 + 2 * d
    centred, square = totals["score_function_value"], u2 / sigma**2 + d * B**2
    return {**totals, "score_function_leave_one_out": _pairs(centred, var_f, var_s, square)}


def _cosines(d: int, every: bool) -> Totals:
    """cos 3a on every coordinate or on the first; the others have α log π alone."""
    wave, flat = _alone(3.0), _alone(0.0)
    parts = [wave] * d if every else [wave, *[flat] * (d - 1)]
    sigma = 0.7
    var_s = 1 / sigma**2 + 2
    var_f = np.array([p["var_f"] for p in parts])
    square = sum(p["square"] for p in parts)
    one = np.array([p["score_function_value"] for p in parts])
    centred = theory.additive_score_variance(one, var_f, var_s)
    return {
        **{n: sum(p[n] for p in parts) for n in ("reparameterization", "sticking_the_landing")},
        "score_function_value": centred,
        "score_function_leave_one_out": _pairs(centred, var_f.sum(), d * var_s, square),
    }


@cache
def _alone(frequency: float) -> Totals:
    """In one dimension, by nodes: variances, Var F, and |∇J|²."""
    p = build("cosine", frequency=frequency)
    assert p.value is not None
    out: Totals = {}
    centre = float(p.value(p.policy))
    chosen = {n: CATALOGUE[Gaussian][n] for n in ("reparameterization", "sticking_the_landing")}
    for name, e in {**chosen, "score_function_value": with_constant(centre)}.items():
        mean, variance = exact_moments(e, p.policy, p.objective)
        out[name] = sum(float(v.sum()) for v in variance.values())
        out["square"] = sum(float((m**2).sum()) for m in mean.values())
    a, w = p.policy.nodes(120)
    out["var_f"] = float((w * (p.objective.cost(p.policy, a) - centre) ** 2).sum())
    return out
