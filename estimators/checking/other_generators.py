"""numpy's and Python's global generators, drawn from torch's: under vmap every row its own.

The same laws, as tensors: what is done with them must be torch's, or vmap refuses.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor

Size = int | Sequence[int] | None


@contextmanager
def drawn_from_torch() -> Iterator[None]:
    with ExitStack() as stack:
        for module, functions in ((np.random, NUMPY), (random, PYTHON)):
            for name, function in functions.items():
                stack.enter_context(patch.object(module, name, function))
        yield


def _shape(size: Size) -> tuple[int, ...]:
    return () if size is None else (size,) if isinstance(size, int) else tuple(size)


def _normal(loc: Any = 0.0, scale: Any = 1.0, size: Size = None) -> Tensor:
    loc, scale = (torch.as_tensor(x, dtype=torch.float64) for x in (loc, scale))
    shape = _shape(size) or torch.broadcast_shapes(loc.shape, scale.shape)
    return loc + scale * torch.randn(shape, dtype=torch.float64)


def _uniform(low: Any = 0.0, high: Any = 1.0, size: Size = None) -> Tensor:
    low, high = (torch.as_tensor(x, dtype=torch.float64) for x in (low, high))
    shape = _shape(size) or torch.broadcast_shapes(low.shape, high.shape)
    return low + (high - low) * torch.rand(shape, dtype=torch.float64)


def _randint(low: int, high: int | None = None, size: Size = None) -> Tensor:
    first, last = (0, low) if high is None else (low, high)
    return torch.randint(first, last, _shape(size))


def _choice(a: Any, size: Size = None, replace: bool = True, p: Any = None) -> Tensor:
    values = torch.arange(a) if isinstance(a, int) else torch.as_tensor(a)
    weights = torch.ones(len(values)) if p is None else torch.as_tensor(p)
    shape = _shape(size)
    k = torch.multinomial(weights, max(1, int(np.prod(shape))), replacement=replace)
    return values[k].reshape(shape)


NUMPY: dict[str, Callable[..., Any]] = {
    "normal": _normal,
    "standard_normal": lambda size=None: _normal(size=size),
    "randn": lambda *size: _normal(size=size or None),
    "uniform": _uniform,
    "random": lambda size=None: _uniform(size=size),
    "random_sample": lambda size=None: _uniform(size=size),
    "rand": lambda *size: _uniform(size=size or None),
    "randint": _randint,
    "choice": _choice,
}
PYTHON: dict[str, Callable[..., Any]] = {
    "random": lambda: _uniform(),
    "uniform": lambda a, b: _uniform(a, b),
    "gauss": lambda mu=0.0, sigma=1.0: _normal(mu, sigma),
    "normalvariate": lambda mu=0.0, sigma=1.0: _normal(mu, sigma),
    "randrange": lambda start, stop=None: _randint(start, stop),
    "randint": lambda a, b: _randint(a, b + 1),
    "choice": lambda seq: _choice(list(seq)),
}
