"""What the map colours of a risk surface: classes by share of the area, not by value, so that a quiet week has its top too."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from incidents.analytics.evaluation import cells_of

_TOP_SHARES = (0.01, 0.03, 0.05, 0.20)  # classes 5, 4, 3, 2; the rest is 1


def risk_classes(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """5: the top 1 % of the cells; 4: to 3 %; 3: to 5 %; 2: to 20 %; 1: the rest. Cells with nothing to expect are never above 1.

    Examples
    --------
    >>> risk_classes(np.arange(200.0)).tolist()[-6:], risk_classes(np.zeros(3)).tolist()
    ([4, 4, 4, 4, 5, 5], [1, 1, 1])
    """
    classes = np.ones(len(values), dtype=np.int64)
    order = np.argsort(-values, kind="stable")
    for class_, share in zip((2, 3, 4, 5), reversed(_TOP_SHARES), strict=True):
        classes[order[: cells_of(share, len(values))]] = class_
    classes[values <= 0] = 1
    return classes
