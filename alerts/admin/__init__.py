"""The command centre's screens of this app: a file a part."""

from alerts.admin import alerts, channels, delivery, escalation, oncall, people, quiet, rules

__all__ = ["alerts", "channels", "delivery", "escalation", "oncall", "people", "quiet", "rules"]
