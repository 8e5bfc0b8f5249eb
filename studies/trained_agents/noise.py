"""The actor's gradient with a dose of noise, and from a part of the batch: two estimators.

Importing this adds their rows to the catalogue, so that a run can name them.
"""

import math
from functools import partial

import torch
from torch import Tensor

from estimators import CATALOGUE, Gaussian, Noise, Objective, Policy, reparameterization
from estimators.catalogue import COMBINED, PATH, Entry
from estimators.gradients import Estimator

DRAWS = 16
DOSES = (1 / DRAWS, 1.0, 10.0, 100.0, 1000.0, 10_000.0)
PARTS = (8, 32, 128)


def dosed(
    policy: Policy,
    objective: Objective,
    rng: Noise,
    n: int = 1,
    *,
    dose: float,
    draws: int = DRAWS,
    base: Estimator = reparameterization,
) -> Tensor:
    """∇̂J = ḡ_m + √(s − 1/m) (g − g′)/√2,  s = dose, m = draws; ḡ_m, g and g′ independent.

    g and g′ are one draw of `base` each, ḡ_m the mean of m. Its mean is theirs and its covariance
    Σ/m + (s − 1/m)(Σ + Σ)/2 = sΣ, Σ being that of one draw. ValueError unless s ≥ 1/m.
    """
    if dose * draws < 1:
        raise ValueError(f"a dose of {dose} needs at least {1 / dose:.0f} draws, got {draws}")
    scale = math.sqrt((dose - 1 / draws) / 2)
    mean = base(policy, objective, rng, n=draws)
    noise = base(policy, objective, rng, n=1) - base(policy, objective, rng, n=1)
    return mean + scale * noise


def first_rows(
    policy: Policy,
    objective: Objective,
    rng: Noise,
    n: int = 1,
    *,
    rows: int,
    base: Estimator = reparameterization,
) -> Tensor:
    """∇̂J_i = B/b ∇̂J_i for the first b states of a batch of B, 0 for the others.

    So the mean over the batch is that over its first b = rows states: a smaller batch for the actor
    and the whole one for the critics.
    """
    surrogate = base(policy, objective, rng, n=n)  # [B]
    index = torch.arange(len(surrogate), device=surrogate.device)
    return torch.where(index < rows, len(surrogate) / rows, 0.0) * surrogate


def dose_name(dose: float) -> str:
    return f"dose_{dose:g}"


CATALOGUE[Gaussian] |= {
    dose_name(s): Entry(partial(dosed, dose=s), COMBINED, needs=("rsample", "gradient"))
    for s in DOSES
} | {
    f"first_{b}": Entry(partial(first_rows, rows=b), PATH, needs=("rsample", "gradient"))
    for b in PARTS
}
