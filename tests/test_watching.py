"""What is said of Q is what was asked of it."""

import torch
from support import t

from estimators.watching import Watched


def test_evaluations_numbers_differentiations_and_range():
    Q = Watched(lambda a: (a**2).sum(-1))
    assert not Q.varies
    a = t([1.0, 2.0], [0.0, 1.0], [3.0, 0.0]).requires_grad_()
    q = Q(a)
    assert torch.equal(q, (a**2).sum(-1))
    assert (Q.evaluations, Q.numbers, Q.differentiations) == (3, 6, 0)
    assert (Q.low, Q.high, Q.varies) == (1.0, 9.0, True)
    q.sum().backward()
    Q(a.detach())
    assert (Q.evaluations, Q.differentiations) == (6, 3)


def test_a_constant_does_not_vary_and_what_is_no_tensor_passes():
    Q = Watched(lambda a: torch.ones(a.shape[:-1]))
    Q(t([1.0, 2.0]))
    assert not Q.varies
    assert Watched(lambda a: "nothing")(t([0.0])) == "nothing"
