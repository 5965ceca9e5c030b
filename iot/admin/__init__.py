"""The command centre's screens of this app: a file a part."""

from iot.admin import anomalies, certificates, dead, devices, fits, networks, plates, profiles, risk, rules

__all__ = ["anomalies", "certificates", "dead", "devices", "fits", "networks", "plates", "profiles", "risk", "rules"]
