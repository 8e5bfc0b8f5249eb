"""The page and the figure of trust.py."""

import sys
from collections import Counter
from pathlib import Path
from statistics import NormalDist
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import binomtest

from estimators.checking.rungs import MISS
from estimators.checking.sequential import FIRST, quantile

TEXT = """\
# How far `check` can be trusted

Made by `{command}`; do not edit.
Intervals are Clopper–Pearson's, 95 %.

## False alarms

Right estimators of the catalogue, each on a random policy and a random objective (Gaussians,
mixtures, categoricals; quadratic, cubic and cosine costs, coupled, sometimes squashed).

| | runs | called biased or broken | rate | interval | stated |
|---|---|---|---|---|---|
| Monte Carlo alone, stated rate {rate:g}, {looks} looks | {runs:,} | {alarms} | {found:.4f} \
| {low:.4f} … {high:.4f} | ≤ {spent:.4f} |
| the whole check, stated rate 1e-6 | {whole:,} | {false} | {false_rate:.4f} \
| 0 … {false_high:.4f} | ≤ 1e-6 |
{kinds}

A rate of 1e-6 cannot be counted, so the sequential test is asked for {rate:g} and for a δ that it
does not reach: its {looks} looks may spend {spent:.4f} of that. Of the whole checks \
{whole_says}. False alarms by rung: {rungs}. The hard kinds are right losses and estimators where
one action in 10 to 100,000 has a reward, where the critic is flat but for rare actions (ReLU, ramp,
steep sigmoid), and where the policy is a distribution of torch's (Beta, Student-t, correlated).

## Power

A gradient multiplied by 1 + bias, hidden from the nodes, δ = {delta:g}: how often it is called
biased in {repeats} runs. Promised: a bias of δ standard deviations of one estimate is missed with
probability 1e-6, and what follows from that for smaller ones. The gradient is {size:.2f} standard
deviations long here. Where nodes reach, {nodes} of {all} of these biases are found, with certainty.

| planted bias | in units of δ | found | interval | promised ≥ |
|---|---|---|---|---|
{rows}

![power](trust.png)

## Diagnoses

Biases that are no known slip, of 1 to 100 standard errors of 131,072 estimates: how often one is
named. And slips that are known: how often by their name, alone or beside others with the same mean,
how often not at all ("no known slip", or "too little is known"), how often another. Three quarters
are hidden from the nodes. Of {unknown} biases that were found and are no slip {misnamed} were \
named: {misrate:.4f} \
({mislow:.4f} … {mishigh:.4f}); promised < 0.01.

| bias | runs | found | named rightly | not named | named wrongly |
|---|---|---|---|---|---|
{slips}
"""
FOUND = ("biased", "broken")
RUNGS = ("problem", "contract", "nodes", "monte carlo", "reference", "field")
GOAL = 0.01  # of the biases that are no slip, named as one


def promised(x: Any, delta: float, entries: int = 2) -> Any:
    """Probability of seeing a bias of x·δ standard deviations, at the look that reaches δ: their
    number, from FIRST estimates on, doubles from look to look."""
    z, looks = quantile(1e-6 / 4 / entries), 1
    while FIRST * 2 ** (looks - 1) < ((z + quantile(MISS)) / delta) ** 2:
        looks += 1
        z = quantile(1e-6 / (looks * (looks + 1)) / (2 * entries))
    return np.vectorize(NormalDist().cdf)((z + quantile(MISS)) * np.asarray(x) - z)


def interval(k: int, n: int) -> tuple[float, float]:
    low, high = binomtest(k, n).proportion_ci(0.95, "exact")
    return float(low), float(high)


