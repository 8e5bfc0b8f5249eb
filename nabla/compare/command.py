"""`nabla compare`: bias, variance and cost of estimators on one problem."""

from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from nabla.arguments import at_least, require_seed


def compare(
    problem: Annotated[str, tyro.conf.Positional] = "report",
    *,
    estimators: tuple[str, ...] = (),
    estimates: int = 100_000,
    n: int | None = None,
    seed: int = 0,
    noise: Literal["independent", "antithetic", "sobol"] = "independent",
    set: tuple[str, ...] = (),
    mu: tuple[float, ...] = (),
    log_std: tuple[float, ...] = (),
    logits: tuple[float, ...] = (),
    alpha: float | None = None,
    squash: bool = False,
    dtype: Literal["float64", "float32"] = "float64",
    device: str = "cpu",
    compile: bool = False,
    out: Path = Path("out"),
) -> int:
    """Measure estimators of the gradient on one problem: bias, variance, cost.

    Prints a table; saves the numbers (CSV, one JSON report an estimator), the draws behind the
    violins (npz) and a figure (PDF, SVG, PNG). Every ± is one standard error.

    Args:
        problem: a name from `nabla problems`, or your own Q as module:function, mapping
            actions [..., d] to values [...] (then say the policy: --mu, --log-std, --logits).
        estimators: names from `nabla estimators`, or module:function; by default all that apply.
        estimates: independent estimates to draw of each.
        n: actions averaged inside one estimate, where an estimator takes it.
        seed: of the noise; the same for every estimator.
        noise: independent, antithetic or Sobol draws along n (they need --n > 1 to differ).
        set: settings of the problem, name=number.
        mu: means of the policy.
        log_std: log standard deviations of the policy.
        logits: component or action logits of the policy.
        alpha: temperature.
        squash: take tanh of the actions.
        dtype: of the policy.
        device: where to compute, as torch names it.
        compile: torch.compile the estimators (20 s each, worth it from 10⁷ estimates).
        out: folder for the results.
    """
    at_least(1, n=n)
    at_least(2, estimates=estimates)
    require_seed(seed)
    import torch

    from nabla.compare.measuring import Sampling, compared, move
    from nabla.compare.saving import save_comparison
    from nabla.compare.table import print_comparison
    from nabla.output import command_line, require_folder
    from nabla.target import load_problem, pick_estimators

    what = load_problem(problem, set, mu, log_std, logits, alpha, squash, getattr(torch, dtype))
    what = move(what, device)
    folder = out / f"compare-{what.name.replace(':', '.')}"
    require_folder(folder)
    chosen = pick_estimators(what.policy, estimators)
    how = Sampling(estimates, n, seed, noise, device, compile)
    seen, skipped = compared(what, chosen, how, estimators)
    changed = {"mu": mu, "log_std": log_std, "logits": logits, "alpha": alpha, "n": n}
    settings = [*set, *(f"{k} = {_said(v)}" for k, v in changed.items() if v not in ((), None))]
    settings += ["squashed"] * squash + [noise] * (noise != "independent")
    try:
        reports = [s.report for s in seen.values()]
        samples = {name: s.samples for name, s in seen.items()}
        paths = save_comparison(reports, samples, folder, command_line(seed))
    finally:  # the table is there, whatever cannot be saved
        print_comparison(what, seen, skipped, settings)
    print("\n".join(map(str, paths)))
    return 0


def _said(value: Any) -> str:
    return " ".join(f"{v:g}" for v in (value if isinstance(value, tuple) else (value,)))
