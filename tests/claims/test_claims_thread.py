"""Claims Q01–Q18: the question and answers on Eq. 13, in their order."""

import math

import numpy as np
import torch

from estimators import reparameterization, reparameterization_eq13, sticking_the_landing
from estimators.gradients import row_gradients
from nabla.claims.ledger import (
    CONDITION,
    HOLDS,
    MISLEADS,
    RESULT,
    SLIP,
    WRONG,
    below,
    claim,
    equal,
    fact,
    unequal,
)
from toy_problems import build
from toy_problems.identities import eq13_is_autograd, leaves, random_problem
from toy_problems.problems import FLOAT, gaussian
from toy_problems.quantities import numbers
from toy_problems.quantities import report as q
from toy_problems.quantities import report_example as ex
from toy_problems.theory import report_kl
from toy_problems.theory.squashed import expectation

from .evidence import (
    EPS,
    SIGMA,
    actor_loss,
    exact,
    flat,
    kl_to_well,
    mean,
    normal_pdf,
    one_draw,
    replay,
)

T = 0.7  # where μ(t) = 0.4t + sin t, σ(t) = e^{0.3t − 0.5}
MU, DMU = 0.4 * T + math.sin(T), 0.4 + math.cos(T)
STD, DSTD = math.exp(0.3 * T - 0.5), 0.3 * math.exp(0.3 * T - 0.5)
F, DF = MU + STD * EPS, DMU + DSTD * EPS


def derivative_at_t(through_density, through_action):
    """d/dt log π(f) by autograd, through the paths named."""
    t = torch.tensor(T, dtype=FLOAT, requires_grad=True)
    policy = gaussian([0.0], [0.0]).map(lambda p: p + 0 * t)
    policy = type(policy)((0.4 * t + torch.sin(t)).view(1), (0.3 * t - 0.5).view(1))
    a = policy.mu + policy.log_std.exp() * EPS
    density = policy if through_density else policy.detach()
    value = density.log_prob(a if through_action else a.detach())
    return float(torch.autograd.grad(value, t)[0])


@claim(
    "Q01",
    where="question, J_π",
    says="J = E_s KL(π ‖ exp Q/Z) (a bracket is missing in the display).",
    verdict=HOLDS,
)
def test_q01(e):
    p = build("report", phi=0.7)
    step = 1e-4
    slope = (report_kl(2.0, 0.7 + step) - report_kl(2.0, 0.7 - step)) / (2 * step)
    e.printed(
        "Q = log h: slope of the KL is the actor's gradient",
        equal(exact(p.policy, p.objective)[0], slope, 1e-7),
    )
    apart = kl_to_well(0.4, 0.5) - actor_loss(0.4, 0.5)
    e.printed("double well: it is the loss plus log Z", equal(apart, numbers("R03.log_Z")[0]))


@claim(
    "Q02",
    where="question, “the objective could be rewritten as”",
    says="J = E[log π(f) − Q(f)].",
    verdict=CONDITION,
    correction="Up to the constant E_s log Z(s), which has no gradient: equal only if Z = 1.",
    matters=MISLEADS,
)
def test_q02(e):
    loss = -expectation(ex.log_h, 0.7) - 0.5 * math.log(2 * math.pi * math.e)
    e.printed("Q = log h, so Z = 1", equal(report_kl(2.0, 0.7), loss))
    e.printed("double well, Z = 1.97", equal(kl_to_well(0.4, 0.5), actor_loss(0.4, 0.5)))
    apart = kl_to_well(0.4, 0.5) - actor_loss(0.4, 0.5)
    e.corrected("the difference is log Z", equal(apart, numbers("R03.log_Z")[0]))


@claim(
    "Q03",
    where="question, ∇_φ J_π(φ) = … without expectation or hat",
    says="The displayed expression is the gradient of J.",
    verdict=CONDITION,
    correction="In expectation over s and ε. For one draw it is an unbiased estimate, which SAC "
    "writes with a hat.",
    matters=MISLEADS,
)
def test_q03(e):
    policy, objective = q.sine()
    truth = exact(policy, objective)
    e.printed(
        "in expectation over ε", equal(mean(reparameterization_eq13, policy, objective), truth)
    )
    e.printed("for the draw ε = 0.9", equal(numbers("R21.eq13"), truth))


