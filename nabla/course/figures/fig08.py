"""Figures of notebook 08. They take results and an axis, and compute nothing."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from nabla.course.figures import plain
from nabla.figures import Z95, style

Array = np.ndarray
GREY = "#888888"
PATH = "#0072B2"


def gap_field(ax: Axes, a: Array, density: Array, path: Array) -> None:
    """How far a draw at a moves when weight moves: in grey, where the draws are."""
    ax.plot(a, path, color=PATH, lw=2.5, label="∂a/∂w")
    ax.set_yscale("log")
    ax.set_xlabel("action a")
    ax.set_ylabel("∂a/∂w (logarithmic)", color=PATH)
    ax.grid(alpha=0.3)
    beside = ax.twinx()
    beside.fill_between(a, 0, density, color=GREY, alpha=0.35)
    beside.set_ylim(0, 1.4 * float(density.max()))
    beside.set_ylabel("density π(a)", color=GREY)


def bias_intervals(
    ax: Axes, labels: Sequence[str], found: Mapping[str, tuple[Array, Array, str]]
) -> None:
    """Bias of every entry of a gradient with its 95 % interval, {name: (bias, error, colour)}."""
    shift = np.linspace(-0.15, 0.15, len(found))
    for (name, (bias, error, colour)), by in zip(found.items(), shift, strict=True):
        x = np.arange(len(labels)) + by
        marker = "o" if by < 0 else "s"
        ax.errorbar(
            x, bias, Z95 * error, fmt=marker, color=colour, mec="black", mew=0.5, capsize=3,
            label=name,
        )  # fmt: skip
    ax.axhline(0, color="black", lw=1)
    ax.set_xticks(range(len(labels)), labels)
    ax.set_ylabel("mean − exact gradient")
    ax.grid(axis="y", alpha=0.3)
    ax.legend(frameon=False)


def bias_and_noise(
    ax: Axes, temperature: Array, found: Mapping[str, tuple[Array, Array]], reference: float
) -> None:
    """{estimator: (squared bias, variance)} along a temperature; the variance of an unbiased one
    as a line across."""
    for i, (name, (bias2, variance)) in enumerate(found.items()):
        colour, marker = style(name)
        face = "white" if i else colour
        mark: dict[str, Any] = {"marker": marker, "mfc": face, "mec": "black", "mew": 0.5}
        ax.plot(temperature, variance, "-", color=colour, label=f"{name}: variance", **mark)
        ax.plot(temperature, bias2, "--", color="#D55E00", label=f"{name}: bias²", **mark)
    ax.axhline(reference, color="black", lw=1, ls=":")
    ax.text(temperature[-1], reference, "nabla-log's variance", ha="right", va="bottom", fontsize=9)
    ax.set_xscale("log")
    ax.set_yscale("log")
    plain(ax.xaxis)
    ax.set_xlabel("temperature of the relaxation")
    ax.set_ylabel("summed over the logits")
    ax.grid(alpha=0.3)
    ax.legend(frameon=False, fontsize=9)


def densities(ax: Axes, a: Array, target: Array, policies: Mapping[str, Array]) -> None:
    """What a policy should be, in grey, and what policies are."""
    ax.fill_between(a, 0, target, color=GREY, alpha=0.35, label="exp(Q/α), normalised")
    for i, (name, density) in enumerate(policies.items()):
        colour = ("#CC79A7", "#D55E00", "#0072B2")[i % 3]
        ax.plot(a, density, ("-", "--", ":")[i % 3], color=colour, lw=2.5, label=name)
    ax.set_xlabel("action a")
    ax.set_ylabel("density")
    ax.set_ylim(0)
    ax.grid(alpha=0.3)
    ax.legend(frameon=False)
