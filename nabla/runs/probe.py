"""`nabla probe`: the estimators' variance inside a trained actor, at states from its replay."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from nabla.arguments import at_least, require_seed


@dataclass(frozen=True)
class Probing:
    """Where to look, with which estimators, and how often."""

    states: int = 16
    """how many states to draw from the replay."""
    estimators: tuple[str, ...] = ()
    """names from `nabla estimators`; by default all that apply."""
    estimates: int = 1000
    """of each estimator, at the actor's outputs."""
    through: int = 200
    """of each estimator, in the actor's parameters."""
    n: int | None = None
    """actions averaged inside one estimate, where an estimator takes it."""
    at: int = 0
    """the step of a checkpoint that was kept (--keep-every); 0: the last checkpoint."""
    seed: int = 0
    """of the states and the noise."""

    def __post_init__(self) -> None:
        at_least(1, states=self.states, n=self.n)
        at_least(2, estimates=self.estimates, through=self.through)
        at_least(0, at=self.at)
        require_seed(self.seed)


def probe(
    run: Annotated[Path, tyro.conf.Positional],
    how: Annotated[Probing, tyro.conf.arg(name="")] = Probing(),
) -> None:
    """Measure the estimators at a run's checkpoint, on states from its replay.

    At the actor's outputs: variance and cost, per state, and bias if actions are discrete. In the
    actor's parameters: the variance of the gradient of the mean loss over these states. Saves
    what `nabla compare` saves, into RUN/probe, and the second as actor.csv and a figure. For a
    Gaussian policy it says too how the critic curves: τ = kσ²/α, k = −E[∂²Q/∂a²], is 1 where the
    policy is as wide as the critic asks for.

    Args:
        run: folder of the run.
        how: at which states, and how closely.
    """
    at_least(2, states=how.states)
    from nabla.compare.saving import save_comparison
    from nabla.output import command_line
    from nabla.runs.probing import actor_table, probed, save_actor, situation

    seen, samples = [], {}
    where = situation(run, how)
    for report, inside, draws in probed(where, how):
        seen.append((report, inside))
        samples[report.estimator] = draws
    if not seen:
        raise ValueError("no estimator is left to measure")
    seen.sort(key=lambda pair: pair[0].total_variance)
    folder = run / (f"probe-{how.at}" if how.at else "probe")
    paths = save_comparison([report for report, _ in seen], samples, folder, command_line())
    actor = {r.estimator: moments for r, moments in seen}
    paths += save_actor(actor, f"{where.agent.config.task}, {how.states} states", folder)
    print(actor_table(seen, how.states))
    seen_by = where.landscape(how.seed)
    if seen_by:
        print(seen_by)
    print("\n".join(map(str, paths)))
