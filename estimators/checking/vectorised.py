"""A loss written for one set of parameters, run for thousands of them at once.

`torch.func.vmap` gives every row its own parameters and its own noise. What it refuses in everyday
code is put into its words on the way: an index that is a 0-dimensional tensor, a new tensor that is
filled in place, draws of Beta, of Dirichlet, of numpy's and Python's generators. Where a loss asks
for a number (`.item()`, `int(a)`, `if a == 1`), the rows part: the loss is run once for each answer
that some row would get, with the same noise, and each row takes its gradient from the run whose
answers are its own.
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch.distributions import dirichlet
from torch.nn.functional import one_hot
from torch.overrides import TorchFunctionMode

from estimators.checking.other_generators import drawn_from_torch
from estimators.globals import draw_seed, global_states, seeded_globals, touched
from estimators.gradients import Gradient
from estimators.noise import Noise
from estimators.policies import Policy

PATHS = 64  # through a loss, at most
LOGGED = 0.37, -1.9  # two answers to questions that only a log wants to know
Loss = Callable[[dict[str, Tensor]], Tensor]
Answers = tuple[Any, ...]
ANSWERS: dict[Any, Callable[[Tensor], Any]] = {  # what a loss may ask a tensor for
    Tensor.item: Tensor.item,
    Tensor.tolist: Tensor.tolist,
    Tensor.numpy: Tensor.numpy,
    Tensor.__bool__: bool,
    Tensor.__int__: int,
    Tensor.__index__: int,
    Tensor.__float__: float,
}


class NotVectorised(Exception):
    """Why a loss cannot be run for many rows at once, and what to change."""


def vectorised(loss: Loss, policy: Policy, estimates: int, rng: Noise) -> Gradient:
    """`estimates` gradients: {name: [estimates, *parameter]}. Raises NotVectorised, and whatever
    vmap does not understand."""
    runs = _Runs(loss, policy, estimates, draw_seed(rng))
    gradient = runs.merged(LOGGED[0])
    if runs.logged:
        other = runs.merged(LOGGED[1])
        if any(not torch.equal(g, other[k]) for k, g in gradient.items()):
            raise NotVectorised(
                "it takes numbers out of tensors (.item(), float(), .numpy()) that differ in every "
                "estimate: compute with the tensors"
            )
    return gradient


class _Runs:
    """A loss, run for all rows with the same noise, as often as there are ways through it."""

    def __init__(self, loss: Loss, policy: Policy, estimates: int, seed: int) -> None:
        self.loss, self.estimates, self.seed = loss, estimates, seed
        parameters = policy.parameters().items()
        self.params = {k: p.detach().expand(estimates, *p.shape) for k, p in parameters}
        self.logged = False  # whether a number was asked for that differs in every row

    def run(self, function: Callable[[dict[str, Tensor]], Any]) -> Any:
        with seeded_globals(self.seed), drawn_from_torch(), _torch_as_vmap_likes_it():
            before = global_states()
            made = torch.func.vmap(function, randomness="different")(self.params)
            if others := {"numpy", "random"} & set(touched(before)):
                raise NotVectorised(
                    f"it draws from the generator of {' and '.join(sorted(others))}: use torch's"
                )
            return made

    def merged(self, logged: float) -> Gradient:
        """Of each row the gradient of its own way. logged: the answer that tells nothing."""
        out: Gradient = {}
        for count, (answers, mine) in enumerate(self.ways((), None, logged)):
            if count == PATHS:
                raise NotVectorised(f"there are more than {PATHS} ways through its branches")
            answered = _Answered(self.loss, answers)
            for k, g in self.run(torch.func.grad(answered)).items():
                out[k] = g if mine is None else torch.where(_like(mine, g), g, out.get(k, g))
        return out

    def ways(
        self, answers: Answers, rows: Tensor | None, logged: float
    ) -> Iterator[tuple[Answers, Tensor | None]]:
        """The answers on each way through the loss, and which rows go there (None: all)."""
        asked: list[_Asked] = []

        def until_asked(params: dict[str, Tensor]) -> Tensor:
            try:
                return _Answered(self.loss, answers)(params).detach()
            except _Asked as question:
                asked.append(question)
                return question.x.detach()

        x = self.run(until_asked)  # [rows, …]
        if not asked:
            yield answers, rows
            return
        values = (x if rows is None else x[rows]).unique(dim=0)
        if len(values) > PATHS and x.is_floating_point():
            self.logged = True
            values = torch.full_like(values[:1], logged)
            x = values.expand_as(x)
        for value in values[: PATHS + 1]:
            mine = (x == value).reshape(len(x), -1).all(1)
            answer = ANSWERS[asked[0].how](value)
            rest = mine if rows is None else rows & mine
            yield from self.ways((*answers, answer), rest, logged)


class _Asked(BaseException):  # not an Exception: the loss may catch those
    """The loss asks for the numbers in x."""

    def __init__(self, how: Any, x: Tensor) -> None:
        self.how, self.x = how, x


class _Answered:
    """The loss, whose first questions are answered as it is told."""

    def __init__(self, loss: Loss, answers: Answers) -> None:
        self.loss, self.answers = loss, answers

    def __call__(self, params: dict[str, Tensor]) -> Tensor:
        with _Answering(self.answers):
            return self.loss(params)


class _Answering(TorchFunctionMode):
    """Answers the first questions as it is told; the next one ends the run."""

    def __init__(self, answers: Answers) -> None:
        super().__init__()
        self.answers = iter(answers)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is Tensor.__getitem__:
            return _item(*args)
        if func is one_hot:
            return _one_hot(*args, **(kwargs or {}))
        if func not in ANSWERS:
            return func(*args, **(kwargs or {}))
        try:
            return func(*args)  # of a tensor that is the same for all rows
        except RuntimeError:
            for answer in self.answers:
                return answer
            raise _Asked(func, args[0]) from None


def _item(x: Tensor, index: Any) -> Tensor:
    """x[index], where an index without dimensions is given one, of size 1, and it is taken off."""

    def lone(i: Any) -> bool:
        return isinstance(i, Tensor) and i.ndim == 0 and i.dtype != torch.bool

    parts = index if isinstance(index, tuple) else (index,)
    if not any(map(lone, parts)):
        return x[index]
    if any(isinstance(i, Tensor | list) and not lone(i) for i in parts):  # they broadcast
        return x[tuple(i.reshape(1) if lone(i) else i for i in parts)]
    x = x[tuple(slice(None) if lone(i) else i for i in parts)]
    kept = [i for i in parts if not isinstance(i, int)]  # a dimension of x each, or an ellipsis
    for at, i in reversed(list(enumerate(kept))):
        if lone(i):
            from_the_end = any(k is Ellipsis for k in kept[:at])
            after = sum(not lone(k) for k in kept[at + 1 :])
            dim = x.ndim - 1 - after if from_the_end else at
            x = x[(slice(None),) * dim + (i.reshape(1),)].squeeze(dim)
    return x


def _one_hot(k: Tensor, num_classes: int = -1) -> Tensor:
    if num_classes < 0:
        return one_hot(k, num_classes)
    return (k.unsqueeze(-1) == torch.arange(num_classes, device=k.device)).long()


class _FreshNoise(TorchFunctionMode):
    """Under vmap an in-place draw into a new tensor would be shared by all rows, and is refused:
    so a new tensor, about to be filled, is one of its own for every row."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        empty = (torch.empty, torch.empty_like, torch.Tensor.new_empty, torch.Tensor.new)
        if func in empty and made.is_floating_point():
            return torch.rand(made.shape, dtype=made.dtype, device=made.device)
        return made


