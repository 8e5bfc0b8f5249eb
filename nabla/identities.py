"""`nabla identities`: Eq. 13 and its relatives against autograd, on random problems."""

import inspect

from nabla.options import at_least, require_seed
from nabla.table import render


def identities(*, trials: int = 100, seed: int = 0, tolerance: float = 1e-10) -> int:
    """Check that the closed forms equal autograd, draw by draw, on random policies.

    Exit status 1 if any identity fails.

    Args:
        trials: random problems for each identity.
        seed: of the first problem; the next ones follow.
        tolerance: allowed deviation, relative to the size of the gradient (float64).
    """
    at_least(1, trials=trials)
    require_seed(seed)
    from tqdm import tqdm

    from toy_problems.identities import IDENTITIES

    rows, failed = [], 0
    for identity in tqdm(IDENTITIES.values(), leave=False, disable=None):
        worst = max(identity(seed + i) for i in range(trials))
        failed += not worst <= tolerance
        equation = inspect.cleandoc(identity.__doc__ or "").splitlines()[0]
        rows.append([equation, f"{worst:.1e}", "holds" if worst <= tolerance else "FAILS"])
    print(render([f"identity ({trials} random problems)", "largest deviation", ""], rows))
    return 1 if failed else 0
