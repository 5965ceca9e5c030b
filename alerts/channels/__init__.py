"""One file a channel behind one protocol (``base``). Only here a vendor's package is imported."""
