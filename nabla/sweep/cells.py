"""What one cell of a sweep does: for each command a frozen configuration that can run itself.

`check()` raises ValueError on what cannot be built, before anything runs. `compute(folder)` returns
a JSON value with sums, not only summaries; `folder` is the cell's own, for what it keeps on disk.
"""

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from estimators import Estimator, Noise, measure
from nabla.compare.measuring import SOURCES
from nabla.map.family import load_family, parse_axes
from nabla.map.mapping import mapped
from nabla.runs.probing import probed, situation
from nabla.runs.saved import saved_agent
from nabla.target import load_problem, pick_estimators
from sac_minimal.config import Config
from sac_minimal.envs import make
from sac_minimal.lineage import make_agent
from sac_minimal.train import fingerprint
from sac_minimal.train import train as train_agent
from toy_problems import Problem

SEEDS = 2**62


def require_types(cell: Any) -> None:
    """ValueError on a setting that is not what its annotation says: TOML knows no annotations."""
    for name, kind in get_type_hints(type(cell)).items():
        value = getattr(cell, name)
        if not is_a(value, kind):
            wanted = kind.__name__ if isinstance(kind, type) else kind
            raise ValueError(f"{name} must be {wanted}, got {value!r}")
        if name == "seed" and not 0 <= value < SEEDS:
            raise ValueError(f"seed must lie in [0, 2⁶²), got {value}")


def is_a(value: Any, kind: Any) -> bool:
    """A whole number is a float too; true and false are no numbers."""
    of, inner = get_origin(kind), get_args(kind)
    if of is UnionType:
        return any(is_a(value, k) for k in inner)
    if of is Literal:
        return value in inner
    if of is tuple:
        return isinstance(value, tuple) and all(is_a(v, inner[0]) for v in value)
    if of is dict:
        return isinstance(value, dict) and all(is_a(v, inner[1]) for v in value.values())
    return type(value) in ((int, float) if kind is float else (kind,))


@dataclass(frozen=True)
class CompareCell:
    """One estimator on one problem: the arguments of `nabla compare`."""

    problem: str = "report"
    estimator: str = "reparameterization"
    estimates: int = 100_000
    n: int | None = None
    seed: int = 0
    noise: str = "independent"
    set: dict[str, float] = field(default_factory=dict)
    mu: tuple[float, ...] = ()
    log_std: tuple[float, ...] = ()
    logits: tuple[float, ...] = ()
    alpha: float | None = None
    squash: bool = False

    def check(self) -> None:
        if self.estimates < 2:
            raise ValueError(f"estimates must be ≥ 2 for a variance, got {self.estimates}")
        if self.noise not in SOURCES:
            raise ValueError(f"noise must be one of {', '.join(SOURCES)}, got {self.noise!r}")
        if self.n is not None and self.n < 1:
            raise ValueError(f"n must be ≥ 1, got {self.n}")
        pick_estimators(self._problem().policy, [self.estimator])

    def compute(self, folder: Path) -> Any:
        problem = self._problem()
        base = pick_estimators(problem.policy, [self.estimator])[self.estimator]
        estimator: Estimator = base if self.n is None else partial(base, n=self.n)
        report = measure(
            estimator,
            problem.policy,
            problem.objective,
            estimates=self.estimates,
            rng=SOURCES[self.noise](self.seed),
            exact=problem.gradient(),
            name=self.estimator,
            problem=problem.name,
        )
        # seconds are the machine's: without them a cell gives the same bits everywhere
        return report.to_lists() | {"seconds": None}

    def _problem(self) -> Problem:
        settings = [f"{key}={value}" for key, value in self.set.items()]
        given = (settings, self.mu, self.log_std, self.logits, self.alpha, self.squash)
        return load_problem(self.problem, *given)


