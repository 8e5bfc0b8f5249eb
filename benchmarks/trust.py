"""How far `check` can be trusted: its false alarms and its power, measured. `make trust`.

    python benchmarks/trust.py [--runs 2000] [--repeats 40] [--whole 200] [--hard 600] [--slips 600]

Every finished run is a line of out/trust.jsonl, and is not done again: interrupt it as you like.
Writes docs/trust.md and docs/trust.png; exit status 1 if the false alarms contradict the stated
rate, the power falls below the promised curve, or slips are named that are not there. ≈ 10 minutes
on one idle core.
"""

import argparse
import json
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm
from trust_rare import BUDGET as RARE_BUDGET
from trust_rare import KINDS as RARE
from trust_report import write
from trust_slips import BUDGET as SLIP_BUDGET
from trust_slips import KINDS, SLIPS, biased

from estimators import (
    BIASED,
    CATALOGUE,
    Categorical,
    Gaussian,
    Mixture,
    Noise,
    Objective,
    Policy,
    Verdict,
    check,
    exact_moments,
    per_sample_gradients,
    reparameterization,
    squash,
)

ROOT = Path(__file__).resolve().parent.parent
ROWS = ROOT / "out" / "trust.jsonl"
RATE = 0.05  # stated; at 1e-6 nobody can count
LOOKS, BUDGET = 2, 2**16  # looks at 2¹⁵ and 2¹⁶ estimates
EVERY = 10  # of the random problems, one gets the whole check as well
DELTA = 0.02
BIASES = [1e-4, 3e-4, 1e-3, 3e-3, 4e-3, 5e-3, 6e-3, 8e-3, 1e-2, 3e-2, 1e-1]
DEAR = {"convex_combination", "score_function_value", "score_function_optimal"}
LINE = Gaussian(torch.tensor([0.3]).double(), torch.tensor([-0.4]).double())
CUBIC = Objective(lambda a: -(a + a**2 / 2 + a**3 / 10).sum(-1), 0.4)


def sampled(estimator: Any, policy: Policy, objective: Objective, factor: float = 1.0) -> Any:
    """The estimator as somebody's function: no nodes, no control variates, Monte Carlo alone."""

    def gradients(params: dict[str, Any], seed: int) -> dict[str, torch.Tensor]:
        grads = per_sample_gradients(estimator, policy, objective, 4096, Noise(seed))
        return {k: factor * g for k, g in grads.items()}

    return gradients


def random_problem(seed: int) -> tuple[Policy, Objective, str]:
    """A policy, a cost without symmetry, and the name of a right estimator for them."""
    rng = torch.Generator().manual_seed(seed)

    def uniform(low: float, high: float, *shape: int) -> torch.Tensor:
        return low + (high - low) * torch.rand(shape, generator=rng, dtype=torch.float64)

    kind, d, k = (int(torch.randint(high, (), generator=rng)) for high in (3, 2, 3))
    alpha = float(uniform(0, 2))
    policy: Policy
    if kind == 2:
        rewards = uniform(-2, 2, k + 2)
        policy, objective = Categorical(uniform(-1.5, 1.5, k + 2)), Objective(rewards.take, alpha)
    else:
        d = d if kind == 0 else 0
        shape = (d + 1,) if kind == 0 else (k + 1, d + 1)
        mu, log_std = uniform(-2, 2, *shape), uniform(-1.6, 0.4, *shape)
        policy = Gaussian(mu, log_std)
        if kind == 1:
            policy = Mixture(uniform(-1.5, 1.5, k + 1), mu, log_std)
        c1, c3, wave = uniform(-1, 1, d + 1), uniform(-0.3, 0.3, d + 1), uniform(0.5, 3, d + 1)
        coupling = uniform(-0.5, 0.5, d + 1, d + 1)

        def Q(a: torch.Tensor) -> torch.Tensor:
            separate = c1 * a + c3 * a**3 + torch.cos(wave * a + c1)
            return separate.sum(-1) - ((a @ coupling) * a).sum(-1)

        objective = Objective(Q, alpha)
        objective = squash(objective) if float(uniform(0, 1)) < 0.5 else objective
    names = [n for n in CATALOGUE[type(policy)] if n not in BIASED and n not in DEAR]
    return policy, objective, random.Random(seed).choice(names)


def false_alarm(seed: int) -> dict[str, Any]:
    """The Monte-Carlo part of a check, at a rate that can be counted."""
    policy, objective, name = random_problem(seed)
    function = sampled(CATALOGUE[type(policy)][name], policy, objective)
    options: dict[str, Any] = {"false_alarm": RATE, "budget": BUDGET, "delta": 1e-3}
    found = check(function, policy, objective, rng=Noise(seed), **options)
    return {"policy": type(policy).__name__, "name": name, "status": found.status}


