"""The planning screens of the command centre."""
