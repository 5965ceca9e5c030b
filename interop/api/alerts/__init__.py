"""The partner API of alerts: one file a noun."""
