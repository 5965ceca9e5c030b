"""What this app announces. ``data`` holds ids and plain values; ``subject`` is the device unless said otherwise."""

DEVICE_REGISTERED = "device.registered"  # {"code", "profile", "state"}
DEVICE_APPROVED = "device.approved"  # {"code"}
DEVICE_SUSPENDED = "device.suspended"  # {"code"}
DEVICE_RESUMED = "device.resumed"  # {"code"}
DEVICE_RETIRED = "device.retired"  # {"code"}
DEVICE_OFFLINE = "device.offline"  # {"code", "last_seen_at"}
DEVICE_ONLINE = "device.online"  # {"code", "was_offline_s"?}
DEVICE_FLAPPING = "device.flapping"  # {"code", "outages", "within_min"}: nothing more is said of it until it holds still
DEVICES_OFFLINE = "devices.offline"  # no subject, or the gateway: {"count", "of", "gateway"?, "codes"}: many at once, said once
