"""What an exact answer is."""

from estimators.gradients import Gradient


class Exact(Gradient):
    """A dict of tensors, and `error`: the largest absolute error of any of its entries."""

    def __init__(self, values: Gradient, error: float) -> None:
        super().__init__(values)
        self.error = error

    def __repr__(self) -> str:
        return f"{super().__repr__()} ± {self.error:.0e}"
