"""The product's own settings for a web process that a test drives: nothing is switched off but what must be apart."""

import os

from deploy.local.vapid import vapid_pair
from khareetaty.settings import *  # noqa: F403
from khareetaty.settings import CACHES

_cache = {**CACHES["default"], "KEY_PREFIX": os.environ.get("KHAREETATY_TEST_PREFIX", "live")}
CACHES = {"default": _cache}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher", "django.contrib.auth.hashers.PBKDF2PasswordHasher"]
ROOT_URLCONF = "tests.live_urls"
LIVE_VALIDATE_S = 1.0
_pair = vapid_pair()
VAPID_PRIVATE_KEY, VAPID_PUBLIC_KEY = _pair.private, _pair.public  # a browser subscribes for a key
RATE_LIMIT_PREFIX = f"{_cache['KEY_PREFIX']}:limit"  # emptied with the rest of this worker's, between tests
IOT_STREAM_PREFIX = f"{_cache['KEY_PREFIX']}:iot"  # what this worker's tests tell is heard by its own web process
