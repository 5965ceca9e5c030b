"""The command centre's screens of rules."""
