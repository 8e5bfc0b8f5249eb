"""What every estimator of the catalogue promises: its contract, over all of them."""

import inspect
import itertools
from functools import lru_cache, partial

import pytest
import torch
from scipy.stats import norm
from support import FALSE_ALARM, FLOAT, t

from estimators import (
    BIASED,
    CATALOGUE,
    Antithetic,
    Categorical,
    Gaussian,
    Mixture,
    Noise,
    Objective,
    Sobol,
    exact,
    exact_gradient,
    measure,
    per_sample_gradients,
)
from estimators.gradients import row_gradients
from nabla.catalogue import documentation, gradient, mean
from toy_problems import build
from toy_problems.identities import leaves, random_problem

ENTRIES = [(kind, name) for kind, entries in CATALOGUE.items() for name in entries]
each_estimator = pytest.mark.parametrize(("kind", "name"), ENTRIES)


def problem(kind, seed=1):
    if kind is Categorical:
        rewards = t(1.0, -0.4, 0.3, 0.9, -1.3)
        rng = torch.Generator().manual_seed(seed)
        logits = torch.randn(3, 5, generator=rng, dtype=FLOAT)
        return Categorical(logits), Objective(lambda a: rewards.to(a.device)[a], 0.4)
    return random_problem(seed, None if kind is Gaussian else 3)


@lru_cache
def exact_of_first(kind):
    policy, objective = problem(kind)
    return exact_gradient(policy.map(lambda p: p[:1]), objective)


@each_estimator
def test_an_estimate_is_of_one_action_unless_it_says_otherwise(kind, name):
    """Two where one is too few; `None` passes on the default of what it is made of."""
    policy, objective = problem(kind)
    estimator = CATALOGUE[kind][name]
    n = inspect.signature(estimator).parameters["n"].default
    two = {"score_function_batch_mean", "score_function_leave_one_out", "vargrad"}
    assert n == (2 if name in two else 1) or name.endswith(("_taylor", "convex_combination"))
    left_out = per_sample_gradients(estimator, policy, objective, 3, Noise(5))
    given = per_sample_gradients(partial(estimator, n=n or 1), policy, objective, 3, Noise(5))
    assert all(torch.equal(left_out[k], given[k]) for k in left_out)


class Nothing(Noise):
    """Draws that are shapes and a device, no numbers."""

    def __init__(self):
        pass

    def uniform(self, shape, like):
        return torch.empty(shape, dtype=like.dtype, device=like.device)

    normal = uniform


@each_estimator
def test_everything_stays_on_the_policys_device(kind, name):
    """On a device without numbers, which does not mix with the CPU: no GPU is needed to see it."""

    def zeros(*shape):
        return torch.zeros(shape, dtype=FLOAT, device="meta")

    policy = {
        Gaussian: Gaussian(zeros(3, 2), zeros(3, 2)),
        Mixture: Mixture(zeros(3, 4), zeros(3, 4, 2), zeros(3, 4, 2)),
        Categorical: Categorical(zeros(3, 5)),
    }[kind]
    table = zeros(5)
    plain = Objective(lambda a: table[a] if kind is Categorical else torch.cos(a).sum(-1), 0.4)
    drawn = per_sample_gradients(CATALOGUE[kind][name], policy, plain, 5, Nothing())
    assert {x.device.type for x in (*drawn.values(), *policy.nodes())} == {"meta"}


class Common(Noise):
    """The same draws for every row."""

    def uniform(self, shape, like):
        return super().uniform((shape[0], *[1] * (len(shape) - 2), shape[-1]), like).expand(shape)

    def normal(self, shape, like):
        return super().normal((shape[0], *[1] * (len(shape) - 2), shape[-1]), like).expand(shape)


@each_estimator
def test_a_batch_is_its_policies_one_by_one(kind, name):
    """A batch [2, 3] from common draws, against six calls of one policy."""
    three, objective = problem(kind)
    policy = three.map(lambda p: torch.stack([p, 0.7 * p - 0.1]))
    estimator = CATALOGUE[kind][name]
    together = per_sample_gradients(estimator, policy, objective, 1, Common(3))
    for i, j in itertools.product(range(2), range(3)):
        one = policy.map(lambda p: p[i, j])  # noqa: B023
        alone = per_sample_gradients(estimator, one, objective, 1, Common(3))
        for k, g in alone.items():
            torch.testing.assert_close(together[k][0, i, j], g[0], rtol=1e-9, atol=1e-9)


