"""What one cell of a sweep does: for each command a frozen configuration that can run itself.

`check()` raises ValueError on what cannot be built, before anything runs. `compute(folder)` returns
a JSON value with sums, not only summaries; `folder` is the cell's own, for what it keeps on disk.
"""

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, get_type_hints

from estimators import Noise
from estimators.foreign import is_a
from nabla.catalogue import pick_estimators
from nabla.compare.measuring import measured
from nabla.family import load_family, load_problem
from nabla.map.grid import parse_axes
from nabla.map.mapping import mapped
from nabla.options import Ask, Probing, Sampling, require_seed
from nabla.runs.probing import probed, situation
from nabla.runs.saved import saved_agent
from nabla.target import Target
from sac_minimal.checkpoint import locked
from sac_minimal.config import Config
from sac_minimal.envs import make
from sac_minimal.lineage import make_agent
from sac_minimal.train import fingerprint
from sac_minimal.train import train as train_agent


def require_types(cell: Any) -> None:
    """ValueError on a setting that is not what its annotation says: TOML knows no annotations."""
    for name, kind in get_type_hints(type(cell)).items():
        value = getattr(cell, name)
        if not is_a(value, kind):
            wanted = kind.__name__ if isinstance(kind, type) else kind
            raise ValueError(f"{name} must be {wanted}, got {value!r}")
        if name == "seed":
            require_seed(value)


@dataclass(frozen=True)
class TargetCell(Target):
    """A problem as the options of a command say it; `set` is a table."""

    set: dict[str, float] = field(default_factory=dict)  # type: ignore[assignment]

    @property
    def settings(self) -> dict[str, float]:
        return self.set

    @property
    def target(self) -> Target:
        """The same, as a command has it."""
        given = {f.name: getattr(self, f.name) for f in fields(Target)}
        return Target(**given | {"set": tuple(f"{k}={v!r}" for k, v in self.set.items())})


@dataclass(frozen=True)
class CompareCell(Sampling, TargetCell):
    """One estimator on one problem: the arguments of `nabla compare`."""

    estimator: str = "reparameterization"

    def __post_init__(self) -> None:
        Target.__post_init__(self)
        Sampling.__post_init__(self)

    def check(self) -> None:
        pick_estimators(load_problem(self.target).policy, [self.estimator])

    def compute(self, folder: Path) -> Any:
        problem = load_problem(self.target)
        (estimator,) = pick_estimators(problem.policy, [self.estimator]).values()
        report = measured(self.estimator, estimator, problem, problem.gradient(), self)
        # seconds are the machine's: without them a cell gives the same bits everywhere
        return report.to_lists() | {"seconds": None}


@dataclass(frozen=True)
class TrainCell(Config):
    """One run: the settings of `nabla train`. A run that was killed goes on."""

    def check(self) -> None:
        config = Config(**vars(self))
        make_agent(config, make(config.task, config.env_kwargs).space, Noise(config.seed))

    def compute(self, folder: Path) -> Any:
        with locked(folder, wait=True):  # by a worker whose driver was killed
            pass
        metrics = train_agent(Config(**vars(self)), folder, lambda step, row: None)
        return {"metrics": metrics, "fingerprint": fingerprint(saved_agent(folder))}


@dataclass(frozen=True)
class ProbeCell(Probing):
    """The estimators inside one run's actor: the arguments of `nabla probe`."""

    run: str = ""

    def check(self) -> None:
        saved_agent(Path(self.run), self.at)

    def compute(self, folder: Path) -> Any:
        where = situation(Path(self.run), self)
        seen_by = where.landscape(self.seed)
        return {
            "landscape": seen_by.to_lists() if seen_by else None,
            "estimators": [
                {"report": report.to_lists() | {"seconds": None}, "in_the_actor": inside.to_lists()}
                for report, inside, _ in probed(where, self)
            ],
        }


@dataclass(frozen=True)
class MapCell(Ask, TargetCell):
    """One map: the arguments of `nabla map`."""

    problem: str = "sac_quadratic"

    def __post_init__(self) -> None:
        Target.__post_init__(self)
        Ask.__post_init__(self)

    def check(self) -> None:
        if self.by not in ("variance", "q"):  # seconds are the machine's
            raise ValueError(f"by must be variance or q, got {self.by!r}")
        family = load_family(self.target)
        axes, _ = parse_axes(family, (self.x, self.y), 2)
        policy = family.at(**{name: values[0].item() for name, values in axes.items()}).policy
        pick_estimators(policy, self.estimators)
        if self.entry not in (known := ("total", *policy.parameters())):
            raise ValueError(f"entry must be one of {', '.join(known)}, got {self.entry!r}")

    def compute(self, folder: Path) -> Any:
        found = mapped(self.target, self)
        result = found.result
        return {
            "names": result.names,
            "wins": result.wins,
            "axes": {name: values.tolist() for name, values in result.grid.items()},
            "scores": result.scores.tolist(),
            "decided": result.decided.tolist(),
            "left_out": found.skipped | found.same,
        }


CELLS: dict[str, Any] = {
    "compare": CompareCell,
    "map": MapCell,
    "train": TrainCell,
    "probe": ProbeCell,
}
