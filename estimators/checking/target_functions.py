"""A critic's target, called as it asks, by name, for a batch of transitions of every kind.

    target(reward, terminated, truncated, q1, q2, log_prob)      of next actions that are drawn here
    target(params, reward, terminated, truncated)                draws its own next actions
    target(policy, rng, reward, terminated, truncated)           the same, of ours

The transitions come in fours, an ordinary one, one that is truncated, one that has terminated, one
that is both, each with its own reward, and [batch] of them at once: a target takes any number. The
next state is the same for all, or those of the policy's batch in turn.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from estimators.checking.acting import Acting
from estimators.checking.calling import called_as
from estimators.checking.faults import RAISED, Fault, raised
from estimators.globals import draw_seed, seeded_globals
from estimators.noise import Noise

KNOWN = {
    "reward": "[batch]",
    "terminated": "0 or 1, [batch]",
    "truncated": "0 or 1, [batch]",
    "q1": "the first target critic's value of the next action, [batch]",
    "q2": "the second's",
    "q": "the least of all critics'",
    "log_prob": "log π of the next action, [batch]",
    "params": "a dict of the policy's parameters, [batch, …]",
    "policy": "the policy at the next states",
    "rng": "a Noise",
    "alpha": "a number",
    "gamma": "a number",
}
TOLD = {"q1", "q2", "q", "log_prob"}  # of a next action that is drawn here
KINDS = "ordinary", "truncated", "terminated", "both"
REWARDS = 0.7, -1.6, 1.3, -0.4
TERMINATED, TRUNCATED = (0.0, 0.0, 1.0, 1.0), (0.0, 1.0, 0.0, 1.0)
Critics = Callable[[Tensor], Sequence[Tensor]]  # of actions: the values of each


@dataclass(frozen=True, eq=False)
class Transitions:
    """One for each entry: reward, terminated, truncated, and what is added to the values that the
    critics have at its next state, [p] each; `states` of the policy's in turn."""

    reward: Tensor
    terminated: Tensor
    truncated: Tensor
    offset: Tensor
    states: int

    @classmethod
    def of(cls, states: int, like: Tensor, offsets: Sequence[float]) -> "Transitions":
        """Four, or one for each of the states; all of them for each of the offsets."""
        if 1 < states < len(KINDS):
            raise ValueError(
                f"the batch has {states} next states, but there are {len(KINDS)} kinds of "
                "transitions: give one state, or as many"
            )
        states = max(states, len(KINDS))
        index = torch.arange(states * len(offsets)) % states % len(KINDS)
        reward, terminated, truncated = (
            torch.tensor(x).double()[index].to(like) for x in (REWARDS, TERMINATED, TRUNCATED)
        )
        offset = torch.tensor(offsets).double().repeat_interleave(states).to(like)
        return cls(reward, terminated, truncated, offset, states)

    @property
    def labels(self) -> list[str]:
        """ordinary, …; ordinary[4], … of more states; ordinary + 2 where 2 is added to values."""
        labels = []
        for i, offset in enumerate(self.offset.tolist()):
            state = i % self.states
            index = f"[{state}]" * (self.states > len(KINDS))
            labels.append(KINDS[state % len(KINDS)] + index + f" {offset:+g}" * bool(offset))
        return labels


def draws_here(names: Sequence[str]) -> bool:
    """Whether a function that asks for these is told what next actions are worth."""
    return not {"params", "policy", "rng"} & set(names) and bool(TOLD & set(names))


