from iot.services.anomalies.answering import acknowledge_anomaly, judge_anomaly, resolve_anomaly
from iot.services.anomalies.by_the_hour import look_at_hours
from iot.services.anomalies.fitting import fit_profile, fit_profiles
from iot.services.anomalies.raising import Draft, auto_resolve_anomalies, extend_anomalies, raise_anomalies, resolve_unused

__all__ = [
    "Draft",
    "acknowledge_anomaly",
    "auto_resolve_anomalies",
    "extend_anomalies",
    "fit_profile",
    "fit_profiles",
    "judge_anomaly",
    "look_at_hours",
    "raise_anomalies",
    "resolve_anomaly",
    "resolve_unused",
]
