"""What follows from where units are: visits to fences, arrivals at tasks, and units that fell silent."""

from patrol.services.fences.arriving import arrive
from patrol.services.fences.index import FenceIndex
from patrol.services.fences.judging import Judged, judge_fences
from patrol.services.fences.silence import announce_silence
from patrol.services.fences.stations import fence_stations

__all__ = ["FenceIndex", "Judged", "announce_silence", "arrive", "fence_stations", "judge_fences"]
