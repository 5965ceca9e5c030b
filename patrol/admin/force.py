"""The force screens of the command centre."""
