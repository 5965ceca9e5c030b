"""Codes that blame an address and not the channel: a number nobody has says nothing about whether SMS work tonight."""

from __future__ import annotations

# https://www.twilio.com/docs/api/errors
TWILIO = frozenset({21211, 21214, 21217, 21265, 21610, 21614, 13223, 13224, 30005, 30006, 63003, 63024})
SMTP = frozenset({550, 551, 553, 556})
GONE = frozenset({"http 404", "http 410"})  # of a browser's subscription
SMPP = frozenset({0x0B})  # ESME_RINVDSTADR
OURS = "address"  # refused by ourselves before anything was said
BLAMES_ADDRESS = frozenset({OURS, *GONE, *(str(code) for code in TWILIO | SMTP), *(f"smpp {code:#x}" for code in SMPP)})
