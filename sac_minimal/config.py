"""Everything that determines a run: one frozen dataclass, saved with it as JSON."""

import json
import math
from dataclasses import asdict, dataclass
from functools import partial
from inspect import signature
from typing import TYPE_CHECKING, Any, Literal, get_args, get_type_hints

if TYPE_CHECKING:
    from torch import Tensor

    from estimators import Entry, Estimator, Noise, Objective

Version = Literal["1", "2", "3", "ddpg", "td3", "dqn"]
COUNTS = """steps n components batch replay updates_per_step envs eval_every eval_episodes
checkpoint_every threads"""


@dataclass(frozen=True)
class Config:
    """Soft Actor-Critic on one task.

    The defaults are those of Haarnoja et al. 2018b.
    """

    task: str = "Pendulum-v1"
    """A gymnasium id; your own gymnasium.Env as module:Class, or module:id, which that module
    registers; or one of ours: PointMass, TwoWay, ThreeWay, FourWay, Uneven."""
    env_kwargs: tuple[str, ...] = ()
    """Keyword arguments of the environment: name=value."""
    steps: int = 10_000
    """Environment steps, all environments together."""
    seed: int = 0
    version: Version = "3"
    """1: a state-value network and one critic; 2: and twin critics; 3: as published in 2018b;
    ddpg and td3: the deterministic limit; dqn: the same of discrete actions, without an actor."""
    estimator: str = ""
    """Of the actor's gradient, a name from `nabla estimators` or your own as module:function; by
    default reparameterization (implicit for a mixture) or, for discrete actions, exact."""
    n: int = 1
    """Actions averaged inside one estimate."""
    policy: str = ""
    """gaussian, mixture, categorical, …: a name of estimators.POLICIES; by default gaussian, or
    categorical for discrete actions."""
    components: int = 4
    """Of a mixture policy."""
    squash: bool = True
    """tanh of the policy's actions (continuous actions only)."""
    hidden: int | tuple[int, ...] = 256
    """Width of the two hidden layers of every network, or of each layer: 400 300."""
    network: str = ""
    """Your own in place of these layers, module:function: from sizes [in, *hidden, out] to the
    parameters and a forward pass, or to a torch.nn.Module."""
    batch: int = 256
    replay: int = 1_000_000
    """Transitions kept."""
    warmup: int = 1000
    """Steps with uniformly random actions, before the first update."""
    updates_per_step: int = 1
    actor_every: int = 0
    """Critic steps for each step of the actor; by default 1, and 2 for td3."""
    envs: int = 1
    """How many environments are stepped for each decision."""
    gamma: float = 0.99
    tau: float = 0.005
    """Share of the critics that goes into the target critics at each update."""
    lr: float = 3e-4
    """Of the actor, and of the others unless they are given."""
    lr_critic: float | None = None
    lr_alpha: float | None = None
    alpha: float | None = None
    """Temperature; if not given tuned to the target entropy, or 0.2 in versions 1 and 2."""
    target_entropy: float | None = None
    """By default −dim(A), or 0.98 log|A| for discrete actions."""
    eval_every: int = 1000
    """Steps between evaluations."""
    eval_episodes: int = 5
    checkpoint_every: int = 1000
    """Steps between checkpoints."""
    keep_every: int = 0
    """Steps between checkpoints that stay, as checkpoint-STEP.npz; 0: only the last one stays."""
    threads: int = 2
    compile: bool = False
    """torch.compile the whole update: about 15 s once, then faster."""
    bf16: bool = False
    """Products between hidden layers in bfloat16."""

    def __post_init__(self) -> None:
        least = dict.fromkeys(COUNTS.split(), 1) | {"warmup": 0, "actor_every": 0, "keep_every": 0}
        least["seed"] = 0
        for name, bound in least.items():
            if getattr(self, name) < bound:
                raise ValueError(f"{name} must be ≥ {bound}, got {getattr(self, name)}")
        if not self.layers or min(self.layers) < 1:
            raise ValueError(f"hidden must be widths ≥ 1, got {self.hidden}")
        if self.replay < self.batch:
            raise ValueError(f"replay must be ≥ batch, {self.batch}, got {self.replay}")
        if self.bf16 and self.network:
            raise ValueError("bf16 is for our own layers, not for a network of yours")
        for name in ("gamma", "tau"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie in [0, 1], got {getattr(self, name)}")
        for name in ("lr", "lr_critic", "lr_alpha", "alpha"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{name} must be a finite number ≥ 0, got {value}")
        if self.target_entropy is not None and not math.isfinite(self.target_entropy):
            raise ValueError(f"target_entropy must be a finite number, got {self.target_entropy}")
        if self.version not in get_args(Version):
            known = ", ".join(get_args(Version))
            raise ValueError(f"version must be one of {known}, got {self.version!r}")

    @property
    def layers(self) -> list[int]:
        """The widths of the hidden layers."""
        return [self.hidden] * 2 if isinstance(self.hidden, int) else list(self.hidden)

    @property
    def delay(self) -> int:
        """Critic steps for each step of the actor."""
        return self.actor_every or (2 if self.version == "td3" else 1)

    def resolve(self, discrete: bool) -> tuple[str, str]:
        """The policy and the estimator for a task: ValueError if they do not fit it."""
        from estimators import POLICIES

        policy = self.policy or ("categorical" if discrete else "gaussian")
        if policy not in POLICIES:
            raise ValueError(f"unknown policy {policy!r}; known: {', '.join(POLICIES)}")
        if POLICIES[policy].discrete != discrete:
            kind = "discrete" if discrete else "continuous"
            raise ValueError(f"{self.task} has {kind} actions: a {policy} policy does not fit")
        known = rows(policy)
        estimator = self.estimator or next(iter(known))
        if ":" not in estimator and estimator not in known:
            raise ValueError(
                f"estimator {estimator!r} is not for a {policy} policy; "
                f"there are {', '.join(known)}"
            )
        return policy, estimator

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def of(cls, data: dict[str, Any]) -> "Config":
        """From settings of a file; ValueError on what is none, or of no such type."""
        from estimators.foreign import is_a

        kinds = get_type_hints(cls)
        if unknown := set(data) - set(kinds):
            raise ValueError(f"unknown settings {', '.join(sorted(unknown))}")
        given: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
        for name, value in given.items():
            if not is_a(value, kinds[name]):
                kind = kinds[name]
                wanted = kind.__name__ if isinstance(kind, type) else kind
                raise ValueError(f"{name} must be {wanted}, got {value!r}")
        return cls(**given)

    @classmethod
    def from_json(cls, text: str) -> "Config":
        data = json.loads(text)
        if not isinstance(data, dict):
            raise ValueError(f"not a saved configuration: it holds no names but {data!r:.40}")
        return cls.of(data)


def driver(policy: str, name: str, n: int) -> "Estimator":
    """The estimator of that name, or somebody's `module:function`, with n filled in."""
    if ":" not in name:
        return partial(rows(policy)[name], n=n)
    from estimators.foreign import load_object

    mine = load_object(name)
    if not callable(mine):
        raise ValueError(f"estimator {name} is not a function but {type(mine).__name__}")
    options = {"n": n} if "n" in signature(mine).parameters else {}
    if n > 1 and not options:
        raise ValueError(f"estimator {name} has no argument n, so n must be 1, got {n}")

    def checked(policy: Any, objective: "Objective", rng: "Noise", *, n: int = n) -> "Tensor":
        loss = mine(policy, objective, rng, **options)
        if (shape := list(getattr(loss, "shape", ()))) != (rows := list(policy.batch)):
            raise ValueError(f"{name} must return one loss a state, {rows}, got {shape}")
        return loss

    return checked


def rows(policy: str) -> "dict[str, Entry]":
    """The estimators for that policy; the first drives its actor unless another is named.

    The library is imported here: a configuration alone needs no torch.
    """
    import torch

    from estimators import POLICIES, applicable

    kind, dim = POLICIES[policy], 2
    size = sum(map(math.prod, kind.shapes(dim).values()))
    return applicable(kind.from_numbers(torch.zeros(size), dim))[0]