def write(
    docs: Path,
    command: str,
    alarms: list[dict[str, Any]],
    defaults: list[dict[str, Any]],
    planted: list[dict[str, Any]],
    nodes: list[dict[str, Any]],
    told: list[dict[str, Any]],
    size: float,
    rate: float,
    looks: int,
    delta: float,
) -> int:
    """docs/trust.md and docs/trust.png; 1 if what was measured contradicts what is promised."""
    k, n = sum(r["status"] == "biased" for r in alarms), len(alarms)
    says = Counter(r["status"] for r in defaults)
    spent = rate * sum(1 / (i * (i + 1)) for i in range(1, looks + 1))
    power = []
    for bias in sorted({r["bias"] for r in planted}):
        found = [r["status"] == "biased" for r in planted if r["bias"] == bias]
        power.append((bias, bias * size / delta, sum(found), len(found)))
    low, high = interval(k, n)
    false = len(defaults) - says["unbiased"] - says["undecided"]
    others = [r for r in told if not r["slip"] and r["status"] in FOUND]
    misnamed = sum(bool(r["named"]) for r in others)
    mislow, mishigh = interval(misnamed, len(others))
    by_rung = Counter(r["rung"] for r in defaults)
    text = TEXT.format(
        command=command,
        rate=rate,
        looks=looks,
        runs=n,
        alarms=k,
        found=k / n,
        low=low,
        high=high,
        spent=spent,
        whole=len(defaults),
        false=false,
        false_rate=false / len(defaults),
        false_high=interval(false, len(defaults))[1],
        kinds="\n".join(
            of_kind(defaults, kind) for kind in sorted({r["policy"] for r in defaults})
        ),
        rungs=", ".join(f"{rung} {by_rung[rung]}" for rung in RUNGS),
        whole_says=", ".join(f"{count} said {status}" for status, count in says.most_common()),
        delta=delta,
        repeats=power[0][3],
        size=size,
        nodes=sum(r["status"] == "biased" for r in nodes),
        all=len(nodes),
        unknown=len(others),
        misnamed=misnamed,
        misrate=misnamed / len(others),
        mislow=mislow,
        mishigh=mishigh,
        slips="\n".join(diagnoses(told, bias) for bias in dict.fromkeys(r["bias"] for r in told)),
        rows="\n".join(row(*point, float(promised(point[1], delta))) for point in power),
    )
    (docs / "trust.md").write_text(text)
    draw(docs / "trust.png", power, delta)
    print(text)
    wrong = []
    if low > spent or false:
        wrong.append("false alarms come more often than stated")
    if any(interval(found, runs)[1] < promised(x, delta) for _, x, found, runs in power):
        wrong.append("the power is below the promised curve")
    if mislow > GOAL:
        wrong.append("slips are named that are not there")
    for sentence in wrong:
        print(sentence, file=sys.stderr)
    return int(bool(wrong))


def of_kind(defaults: list[dict[str, Any]], kind: str) -> str:
    """A line of the table of false alarms."""
    mine = [r["status"] for r in defaults if r["policy"] == kind]
    false = sum(status not in ("unbiased", "undecided") for status in mine)
    high = interval(false, len(mine))[1]
    undecided = mine.count("undecided")
    return (
        f"| … {kind} ({undecided} undecided) | {len(mine):,} | {false} "
        f"| {false / len(mine):.4f} | 0 … {high:.4f} | |"
    )


def row(bias: float, x: float, found: int, runs: int, promise: float) -> str:
    low, high = interval(found, runs)
    return f"| {bias:g} | {x:.3f} | {found}/{runs} | {low:.2f} … {high:.2f} | {promise:.2g} |"


def diagnoses(told: list[dict[str, Any]], bias: str) -> str:
    """A line of the table."""
    mine = [r for r in told if r["bias"] == bias]
    found = [r for r in mine if r["status"] in FOUND]
    right = sum(bias in r["named"] for r in found)
    none = sum(not r["named"] for r in found)
    named = f"{right}/{len(found)}" if mine[0]["slip"] else "—"
    wrong = len(found) - right - none
    return f"| {bias} | {len(mine)} | {len(found)} | {named} | {none} | {wrong} |"


def draw(path: Path, power: list[tuple[float, float, int, int]], delta: float) -> None:
    blue, orange = (mpl.color_sequences["okabe_ito"][i] for i in (5, 1))
    fig, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
    x = np.geomspace(power[0][1] / 2, power[-1][1] * 2, 400)
    ax.plot(x, promised(x, delta), color=orange, label="promised, at least")
    at = np.array([p[1] for p in power])
    share = np.array([p[2] / p[3] for p in power])
    ends = np.array([interval(p[2], p[3]) for p in power]).T
    ax.errorbar(at, share, abs(ends - share), fmt="o", ms=4, color=blue, label="measured, 95 %")
    ax.axvline(1, color="0.6", lw=0.8)
    ax.set(xscale="log", ylabel="called biased", ylim=(-0.03, 1.03))
    ax.set_xlabel("planted bias / (δ · standard deviation of one estimate)")
    ax.legend(loc="upper left", frameon=False)
    fig.savefig(path, dpi=150)
    plt.close(fig)
