"""Is a mean off: the answers, what skewness allows for; and code that is somebody else's."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import gamma, norm
from support import FLOAT, t

from estimators import CATALOGUE, Gaussian, sticking_the_landing
from nabla.agreement import cornish_fisher, distance, judge
from nabla.family import load_family
from nabla.foreign import attempt, told
from nabla.map.grid import evaluate
from nabla.map.winners import merged, trusted
from nabla.target import Target


@pytest.mark.parametrize("of", [np.array, lambda numbers: t(*numbers)])
def test_answers(of):
    near, far, slack = of([0.1, 3.9]), of([0.1, 4.5]), of([0.0, 1.0])
    assert judge(near, 4.0) == "agrees"
    assert judge(near, 4.0, blind=True) == "agrees"
    assert judge(far, 4.0) == "off"
    assert judge(far, 4.0, slack) == "rare"
    assert judge(far, 4.0, slack, blind=True) == "off"
    assert judge(of([5.1, 0.0]), 4.0, slack) == "off"
    assert judge(of([4.5, 0.0]), 4.0, of([np.inf, 0.0])) == "rare"


def test_distances_are_in_all_errors_together():
    assert distance(t(-5.0), t(3.0), t(4.0)) == 1
    assert distance(np.array([2.0]), np.array([0.0]), 0.5).tolist() == [4]
    assert distance(np.array([1.0]), np.array([np.inf])).tolist() == [0]
    assert t(0.0).dtype == FLOAT


def test_skewness_moves_the_quantile_of_a_mean():
    """Of n exponentials, skewness 2/√n: the exact quantile (gamma's) is z + γ(z² − 1)/6 to the
    next order, z³/n."""
    for n in (400, 10_000):
        for z in (2.0, 4.0):
            exact = (gamma.ppf(norm.cdf(z), n) - n) / n**0.5
            slack = cornish_fisher(z, -2 / n**0.5)
            assert slack == pytest.approx((z**2 - 1) / 3 / n**0.5)
            assert abs(exact - z - slack) < z**3 / n
            assert abs(exact - z) > 5 * abs(exact - z - slack)


def sheets(*names):
    family = load_family(Target("step"))
    axes = {"mu": np.linspace(-1, 1, 3), "alpha": np.array([0.1, 0.5])}
    chosen = {name: CATALOGUE[Gaussian][name] for name in names}
    return chosen, {k: evaluate(family, axes, e, "total", 2, 0) for k, e in chosen.items()}


def test_what_is_trusted_and_merged_is_new():
    """Pathwise estimators miss the step; an exhibit says its own reason; nothing given changes."""
    chosen, given = sheets("score_function", "reparameterization", "score_function_batch_mean")
    before = dict(given)
    kept, reasons = trusted(given, given["score_function"], chosen)
    assert given == before
    assert [*kept] == ["score_function"]
    assert reasons["reparameterization"].endswith("(pathwise estimators miss the jumps of Q)")
    assert reasons["score_function_batch_mean"].endswith("(the gradient times 1 − 1/n)")
    one = given["score_function"]
    other = replace(one, variance=2 * one.variance)
    three = {"a": one, "b": one, "c": other}
    kept, same = merged(three)
    assert (list(kept), same, list(three)) == (["a", "c"], {"b": "a"}, ["a", "b", "c"])
    assert merged({"a": one, "b": one}) == ({"a": one, "b": one}, {})
    assert merged({"a": one, "b": replace(one, measured=True), "c": other})[1] == {}


def test_no_name_is_looked_at(monkeypatch):
    """The same row under a name of its own is treated alike: left out for its bias and jumps."""
    chosen, given = sheets("score_function")
    entry = CATALOGUE[Gaussian]["sticking_the_landing"]
    assert entry.function is sticking_the_landing
    family = load_family(Target("step"))
    axes = {"mu": np.linspace(-1, 1, 3), "alpha": np.array([0.1, 0.5])}
    given["score_by_another_name"] = evaluate(family, axes, entry, "total", 2, 0)
    chosen["score_by_another_name"] = entry
    kept, _ = trusted(given, given["score_function"], chosen)
    assert [*kept] == ["score_function"]


def test_what_somebody_s_code_does():
    def leaves():
        raise SystemExit(3)

    def fails():
        raise KeyError

    assert attempt(divmod, 7, 2) == (3, 1)
    assert told(attempt(leaves)) == "what it ran called exit(3), so it was left"
    assert told(attempt(fails)) == "KeyError"
    assert told(attempt(int, "x\ny")) == r"invalid literal for int() with base 10: 'x\ny'"
    with pytest.raises(KeyboardInterrupt):
        attempt(interrupted)


def interrupted():
    raise KeyboardInterrupt
