"""The command centre's screens of delivery."""
