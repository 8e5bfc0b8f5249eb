"""Per-sample gradients through torch.compile: the noise is drawn outside, the rest is fused."""

import warnings
from collections.abc import Callable

import torch
from torch import Tensor

from estimators.gradients import Estimator, Gradient, per_sample_gradients
from estimators.noise import Noise, Recorded, Replay
from estimators.objective import Objective
from estimators.policies import Policy

Gradients = Callable[[int, Noise], Gradient]


def compile_gradients(estimator: Estimator, policy: Policy, objective: Objective) -> Gradients:
    """(estimates, rng) -> per_sample_gradients(…), compiled; the same numbers to rounding.

    Where compiling is not possible (no C++ compiler, an estimator or a Q that the compiler
    cannot trace), says so in one sentence, once, and goes on in eager mode.
    """
    shapes: dict[int, list[tuple[str, torch.Size]]] = {}
    policy = policy.detach()
    like = next(iter(policy.parameters().values()))

    def gradients(parameters: Gradient, draws: list[Tensor], count: int) -> Gradient:
        def total(copies: Gradient) -> Tensor:
            rng = Replay(draws, Noise.block)
            return estimator(type(policy)(**copies), objective, rng).sum()

        copies = {name: p.expand(count, *p.shape) for name, p in parameters.items()}
        return torch.func.grad(total)(copies)  # type: ignore[no-any-return]

    fast = torch.compile(gradients, fullgraph=True, dynamic=False)
    eager = False

    def compiled(estimates: int, rng: Noise) -> Gradient:
        nonlocal eager
        if eager:
            return per_sample_gradients(estimator, policy, objective, estimates, rng)
        if estimates not in shapes:
            seen = Recorded(Noise(device=rng.generator.device))
            per_sample_gradients(estimator, policy, objective, estimates, seen)
            shapes[estimates] = [(kind, draw.shape) for kind, draw in seen.draws]
        draws = [getattr(rng, kind)(shape, like) for kind, shape in shapes[estimates]]
        try:
            return fast(policy.parameters(), draws, estimates)  # type: ignore[no-any-return]
        except Exception as error:  # whatever the compiler raises, eager mode has the answer
            why = str(error).strip().split("\n")[0][:120]
            warnings.warn(f"cannot compile, going on in eager mode: {why}", stacklevel=2)
            eager = True
            return per_sample_gradients(
                estimator, policy, objective, estimates, Replay(draws, rng.block)
            )

    return compiled
