"""What somebody brings to `nabla train`: a task, and what is wrong with others."""

import gymnasium
import numpy as np
import torch
from gymnasium.spaces import Box, Dict, Discrete, Sequence


class Walk(gymnasium.Env):
    """A walk on a line that ends at 3, seen as numbers and as a cell; no render_mode."""

    action_space = Box(-2.0, 2.0, (1,))

    def __init__(self, speed=0.5, length=12):
        self.observation_space = Dict({"cell": Discrete(7), "place": Box(-9, 9, (1,))})
        self.speed, self.length = speed, length

    def seen(self):
        return {
            "cell": int(np.clip(round(self.x), -3, 3) + 3),
            "place": np.array([self.x], np.float32),
        }

    def reset(self, seed=None, options=None):
        super().reset(seed=seed)
        self.x, self.steps = float(self.np_random.uniform(-1, 1)), 0
        return self.seen(), {}

    def step(self, action):
        self.x = float(np.clip(self.x + self.speed * action[0], -3, 3))
        self.steps += 1
        return self.seen(), self.x, self.x >= 3, self.steps >= self.length, {}


class Kept(Walk):
    """It says what its state is."""

    def state(self):
        return {"x": np.array([self.x]), "steps": np.int64(self.steps)}

    def restore(self, state):
        self.x, self.steps = float(state["x"][0]), state["steps"]


class Odd(Walk):
    """It has a state that JSON does not know."""

    def state(self):
        return {"x": {1, 2}}

    def restore(self, state):
        raise NotImplementedError


class Endless(Walk):
    def __init__(self):
        self.observation_space = Sequence(Discrete(2))


class Old(Walk):
    """gym's interface of long ago."""

    def reset(self, seed=None, options=None):
        return super().reset(seed)[0]


class Shapeless(Walk):
    def seen(self):
        return np.zeros(3)

    def __init__(self):
        super().__init__()
        self.observation_space = Box(-9, 9, (2,))


def wrapped(speed=0.5):
    return gymnasium.wrappers.TimeLimit(Walk(speed, length=1000), 10)


class NoEnv:
    pass


gymnasium.register("OwnWalk-v0", entry_point="own_training:Walk", max_episode_steps=5)


def half(policy, objective, rng, n=1):
    return 0.5 * objective.cost(policy, policy.rsample(n, rng)).mean(0)


def pathwise(policy, objective, rng):
    """∇̂J, without n."""
    return objective.cost(policy, policy.rsample(1, rng))[0]


def total(policy, objective, rng):
    return pathwise(policy, objective, rng).sum()


class Net(torch.nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.first = torch.nn.Linear(sizes[0], 9)
        self.last = torch.nn.Linear(9, sizes[-1])

    def forward(self, x):
        return self.last(torch.tanh(self.first(x)))


def net(sizes):
    """The same as Net, as a function."""
    layers = torch.nn.Linear(sizes[0], 9), torch.nn.Linear(9, sizes[-1])

    def forward(parameters, x):
        w, b, v, c = parameters
        return torch.tanh(x @ w.T + b) @ v.T + c

    return [p for layer in layers for p in layer.parameters()], forward


def narrow(sizes):
    return net([*sizes[:-1], 7])


def normed(sizes):
    return torch.nn.Sequential(torch.nn.BatchNorm1d(sizes[0]), Net(sizes))


def note(row, agent, run):
    """A callback."""
    with (run / "notes").open("a") as file:
        file.write(f"{row['step']} {len(agent.trained['actor'])}\n")


def refuse(row, agent, run):
    raise ValueError("the tracker is gone")


number = 3