@claim(
    "Q04",
    where="question, on the second large term",
    says="The second term alone is already the gradient that is needed.",
    verdict=CONDITION,
    correction="In expectation: it is an unbiased estimate (sticking the landing), because the "
    "first term has mean 0. It is not the derivative of the sampled loss, draw by draw, and its "
    "variance may be smaller or larger.",
    matters=RESULT,
)
def test_q04(e):
    policy, objective = q.sine()
    truth = exact(policy, objective)
    e.printed("its mean", equal(mean(sticking_the_landing, policy, objective), truth))
    autograd = one_draw(reparameterization, policy, objective)
    e.printed(
        "draw by draw, ε = 0.9", equal(one_draw(sticking_the_landing, policy, objective), autograd)
    )
    v = numbers("Q04.variances")
    e.corrected("its variance is larger here, for μ", below(v[0], v[2]))
    e.corrected(
        "and smaller on R22's parabola",
        below(numbers("R22.stl_variance")[0], numbers("R22.eq13_variance")[0]),
    )


@claim(
    "Q05",
    where="answer 1, “approximate gradient not the true gradient”",
    says="Eq. 13 is an approximate gradient, not the true one.",
    verdict=CONDITION,
    correction="One draw is an estimate; its mean is the true gradient. It approximates as a "
    "sample mean does, not by a formula that is off.",
    matters=MISLEADS,
)
def test_q05(e):
    policy, objective = q.sine()
    truth = exact(policy, objective)
    one = np.abs(np.subtract(numbers("R21.eq13"), truth)).max()
    e.printed("a draw is off (ε = 0.9)", below(0.1, float(one)))
    average = np.abs(np.subtract(mean(reparameterization_eq13, policy, objective), truth)).max()
    e.printed("its mean is off", fact("0 to rounding", float(average) > 1e-9))


@claim(
    "Q06",
    where="answer 1, “This is where approximation comes”",
    says="The approximation enters where f_φ(ε) is replaced by a_t.",
    verdict=WRONG,
    correction="a_t = f_φ(ε_t; s_t) by definition: the replacement is exact, and = stands for each "
    "≈. What is approximated is the expectation, by a draw.",
    matters=RESULT,
)
def test_q06(e):
    policy, objective = q.sine()
    formula = one_draw(reparameterization_eq13, policy, objective)
    autograd = one_draw(reparameterization, policy, objective)
    gap = float(np.abs(np.subtract(formula, autograd)).max())
    e.printed(
        "with a_t the result differs from the derivative through f",
        fact("0 to rounding", gap > 1e-12),
    )
    e.corrected("they are equal", equal(formula, autograd))


@claim(
    "Q07",
    where="answer 1, chain rule of log π(φ, f_φ)",
    says="The total derivative is ∂/∂φ plus ∂/∂f · ∂f/∂φ.",
    verdict=HOLDS,
)
def test_q07(e):
    total = derivative_at_t(True, True)
    parts = derivative_at_t(True, False) + derivative_at_t(False, True)
    e.printed("μ = 0.4t + sin t, σ = e^{0.3t − 0.5}, t = 0.7", equal(total, parts))


@claim(
    "Q08",
    where="answer 1, on ∂Q/∂φ",
    says="∂Q/∂φ at fixed action is 0, because Q does not depend on φ.",
    verdict=HOLDS,
)
def test_q08(e):
    leaf = leaves(gaussian([0.3], [math.log(SIGMA)]))
    a = leaf.rsample(1, replay(EPS))

    def derivative(a):
        loss = torch.sin(1.3 * a).sum() + 0 * (leaf.mu + leaf.log_std).sum()
        return flat(row_gradients(loss, leaf))

    e.printed("autograd of Q at a detached action", equal(derivative(a.detach()), [0.0, 0.0]))
    e.known("through the action it is not 0", below(0.1, derivative(a)[0]))


@claim("Q09", where="answer 1, last line", says="Adding the parts up gives Eq. 13.", verdict=HOLDS)
def test_q09(e):
    policy, objective = q.sine()
    slope = 1.3 * math.cos(1.3 * 0.93)
    score = np.array([EPS / SIGMA, EPS**2 - 1])
    second = (-EPS / SIGMA - slope) * np.array([1.0, SIGMA * EPS])
    e.printed(
        "(μ, log σ)", equal(score + second, one_draw(reparameterization_eq13, policy, objective))
    )


@claim(
    "Q10",
    where="answer 2, first and second display",
    says="∇ log π(f) = ∇_a log π · ∇f is the tempting mistake; ∇_θ log π|_a must be added.",
    verdict=HOLDS,
)
def test_q10(e):
    total, naive = numbers("Q10.naive")
    apart = derivative_at_t(True, False)
    e.printed("the tempting formula is not the derivative", unequal(naive, total))
    e.printed("with the second term it is", equal(naive + apart, total))