class _Dirichlet(torch.autograd.Function):
    """torch's own draw and its derivative, in the form that vmap takes."""

    @staticmethod
    def forward(concentration: Tensor) -> Tensor:
        return torch._sample_dirichlet(concentration)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Tensor) -> None:
        ctx.save_for_backward(output, *inputs)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        x, concentration = ctx.saved_tensors
        total = concentration.sum(-1, True).expand_as(concentration)
        slope: Tensor = _DirichletGrad.apply(x, concentration, total)  # type: ignore[no-untyped-call]
        return slope * (grad - (x * grad).sum(-1, True))

    @staticmethod
    def vmap(info: Any, in_dims: Any, concentration: Tensor) -> tuple[Tensor, int]:
        (at,) = in_dims
        rows = (
            concentration.movedim(at, 0)
            if at is not None
            else concentration.expand(info.batch_size, *concentration.shape)
        )
        return _Dirichlet.apply(rows.contiguous()), 0  # type: ignore[no-untyped-call]


class _DirichletGrad(torch.autograd.Function):
    @staticmethod
    def forward(x: Tensor, concentration: Tensor, total: Tensor) -> Tensor:
        return torch._dirichlet_grad(x, concentration, total)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Tensor) -> None:
        pass

    @staticmethod
    def vmap(info: Any, in_dims: Any, *inputs: Tensor) -> tuple[Tensor, int]:
        rows = [
            x.movedim(at, 0) if at is not None else x.expand(info.batch_size, *x.shape)
            for x, at in zip(inputs, in_dims, strict=True)
        ]
        return _DirichletGrad.apply(*(x.contiguous() for x in rows)), 0  # type: ignore[no-untyped-call]


@contextmanager
def _torch_as_vmap_likes_it() -> Iterator[None]:
    with ExitStack() as stack:
        stack.enter_context(_FreshNoise())
        stack.enter_context(patch.object(dirichlet, "_Dirichlet", _Dirichlet))
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")  # "performance drop": slow is all it is
        yield


def _like(mine: Tensor, g: Tensor) -> Tensor:
    return mine.view(-1, *(1,) * (g.ndim - 1))