@each_estimator
def test_rows_are_independent(kind, name):
    """∂(surrogate i)/∂(parameters of row j) = 0 for i ≠ j: Σ_i c_i surrogate_i has row gradients
    that are c_i times those of the plain sum."""
    policy, objective = problem(kind)
    c = t(1.0, -2.0, 0.5)
    leaf = leaves(policy)
    plain = row_gradients(CATALOGUE[kind][name](leaf, objective, Noise(3)), leaf)
    weighted = row_gradients(c * CATALOGUE[kind][name](leaf, objective, Noise(3)), leaf)
    for k, g in plain.items():
        expected = g * c.view(3, *(1,) * (g.ndim - 1))
        torch.testing.assert_close(weighted[k], expected, rtol=1e-9, atol=1e-12)


@each_estimator
def test_seed_determines_the_estimate(kind, name):
    policy, objective = problem(kind)
    draws = [
        per_sample_gradients(CATALOGUE[kind][name], policy, objective, 4, Noise(seed))
        for seed in (5, 5, 6)
    ]
    assert all(torch.equal(draws[0][k], draws[1][k]) for k in draws[0])
    if name != "exact":
        assert any(not torch.equal(draws[0][k], draws[2][k]) for k in draws[0])


@each_estimator
@pytest.mark.parametrize("dtype", [torch.float32, FLOAT])
def test_shapes_dtypes_and_batches(kind, name, dtype):
    policy, objective = problem(kind)
    cast = Objective(lambda a: objective.Q(a if kind is Categorical else a.double()).to(dtype), 0.4)
    policy = policy.map(lambda p: p.to(dtype))
    for p in (policy, policy.map(lambda x: x[0]), policy.map(lambda x: x.expand(2, *x.shape))):
        grads = per_sample_gradients(CATALOGUE[kind][name], p, cast, 6, Noise(0))
        for k, x in p.parameters().items():
            assert grads[k].shape == (6, *x.shape)
            assert grads[k].dtype == dtype
            assert grads[k].isfinite().all()


@each_estimator
def test_n_must_be_positive(kind, name):
    policy, objective = problem(kind)
    if name == "exact":
        return
    with pytest.raises(ValueError, match="n, the actions averaged"):
        CATALOGUE[kind][name](policy, objective, Noise(0), n=0)


@each_estimator
def test_documentation_states_gradient_reference_and_mean(kind, name):
    entry = CATALOGUE[kind][name]
    lines = documentation(entry)
    assert gradient(entry).startswith("∇")
    assert any(line.startswith("Reference: ") for line in lines)
    assert any(line.startswith(("Unbiased", "Biased")) for line in lines)
    assert mean(entry).startswith("biased" if name in BIASED else "unbiased")


def test_every_public_function_is_documented():
    import estimators

    for name in estimators.__all__:
        thing = getattr(estimators, name)
        if inspect.isfunction(thing) or inspect.isclass(thing):
            assert inspect.getdoc(thing), name


@pytest.mark.parametrize("source", [Antithetic, Sobol])
@each_estimator
def test_antithetic_and_sobol_draws_leave_the_mean_alone(kind, name, source):
    """z-test at false-alarm rate 1e-7; n = 4. Baselines must not see an action's mirror image."""
    policy, objective = problem(kind)
    policy = policy.map(lambda p: p[:1])
    if name == "exact":
        return
    if name in BIASED and name != "finite_difference":
        return
    estimator = partial(CATALOGUE[kind][name], n=4)
    report = measure(
        estimator, policy, objective, estimates=4000, rng=source(1), exact=exact_of_first(kind)
    )
    assert report.worst_z < norm.isf(FALSE_ALARM / 2 / report.size)  # not so for nan


def test_leave_one_out_that_sees_its_mirror_is_caught():
    """The naive leave-one-out over antithetic pairs doubles the gradient: it must not pass."""
    from estimators import leave_one_out, score_function

    class Naive(Antithetic):
        def block(self, n):
            return super().block(n) if self.drawing else 1

        drawing = False

        def normal(self, shape, like):
            self.drawing = True
            out = super().normal(shape, like)
            self.drawing = False
            return out

    p = build("report")
    loo = partial(score_function, n=2, baseline=leave_one_out)
    wrong = measure(loo, p.policy, p.objective, estimates=20_000, rng=Naive(0))
    assert wrong.worst_z > 20
    right = partial(score_function, n=4, baseline=leave_one_out)
    assert measure(right, p.policy, p.objective, estimates=20_000, rng=Antithetic(0)).worst_z < 5.5


