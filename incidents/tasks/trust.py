"""Nothing here retries: what was not scored is still due at the next round."""

from __future__ import annotations

from celery import shared_task

from incidents.services.trust import scoring


@shared_task(name="incidents.score_predictions")
def score_predictions() -> None:
    """Score the predictions whose time has passed."""
    scoring.score_due()
