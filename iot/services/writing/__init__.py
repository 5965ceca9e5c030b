from iot.services.writing.batch import Written, write
from iot.services.writing.hours import SummedHours, add_hours
from iot.services.writing.known import Known
from iot.services.writing.rebuilding import rebuild_rollups

__all__ = ["Known", "SummedHours", "Written", "add_hours", "rebuild_rollups", "write"]
