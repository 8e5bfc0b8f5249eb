"""Toy problems with known answers: a policy, an objective, and what is known about them."""

from estimators.moved import moved
from toy_problems.oracles import finite_difference_gradient, quad_gradient
from toy_problems.problems import PROBLEMS, Problem, build

__all__ = ["PROBLEMS", "Problem", "build", "finite_difference_gradient", "quad_gradient"]

_TABLES = "constrained_bandit policy_gradient soft_mdp tabular"
moved(
    {f"toy_problems.{name}": f"toy_problems.tables.{name}" for name in _TABLES.split()}
    | {
        "toy_problems.published_mixtures": "toy_problems.published.mixtures",
        "toy_problems.squashed": "toy_problems.theory.squashed",
        "toy_problems.theory_local": "toy_problems.theory.local",
    }
)
