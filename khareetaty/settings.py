"""Everything is configured by the environment; .env.example explains each variable."""

from pathlib import Path

import environ

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.FileAwareEnv()
VAR_DIR = Path(env("KHAREETATY_VAR", default="var") or "var")
if not VAR_DIR.is_absolute():
    VAR_DIR = BASE_DIR / VAR_DIR
for env_file in (BASE_DIR / ".env", VAR_DIR / "local.env"):
    if env_file.is_file():
        env.read_env(env_file)

DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env("SECRET_KEY")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
REDIS_URL = env("REDIS_URL", default="redis://127.0.0.1:6379/0")
DATABASES = {"default": env.db_url("DATABASE_URL")}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ROOT_URLCONF = "khareetaty.urls"
INSTALLED_APPS = ["django.contrib.gis", "core"]
USE_TZ = True
# GDAL 3.6 (Debian 12) can be led to files by a spatial reference's text; we only ever pass it EPSG numbers.
SILENCED_SYSTEM_CHECKS = ["gis.W001"]
