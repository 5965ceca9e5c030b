"""The command centre's screens of oncall."""
