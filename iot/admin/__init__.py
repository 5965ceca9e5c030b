"""The command centre's screens of this app: a file a part."""

from iot.admin import dead, devices, profiles

__all__ = ["dead", "devices", "profiles"]