@dataclass(frozen=True)
class TrainCell(Config):
    """One run: the settings of `nabla train`. A run that was killed goes on."""

    def check(self) -> None:
        config = Config(**vars(self))
        make_agent(config, make(config.task).space, Noise(config.seed))

    def compute(self, folder: Path) -> Any:
        metrics = train_agent(Config(**vars(self)), folder, lambda step, row: None)
        return {"metrics": metrics, "fingerprint": fingerprint(saved_agent(folder))}


@dataclass(frozen=True)
class ProbeCell:
    """The estimators inside one run's actor: the arguments of `nabla probe`."""

    run: str = ""
    states: int = 16
    estimators: tuple[str, ...] = ()
    estimates: int = 1000
    through: int = 200
    n: int | None = None
    at: int = 0
    seed: int = 0

    def check(self) -> None:
        least = {"states": 1, "estimates": 2, "through": 2, "at": 0}
        for name, bound in (least | ({} if self.n is None else {"n": 1})).items():
            if getattr(self, name) < bound:
                raise ValueError(f"{name} must be ≥ {bound}, got {getattr(self, name)}")
        saved_agent(Path(self.run), self.at)

    def compute(self, folder: Path) -> Any:
        where = situation(Path(self.run), self.states, self.at, self.seed)
        seen_by = where.landscape(self.seed)
        given = (self.estimators, self.estimates, self.through, self.n, self.seed)
        return {
            "landscape": seen_by.to_lists() if seen_by else None,
            "estimators": [
                {"report": report.to_lists() | {"seconds": None}, "in_the_actor": inside.to_lists()}
                for report, inside, _ in probed(where, *given)
            ],
        }


@dataclass(frozen=True)
class MapCell:
    """One map: the arguments of `nabla map`."""

    problem: str = "sac_quadratic"
    x: str = "tau=0.3:3:log"
    y: str = "distance=0:1.5"
    estimators: tuple[str, ...] = ()
    by: str = "variance"
    entry: str = "total"
    grid: int | None = None
    estimates: int = 2000
    seed: int = 0
    set: dict[str, float] = field(default_factory=dict)
    mu: tuple[float, ...] = ()
    log_std: tuple[float, ...] = ()
    logits: tuple[float, ...] = ()
    alpha: float | None = None
    squash: bool = False

    def check(self) -> None:
        if self.by not in ("variance", "q"):  # seconds are the machine's
            raise ValueError(f"by must be variance or q, got {self.by!r}")
        if self.grid is not None and not 2 <= self.grid <= 1000:
            raise ValueError(f"grid must lie in [2, 1000], got {self.grid}")
        if self.estimates < 2:
            raise ValueError(f"estimates must be ≥ 2, got {self.estimates}")
        family = load_family(self.problem, *self._given())
        axes, _ = parse_axes(family, (self.x, self.y), 2)
        policy = family.at(**{name: values[0].item() for name, values in axes.items()}).policy
        pick_estimators(policy, self.estimators)
        if self.entry not in (known := ("total", *policy.parameters())):
            raise ValueError(f"entry must be one of {', '.join(known)}, got {self.entry!r}")

    def compute(self, folder: Path) -> Any:
        found = mapped(
            *(self.problem, self.x, self.y, self.estimators, self.by, self.entry),
            *(self.grid, self.estimates, self.seed, self._given()),
        )
        result = found.result
        return {
            "names": result.names,
            "wins": result.wins,
            "axes": {name: values.tolist() for name, values in result.grid.items()},
            "scores": result.scores.tolist(),
            "decided": result.decided.tolist(),
            "left_out": found.skipped | found.same,
        }

    def _given(self) -> tuple[Any, ...]:
        settings = [f"{key}={value}" for key, value in self.set.items()]
        return (settings, self.mu, self.log_std, self.logits, self.alpha, self.squash)


CELLS: dict[str, Any] = {
    "compare": CompareCell,
    "map": MapCell,
    "train": TrainCell,
    "probe": ProbeCell,
}
