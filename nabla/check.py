"""`nabla check`: is the mean what it should be? A report, and an exit status for scripts."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from nabla.options import at_least, between, require_seed
from nabla.target import SQUASHED, Target

if TYPE_CHECKING:
    from estimators import Verdict
    from toy_problems import Problem

STATUS = {"unbiased": 0, "biased": 1, "undecided": 2, "broken": 2}
What = Literal["actor", "temperature", "target"]


@dataclass(frozen=True)
class Asked:
    """What is checked on which problem, how surely, and what a temperature or a target needs."""

    subject: str
    target: Target
    problem: "Problem"
    target_entropy: float | None
    gamma: float | None
    surely: dict[str, Any]

    @property
    def box(self) -> tuple[Any, Any] | None:
        if self.target.low:
            low, high = zip(*self.target.ranges, strict=True)
            return low, high
        return (-1.0, 1.0) if self.target.squash or self.target.problem in SQUASHED else None

    @property
    def alpha(self) -> float:
        return float(self.problem.objective.alpha)

    def function(self) -> Any:
        from estimators.foreign import load_object

        if ":" not in self.subject:
            raise ValueError(f"--what needs a function of yours, module:name, got {self.subject!r}")
        return load_object(self.subject)


def check(
    estimator: Annotated[str, tyro.conf.arg(metavar="ESTIMATOR|LOSS"), tyro.conf.Positional],
    target: Annotated[Target, tyro.conf.arg(name="")] = Target(),
    *,
    what: What = "actor",
    target_entropy: float | None = None,
    gamma: float | None = None,
    budget: int | None = None,
    delta: float = 0.01,
    false_alarm: float = 1e-6,
    seed: int = 0,
    json: bool = False,
) -> int:
    """Check that the mean of an estimator, or the gradient of a loss of yours, is the gradient.

    Exit status 0: unbiased. 1: biased. 2: undecided, broken, or bad input. With your own loss and
    Q, in mine.py: nabla check mine:loss mine:Q --mu 0.3 -0.7 --log-std -0.4 --alpha 0.2

    Args:
        estimator: a name from `nabla estimators`, or your own as module:function: an estimator
            (policy, objective, rng), a PyTorch loss (params), or a function that returns
            gradients (params, seed). params is a dict: mu, log_std, logits. With --what temperature
            or target your own function, called with what it asks for, by name: (log_alpha,
            log_prob) or (params); (reward, terminated, truncated, q1, q2, log_prob) or (params,
            reward, terminated, truncated). An unknown name is answered by the list of all.
        target: the objective that the loss is meant to have.
        what: actor, an estimator of the policy's gradient; temperature, a loss of log α; target,
            what a critic is fitted to (then Q may return a tuple, of several target critics).
        target_entropy: of --what temperature; by default −dim(A), or 0.98 log|A| if discrete.
        gamma: of --what target, 0.99 if none.
        budget: estimates at most (4 million, four times as many where they would settle it; 32,768
            where each takes a call of its own).
        delta: the bias to exclude, in standard deviations of one estimate.
        false_alarm: probability that a right estimator is called biased.
        seed: of the noise.
        json: print everything as JSON.
    """
    at_least(2, budget=budget)
    between(0, 1, delta=delta, false_alarm=false_alarm)
    require_seed(seed)
    for option, given, its in (
        ("--target-entropy", target_entropy, "temperature"),
        ("--gamma", gamma, "target"),
    ):
        if given is not None and what != its:
            raise ValueError(f"{option} is for --what {its}, not for {what}")
    from estimators import Noise
    from nabla.family import load_problem
    from nabla.verdict import report, to_json, used_in

    plain = target if what == "actor" else replace(target, squash=False, low=(), high=())
    problem = load_problem(plain)
    rng = Noise(seed, target.device)
    surely = {"rng": rng, "budget": budget, "delta": delta, "false_alarm": false_alarm}
    asked = Asked(estimator, target, problem, target_entropy, gamma, surely)
    verdict, more = CHECKS[what](asked)
    used = used_in(problem, target)
    used = {**used, **more, "defaults": [*used["defaults"], *more.get("defaults", ())]}
    print(to_json(verdict, problem.name, used) if json else report(verdict, problem.name, used))
    return STATUS[verdict.status]


def _actor(asked: Asked) -> tuple["Verdict", dict[str, Any]]:
    from estimators import check
    from nabla.catalogue import pick_estimators

    problem = asked.problem
    ((name, chosen),) = pick_estimators(problem.policy, [asked.subject]).items()
    verdict = check(
        chosen, problem.policy, problem.objective, name=name, **asked.surely,
        exact=problem.gradient() if problem.value is not None else "find",
    )  # fmt: skip
    return verdict, {}


def _temperature(asked: Asked) -> tuple["Verdict", dict[str, Any]]:
    from estimators import check_temperature
    from sac_minimal.entropy import default_target

    policy, entropy = asked.problem.policy, asked.target_entropy
    if entropy is None:
        size = len(policy.nodes()[0]) if policy.discrete else policy.dim
        entropy = default_target(size, policy.discrete)
    verdict = check_temperature(
        asked.function(), policy, target_entropy=entropy, alpha=asked.alpha, box=asked.box,
        name=asked.subject, **asked.surely,
    )  # fmt: skip
    defaults = ["target_entropy"] if asked.target_entropy is None else []
    sees = asked.target.sees.replace("Q sees", "log π is that of")
    return verdict, {"target_entropy": entropy, "defaults": defaults, "sees": sees}


def _target(asked: Asked) -> tuple["Verdict", dict[str, Any]]:
    from estimators import check_target

    if asked.target.problem in SQUASHED:
        raise ValueError(
            f"{asked.target.problem} has no critic of its own: give a Q of yours, and --squash"
        )
    gamma = 0.99 if asked.gamma is None else asked.gamma
    problem = asked.problem
    verdict = check_target(
        asked.function(), problem.policy, problem.objective.Q, gamma=gamma, alpha=asked.alpha,
        box=asked.box, name=asked.subject, **asked.surely,
    )  # fmt: skip
    return verdict, {"gamma": gamma, "defaults": ["gamma"] if asked.gamma is None else []}


CHECKS: dict[str, Callable[[Asked], tuple["Verdict", dict[str, Any]]]] = {
    "actor": _actor,
    "temperature": _temperature,
    "target": _target,
}
