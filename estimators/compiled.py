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
    policy = policy.detach()
    like = next(iter(policy.parameters().values()))
    seen: dict[int, Recorded] = {}  # for each number of rows, the draws that one call makes
    eager = False

    def gradients(
        parameters: Gradient, draws: list[Tensor], blocks: dict[int, int], count: int
    ) -> Gradient:
        def total(copies: Gradient) -> Tensor:
            return estimator(type(policy)(**copies), objective, Replay(draws, blocks)).sum()

        copies = {name: p.expand(count, *p.shape) for name, p in parameters.items()}
        return torch.func.grad(total)(copies)

    fast = torch.compile(gradients, fullgraph=True, dynamic=False)

    def compiled(estimates: int, rng: Noise) -> Gradient:
        nonlocal eager
        if eager:
            return per_sample_gradients(estimator, policy, objective, estimates, rng)
        if estimates not in seen:
            seen[estimates] = Recorded(Noise(device=like.device))
            per_sample_gradients(estimator, policy, objective, estimates, seen[estimates])
        rng.begin()
        draws = [getattr(rng, kind)(draw.shape, like) for kind, draw in seen[estimates].draws]
        blocks = {n: rng.block(n) for n in seen[estimates].blocks}
        try:
            # one limit serves all the estimators that pass through this very function
            with torch._dynamo.config.patch(recompile_limit=1000):
                return fast(policy.parameters(), draws, blocks, estimates)
        except Exception as error:  # whatever the compiler raises, eager mode has the answer
            why = str(error).strip().split("\n")[0][:120]
            warnings.warn(f"cannot compile, going on in eager mode: {why}", stacklevel=2)
            eager = True
            replay = Replay(draws, blocks)
            return per_sample_gradients(estimator, policy, objective, estimates, replay)

    return compiled
