"""What a study holds: estimators on a row of problems, with closed forms where there are any."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import numpy as np
import torch

from estimators import Estimator, Gaussian, Mixture, Objective, Policy, constant, score_function
from estimators.catalogue import CATALOGUE

Cell = tuple[Estimator, Policy, Objective]
FLOAT = torch.float64


@dataclass(frozen=True, eq=False)
class Series:
    """One estimator along x. cell(x, entry) is the problem there; the entry matters to a baseline
    that is optimal for it. formulas: {entry: its closed form at x}."""

    group: str
    name: str
    x: np.ndarray
    cell: Callable[[float, str], Cell]
    formulas: Mapping[str, np.ndarray] = field(default_factory=dict)
    exact: slice = field(default_factory=lambda: slice(None))  # where nodes are asked


@dataclass(frozen=True, eq=False)
class Study:
    """A published figure or table. statistic: of one estimate; entries: "mu", "log_std", "logits"
    (the first number of it) or "total"; labels: of x, where it counts cases."""

    title: str
    reference: str
    xlabel: str
    series: list[Series]
    entries: tuple[str, ...] = ("mu",)
    statistic: Literal["variance", "mean"] = "variance"
    log: str = "y"
    labels: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    trend: bool = False  # whether the power of x is told and drawn


def catalogued(name: str, policy: Policy, objective: Objective, entry: str) -> Cell:
    """The estimator of that name; a baseline that has an optimum has that for the entry."""
    parameter = None if entry == "total" else entry
    estimator = CATALOGUE[type(policy)][name].prepared(policy, objective, parameter)
    return estimator, policy, objective


def normal(mu: float = 0.0, log_std: float = 0.0) -> Gaussian:
    return Gaussian(*(torch.tensor([v], dtype=FLOAT) for v in (mu, log_std)))


def two_components(m: float, log_std: float = 0.0, logit: float = 0.0) -> Mixture:
    """N(−m, σ²) and N(m, σ²) with logits (logit, −logit)."""
    mu = torch.tensor([[-m], [m]], dtype=FLOAT)
    logits = torch.tensor([logit, -logit], dtype=FLOAT)
    return Mixture(logits, mu, torch.full_like(mu, log_std))


def with_constant(b: float) -> Estimator:
    return partial(score_function, baseline=constant(b))
