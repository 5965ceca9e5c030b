"""Whom to send to an incident: advice with its reasons, kept so that it can be made again from the row alone."""

from patrol.services.recommend.advising import LATEST_FOR, advise, latest_advice, replay
from patrol.services.recommend.gathering import candidates_for

__all__ = ["LATEST_FOR", "advise", "candidates_for", "latest_advice", "replay"]