@pytest.mark.parametrize(
    ("estimator", "kind", "words"),
    [
        ("measure_valued", Mixture, "needs a Gaussian"),
        ("reparameterization_eq13", Mixture, "needs a Gaussian"),
        ("score_function_analytic_entropy", Mixture, "entropy"),
        ("reparameterization_taylor", Mixture, "needs a Gaussian"),
        ("marginalized", Gaussian, "has no components to sum over"),
        ("gumbel_softmax", Gaussian, "Categorical or Mixture"),
        ("reparameterization", Categorical, "discrete"),
    ],
)
def test_an_estimator_that_does_not_apply_says_so(estimator, kind, words):
    from estimators.catalogue import row

    policy, objective = problem(kind)
    with pytest.raises(TypeError, match=words):
        row(estimator)(policy, objective, Noise(0))


def test_too_few_actions_are_named():
    from estimators import leave_one_out, score_function, vargrad

    policy, objective = problem(Gaussian)
    with pytest.raises(ValueError, match="at least 2 independent"):
        score_function(policy, objective, Noise(0), 1, leave_one_out)
    with pytest.raises(ValueError, match="at least 2 independent"):
        vargrad(policy, objective, Noise(0), n=1)
    with pytest.raises(ValueError, match="at least 2 independent"):
        vargrad(policy, objective, Antithetic(0), n=2)


def test_measure_valued_draws_as_coupled():
    """On a line: −b σ √2/√π W for mu; −b σ (M − ε) for log_std, M of ε's sign and larger."""
    policy, b = Gaussian(t(0.3), t(-0.4)), 1.7
    line = Objective(lambda a: b * a.sum(-1), 0.0)
    drawn = per_sample_gradients(CATALOGUE[Gaussian]["measure_valued"], policy, line, 9, Noise(7))
    rng, sigma = Noise(7), t(-0.4).exp()
    eps = rng.normal((1, 9, 1), t(0.0))[0]
    w = (-2 * rng.uniform((1, 9, 1), t(0.0)).log()).sqrt()[0]
    maxwell = eps.sign() * (eps**2 + w**2).sqrt()
    torch.testing.assert_close(drawn["mu"], -b * w * (2 / torch.pi) ** 0.5)
    torch.testing.assert_close(drawn["log_std"], -b * sigma * (maxwell - eps))


def test_finite_differences_step_by_a_thousandth():
    policy, objective = problem(Gaussian)
    estimator = CATALOGUE[Gaussian]["finite_difference"]
    drawn = [
        per_sample_gradients(e, policy, objective, 2, Noise(7))
        for e in (estimator, partial(estimator, step=1e-3), partial(estimator, step=2e-3))
    ]
    assert all(torch.equal(drawn[0][k], drawn[1][k]) for k in drawn[0])
    assert not torch.equal(drawn[0]["mu"], drawn[2]["mu"])
    with pytest.raises(ValueError, match=r"step must be positive, got 0$"):
        estimator(policy, objective, Noise(0), step=0)


def test_exact_uses_the_order_that_it_is_given():
    """Two nodes of N(0, 1) are ±1, each of weight ½."""
    policy = Gaussian(t(0.3), t(-0.4))
    objective = Objective(lambda a: torch.cos(2 * a).sum(-1), 0.4)
    a = t([0.3 - float(t(-0.4).exp())], [0.3 + float(t(-0.4).exp())])
    seen = exact(policy, objective, Noise(0), order=2)
    assert float(seen) == pytest.approx(float(objective.cost(policy, a).mean()), rel=1e-12)
    assert float(exact(policy, objective, Noise(0))) != pytest.approx(float(seen), rel=1e-3)


def test_a_parameter_that_is_not_reached_has_gradient_zero():
    policy, objective = problem(Gaussian)
    drawn = per_sample_gradients(lambda p, o, rng: p.mu.sum(-1), policy, objective, 4, Noise(0))
    assert torch.equal(drawn["mu"], torch.ones(4, *policy.mu.shape, dtype=FLOAT))
    assert torch.equal(drawn["log_std"], torch.zeros(4, *policy.mu.shape, dtype=FLOAT))
