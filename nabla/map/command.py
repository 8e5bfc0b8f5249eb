"""`nabla map`: which estimator wins where, over any two settings of a problem."""

from pathlib import Path
from typing import Annotated

import tyro

from nabla.options import Ask
from nabla.target import Target

BY = {"variance": "variance", "q": "variance × Q evaluations", "seconds": "variance × time"}


def map_(
    target: Annotated[Target, tyro.conf.arg(name="")] = Target("sac_quadratic"),
    ask: Annotated[Ask, tyro.conf.arg(name="")] = Ask(),
    *,
    out: Path = Path("out"),
) -> int:
    """Draw which estimator has the least variance (× cost) over two settings of a problem.

    Exact where nodes reach (at most two scalar draws an estimate), else measured: cells where
    the best two are not told apart are hatched. Colour: the winner; paler: the second is close.
    Saves the figure (PDF, SVG, PNG) and its data (npz).

    Args:
        target: the problem, whose settings x and y vary.
        ask: what is drawn.
        out: folder for the results.
    """
    target.only("map", dtype="float64", device="cpu")
    from nabla.map.figure import map_figure
    from nabla.map.grid import spot_check
    from nabla.map.mapping import mapped
    from nabla.map.table import print_map, save_data
    from nabla.output import command_line, require_folder, save_figure

    swept = [text.partition("=")[0] for text in (ask.x, ask.y)]
    folder = out / f"map-{target.problem.replace(':', '.')}-{'-'.join(swept)}"
    require_folder(folder)
    found = mapped(target, ask)
    command, entry = command_line(ask.seed), ask.entry
    title = (
        f"{target.problem}: least {BY[ask.by]}, {'all parameters' if entry == 'total' else entry}"
    )
    figure = map_figure(found.result, title)
    save_data(found.result, found.sheets, folder, command)
    paths = [folder / "map.npz", *save_figure(figure, folder / "figure", command)]
    check = spot_check(found.family, found.result.grid, found.sheets, found.chosen, entry, ask.seed)
    print_map(found.result, found.sheets, f"{title}; {target.sees}", check)
    for name, other in found.same.items():
        print(f"{name} is {other} here: the same variance on every cell")
    for name, why in found.skipped.items():
        print(f"left out {name}: {why}")
    print("\n".join(map(str, paths)))
    return 0
