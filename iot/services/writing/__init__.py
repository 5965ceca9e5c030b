from iot.services.writing.batch import Written, write
from iot.services.writing.known import Known
from iot.services.writing.rebuilding import rebuild_rollups

__all__ = ["Known", "Written", "rebuild_rollups", "write"]
