"""The command centre's screens of people."""
