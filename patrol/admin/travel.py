"""Road networks and closures in the command centre."""
