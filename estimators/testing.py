"""For other projects' tests: Hypothesis strategies for policies, objectives and problems.

    from hypothesis import given
    from estimators.testing import assert_unbiased, problems

    @given(problems())
    def test_my_estimator(problem):
        policy, objective = problem
        assert_unbiased(my_estimator, policy, objective)

Needs Hypothesis, which is imported here and nowhere else in the package. Everything is float64 and
in a range where standard errors mean something: |μ| ≤ 2, 0.2 ≤ σ ≤ 1.5, no component rarer than
one in fifty.
"""

import torch
from hypothesis import strategies as st
from torch import Tensor

from estimators.checking import assert_unbiased, check
from estimators.objective import Objective, squash
from estimators.policies import POLICIES, Categorical, Gaussian, Mixture, Policy

__all__ = [
    "assert_unbiased", "categoricals", "check", "gaussians", "mixtures", "objectives", "of_kind",
    "policies", "problems",
]  # fmt: skip


def tensors(shape: tuple[int, ...], low: float, high: float) -> st.SearchStrategy[Tensor]:
    """float64 tensors with entries in [low, high], to three digits."""
    count = int(torch.Size(shape).numel())
    steps = st.lists(st.integers(0, 1000), min_size=count, max_size=count)

    def build(numbers: list[int]) -> Tensor:
        unit = torch.tensor(numbers, dtype=torch.float64) / 1000
        return (low + (high - low) * unit).view(shape)

    return steps.map(build)


@st.composite
def of_kind(
    draw: st.DrawFn, kind: type[Policy], max_dim: int = 2, max_components: int = 3
) -> Policy:
    """Policies of one class, their parameters where the class says is usual."""
    mixed = kind.shapes(1, 2) != kind.shapes(1, 1)
    components = draw(st.integers(1, max_components)) if mixed else 1
    dim = draw(st.integers(2, 6) if kind.discrete else st.integers(1, max_dim))
    shapes = kind.shapes(dim, components)
    return kind(**{k: draw(tensors(s, *kind.usual.get(k, (-1, 1)))) for k, s in shapes.items()})


def gaussians(max_d: int = 2) -> st.SearchStrategy[Policy]:
    """Diagonal Gaussians in 1 to max_d dimensions."""
    return of_kind(Gaussian, max_d)


def mixtures(max_d: int = 2, max_components: int = 3) -> st.SearchStrategy[Policy]:
    """Mixtures of 1 to max_components Gaussians."""
    return of_kind(Mixture, max_d, max_components)


def categoricals() -> st.SearchStrategy[Policy]:
    """Policies over 2 to 6 actions."""
    return of_kind(Categorical)


def policies(max_d: int = 2) -> st.SearchStrategy[Policy]:
    """Any in the table of policies."""
    return st.one_of(*(of_kind(kind, max_d) for kind in POLICIES.values()))


@st.composite
def objectives(draw: st.DrawFn, policy: Policy) -> Objective:
    """Costs without symmetry for that policy: linear, quadratic, cubic and cosine, coordinates
    coupled, sometimes squashed; rewards for a Categorical. α from 0 to 2."""
    alpha = draw(st.sampled_from([0.0, 0.1, 0.5, 1.0, 2.0]))
    if policy.discrete:
        rewards = draw(tensors((len(policy.nodes()[0]),), -2, 2))
        return Objective(lambda a: rewards.to(a.device)[a], alpha)
    d = policy.dim
    linear, cubic = draw(tensors((d,), -1, 1)), draw(tensors((d,), -0.3, 0.3))
    wave, coupling = draw(tensors((d,), 0.5, 3)), draw(tensors((d, d), -0.5, 0.5))

    def Q(a: Tensor) -> Tensor:
        separate = linear * a + cubic * a**3 + torch.cos(wave * a + linear)
        return separate.sum(-1) - ((a @ coupling) * a).sum(-1)

    objective = Objective(Q, alpha)
    return squash(objective) if draw(st.booleans()) else objective


@st.composite
def problems(
    draw: st.DrawFn, policies: st.SearchStrategy[Policy] | None = None
) -> tuple[Policy, Objective]:
    """A policy (of the given strategy) and an objective for it."""
    policy = draw(globals()["policies"]() if policies is None else policies)
    return policy, draw(objectives(policy))
