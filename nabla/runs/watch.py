"""`nabla watch`: a run's last checkpoint, as a film."""

from pathlib import Path
from typing import Annotated

import tyro

from nabla.options import at_least


def watch(
    run: Annotated[Path, tyro.conf.Positional],
    *,
    out: Path | None = None,
    steps: int = 300,
    stochastic: bool = False,
    best: bool = False,
    seed: int = 10_000,
) -> None:
    """Film an episode of a run's last checkpoint; works without a display where MuJoCo can.

    Args:
        run: folder of the run.
        out: a .gif or .mp4 file; by default RUN/watch.gif.
        steps: at most so many steps.
        stochastic: sample actions, in place of the policy's central one.
        best: the checkpoint of the evaluation with the highest return, in place of the last.
        seed: of the episode.
    """
    path = out or run / "watch.gif"
    if path.suffix not in (".gif", ".mp4"):
        raise ValueError(f"a film ends in .gif or .mp4, got {path.name}")
    at_least(1, steps=steps)
    from nabla.output import require_folder
    from nabla.runs.film import film, save_film
    from nabla.runs.saved import saved_agent
    from sac_minimal.envs import headless

    require_folder(path.parent)
    headless()
    agent = saved_agent(run, best=best)
    frames, total = film(agent, agent.config.task, steps, stochastic, seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_film(frames, path)
    print(f"return {total:.1f} in {len(frames)} steps; {path}")
