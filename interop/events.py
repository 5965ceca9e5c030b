"""What this app announces. ``data`` holds ids and plain values; ``subject`` is the feed."""

FEED_SILENT = "feed.silent"  # {"feed", "name_en", "name_ar", "minutes", "since"}: at each mark it passes, never once a sweep
FEED_BACK = "feed.back"  # {"feed", "minutes"}: how long it had been silent
