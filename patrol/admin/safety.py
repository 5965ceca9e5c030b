"""The safety screens of the command centre."""
