"""From the event log to alerts: what active rules make of each batch of events."""
