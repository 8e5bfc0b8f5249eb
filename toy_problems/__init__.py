"""Toy problems with known answers: a policy, an objective, and what is known about them."""

from estimators.moved import moved
from toy_problems.oracles import finite_difference_gradient, quad_gradient
from toy_problems.problems import PROBLEMS, Problem, build

__all__ = ["PROBLEMS", "Problem", "build", "finite_difference_gradient", "quad_gradient"]

_TABLES = "averages constrained_bandit policy_gradient soft_mdp tabular"
_THEORY = "criterion families local maps mixtures sac tilted"
_PUBLISHED = "baselines dimensions mixtures sac"
moved(
    {f"toy_problems.{name}": f"toy_problems.tables.{name}" for name in _TABLES.split()}
    | {f"toy_problems.theory_{name}": f"toy_problems.theory.{name}" for name in _THEORY.split()}
    | {
        f"toy_problems.published_{name}": f"toy_problems.published.{name}"
        for name in _PUBLISHED.split()
    }
    | {
        "toy_problems.critics": "toy_problems.published.critics",
        "toy_problems.squashed": "toy_problems.theory.squashed",
        "toy_problems.studies": "toy_problems.published.studies",
    }
)
