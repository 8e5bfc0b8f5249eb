"""Does Q jump? Bisection between two actions, down to floats that are neighbours.

Of the two halves of a segment the one is kept in which Q changes more. Where Q is continuous the
change shrinks with the segment, however steep Q is; where it jumps, the jump is left.
"""

from collections.abc import Callable

import torch
from torch import Tensor

HALVINGS = {torch.float64: 60, torch.float32: 30}
ROUNDING = 64.0  # units of the last place, of Q
STEEP = 1e-4  # of the largest change on the way, left between two neighbours


def jump(Q: Callable[[Tensor], Tensor], a: Tensor) -> float:
    """The largest jump of Q between the actions of neighbouring rows, 0 if there is none.

    a: [n, rows, *batch, d], of which a row is joined to the next by a segment.
    """
    with torch.no_grad():
        x, y = a.detach(), a.detach().roll(1, 1)
        at_x, at_y = Q(x), Q(y)
        most = (at_y - at_x).abs()
        for _ in range(HALVINGS.get(a.dtype, 10)):
            middle = (x + y) / 2
            at = Q(middle)
            first, second = (at - at_x).abs(), (at_y - at).abs()
            most = most.maximum(first).maximum(second)
            left = first >= second
            x, y = _where(left, x, middle), _where(left, middle, y)
            at_x, at_y = torch.where(left, at_x, at), torch.where(left, at, at_y)
        rest = (at_y - at_x).abs()
        rounding = ROUNDING * torch.finfo(rest.dtype).eps * at_x.abs().max()
        return float(torch.where(rest > STEEP * most + rounding, rest, 0.0).max())


def _where(left: Tensor, one: Tensor, other: Tensor) -> Tensor:
    """By action: [n, rows, *batch] and twice [n, rows, *batch, d]."""
    return torch.where(left.view(*left.shape, *(1,) * (one.ndim - left.ndim)), one, other)
