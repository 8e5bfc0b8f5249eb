"""The catalogue: one row an estimator, by the policy that it serves.

A row says once what others need to know of an estimator: commands, figures, maps, advice and SAC
read it here and never guess it from a name. To add one is to add its row; for a policy of one's
own, `CATALOGUE[Mine] = {…}`, or nothing: `applicable` finds what its methods are enough for.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor

from estimators.control_variates import convex_combination, taylor, with_control_variate
from estimators.enumeration import exact
from estimators.finite_differences import finite_difference
from estimators.gradients import Estimator
from estimators.marginalized import marginalized, marginalized_stl
from estimators.measure_valued import measure_valued
from estimators.noise import Noise
from estimators.objective import Objective
from estimators.pathwise import (
    reparameterization,
    reparameterization_eq13,
    sticking_the_landing,
)
from estimators.policies import Categorical, Gaussian, Mixture, Policy
from estimators.relaxations import gumbel_softmax, straight_through
from estimators.score import (
    batch_mean,
    leave_one_out,
    optimal,
    score_function,
    score_function_analytic_entropy,
    score_function_full,
    score_function_optimal,
    score_function_value,
    value,
    vargrad,
)

# What an estimator may need: of the policy a pathwise draw, nodes, its entropy, all its actions
# listed, components to sum over; of Q its gradient (then it misses the jumps of Q), its second
# derivatives; or several actions for one estimate.
Need = Literal[
    "rsample", "nodes", "entropy", "enumeration", "strata", "gradient", "curvature", "several"
]
Once = Callable[[Policy, Objective, str | None], Estimator]


@dataclass(frozen=True)
class Entry:
    """A row: an estimator, and what it is.

    family: of estimators, with one colour and marker everywhere (`nabla.figures.FAMILIES`). bias:
    by how much the mean is off; "" if it is the gradient. usual: on maps unless others are named.
    once(policy, objective, parameter): the same with what depends on the policy alone worked out
    (for that parameter). Called as the estimator that it holds.
    """

    function: Estimator
    family: str
    bias: str = ""
    needs: tuple[Need, ...] = ()
    usual: bool = False
    once: Once | None = None

    def __call__(self, policy: Any, objective: Objective, rng: Noise, **options: Any) -> Tensor:
        return self.function(policy, objective, rng, **options)

    @property
    def __wrapped__(self) -> Estimator:
        """For `inspect`: signature and documentation are the estimator's own."""
        return self.function

    @property
    def misses_jumps(self) -> bool:
        """Whether a jump of Q goes unnoticed: it follows the gradient of Q along the action."""
        return "gradient" in self.needs

    def prepared(
        self, policy: Policy, objective: Objective, parameter: str | None = None
    ) -> Estimator:
        return self.function if self.once is None else self.once(policy, objective, parameter)


PATH, BARE, SCORE, COUPLED, MARGINAL, SUM, RELAXED, COMBINED = (
    "pathwise", "pathwise, no score", "score function", "measure-valued", "marginalized",
    "exact, differences", "relaxed", "combined",
)  # fmt: skip


_OFF = "off at every temperature > 0"
_TAYLOR: tuple[Need, ...] = ("rsample", "gradient", "curvature")

_BY_VALUE = Entry(
    score_function_value,
    SCORE,
    needs=("nodes",),
    once=lambda policy, objective, _: partial(score_function, baseline=value(policy, objective)),
)
_SCORE = {
    "score_function": Entry(score_function, SCORE),
    "score_function_full": Entry(score_function_full, SCORE),
    "score_function_batch_mean": Entry(
        partial(score_function, n=2, baseline=batch_mean),
        SCORE,
        bias="the gradient times 1 − 1/n",
        needs=("several",),
    ),
    "score_function_leave_one_out": Entry(
        partial(score_function, n=2, baseline=leave_one_out), SCORE, needs=("several",)
    ),
    "score_function_value": _BY_VALUE,
    "score_function_optimal": Entry(
        score_function_optimal,
        SCORE,
        needs=("nodes",),
        usual=True,
        once=lambda *problem: partial(score_function, baseline=optimal(*problem)),
    ),
    "vargrad": Entry(vargrad, SCORE, needs=("several",)),
}
_PATHWISE = Entry(reparameterization, PATH, needs=("rsample", "gradient"), usual=True)
_LANDING = Entry(sticking_the_landing, BARE, needs=("rsample", "gradient"), usual=True)
_ENTROPY = Entry(score_function_analytic_entropy, SCORE, needs=("entropy",))
_DIFFERENCE = Entry(finite_difference, SUM, bias="off by h² J‴/6")
_CONVEX = Entry(convex_combination, COMBINED, needs=("rsample", "gradient"))
_EXACT = Entry(exact, SUM, needs=("enumeration",))
_MARGINAL = {
    "marginalized": Entry(marginalized, MARGINAL, needs=("strata", "gradient"), usual=True),
    "marginalized_stl": Entry(marginalized_stl, MARGINAL, needs=("strata", "gradient"), usual=True),
}
_RELAXED = {
    "gumbel_softmax": Entry(gumbel_softmax, RELAXED, bias=_OFF),
    "straight_through": Entry(straight_through, RELAXED, bias=_OFF),
}

