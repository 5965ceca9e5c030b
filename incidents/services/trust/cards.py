"""One builder for every step's model card, so that no card leaves something out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from core.version import code_version
from incidents.models import ModelCard


def model_card(
    *,
    model: str,
    purpose: str,
    learnt_from: datetime | date | None,
    learnt_to: datetime | date | None,
    incidents: int,
    parameters: Mapping[str, Any],
    seed: int | None = None,
    scores: Mapping[str, Any] | None = None,
    limits: Sequence[str] = (),
    excluded: Mapping[str, int] | None = None,
    is_synthetic: bool = False,
    training: Mapping[str, Any] | None = None,
) -> ModelCard:
    """An unsaved card for a step to return among its rows; the runner adds run and region.

    Parameters
    ----------
    purpose, limits : codes
        Put into words by the page in either language (``dashboard.words``); a code it does not know is shown as it is.
    learnt_from, learnt_to
        The data window: with its start, without its end.
    excluded : how many incidents were left out, by reason (``discovered``, ``enforcement``, ``no_location``, …), where counted.
    scores : the backtest's figures by model and metric, as in ``ModelChoice.scores``.
    training : whatever else belongs to how it was fitted (iterations, features, package versions).
    """
    return ModelCard(
        model=model,
        facts={
            "purpose": purpose,
            "learns_from": {
                "from": learnt_from.isoformat() if learnt_from else None,
                "to": learnt_to.isoformat() if learnt_to else None,
                "incidents": int(incidents),
                "excluded": dict(excluded or {}),
            },
            "parameters": dict(parameters),
            "training": dict(training or {}),
            "code_version": code_version(),
            "seed": seed,
            "scores": dict(scores or {}),
            "limits": list(limits),
            "is_synthetic": is_synthetic,
        },
    )
