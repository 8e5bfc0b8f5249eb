"""`nabla probe`: the estimators' variance inside a trained actor, at states from its replay."""

from pathlib import Path
from typing import Annotated

import tyro

from nabla.options import Probing, at_least


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
    from nabla.output import command_line, require_folder
    from nabla.runs.probing import actor_table, probed, save_actor, situation

    seen, samples = [], {}
    where = situation(run, how)
    require_folder(run / "probe")
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
