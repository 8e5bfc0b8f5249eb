"""Statistics over seeds."""

import numpy as np
from scipy.stats import trim_mean


def interquartile_mean(values: np.ndarray) -> np.ndarray:
    """The mean of the middle half along the first axis: [seeds, …] -> […].

    Reference: Agarwal et al. 2021. Under four seeds nothing is cut: it is the mean.
    """
    return np.asarray(trim_mean(values, 0.25, axis=0))


def bootstrap_band(
    values: np.ndarray, level: float = 0.95, resamples: int = 2000, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Percentile interval of the interquartile mean over resampled seeds: two of […].

    values: [seeds, …]. With few seeds it is too narrow, so what is drawn from it shows them too.
    """
    pick = np.random.default_rng(seed).integers(len(values), size=(resamples, len(values)))
    means = trim_mean(values[pick], 0.25, axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high
