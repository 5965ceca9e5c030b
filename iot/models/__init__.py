from iot.models.devices import Device, DeviceCredential, DeviceGroup, DeviceOutage
from iot.models.profiles import DeviceProfile, Metric
from iot.models.readings import Datastream, DeadReading, Reading, RollupDay, RollupHour, RollupMinute

__all__ = [
    "Datastream",
    "DeadReading",
    "Device",
    "DeviceCredential",
    "DeviceGroup",
    "DeviceOutage",
    "DeviceProfile",
    "Metric",
    "Reading",
    "RollupDay",
    "RollupHour",
    "RollupMinute",
]
