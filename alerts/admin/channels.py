"""The command centre's screens of channels."""
