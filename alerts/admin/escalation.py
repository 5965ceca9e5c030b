"""The command centre's screens of escalation."""
