"""The grids of the book's figures are what the closed forms say."""

import math

import numpy as np

from nabla.course.book.heroes import DIMENSIONS, kl_landscape, variance_map
from toy_problems.theory import report_kl, score_beats_eq13


def test_the_landscape_is_the_divergence():
    data = kl_landscape()
    for i, j, k in ((0, 0, 0), (8, 10, 38), (16, 36, 64)):
        m, sigma, phi = data["m"][i], data["sigma"][j], data["phi"][k]
        assert abs(data["kl"][i][j][k] - report_kl(m, phi, math.log(sigma))) < 1e-3


def test_the_map_agrees_with_the_theorem_about_who_wins():
    data = variance_map()
    variances = np.array(data["variances"])  # [D, τ, ratio, estimator]
    ratio, tau = np.meshgrid(data["ratio"], data["tau"])
    for i, D in enumerate(DIMENSIONS):
        eq13, sticking, score = np.moveaxis(variances[i], -1, 0)
        margin = score_beats_eq13(ratio, tau, D) * tau**2
        clear = abs(margin) > 2e-3  # three decimals are kept
        assert ((score < eq13) == (margin < 0))[clear].all()
        assert (sticking <= score).all()
        assert ((sticking < eq13) == (tau > 0.5))[abs(tau - 0.5) > 1e-3].all()
