"""The measure screens of the command centre."""
