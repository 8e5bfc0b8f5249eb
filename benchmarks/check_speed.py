"""How long `check` takes: `make benchmark-check`, ≈ 1 minute; writes docs/benchmarks-check.md.

The whole ladder, by default, on every right estimator of the small catalogue problems; 10⁶
estimates of a d = 6 problem through its Monte-Carlo rung; and losses as people write them, all rows
at once against a call for each. Processor seconds, which other
programs do not lengthen much; exit status 1 over a limit.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from gradients import processor
from torch import Tensor

from estimators import BIASED, CATALOGUE, Categorical, Gaussian, Noise, Objective, Policy, check
from estimators.checking.subjects import Params, one_by_one
from estimators.checking.vectorised import Loss, vectorised
from estimators.gradients import Gradient
from toy_problems import build

ROOT = Path(__file__).resolve().parent.parent
PROBLEMS = ["report", "report_mixture", "quartic", "squashed", "bandit", "quadratic"]
DEAR = {"convex_combination", "score_function_value", "score_function_optimal"}  # nested nodes
SECONDS = {"ladder": 1.0, "million": 5.0}  # at most
REPEATS, D, ALPHA = 1, 6, 0.3
WIDE = Gaussian(torch.full((D,), 0.3).double(), torch.full((D,), -0.4).double())
WAVES = Objective(lambda a: (torch.cos(2 * a) - 0.2 * a**3).sum(-1), ALPHA)


def median(run: Callable[[int], object]) -> float:
    times = []
    for i in range(REPEATS):
        start = time.process_time()
        run(i)
        times.append(time.process_time() - start)
    return statistics.median(times)


def ladder(problem: str, name: str) -> float:
    p = build(problem)
    return median(lambda _: check(CATALOGUE[type(p.policy)][name], p.policy, p.objective))


def in_closed_form() -> Gradient:
    """∇J of WAVES: E a³ = μ³ + 3μσ², E cos 2a = exp(−2σ²) cos 2μ, E log π = −Σ log σ + const."""
    leaf = WIDE.map(lambda p: p.clone().requires_grad_())
    mu, variance = leaf.mu, (2 * leaf.log_std).exp()
    cost = 0.2 * (mu**3 + 3 * mu * variance) - torch.exp(-2 * variance) * torch.cos(2 * mu)
    (cost - ALPHA * leaf.log_std).sum().backward()
    return {k: p.grad for k, p in leaf.parameters().items()}


def million(name: str, rung: str) -> float:
    """A δ out of reach: all of the budget is drawn."""
    exact = in_closed_form() if rung == "monte carlo" else None
    options = {"budget": 10**6, "delta": 1e-4, "exact": exact}

    def run(seed: int) -> None:
        verdict = check(CATALOGUE[Gaussian][name], WIDE, WAVES, rng=Noise(seed), **options)
        assert verdict.numbers(rung)["estimates"] == 10**6, str(verdict)

    return median(run)


REWARD = torch.tensor([1.0, 3.0, -2.0]).double()
CHOICE = Categorical(torch.tensor([0.3, -0.2, 0.5]).double())


def drawn(params: Params) -> tuple[Tensor, Tensor]:
    pi = torch.distributions.Categorical(logits=params["logits"])
    a = pi.sample()
    return a, pi.log_prob(a)


def by_index(params: Params) -> Tensor:
    a, log_prob = drawn(params)
    return REWARD[a] * log_prob


def by_item(params: Params) -> Tensor:
    a, log_prob = drawn(params)
    return REWARD[a.item()] * log_prob


def by_branch(params: Params) -> Tensor:
    a, log_prob = drawn(params)
    return 3 * log_prob if a == 1 else 0 * log_prob


def by_multinomial(params: Params) -> Tensor:
    prob = params["logits"].softmax(-1)
    a = torch.multinomial(prob.detach(), 1)[0]
    return REWARD[a] * prob.log()[a]


def by_numpy(params: Params) -> Tensor:
    prob = params["logits"].softmax(-1)
    a = np.random.choice(3, p=prob.detach().numpy())
    return REWARD[a] * prob.log()[a]


def beta(params: Params) -> Tensor:
    return (torch.distributions.Beta(params["mu"].exp(), params["log_std"].exp()).rsample()).sum()


LOSSES: dict[str, tuple[Loss, Policy]] = {
    "`REWARD[a]`": (by_index, CHOICE),
    "`REWARD[a.item()]`": (by_item, CHOICE),
    "`if a == 1`": (by_branch, CHOICE),
    "`torch.multinomial`": (by_multinomial, CHOICE),
    "`np.random.choice`": (by_numpy, CHOICE),
    "`Beta(…).rsample()`, d = 6": (beta, WIDE),
}


def at_once(name: str) -> tuple[float, float]:
    """Processor seconds of an estimate, all rows at once and by a call for each."""
    loss, policy = LOSSES[name]
    vectorised(loss, policy, 256, Noise(0))  # warm-up
    many = median(lambda i: vectorised(loss, policy, 2**14, Noise(i))) / 2**14
    return many, median(lambda i: one_by_one(loss, policy, 2**10, Noise(i))) / 2**10


def main() -> int:
    pairs = [
        (problem, name)
        for problem in PROBLEMS
        for name in CATALOGUE[type(build(problem).policy)]
        if name not in BIASED and name not in DEAR
    ]
    ladders = {pair: ladder(*pair) for pair in pairs}
    worst = max(ladders, key=lambda pair: ladders[pair])
    generator = torch.Generator().manual_seed(0)
    randn = median(lambda _: torch.randn(10**6, D, dtype=torch.float64, generator=generator))
    names, against = ("reparameterization", "score_function"), ("monte carlo", "reference")
    millions = {(name, rung): million(name, rung) for name in names for rung in against}
    ways = {name: at_once(name) for name in LOSSES}
    lines = [
        "# Speed of `check`",
        "",
        f"Made by `make benchmark-check`; do not edit. {processor()}, "
        f"{os.cpu_count()} cores, {torch.get_num_threads()} threads, torch {torch.__version__}.",
        "",
        "| | processor seconds | at most |",
        "|---|---|---|",
        f"| whole ladder, {len(ladders)} estimators on small problems, median "
        f"| {statistics.median(ladders.values()):.3f} | |",
        f"| the slowest, `{worst[1]}` on `{worst[0]}` | {ladders[worst]:.3f} "
        f"| {SECONDS['ladder']:g} |",
        *(
            f"| 10⁶ estimates, d = {D}, `{name}`, {rung}: {s / randn:.0f} × `torch.randn` of that "
            f"noise | {s:.2f} | {SECONDS['million']:g} |"
            for (name, rung), s in millions.items()
        ),
        "",
        "| a loss with | µs an estimate, a call for each | all at once | times faster |",
        "|---|---|---|---|",
        *(
            f"| {name} | {1e6 * each:.0f} | {1e6 * many:.1f} | {each / many:.0f} |"
            for name, (many, each) in ways.items()
        ),
    ]
    text = "\n".join(lines) + "\n"
    (ROOT / "docs" / "benchmarks-check.md").write_text(text)
    print(text)
    return int(ladders[worst] > SECONDS["ladder"] or max(millions.values()) > SECONDS["million"])


if __name__ == "__main__":
    sys.exit(main())
