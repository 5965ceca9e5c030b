"""The verbs of this app. Each is one transaction: check, change, announce."""
