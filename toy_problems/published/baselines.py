"""Published results about baselines that other actions give, ready to be run."""

from collections.abc import Callable
from functools import partial

import numpy as np

from estimators import (
    Estimator,
    Gaussian,
    Noise,
    batch_mean,
    exact_gradient,
    exact_moments,
    leave_one_out,
    per_sample_gradients,
    score_function,
    value,
    vargrad,
)
from estimators.score import Baseline
from toy_problems import theory
from toy_problems.problems import build
from toy_problems.published.studies import Cell, Series, Study


def _with(baseline: Baseline) -> Callable[[int], Estimator]:
    return lambda n: partial(score_function, n=n, baseline=baseline)


def _along_n(name: str, make: Callable[[int], Estimator], n: list[int], form: np.ndarray) -> Series:
    """Exact moments to 1e-9 reach n = 2, beyond are formula and measurement."""
    p = build("report")

    def cell(x: float, entry: str) -> Cell:
        return make(int(x)), p.policy, p.objective

    return Series("", name, np.array(n, float), cell, {"mu": form}, slice(0, 1))


def kool() -> Study:
    """The variance of leave-one-out against N, on the report's example."""
    n = [2, 3, 4, 6, 8, 12, 16, 24, 32]
    p = build("report")
    assert isinstance(p.policy, Gaussian)
    centred = partial(score_function, baseline=value(p.policy, p.objective, order=200))
    mean, alone = (float(d["mu"]) for d in exact_moments(centred, p.policy, p.objective))
    a, w = p.policy.nodes(200)
    cost = p.objective.cost(p.policy, a)
    var_f = float((w * cost**2).sum() - (w * cost).sum() ** 2)
    form = np.array([theory.leave_one_out_variance(k, alone, var_f, 1.0, mean) for k in n])
    loo = _along_n("score_function_leave_one_out", _with(leave_one_out), n, form)
    best = alone / np.array(n, float)
    ideal = _along_n("score_function_value", lambda k: partial(centred, n=k), n, best)
    own = np.array([theory.in_sample_variance(k, v) for k, v in zip(n, form, strict=True)])
    inside = _along_n("score_function_batch_mean", _with(batch_mean), n, own)
    return Study(
        "Variance for μ of N actions averaged, report's example",
        "Kool, van Hoof and Welling 2019; Richter et al. 2020", "N", [loo, ideal, inside],
        log="xy",
        notes=(
            f"VarGrad less leave-one-out, 1,000 draws of 8 actions: {draw_by_draw(8):.1e} at most",
        ),
    )  # fmt: skip


def in_sample() -> Study:
    """A baseline that holds the action's own cost scales the gradient by 1 − 1/N."""
    n = [2, 3, 4, 6, 8, 12, 16]
    p = build("report")
    gradient = float(exact_gradient(p.policy, p.objective)["mu"])
    flat = np.full(len(n), gradient)
    make: dict[str, Callable[[int], Estimator]] = {
        "score_function_batch_mean": _with(batch_mean),
        "score_function_leave_one_out": _with(leave_one_out),
        "vargrad": lambda k: partial(vargrad, n=k),
    }
    forms = {name: flat for name in make}
    forms["score_function_batch_mean"] = flat * (1 - 1 / np.array(n))
    series = [_along_n(name, f, n, forms[name]) for name, f in make.items()]
    return Study(
        "Mean of the estimate of ∂J/∂μ, report's example",
        "Kool, van Hoof and Welling 2019; Richter et al. 2020", "N", series, statistic="mean",
        log="x", notes=(f"exact gradient {gradient:.10f}",),
    )  # fmt: skip


def draw_by_draw(n: int, draws: int = 1000, seed: int = 0) -> float:
    """Largest |∇ ½ Var_n − leave-one-out| over draws of the same actions, on the report's example.

    Reference: Richter et al. 2020: they are the same estimator.
    """
    p = build("report")
    one, two = (
        per_sample_gradients(e, p.policy, p.objective, draws, Noise(seed))
        for e in (partial(vargrad, n=n), partial(score_function, n=n, baseline=leave_one_out))
    )
    return max(float((one[k] - two[k]).abs().max()) for k in one)
