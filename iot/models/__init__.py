from iot.models.anomalies import Anomaly, AnomalySeverity, Detector, DetectorSetting
from iot.models.batteries import BatteryDay
from iot.models.commands import DeviceCommand
from iot.models.devices import Device, DeviceCredential, DeviceGroup, DeviceOutage
from iot.models.fits import ProfileFit
from iot.models.networks import DeviceNetwork, HeardMessage, LoraSession
from iot.models.plates import PlateHour
from iot.models.profiles import DeviceProfile, Metric
from iot.models.readings import Datastream, DeadReading, Reading, RollupDay, RollupHour, RollupMinute
from iot.models.risk import CrowdResult, CrowdRun, Insight, RiskMaking, ZoneRisk
from iot.models.rules import RuleAction, RuleFiring, TelemetryRule

__all__ = [
    "Anomaly",
    "AnomalySeverity",
    "BatteryDay",
    "CrowdResult",
    "CrowdRun",
    "Datastream",
    "DeadReading",
    "Detector",
    "DetectorSetting",
    "Device",
    "DeviceCommand",
    "DeviceCredential",
    "DeviceGroup",
    "DeviceNetwork",
    "DeviceOutage",
    "DeviceProfile",
    "HeardMessage",
    "Insight",
    "LoraSession",
    "Metric",
    "PlateHour",
    "ProfileFit",
    "Reading",
    "RiskMaking",
    "RollupDay",
    "RollupHour",
    "RollupMinute",
    "RuleAction",
    "RuleFiring",
    "TelemetryRule",
    "ZoneRisk",
]
