from iot.services.credentials import issue_device_key, revoke_credential
from iot.services.devices import (
    announce_itself,
    approve_device,
    change_device,
    register_device,
    resume_device,
    retire_device,
    suspend_device,
)

__all__ = [
    "announce_itself",
    "approve_device",
    "change_device",
    "issue_device_key",
    "register_device",
    "resume_device",
    "retire_device",
    "revoke_credential",
    "suspend_device",
]
