"""Percentiles, as every benchmark here counts them."""

from collections.abc import Sequence

import numpy as np


def percentile(values: Sequence[float], q: float) -> float:
    """The q-th percentile (0..100) with linear interpolation; nan of nothing."""
    return float(np.percentile(values, q)) if len(values) else float("nan")


def milliseconds(values: Sequence[float], q: float) -> float:
    """Seconds in, milliseconds out, to a hundredth."""
    return round(percentile(values, q) * 1e3, 2)
