"""False-discovery rate: of all that is called significant, how much may be chance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def q_values(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """The Benjamini-Hochberg q value of each of a family of p values.

    Calling significant what has ``q <= a`` lets, in the mean, at most the share ``a`` of what is called be chance, for tests that
    are independent or lean the same way, as those of overlapping neighbourhoods do.

    Parameters
    ----------
    p : ndarray of float64, shape (n,)
        From 0 to 1; NaN (not tested) stays NaN and is no member of the family.

    Returns
    -------
    ndarray of float64, shape (n,)

    References
    ----------
    Benjamini & Hochberg (1995), J. R. Stat. Soc. B 57, 289-300; Benjamini & Yekutieli (2001), Ann. Stat. 29, 1165-1188.

    Examples
    --------
    >>> import numpy as np
    >>> q_values(np.array([0.01, 0.04, 0.03, 0.5])).round(3).tolist()
    [0.04, 0.053, 0.053, 0.5]
    """
    q = np.full(len(p), np.nan)
    tested = np.flatnonzero(~np.isnan(p))
    if not len(tested):
        return q
    if p[tested].min() < 0 or p[tested].max() > 1:
        raise ValueError("A p value lies between 0 and 1.")
    order = tested[np.argsort(p[tested], kind="stable")]
    m = len(order)
    q[order] = np.minimum(np.minimum.accumulate((p[order] * m / np.arange(1, m + 1))[::-1])[::-1], 1.0)
    return q
