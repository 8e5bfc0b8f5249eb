"""How long `check` takes: `make benchmark-check`, ≈ 1 minute; writes docs/benchmarks-check.md.

The whole ladder, by default, on every right estimator of the small catalogue problems; and 10⁶
estimates of a d = 6 problem through its Monte-Carlo rung. Processor seconds, which other
programs do not lengthen much; exit status 1 over a limit.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from gradients import processor

from estimators import BIASED, CATALOGUE, Gaussian, Noise, Objective, check
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
    ]
    text = "\n".join(lines) + "\n"
    (ROOT / "docs" / "benchmarks-check.md").write_text(text)
    print(text)
    return int(ladders[worst] > SECONDS["ladder"] or max(millions.values()) > SECONDS["million"])


if __name__ == "__main__":
    sys.exit(main())
