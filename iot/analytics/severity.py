"""How bad an anomaly is: by how far out, for how long, and how much its device matters."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from iot.analytics.batch import FloatArray


class Severity(IntEnum):
    """The incidents' four, and one below for what is only worth knowing."""

    INFO = 0
    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4


# How many times the limit a score must reach for each step. A step doubles: a detector's score is a ratio.
STEPS = (1.0, 1.5, 2.5, 5.0, 10.0)
# A fault of the sensor is no danger of the place: it never rises above this by itself.
OF_A_SENSOR = Severity.MEDIUM
SENSOR_FAULTS = frozenset({"stuck", "gap", "drift"})


def severities(
    score: FloatArray, lasted_s: FloatArray, *, detector: str, weight: FloatArray | float = 1.0, doubling_s: float = 3600.0
) -> NDArray[np.int64]:
    """Grade anomalies.

    Parameters
    ----------
    score : ndarray of float64, shape (n,)
        A detector's: 1 is the limit. Below it, and NaN, are graded as ``INFO``.
    lasted_s : ndarray of float64, shape (n,)
        How long the finding stands; each ``doubling_s`` adds half of what the score is above the limit, up to four times in all.
    detector : str
        Faults of the sensor itself (stuck, gap, drift) go no higher than ``MEDIUM``.
    weight : float or ndarray of float64
        How much the device matters: 1 as any; smoke at a school 3, say.
    doubling_s : float

    Returns
    -------
    ndarray of int64
        Of ``Severity``. Never falls when score, time or weight rise.

    Raises
    ------
    ValueError
        For a weight not above 0.

    Examples
    --------
    >>> import numpy as np
    >>> severities(np.array([0.5, 1.2, 1.2, 6.0]), np.array([0, 0, 4 * 3600, 0]), detector="threshold").tolist()
    [0, 0, 1, 3]
    >>> severities(np.array([40.0]), np.array([0.0]), detector="stuck").tolist()
    [2]
    """
    if not (np.asarray(weight) > 0).all():
        raise ValueError("A weight lies above 0.")
    far = np.nan_to_num(np.asarray(score, dtype=np.float64), nan=0.0, posinf=1e9)
    stayed = 1.0 + np.minimum(np.maximum(np.asarray(lasted_s, dtype=np.float64), 0.0) / doubling_s, 6.0) / 2.0
    reached = np.where(far >= 1.0, 1.0 + (far - 1.0) * stayed * np.asarray(weight, dtype=np.float64), far)
    grade = np.maximum(np.searchsorted(STEPS, reached, side="right") - 1, 0)
    return np.minimum(grade, OF_A_SENSOR if detector in SENSOR_FAULTS else Severity.CRITICAL).astype(np.int64)