def whole(seed: int) -> dict[str, Any]:
    """The check as it is by default."""
    policy, objective, name = random_problem(seed)
    found = check(CATALOGUE[type(policy)][name], policy, objective, rng=Noise(seed))
    said = {"name": name, "status": found.status, "rung": failed_at(found)}
    return {"policy": type(policy).__name__, **said}


def hard(key: str) -> dict[str, Any]:
    """The whole check of a right loss on a problem that is hard on it; key: kind, run."""
    kind, _, run = key.rpartition(" ")
    thing, policy, objective = RARE[kind](random.Random(int(run)))
    found = check(thing, policy, objective, rng=Noise(int(run)), budget=RARE_BUDGET)
    return {"policy": kind, "status": found.status, "rung": failed_at(found)}


def failed_at(found: Verdict) -> str:
    """The rung that said no."""
    return next((e.rung for e in found.evidence if e.outcome == "failed"), "")


def power(key: str) -> dict[str, Any]:
    """Whether a gradient planted 1 + bias times too large is found; key: bias, run."""
    bias, run = key.split()
    wrong = sampled(reparameterization, LINE, CUBIC, 1 + float(bias))
    found = check(wrong, LINE, CUBIC, rng=Noise(int(run)), delta=DELTA)
    return {"bias": float(bias), "status": found.status}


def by_nodes(bias: str) -> dict[str, Any]:
    """The same fault in an estimator that nodes reach."""
    factor = 1 + float(bias)
    found = check(lambda p, o, rng: factor * reparameterization(p, o, rng), LINE, CUBIC)
    return {"bias": float(bias), "status": found.status}


def diagnosed(seed: int) -> dict[str, Any]:
    """The slips that are named for a bias that is none of them, or for one that is; three times in
    four hidden from the nodes."""
    policy, objective, name = random_problem(seed)
    estimator = CATALOGUE[type(policy)][name]
    kind = (*KINDS, *KINDS, *SLIPS)[seed % (2 * len(KINDS) + len(SLIPS))]
    if kind in SLIPS:
        wrong = SLIPS[kind](estimator, objective)
    else:
        wrong = biased(kind, estimator, policy, objective, seed)
    hidden = random.Random(seed).random() < 0.75
    subject = sampled(wrong, policy, objective) if hidden else wrong
    found = check(subject, policy, objective, rng=Noise(seed), budget=SLIP_BUDGET)
    said = next((e.numbers for e in found.evidence if e.rung == "diagnosis"), {})
    named = list(said.get("slips", [found.diagnosis] * (found.diagnosis is not None)))
    return {"bias": kind, "slip": kind in SLIPS, "status": found.status, "named": named}


def collect(kind: str, keys: list[Any], one: Callable[[Any], dict[str, Any]]) -> list[dict]:
    """one(key) for every key, from the file where it is there."""
    ROWS.parent.mkdir(exist_ok=True)
    lines = ROWS.read_text().splitlines() if ROWS.exists() else []
    done = {(r["kind"], r["key"]): r for r in map(json.loads, lines)}
    with ROWS.open("a") as file:
        for key in tqdm(keys, desc=kind, disable=not sys.stderr.isatty()):
            if (kind, key) not in done:
                done[kind, key] = {"kind": kind, "key": key, **one(key)}
                file.write(json.dumps(done[kind, key]) + "\n")
                file.flush()
    return [done[kind, key] for key in keys]


def main() -> int:
    parser = argparse.ArgumentParser(description="False alarms and power of `check`.")
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=40)
    parser.add_argument("--whole", type=int, default=200, help="whole checks by default")
    parser.add_argument("--hard", type=int, default=600, help="whole checks of each hard kind")
    parser.add_argument("--slips", type=int, default=600, help="checks of wrong estimators")
    options = parser.parse_args()
    torch.set_num_threads(1)
    mean, variance = exact_moments(reparameterization, LINE, CUBIC)
    alarms = collect("false alarm", list(range(options.runs)), false_alarm)
    defaults = collect("whole check", list(range(0, EVERY * options.whole, EVERY)), whole)
    defaults += collect("hard", [f"{k} {i}" for i in range(options.hard) for k in RARE], hard)
    grid = [f"{bias} {run}" for bias in BIASES for run in range(options.repeats)]
    planted = collect("power", grid, power)
    nodes = collect("by nodes", list(map(str, BIASES)), by_nodes)
    told = collect("slips", list(range(options.slips)), diagnosed)
    size = max(float((mean[k].abs() / variance[k].sqrt()).max()) for k in mean)
    given = " ".join(f"--{name} {count}" for name, count in vars(options).items())
    command = f"python benchmarks/trust.py {given}"
    docs = ROOT / "docs"
    return write(docs, command, alarms, defaults, planted, nodes, told, size, RATE, LOOKS, DELTA)


if __name__ == "__main__":
    sys.exit(main())
