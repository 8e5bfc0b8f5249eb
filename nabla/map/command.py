"""`nabla map`: which estimator wins where, over any two settings of a problem."""

from pathlib import Path
from typing import Annotated, Literal

import tyro

from nabla.arguments import at_least, require_seed


def map_(
    problem: Annotated[str, tyro.conf.Positional] = "sac_quadratic",
    *,
    x: str = "tau=0.3:3:log",
    y: str = "distance=0:1.5",
    estimators: tuple[str, ...] = (),
    by: Literal["variance", "q", "seconds"] = "variance",
    entry: Literal["total", "mu", "log_std", "logits"] = "total",
    grid: int | None = None,
    estimates: int = 2000,
    seed: int = 0,
    set: tuple[str, ...] = (),
    mu: tuple[float, ...] = (),
    log_std: tuple[float, ...] = (),
    logits: tuple[float, ...] = (),
    alpha: float | None = None,
    squash: bool = False,
    out: Path = Path("out"),
) -> int:
    """Draw which estimator has the least variance (× cost) over two settings of a problem.

    Exact where nodes reach (at most two scalar draws an estimate), else measured: cells where
    the best two are not told apart are hatched. Colour: the winner; paler: the second is close.
    Saves the figure (PDF, SVG, PNG) and its data (npz).

    Args:
        problem: a name from `nabla problems`; your own Q as module:function (its keyword
            arguments, alpha, and a Gaussian's mu and log_std are its settings); or
            module:function with defaults for all its arguments that returns a Problem.
        x: the setting along x, name=low:high or name=low:high:log.
        y: the setting along y.
        estimators: names from `nabla estimators`, or module:function.
        by: least variance, variance × Q evaluations, or variance × seconds (both measured).
        entry: total over the parameters, or of one of them.
        grid: cells along each axis; by default 100, or 16 if cells are measured.
        estimates: of each estimator on each cell that is measured.
        seed: of the noise.
        set: the problem's other settings, name=number.
        mu: means of the policy, for a Q of your own.
        log_std: log standard deviations of the policy, for a Q of your own.
        logits: component or action logits of the policy, for a Q of your own.
        alpha: temperature.
        squash: take tanh of the actions.
        out: folder for the results.
    """
    if grid is not None and not 2 <= grid <= 1000:
        raise ValueError(f"grid must lie in [2, 1000], got {grid}")
    at_least(2, estimates=estimates)
    require_seed(seed)
    from nabla.map.figure import map_figure
    from nabla.map.grid import spot_check
    from nabla.map.mapping import mapped
    from nabla.map.table import print_map, save_data
    from nabla.output import command_line, require_folder, save_figure

    swept = [text.partition("=")[0] for text in (x, y)]
    folder = out / f"map-{problem.replace(':', '.')}-{'-'.join(swept)}"
    require_folder(folder)
    given = (set, mu, log_std, logits, alpha, squash)
    found = mapped(problem, x, y, estimators, by, entry, grid, estimates, seed, given)
    result, sheets = found.result, found.sheets
    axes = result.grid
    command = command_line(seed)
    what = {"variance": "variance", "q": "variance × Q evaluations", "seconds": "variance × time"}
    title = f"{problem}: least {what[by]}, {'all parameters' if entry == 'total' else entry}"
    figure = map_figure(result, title)
    save_data(result, sheets, folder, command)
    paths = [folder / "map.npz", *save_figure(figure, folder / "figure", command)]
    check = spot_check(found.family, axes, sheets, found.chosen, entry, seed)
    print_map(result, sheets, title, check)
    for name, other in found.same.items():
        print(f"{name} is {other} here: the same variance on every cell")
    for name, why in found.skipped.items():
        print(f"left out {name}: {why}")
    print("\n".join(map(str, paths)))
    return 0
