"""What this app announces. ``data`` holds ids and plain values. No rule hears these: an alert about alerts would not end."""

ALERT_FIRED = "alert.fired"  # {"rule"?, "kind", "level"}
ALERT_GREW = "alert.grew"  # {"count", "level"}: once a batch of what joined it
ALERT_ACKNOWLEDGED = "alert.acknowledged"  # {"by"?, "contact"?, "through"}
ALERT_UNACKNOWLEDGED = "alert.unacknowledged"  # {"because"}
ALERT_QUIETED = "alert.quieted"  # {"how": snoozed | muted | silenced | inhibited, "until"?}
ALERT_REFIRED = "alert.refired"  # {"because"}
ALERT_ESCALATED = "alert.escalated"  # {"step", "by"?}
ALERT_RESOLVED = "alert.resolved"  # {"because": hand | recovery | time}
ALERT_NOTED = "alert.noted"  # {}
ALERT_PAGED = "alert.paged"  # {"users", "contacts", "step"}
ALERT_UNREACHED = "alert.unreached"  # {"step"}: a step found nobody
DELIVERY_CHANGED = "alert.delivery"  # {"delivery", "state", "channel"}: subject is the alert
RULE_CHANGED = "alert_rule.changed"  # {"rule", "version"}
RULE_SUBMITTED = "alert_rule.submitted"  # {"rule", "version"}
RULE_ACTIVATED = "alert_rule.activated"  # {"rule", "version"}
RULE_SWITCHED_OFF = "alert_rule.switched_off"  # {"rule"}
POLICY_CHANGED = "escalation_policy.changed"  # {"policy", "version"}
ONCALL_CHANGED = "oncall.changed"  # {"schedule"}
SILENCE_MADE = "silence.made"  # {"silence", "until"}
SILENCE_ENDED = "silence.ended"  # {"silence"}
CHANNEL_CHANGED = "channel.changed"  # {"channel", "state"}
ALERTING_LATE = "alerting.late"  # {"overdue", "oldest_s"}: the auditor found work that nobody did
