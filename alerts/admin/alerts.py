"""The command centre's screens of alerts."""
