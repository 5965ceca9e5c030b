"""What this app announces. ``data`` holds ids and plain values; ``subject`` is the feed unless it is said otherwise."""

FEED_SILENT = "feed.silent"  # {"feed", "name_en", "name_ar", "minutes", "since"}: at each mark it passes, never once a sweep
FEED_BACK = "feed.back"  # {"feed", "minutes"}: how long it had been silent
MESSAGE_CORRECTED = "message.corrected"  # {"kind", "message_id"}: a person mended what a partner sent; subject is the message

WEBHOOK_TESTED = "webhook.tested"  # {"webhook"}: somebody asked for a test; subject is the webhook, here and below
WEBHOOK_DISABLED = "webhook.disabled"  # {"webhook", "name", "because", "since"}: it failed for days, and is switched off
WEBHOOK_ENDED = "webhook.ended"  # {"webhook", "name"}: the receiver answered 410

SYSTEM_DOWN = "system.down"  # {"system", "kind", "error", "code"}: so many probes failed in a row; subject is the external system
SYSTEM_UP = "system.up"  # {"system", "kind", "minutes"}: how long it had been down

# {"agreement", "version", "title", "giver", "receiver"}; subject is the agreement, the agency the giving one
SHARING_PROPOSED = "sharing.proposed"
SHARING_CHANGED = "sharing.changed"
SHARING_AGREED = "sharing.agreed"
SHARING_REVOKED = "sharing.revoked"
