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
DEVICE_CERTIFICATE_ENDING = "device.certificate_ending"  # {"code", "serial", "not_after"}: once each, thirty days before

# The subject is the anomaly: {"device", "device_id", "property" (its metric), "detector", "severity" (info … critical), "severity_rank"
# (0 to 4), "score", "value"?, "name_en", "name_ar", "since", "lon"?, "lat"?, "zone_id"?, "is_synthetic"}
ANOMALY_RAISED = "anomaly.raised"
ANOMALY_WORSENED = "anomaly.worsened"  # the same, when it became more severe
ANOMALY_ACKNOWLEDGED = "anomaly.acknowledged"  # the same
ANOMALY_RESOLVED = "anomaly.resolved"  # the same, and "because"

# The subject is the firing: {"rule", "device", "severity", "severity_rank", "since", "name_en", "name_ar", values by metric,
# "lon"?, "lat"?, "zone_id"?, "is_synthetic"}
SENSOR_RULE_FIRED = "sensor_rule.fired"
SENSOR_RULE_OVER = "sensor_rule.over"
INCIDENT_DRAFTED = "incident.drafted"  # the same: it waits for a person
