"""`nabla compare`: bias, variance and cost of estimators on one problem."""

from pathlib import Path
from typing import Annotated

import tyro

from nabla.options import Sampling
from nabla.target import Target


def compare(
    target: Annotated[Target, tyro.conf.arg(name="")] = Target(),
    how: Annotated[Sampling, tyro.conf.arg(name="")] = Sampling(),
    *,
    estimators: tuple[str, ...] = (),
    out: Path = Path("out"),
) -> int:
    """Measure estimators of the gradient on one problem: bias, variance, cost.

    Prints a table; saves the numbers (CSV, one JSON report an estimator), the draws behind the
    violins (npz) and a figure (PDF, SVG, PNG). Every ± is one standard error.

    Args:
        target: what it is about.
        how: the draws.
        estimators: names from `nabla estimators`, or module:function; by default all that apply.
        out: folder for the results.
    """
    from nabla.catalogue import lacking, pick_estimators
    from nabla.compare.measuring import compared
    from nabla.compare.saving import save_comparison
    from nabla.compare.table import print_comparison
    from nabla.family import load_problem
    from nabla.output import command_line, require_folder

    what = load_problem(target)
    folder = out / f"compare-{what.name.replace(':', '.')}"
    require_folder(folder)
    chosen = pick_estimators(what.policy, estimators)
    seen, skipped = compared(what, chosen, how, estimators)
    if not estimators:
        skipped |= lacking(what.policy)
    settings = target.changes + ([] if how.n is None else [f"n = {how.n}"])
    settings += ["squashed"] * target.squash + [how.noise] * (how.noise != "independent")
    try:
        reports = [s.report for s in seen.values()]
        samples = {name: s.samples for name, s in seen.items()}
        paths = save_comparison(reports, samples, folder, command_line(how.seed))
    finally:  # the table is there, whatever cannot be saved
        print_comparison(what, seen, skipped, settings, target.sees)
    print("\n".join(map(str, paths)))
    return 0
