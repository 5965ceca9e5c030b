"""A password as Mosquitto keeps it."""

from __future__ import annotations

import base64
import hashlib
import os

ITERATIONS = 101  # Mosquitto's own number; the passwords are long and random


def hashed(password: str) -> str:
    """As ``mosquitto_passwd`` writes it: PBKDF2 with SHA-512."""
    salt = os.urandom(12)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, ITERATIONS)
    return f"$7${ITERATIONS}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"