# The first row of a policy is what drives an actor unless another is named.
CATALOGUE: dict[type[Policy], dict[str, Entry]] = {
    Gaussian: {
        "reparameterization": _PATHWISE,
        "reparameterization_eq13": Entry(
            reparameterization_eq13, PATH, needs=("rsample", "gradient")
        ),
        "sticking_the_landing": _LANDING,
        **_SCORE,
        "score_function_analytic_entropy": _ENTROPY,
        "measure_valued": Entry(measure_valued, COUPLED),
        "finite_difference": _DIFFERENCE,
        "reparameterization_taylor": Entry(
            with_control_variate(reparameterization, taylor), PATH, needs=_TAYLOR
        ),
        "score_function_taylor": Entry(
            with_control_variate(score_function, taylor), SCORE, needs=("curvature",)
        ),
        "convex_combination": _CONVEX,
    },
    Mixture: {
        "implicit_reparameterization": _PATHWISE,
        "implicit_stl": _LANDING,
        **_SCORE,
        **_MARGINAL,
        "finite_difference": _DIFFERENCE,
        **_RELAXED,
        "convex_combination": _CONVEX,
    },
    Categorical: {
        "exact": _EXACT,
        **_SCORE,
        "score_function_value": replace(_BY_VALUE, usual=True),
        "score_function_analytic_entropy": _ENTROPY,
        "finite_difference": _DIFFERENCE,
        **_RELAXED,
    },
}

# For any other policy, as far as it has what they need; the first that it has drives an actor.
GENERAL: dict[str, Entry] = {
    "exact": _EXACT,
    "reparameterization": _PATHWISE,
    "sticking_the_landing": _LANDING,
    **_MARGINAL,
    **_SCORE,
    "score_function_analytic_entropy": _ENTROPY,
    "finite_difference": _DIFFERENCE,
    "convex_combination": _CONVEX,
}

# The catalogue's exhibits: names whose mean is not the gradient, and by how much it is off.
BIASED: dict[str, str] = {
    name: entry.bias for rows in CATALOGUE.values() for name, entry in rows.items() if entry.bias
}

_LAW = ("sample", "rsample", "log_prob", "nodes", "entropy")


def applicable(policy: Policy) -> tuple[dict[str, Entry], dict[str, str]]:
    """The rows for this policy, and of those that it lacks something for, the reason.

    Looked up along its classes: a subclass that keeps the law of its parent keeps its rows. One
    of your own that has no rows gets the general ones, as far as its methods go.
    """
    mine = type(policy)
    for kind in mine.__mro__:
        if kind in CATALOGUE and all(getattr(mine, f) is getattr(kind, f) for f in _LAW):
            return dict(CATALOGUE[kind]), {}
    lacking = {need: why for need in _TRIED if (why := _lack(policy, need))}
    reasons = {
        name: next((lacking[n] for n in entry.needs if n in lacking), "")
        for name, entry in GENERAL.items()
    }
    return (
        {name: entry for name, entry in GENERAL.items() if not reasons[name]},
        {name: why for name, why in reasons.items() if why},
    )


def row(name: str) -> Entry | None:
    """The row of that name, of whichever policy; None if there is none."""
    return next((rows[name] for rows in [*CATALOGUE.values(), GENERAL] if name in rows), None)


def entry_of(estimator: Any) -> Entry | None:
    """The row that an estimator was taken from, maybe with options filled in; None without."""
    while isinstance(estimator, partial):
        estimator = estimator.func
    return estimator if isinstance(estimator, Entry) else None


def _listed(policy: Policy) -> Tensor:
    if not policy.discrete:
        raise TypeError(f"the actions of a {type(policy).__name__} policy cannot be listed")
    return policy.nodes()[0]


_TRIED: dict[str, Callable[[Policy], object]] = {
    "rsample": lambda policy: policy.rsample(1, Noise()),
    "nodes": lambda policy: policy.nodes(),
    "entropy": lambda policy: policy.entropy(),
    "enumeration": _listed,
    "strata": lambda policy: policy.strata(1, Noise()),
}


def _lack(policy: Policy, need: str) -> str:
    """Why the policy has not got it, in its own words; "" if it has."""
    try:
        with torch.no_grad():
            _TRIED[need](policy)
    except (TypeError, ValueError, NotImplementedError, AttributeError) as error:
        return " ".join(str(error).split()) or f"the policy has no {need}"
    return ""
