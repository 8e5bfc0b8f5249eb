"""`nabla reproduce`: published tables and figures, exact, with measurements on top."""

from pathlib import Path
from typing import Annotated

import tyro

from nabla.options import MANY, at_least, at_most, require_seed
from nabla.table import render


def reproduce(
    name: Annotated[str, tyro.conf.Positional] = "",
    *,
    estimates: int = 20_000,
    points: int = 7,
    seed: int = 0,
    out: Path = Path("out"),
) -> int:
    """Reproduce a published table or figure: closed form, exact moments, measurement.

    Without a name, lists what there is. Prints how far the closed forms are from exact moments
    and the measurements from both; exit status 1 if one is further off than 1e-9, or than
    chance allows. Saves the figure (PDF, SVG, PNG) and the numbers (CSV).

    Args:
        name: of the publication.
        estimates: measured for every point.
        points: measured along each curve.
        seed: of the noise.
        out: folder for the results.
    """
    at_least(2, estimates=estimates)
    at_most(MANY, estimates=estimates)
    at_least(0, points=points)
    require_seed(seed)
    from nabla.output import command_line, require_folder, save_csv, save_figure, save_run
    from nabla.reproduce.figure import study_figure
    from nabla.reproduce.reproduction import limit, run_study
    from nabla.reproduce.table import COLUMNS, print_study, tidy
    from toy_problems.published import PUBLISHED

    if not name:
        rows = [[key, (make.__doc__ or "").splitlines()[0]] for key, make in PUBLISHED.items()]
        print(render(["name", "what it shows"], rows))
        return 0
    if name not in PUBLISHED:
        raise ValueError(f"unknown publication {name!r}; known: {', '.join(PUBLISHED)}")
    folder = out / f"reproduce-{name}"
    require_folder(folder)
    study = PUBLISHED[name]()
    curves = run_study(study, estimates, points, seed)
    allowed, command = limit(curves), command_line(seed)
    try:
        save_run(folder, command, reference=study.reference)
        save_csv(folder / "table.csv", COLUMNS, tidy(curves))
        figures = save_figure(study_figure(study, curves), folder / "figure", command)
    finally:  # the table is there, whatever cannot be saved
        print_study(study, curves, allowed, estimates)
    paths = [folder / "table.csv", *figures]
    print("\n".join(map(str, paths)))
    return 0 if all(c.agrees(allowed) for c in curves) else 1
