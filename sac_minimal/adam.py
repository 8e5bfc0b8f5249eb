"""Adam with its state in plain lists, so that an update can be compiled and saved as a whole."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.optim.adam import adam

BETA1, BETA2, EPS = 0.9, 0.999, 1e-8


class Adam:
    """m ← β₁m + (1 − β₁)g,  v ← β₂v + (1 − β₂)g²,  θ ← θ − lr·m̂/(√v̂ + ε).

    Reference: Kingma and Ba 2015, algorithm 1.
    """

    def __init__(self, parameters: Sequence[Tensor], lr: float) -> None:
        self.parameters, self.lr = list(parameters), lr
        self.m = [torch.zeros_like(p) for p in parameters]
        self.v = [torch.zeros_like(p) for p in parameters]
        self.steps = [torch.zeros(()) for _ in parameters]

    @torch.no_grad()
    def step(self, gradients: Sequence[Tensor]) -> None:
        if torch.compiler.is_compiling():
            return self._traced(gradients)
        lists: list[list[Tensor]] = [self.m, self.v, [], self.steps]
        betas = {"beta1": BETA1, "beta2": BETA2, "eps": EPS, "weight_decay": 0.0, "lr": self.lr}
        options = {"amsgrad": False, "maximize": False, "fused": True, **betas}
        adam(self.parameters, list(gradients), *lists, **options)  # type: ignore[arg-type]

    def _traced(self, gradients: Sequence[Tensor]) -> None:
        """The same, for the compiler: PyTorch's own would compute βᵗ anew for every element."""
        torch._foreach_add_(self.steps, 1)
        steps = self.steps[0].double()  # 1 − βᵗ cancels
        powers = [(steps * math.log(beta)).exp() for beta in (BETA1, BETA2)]
        rate, root = self.lr / (1 - powers[0]), (1 - powers[1]).rsqrt()
        for p, g, m, v in zip(self.parameters, gradients, self.m, self.v, strict=True):
            m.lerp_(g, 1 - BETA1)
            v.lerp_(g * g, 1 - BETA2)
            p.sub_(rate.to(m) * m / (v.sqrt() * root.to(v) + EPS))
