from iot.services.certificates import issue_certificate, issue_mqtt_password, revoke_certificate, tell_of_ending
from iot.services.commands import send_command
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
    "issue_certificate",
    "issue_device_key",
    "issue_mqtt_password",
    "register_device",
    "resume_device",
    "retire_device",
    "revoke_certificate",
    "revoke_credential",
    "send_command",
    "suspend_device",
    "tell_of_ending",
]
