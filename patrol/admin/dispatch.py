"""The dispatch screens of the command centre."""
