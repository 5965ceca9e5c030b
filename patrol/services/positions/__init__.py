"""Where units are and were: taking readings in, one place a unit, tracks, and the days they are kept."""

from patrol.services.positions.gathering import Gatherer
from patrol.services.positions.intake import Sender, receive_positions
from patrol.services.positions.messages import Named, own_form, traccar_form
from patrol.services.positions.partitions import drop_old_days, keep_days_ready
from patrol.services.positions.reading import Reading, Refused
from patrol.services.positions.recording import Recorded, Taken, record_positions
from patrol.services.positions.tracks import Track, track

__all__ = [
    "Gatherer",
    "Named",
    "Reading",
    "Recorded",
    "Refused",
    "Sender",
    "Taken",
    "Track",
    "drop_old_days",
    "keep_days_ready",
    "own_form",
    "receive_positions",
    "record_positions",
    "traccar_form",
    "track",
]
