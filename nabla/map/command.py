"""`nabla map`: which estimator wins where, over any two settings of a problem."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from nabla.arguments import at_least, require_seed
from nabla.target import Target

BY = {"variance": "variance", "q": "variance × Q evaluations", "seconds": "variance × time"}


@dataclass(frozen=True)
class Ask:
    """Two settings to vary, the estimators that compete, and what for."""

    x: str = "tau=0.3:3:log"
    """the setting along x, name=low:high or name=low:high:log."""
    y: str = "distance=0:1.5"
    """the setting along y."""
    estimators: tuple[str, ...] = ()
    """names from `nabla estimators`, or module:function."""
    by: Literal["variance", "q", "seconds"] = "variance"
    """least variance, variance × Q evaluations, or variance × seconds (both measured)."""
    entry: str = "total"
    """total over the parameters, or the name of one of them: mu, log_std, logits, …"""
    grid: int | None = None
    """cells along each axis; by default 100, or 16 if cells are measured."""
    estimates: int = 2000
    """of each estimator on each cell that is measured."""
    seed: int = 0
    """of the noise."""

    def __post_init__(self) -> None:
        if self.grid is not None and not 2 <= self.grid <= 1000:
            raise ValueError(f"grid must lie in [2, 1000], got {self.grid}")
        at_least(2, estimates=self.estimates)
        require_seed(self.seed)


def map_(
    target: Annotated[Target, tyro.conf.arg(name="")] = Target("sac_quadratic"),  # noqa: B008
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
    print_map(found.result, found.sheets, title, check)
    for name, other in found.same.items():
        print(f"{name} is {other} here: the same variance on every cell")
    for name, why in found.skipped.items():
        print(f"left out {name}: {why}")
    print("\n".join(map(str, paths)))
    return 0
