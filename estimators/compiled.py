"""torch.compile for what draws noise: it is drawn outside, the rest is fused."""

import warnings
from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

from estimators.gradients import Estimator, Gradient, per_sample_gradients
from estimators.noise import Noise, Recorded, Replay
from estimators.objective import Objective
from estimators.policies import Policy

NO_PYTHON: dict[str, Any] = {"cpp_wrapper": True, "size_asserts": False}  # between kernels

T = TypeVar("T")
Gradients = Callable[[int, Noise], Gradient]


class Compiled(Generic[T]):
    """function(rng, *arguments), compiled; the same numbers to rounding.

    like: a tensor of the dtype and on the device of the noise. Where compiling is not possible
    (no C++ compiler, an estimator or a Q that the compiler cannot trace), says so in one
    sentence, once, and goes on in eager mode.
    """

    def __init__(self, function: Callable[..., T], like: Tensor) -> None:
        self.function, self.like, self.eager = function, like, False
        self.plans: dict[Hashable, Recorded] = {}
        self.done: set[Hashable] = set()

        def replayed(draws: list[Tensor], blocks: dict[int, int], *arguments: Any) -> T:
            return function(Replay(draws, blocks), *arguments)

        self.fast = torch.compile(replayed, fullgraph=True, dynamic=False, options=NO_PYTHON)

    def __call__(
        self, rng: Noise, *arguments: Any, key: Hashable, rehearse: Callable[[Noise], Any]
    ) -> T:
        """key: what the shapes of the draws depend on; rehearse(rng) makes those draws, once."""
        if self.eager:
            return self.function(rng, *arguments)
        if key not in self.plans:
            self.plans[key] = Recorded(Noise(device=self.like.device))
            rehearse(self.plans[key])
        plan = self.plans[key]
        rng.begin()
        draws = [getattr(rng, drawn.law)(drawn.x.shape, self.like) for drawn in plan.draws]
        blocks = {n: rng.block(n) for n in plan.blocks}
        try:
            with self._again() if key in self.done else self._first():
                result = self.fast(draws, blocks, *arguments)
        except Exception as error:  # whatever the compiler raises, eager mode has the answer
            why = " ".join(str(error).split())[:120]
            warnings.warn(f"cannot compile, going on in eager mode: {why}", stacklevel=3)
            self.eager = True
            return self.function(Replay(draws, blocks), *arguments)
        self.done.add(key)
        return result

    @staticmethod
    def _first() -> AbstractContextManager[Any]:
        """One limit serves all that passes through `replayed`, which differentiates."""
        settings = {"recompile_limit": 1000, "trace_autograd_ops": True}
        return torch._dynamo.config.patch(settings)

    @staticmethod
    def _again() -> AbstractContextManager[Any]:
        """Guards that held for the same key hold again."""
        return torch.compiler.set_stance(skip_guard_eval_unsafe=True)


def compile_gradients(estimator: Estimator, policy: Policy, objective: Objective) -> Gradients:
    """(estimates, rng) -> per_sample_gradients(…), compiled where that is possible."""
    policy = policy.detach()
    like = policy.like

    def gradients(rng: Noise, parameters: Gradient, estimates: int) -> Gradient:
        return per_sample_gradients(
            estimator, policy.with_parameters(parameters), objective, estimates, rng
        )

    fast = Compiled(gradients, like)

    def compiled(estimates: int, rng: Noise) -> Gradient:
        def rehearse(recorded: Noise) -> None:
            per_sample_gradients(estimator, policy, objective, estimates, recorded)

        return fast(rng, policy.parameters(), estimates, key=estimates, rehearse=rehearse)

    return compiled
