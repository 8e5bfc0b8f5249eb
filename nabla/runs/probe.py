"""`nabla probe`: the estimators' variance inside a trained actor, at states from its replay."""

from pathlib import Path
from typing import Annotated

import tyro

from nabla.arguments import at_least, require_seed


def probe(
    run: Annotated[Path, tyro.conf.Positional],
    *,
    states: int = 16,
    estimators: tuple[str, ...] = (),
    estimates: int = 1000,
    through: int = 200,
    n: int | None = None,
    at: int = 0,
    seed: int = 0,
) -> None:
    """Measure the estimators at a run's checkpoint, on states from its replay.

    At the actor's outputs: variance and cost, per state, and bias if actions are discrete. In the
    actor's parameters: the variance of the gradient of the mean loss over these states. Saves
    what `nabla compare` saves, into RUN/probe, and the second as actor.csv and a figure. For a
    Gaussian policy it says too how the critic curves: τ = kσ²/α, k = −E[∂²Q/∂a²], is 1 where the
    policy is as wide as the critic asks for.

    Args:
        run: folder of the run.
        states: how many states to draw from the replay.
        estimators: names from `nabla estimators`; by default all that apply.
        estimates: of each estimator, at the actor's outputs.
        through: of each estimator, in the actor's parameters.
        n: actions averaged inside one estimate, where an estimator takes it.
        at: the step of a checkpoint that was kept (--keep-every); 0: the last checkpoint.
        seed: of the states and the noise.
    """
    at_least(2, states=states, estimates=estimates, through=through)
    at_least(1, n=n)
    at_least(0, at=at)
    require_seed(seed)
    from nabla.compare.saving import save_comparison
    from nabla.output import command_line
    from nabla.runs.probing import actor_table, probed, save_actor, situation

    seen, samples = [], {}
    where = situation(run, states, at, seed)
    for report, inside, draws in probed(where, estimators, estimates, through, n, seed):
        seen.append((report, inside))
        samples[report.estimator] = draws
    if not seen:
        raise ValueError("no estimator is left to measure")
    seen.sort(key=lambda pair: pair[0].total_variance)
    folder = run / (f"probe-{at}" if at else "probe")
    paths = save_comparison([report for report, _ in seen], samples, folder, command_line())
    actor = {r.estimator: moments for r, moments in seen}
    paths += save_actor(actor, f"{where.agent.config.task}, {states} states", folder)
    print(actor_table(seen, states))
    seen_by = where.landscape(seed)
    if seen_by:
        print(seen_by)
    print("\n".join(map(str, paths)))