@dataclass(frozen=True, eq=False)
class Target:
    """target: the function; names: what it asks for."""

    target: Callable[..., Any]
    names: Sequence[str]
    acting: Acting
    critics: Critics
    alpha: float
    gamma: float
    transitions: Transitions

    @property
    def given_actions(self) -> bool:
        """Whether it is told what it needs of next actions that are drawn here."""
        return draws_here(self.names)

    def copies(self, count: int) -> Acting:
        """The policy at the next states of so many times all transitions, [count·p]."""
        b, p = len(self.acting.policy.batch), len(self.transitions.reward)
        states = self.acting.policy.batch.numel()

        def repeated(x: Tensor) -> Tensor:
            each = x.detach().reshape(states, *x.shape[b:])
            each = each.expand(p // states, *each.shape).flatten(0, 1)
            return each.expand(count, *each.shape).flatten(0, 1)

        return self.acting.map(repeated)

    def parts(self, count: int, rng: Noise) -> Tensor:
        """Of next actions of all transitions: log π(a) and the critics' values, in a row:
        [count, p, 1 + critics]."""
        b, p = len(self.acting.policy.batch), len(self.transitions.reward)
        times = count * p // self.acting.policy.batch.numel()
        u = self.acting.policy.sample(times, rng)  # [times, *batch, d]
        parts = torch.stack([self.acting.log_prob(u), *self.critics(self.acting.action(u))], -1)
        return self.shifted(parts.detach().flatten(0, b).unflatten(0, (count, p)))

    def shifted(self, parts: Tensor) -> Tensor:
        """The values with what is added to them: [..., p, 1 + critics]."""
        return torch.cat([parts[..., :1], parts[..., 1:] + self.transitions.offset[:, None]], -1)

    def of_parts(self, parts: Tensor) -> Tensor:
        """The function's answer to what was drawn here: [..., p, 1 + critics] -> [..., p]."""
        flat = parts.flatten(0, -2).to(self.acting.policy.like)
        log_prob, values = flat[:, 0], flat[:, 1:]
        given = {"log_prob": log_prob, "q1": values[:, 0], "q": values.amin(1)}
        given |= {"q2": values[:, 1]} if values.shape[1] > 1 else {}
        return self._answer(len(flat), given).view(parts.shape[:-1])

    def of_actions(self, u: Tensor) -> Tensor:
        """The same, for every transition of one state: [..., *batch, d] -> [..., *batch, k]."""
        states, p = self.acting.policy.batch.numel(), len(self.transitions.reward)
        parts = torch.stack([self.acting.log_prob(u), *self.critics(self.acting.action(u))], -1)
        each = parts.reshape(-1, states, parts.shape[-1])  # [m, states, 1 + critics]
        y = self.of_parts(self.shifted(each.repeat(1, p // states, 1)))  # [m, p]
        return y.unflatten(1, (-1, states)).transpose(1, 2).reshape(*parts.shape[:-1], -1)

    def in_turn(self, y: Tensor) -> Tensor:
        """[*batch, k] -> [p]."""
        return y.reshape(-1, y.shape[-1]).T.flatten()

    def of_own_draws(self, count: int, rng: Noise) -> Tensor:
        """The function's answer, [count, p], to what it draws itself."""
        policy = self.copies(count).policy
        given = {"policy": policy, "params": policy.parameters(), "rng": rng}
        with seeded_globals(draw_seed(rng)):
            return self._answer(policy.batch.numel(), given).view(count, -1)

    def _answer(self, count: int, given: dict[str, Any]) -> Tensor:
        """Raises Fault on what is no target, or what it raises."""
        t = self.transitions
        kinds = {"reward": t.reward, "terminated": t.terminated, "truncated": t.truncated}
        times = count // len(t.reward)
        given = given | {k: x.repeat(times) for k, x in kinds.items()}
        given |= {"alpha": self.alpha, "gamma": self.gamma}
        with torch.no_grad():
            try:
                y = self.target(**{name: given[name] for name in self.names})
            except RAISED as error:
                called = called_as(self.target, self.names, given)
                raise Fault(str(raised(error)) + called) from error
        if not isinstance(y, Tensor):
            raise Fault(f"the target must be a tensor, got {type(y).__name__}")
        if y.shape not in ((count,), (count, 1)):
            square = y.shape == (count, count)
            outer = f" (do [{count}, 1] and [{count}] broadcast?)" * square
            raise Fault(
                f"the target must be a number for each of the {count} transitions, "
                f"got {list(y.shape)}{outer}"
            )
        return y.reshape(count)
