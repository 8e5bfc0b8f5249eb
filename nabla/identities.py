"""`nabla identities`: Eq. 13 and its relatives against autograd, on random problems."""

import inspect

from tqdm import tqdm

from nabla.table import render
from toy_problems.identities import IDENTITIES


def identities(*, trials: int = 100, seed: int = 0, tolerance: float = 1e-10) -> int:
    """Check that the closed forms equal autograd, draw by draw, on random policies.

    Exit status 1 if any identity fails.

    Args:
        trials: random problems for each identity.
        seed: of the first problem; the next ones follow.
        tolerance: allowed deviation, relative to the size of the gradient (float64).
    """
    if trials < 1:
        raise ValueError(f"trials must be ≥ 1, got {trials}")
    rows, failed = [], 0
    for identity in tqdm(IDENTITIES.values(), leave=False, disable=None):
        worst = max(identity(seed + i) for i in range(trials))
        failed += not worst <= tolerance
        equation = inspect.cleandoc(identity.__doc__ or "").splitlines()[0]
        rows.append([equation, f"{worst:.1e}", "holds" if worst <= tolerance else "FAILS"])
    print(render([f"identity ({trials} random problems)", "largest deviation", ""], rows))
    return 1 if failed else 0
