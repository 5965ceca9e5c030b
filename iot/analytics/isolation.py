"""Isolation Forest: what few random cuts part from the rest is odd. Fitted nightly per profile, kept as plain arrays."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from iot.analytics.batch import FloatArray, IntArray

TREES = 100
SAMPLE = 256
LEAST_ROWS = 500


@dataclass(frozen=True)
class Forest:
    """All trees one after another, node by node; a leaf's ``feature`` is -1.

    Attributes
    ----------
    feature, left, right : ndarray of int64
        What a node cuts, and where it leads.
    split : ndarray of float64
        At most this goes left.
    depth : ndarray of float64
        Of a leaf: how deep it lies, and the mean depth the rows in it would still need.
    roots : ndarray of int64
        A tree each.
    sample : int
        Rows each tree was grown from.
    limit : float
        The score only ``share`` of the rows learnt from exceed.
    median, scale : ndarray of float64, shape (features,)
        What rows are centred and scaled by.
    share : float
    rows : int
    seed : int
    """

    feature: IntArray
    left: IntArray
    right: IntArray
    split: FloatArray
    depth: FloatArray
    roots: IntArray
    sample: int
    limit: float
    median: FloatArray
    scale: FloatArray
    share: float
    rows: int
    seed: int

    def scores(self, rows: FloatArray) -> FloatArray:
        """The anomaly score of each row, above 0 and at most 1: 0.5 is ordinary. NaN for a row with a value that is not finite."""
        from iot.analytics import loops

        table = self._scaled(rows)
        is_whole = np.isfinite(table).all(axis=1)
        answer = np.full(len(table), np.nan)
        if is_whole.any():
            total = loops.depths(
                np.ascontiguousarray(table[is_whole]), self.feature, self.split, self.left, self.right, self.depth, self.roots
            )
            answer[is_whole] = 2.0 ** (-total / len(self.roots) / mean_depth(np.array([self.sample]))[0])
        return answer

    def _scaled(self, rows: FloatArray) -> FloatArray:
        table = np.asarray(rows, dtype=np.float64)
        if table.ndim != 2 or table.shape[1] != len(self.median):
            raise ValueError(f"Rows of {len(self.median)} features, not {table.shape}.")
        return ((table - self.median) / self.scale).astype(np.float32).astype(np.float64)  # the trees were grown on single precision

    def as_bytes(self) -> bytes:
        """To be kept: arrays alone, no code; ``from_bytes`` reads them, and refuses those that would lead a loop astray."""
        held = io.BytesIO()
        arrays: dict[str, Any] = {name: np.asarray(getattr(self, name)) for name in self.__dataclass_fields__}
        np.savez_compressed(held, **arrays)
        return held.getvalue()

    @classmethod
    def from_bytes(cls, held: bytes) -> Forest:
        with np.load(io.BytesIO(held), allow_pickle=False) as arrays:
            forest = cls(**{name: arrays[name] if arrays[name].ndim else arrays[name].item() for name in cls.__dataclass_fields__})
        nodes = np.arange(len(forest.feature))
        inner = forest.feature >= 0
        lengths = {len(getattr(forest, name)) for name in ("feature", "left", "right", "split", "depth")}
        # A compiled loop follows these numbers: each must lead on to a later node, and to a feature there is.
        if (
            lengths != {len(nodes)}
            or (forest.feature >= len(forest.median)).any()
            or any((side[inner] <= nodes[inner]).any() or (side >= len(nodes)).any() for side in (forest.left, forest.right))
            or ((forest.roots < 0) | (forest.roots >= len(nodes))).any()
        ):
            raise ValueError("Not a forest as it was kept.")
        return forest


def mean_depth(n: FloatArray) -> FloatArray:
    """The mean depth of an unsuccessful search in a binary tree of ``n`` rows: what a leaf not grown further would have needed."""
    n = np.asarray(n, dtype=np.float64)
    answer = np.where(n == 2, 1.0, 0.0)
    large = n > 2
    answer[large] = 2.0 * (np.log(n[large] - 1.0) + np.euler_gamma) - 2.0 * (n[large] - 1.0) / n[large]
    return answer


def fit_forest(rows: FloatArray, *, share: float = 0.001, trees: int = TREES, seed: int = 1) -> Forest:
    """Grow a forest on the rows of one profile: a device's readings at one moment each.

    Its cuts run along one feature at a time: it sees what is rare in a feature, and an odd combination of usual values only poorly.

    Parameters
    ----------
    rows : ndarray of float64, shape (n, features)
        Rows with a value that is not finite are left out.
    share : float
        How many of such rows shall score above the limit: below 0.5.
    trees, seed : int

    Raises
    ------
    ValueError
        For fewer than 500 whole rows, or a share out of range.

    References
    ----------
    Liu, Ting & Zhou (2008), Isolation Forest, ICDM 2008, 413-422. Grown by scikit-learn, scored here.

    Examples
    --------
    >>> import numpy as np
    >>> rows = np.random.default_rng(1).normal(0, [1, 10], (2000, 2))
    >>> forest = fit_forest(rows)
    >>> scores = forest.scores(np.array([[0.0, 0.0], [6.0, -60.0]]))
    >>> bool(scores[0] < forest.limit < scores[1])
    True
    """
    from sklearn.ensemble import IsolationForest  # heavy: only where a forest is grown

    table = np.asarray(rows, dtype=np.float64)
    table = table[np.isfinite(table).all(axis=1)]
    if len(table) < LEAST_ROWS:
        raise ValueError(f"Too little history: {len(table)} whole rows, needs {LEAST_ROWS}.")
    if not 0 < share < 0.5:
        raise ValueError("The share lies above 0 and below one half.")
    median = np.median(table, axis=0)
    scale = np.maximum(np.percentile(table, 75, axis=0) - np.percentile(table, 25, axis=0), 1e-9)
    scaled = ((table - median) / scale).astype(np.float32)
    model = IsolationForest(n_estimators=trees, max_samples=min(SAMPLE, len(scaled)), random_state=seed).fit(scaled)
    parts: dict[str, list[np.ndarray]] = {name: [] for name in ("feature", "left", "right", "split", "depth")}
    roots, start = [], 0
    for estimator, used in zip(model.estimators_, model.estimators_features_, strict=True):
        tree = estimator.tree_
        leaf = tree.children_left < 0
        parts["feature"].append(np.where(leaf, -1, np.asarray(used)[np.maximum(tree.feature, 0)]))
        parts["left"].append(np.where(leaf, -1, tree.children_left + start))
        parts["right"].append(np.where(leaf, -1, tree.children_right + start))
        parts["split"].append(tree.threshold)
        parts["depth"].append(_depths(tree.children_left, tree.children_right) + mean_depth(tree.n_node_samples))
        roots.append(start)
        start += tree.node_count
    arrays = {name: np.concatenate(part) for name, part in parts.items()}
    forest = Forest(
        feature=arrays["feature"].astype(np.int64),
        left=arrays["left"].astype(np.int64),
        right=arrays["right"].astype(np.int64),
        split=arrays["split"].astype(np.float64),
        depth=arrays["depth"].astype(np.float64),
        roots=np.array(roots, dtype=np.int64),
        sample=int(model.max_samples_),
        limit=1.0,
        median=median,
        scale=scale,
        share=share,
        rows=len(table),
        seed=seed,
    )
    return replace(forest, limit=float(np.quantile(forest.scores(table), 1 - share)))


def _depths(left: np.ndarray, right: np.ndarray) -> FloatArray:
    """How deep each node lies; children come after their parent."""
    depth = np.zeros(len(left))
    for node in range(len(left)):
        if left[node] >= 0:
            depth[left[node]] = depth[right[node]] = depth[node] + 1
    return depth
