"""Q, watched: how often it is evaluated and differentiated, and between which values it lies."""

import math
from collections.abc import Callable

import torch
from torch import Tensor


class Watched:
    """Q, called as it is.

    evaluations: values that it returned. numbers: that it was given. differentiations: values that
    a gradient was asked of, in the backward passes so far. low, high: of its values.
    """

    def __init__(self, Q: Callable[[Tensor], Tensor]) -> None:
        self.Q = Q
        self.evaluations = self.numbers = self.differentiations = 0
        self.low, self.high = math.inf, -math.inf

    def __call__(self, a: Tensor) -> Tensor:
        q = self.Q(a)
        if isinstance(q, Tensor):
            self._look(a, q)
        return q

    @property
    def varies(self) -> bool:
        return self.low < self.high

    def _look(self, a: Tensor, q: Tensor) -> None:
        self.evaluations += q.numel()
        self.numbers += a.numel()
        if q.numel():
            low, high = torch.aminmax(q.detach())
            self.low, self.high = min(self.low, float(low)), max(self.high, float(high))
        if q.requires_grad:
            q.register_hook(self._differentiated)

    def _differentiated(self, grad: Tensor) -> None:
        self.differentiations += grad.numel()
