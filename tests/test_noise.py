"""Sources of randomness: right marginals, ties only along n, replays."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from support import FLOAT, gaussian, t

from estimators import Antithetic, Noise, Objective, Sobol, reparameterization
from estimators.noise import Recorded

SOURCES = [Noise, Antithetic, Sobol]


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("dtype", [torch.float32, FLOAT])
def test_draws_have_their_law_over_rows(source, dtype):
    """Row by row the draws are independent, so one draw of each row is an i.i.d. sample.
    Kolmogorov–Smirnov at false-alarm rate 1e-6 each."""
    like = torch.zeros(1, dtype=dtype)
    rng = source(3)
    for i in range(4):
        u = rng.uniform((4, 20_000, 1), like)
        assert 0 < float(u.min()) <= float(u.max()) < 1
        assert u.dtype == dtype
        assert stats.kstest(u[i, :, 0].double().numpy(), "uniform").pvalue > 1e-6
        eps = rng.normal((4, 20_000, 1), like)
        assert stats.kstest(eps[i, :, 0].double().numpy(), "norm").pvalue > 1e-6


def test_antithetic_pairs():
    rng, like = Antithetic(0), t(0.0)
    eps, u = rng.normal((6, 5, 2), like), rng.uniform((6, 5, 2), like)
    assert torch.equal(eps[::2], -eps[1::2])
    torch.testing.assert_close(u[::2] + u[1::2], torch.ones(3, 5, 2, dtype=FLOAT))
    with pytest.raises(ValueError, match="pairs"):
        rng.normal((3, 5, 2), like)


@given(power=st.integers(1, 7), seed=st.integers(0, 1000))
def test_a_sobol_block_is_a_net(power, seed):
    """Each of the 2^m equal intervals holds exactly one of a block's 2^m points, every row."""
    n = 2**power
    u = Sobol(seed, blocks=1).uniform((n, 3, 4), t(0.0))
    cells = (u * n).long().sort(0).values
    assert torch.equal(cells, torch.arange(n)[:, None, None].expand(n, 3, 4))


@given(power=st.integers(2, 7), seed=st.integers(0, 1000))
def test_successive_sobol_draws_of_an_estimate_are_one_net(power, seed):
    """Two draws take two coordinates: every 2^a × 2^(m−a) box of the square holds one point."""
    n, rng = 2**power, Sobol(seed, blocks=1)
    x, y = (rng.uniform((n, 1, 1), t(0.0))[:, 0, 0] for _ in range(2))
    for a in range(power + 1):
        box = (x * 2**a).long() * 2 ** (power - a) + (y * 2 ** (power - a)).long()
        assert box.sort().values.tolist() == list(range(n))
    rng.begin()
    assert rng.coordinate == 0


def test_sobol_rows_are_independent():
    """Correlation of two rows over 5,000 repetitions; |r| < 0.08 at false-alarm rate 1e-8."""
    rng = Sobol(0)
    rows = torch.cat([rng.uniform((2, 2, 1), t(0.0))[0, :, 0][None] for _ in range(5_000)])
    assert abs(float(torch.corrcoef(rows.T)[0, 1])) < 0.08


def test_sobol_and_antithetic_help_a_smooth_problem():
    """Antithetic draws of a linear cost have no variance at all; Sobol's is below a tenth."""
    from functools import partial

    from estimators import measure

    objective = Objective(lambda a: -(a**2).sum(-1), 0.0)  # ∇_μ is linear in ε
    variance = {
        source: float(
            measure(
                partial(reparameterization, n=64),
                gaussian(),
                objective,
                estimates=4000,
                rng=source(0),
            ).variance["mu"]
        )
        for source in SOURCES
    }
    assert variance[Antithetic] < 1e-25
    assert variance[Sobol] < variance[Noise] / 10


@pytest.mark.parametrize("source", SOURCES)
def test_replay_repeats_and_recategorises(source):
    recorded = Recorded(source(5))
    w = t([0.2, 0.8], [0.5, 0.5])
    eps = recorded.normal((4, 2, 3), w)
    k = recorded.categorical(w, (4, 2))
    replay = recorded.replay()
    assert torch.equal(replay.normal((4, 2, 3), w), eps)
    assert torch.equal(replay.categorical(w, (4, 2)), k)
    nudged = recorded.replay()
    nudged.normal((4, 2, 3), w)
    assert (nudged.categorical(w + t(1e-9, -1e-9), (4, 2)) == k).all()


def test_a_category_is_recorded_with_what_it_was_cut_from():
    recorded, w = Recorded(Noise(5)), t([0.2, 0.8], [0.5, 0.5])
    u = recorded.uniform((4, 2, 3), w)
    k = recorded.categorical(w, (4, 2))
    one, two = recorded.draws
    assert (one.kind, one.shape, two.kind, two.shape) == ("uniform", u.shape, "category", k.shape)
    assert torch.equal(two.k, k)
    assert torch.equal((two.x[..., 0] >= two.weights[:, 0]).long(), k)
    assert recorded.scalars == [one]
    assert recorded.categories == [(two.weights, two.k)]


def test_device_and_dtype_follow_the_tensor():
    assert Noise().normal((2,), torch.zeros(1)).dtype == torch.float32
    assert Noise().normal((2,), t(0.0)).dtype == FLOAT


def test_sobol_refuses_by_name():
    with pytest.raises(ValueError, match="at least one block"):
        Sobol(blocks=0)
    with pytest.raises(ValueError, match="1024 coordinates"):
        Sobol().uniform((2, 2000), t(0.0))
