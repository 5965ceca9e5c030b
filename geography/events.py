"""What geography announces."""

ZONES_CHANGED = "geography.zones_changed"  # region (code), levels, added, changed, retired (counts)