@claim(
    "Q11",
    where="answer 2, the log density",
    says="log π = −½log 2π − log σ − (a − μ)²/(2σ²).",
    verdict=HOLDS,
)
def test_q11(e):
    formula = -0.5 * math.log(2 * math.pi) - math.log(STD) - (F - MU) ** 2 / (2 * STD**2)
    policy = gaussian([MU], [math.log(STD)])
    e.printed("at f", equal(formula, float(policy.log_prob(torch.tensor([F], dtype=FLOAT)))))
    e.printed(
        "and the density integrates to 1",
        equal(float(normal_pdf(np.arange(-9, 9, 1e-3), MU, STD).sum()) * 1e-3, 1.0),
    )


@claim(
    "Q12",
    where="answer 2, the gradient in three terms",
    says="∇ log π(f) = −∇σ/σ − (f − μ)(∇f − ∇μ)/σ² + (f − μ)²∇σ/σ³.",
    verdict=HOLDS,
)
def test_q12(e):
    three = -DSTD / STD - (F - MU) * (DF - DMU) / STD**2 + (F - MU) ** 2 * DSTD / STD**3
    e.printed("at t = 0.7, ε = 0.9", equal(three, numbers("Q10.naive")[0]))


@claim("Q13", where="answer 2", says="∇_a log π at f is −(f − μ)/σ².", verdict=HOLDS)
def test_q13(e):
    a = torch.tensor([F], dtype=FLOAT, requires_grad=True)
    slope = torch.autograd.grad(gaussian([MU], [math.log(STD)]).log_prob(a), a)[0]
    e.printed("by autograd", equal(float(slope), -(F - MU) / STD**2))


@claim(
    "Q14",
    where="answer 2, ∇_θ log π at fixed a",
    says="It is −∇σ/σ + (f − μ)∇μ/σ² + (f − μ)²∇σ/σ³.",
    verdict=HOLDS,
)
def test_q14(e):
    three = -DSTD / STD + (F - MU) * DMU / STD**2 + (F - MU) ** 2 * DSTD / STD**3
    e.printed("by autograd, a detached", equal(three, derivative_at_t(True, False)))


@claim(
    "Q15",
    where="answer 2, “which proves the equality”",
    says="∇_a log π · ∇f plus ∇_θ log π|_a is the total gradient.",
    verdict=HOLDS,
)
def test_q15(e):
    by_a = -(F - MU) / STD**2 * DF
    by_theta = -DSTD / STD + (F - MU) * DMU / STD**2 + (F - MU) ** 2 * DSTD / STD**3
    e.printed("at t = 0.7, ε = 0.9", equal(by_a + by_theta, derivative_at_t(True, True)))


@claim(
    "Q16",
    where="answer 2, N(μ_θ(s), σ_θ(s))",
    says="The second slot of N(μ, σ) is a variance, as is usual.",
    verdict=WRONG,
    correction="In this answer it is the standard deviation, as its log density shows: write "
    "N(μ, σ²).",
    matters=SLIP,
)
def test_q16(e):
    a = torch.tensor([F], dtype=FLOAT)
    formula = -0.5 * math.log(2 * math.pi) - math.log(STD) - (F - MU) ** 2 / (2 * STD**2)
    as_variance = float(gaussian([MU], [0.5 * math.log(STD)]).log_prob(a))
    as_deviation = float(gaussian([MU], [math.log(STD)]).log_prob(a))
    e.printed("the answer's own log density", equal(formula, as_variance))
    e.corrected("with σ the deviation", equal(formula, as_deviation))


@claim(
    "Q17",
    where="comments, the dot in π_φ(·|s_t)",
    says="π_φ(·|s) is the whole distribution, the dot a placeholder for the action.",
    verdict=HOLDS,
)
def test_q17(e):
    log_ratios = [
        float(np.log(normal_pdf(a, 0.7, 1))) - float(ex.log_h(np.array(a))) for a in (0.0, 2.0)
    ]
    e.printed(
        "log π/h at one action is negative or positive",
        fact(
            f"{log_ratios[1]:.3f} at 2, {log_ratios[0]:.3f} at 0", log_ratios[1] < 0 < log_ratios[0]
        ),
    )
    whole = expectation(lambda a: np.log(normal_pdf(a, 0.7, 1)) - ex.log_h(a), 0.7)
    e.printed("the divergence averages it over all of them", equal(whole, report_kl(2.0, 0.7)))


@claim(
    "Q18",
    where="answer 2, “the same argument would apply for higher dimensions”",
    says="The equality holds in any dimension.",
    verdict=HOLDS,
)
def test_q18(e):
    seeds = range(30)
    dimensions = sorted({random_problem(s)[0].parameters()["mu"].shape[-1] for s in seeds})
    worst = max(map(eq13_is_autograd, seeds))
    e.printed(f"random problems with d in {dimensions}: largest deviation", equal(worst, 0.0))
