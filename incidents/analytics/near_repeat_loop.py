"""The inner loop of Knox's test, compiled. Imported only where the test runs: numba takes a second to come up."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray


@numba.njit(nogil=True)
def count(
    times: NDArray[np.int32],
    first: NDArray[np.int32],
    second: NDArray[np.int32],
    band: NDArray[np.int32],
    limits: NDArray[np.int64],
    found: NDArray[np.int64],
) -> None:
    """Add each pair to ``found[band, time band]``; a difference in time belongs to the first limit it does not exceed."""
    last = limits[-1]
    for k in range(len(first)):
        apart = abs(times[first[k]] - times[second[k]])
        if apart <= last:
            j = 0
            while apart > limits[j]:
                j += 1
            found[band[k], j] += 1
