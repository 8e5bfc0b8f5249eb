"""Toy problems with known answers: a policy, an objective, and what is known about them."""

from toy_problems.oracles import finite_difference_gradient, quad_gradient
from toy_problems.problems import PROBLEMS, Problem, build

__all__ = ["PROBLEMS", "Problem", "build", "finite_difference_gradient", "quad_gradient"]
