"""What this app announces. ``data`` holds ids and plain values; a reader that keeps rights (an open socket) looks the person up again."""

PERSON_ADDED = "person.added"  # {"role"}
PERSON_CHANGED = "person.changed"  # {"fields": [...]}
PERSON_DEACTIVATED = "person.deactivated"  # {}
