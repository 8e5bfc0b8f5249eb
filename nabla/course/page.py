"""What a notebook's page needs: sliders that read well as a static picture, claims, fast settings.

Two environment variables: NABLA_FAST=1 takes small settings (tests), NABLA_STATIC=1 draws sliders
once, at their defaults, without widgets (the book).
"""

import os
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from torch import Tensor

T = TypeVar("T")


def fast(quick: T, full: T) -> T:
    """`quick` under NABLA_FAST=1, else `full`: for counts of estimates, grids and seeds."""
    return quick if os.environ.get("NABLA_FAST") == "1" else full


def slider(draw: Callable[..., None], **settings: tuple[float, float, float, float]) -> None:
    """Draw with one slider for each setting: name=(low, high, step, default).

    Sliders move by mouse or arrow keys and draw when let go. `draw` makes its own figure
    (plt.subplots) from keyword arguments; with the defaults it must read well by itself.
    """
    if os.environ.get("NABLA_STATIC") == "1":
        draw(**{name: default for name, (_, _, _, default) in settings.items()})
        return
    import ipywidgets as widgets
    from IPython.display import display

    sliders = {
        name: widgets.FloatSlider(
            default,
            min=low,
            max=high,
            step=step,
            description=name,
            continuous_update=False,
            readout_format=".2f",
        )
        for name, (low, high, step, default) in settings.items()
    }
    figure = widgets.interactive_output(_drawn(draw), sliders)
    display(widgets.VBox([*sliders.values(), figure]))  # type: ignore[no-untyped-call]


def _drawn(draw: Callable[..., None]) -> Callable[..., None]:
    """`draw`, with its figure shown inside the slider's output and nowhere else."""

    def drawn(**settings: float) -> None:
        import matplotlib.pyplot as plt

        draw(**settings)
        plt.show()

    return drawn


def claim(text: str, value: Any, expected: Any = True, within: float = 0.0) -> None:
    """A statement of the text, checked: AssertionError unless value is expected to `within`.

    A line with ✓ is printed, so that a notebook that runs through says what it has shown.
    """
    got, wanted = (
        np.asarray(x.detach() if isinstance(x, Tensor) else x, dtype=float)
        for x in (value, expected)
    )
    if got.shape != wanted.shape and wanted.ndim:
        raise AssertionError(f"not so: {text}\n  shapes {got.shape} and {wanted.shape}")
    if not bool((abs(got - wanted) <= within).all()):
        raise AssertionError(f"not so: {text}\n  computed {value}, claimed {expected} ± {within}")
    print(f"✓ {text}")
