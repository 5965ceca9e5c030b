"""Everything is configured by the environment; .env.example explains each variable."""

import socket
from pathlib import Path

import environ
from csp.constants import NONE, SELF
from django.utils.translation import gettext_lazy as _

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.FileAwareEnv()
VAR_DIR = Path(env("KHAREETATY_VAR", default="var") or "var")
if not VAR_DIR.is_absolute():
    VAR_DIR = BASE_DIR / VAR_DIR
for env_file in (BASE_DIR / ".env", VAR_DIR / "local.env"):
    if env_file.is_file():
        env.read_env(env_file)

# --- who and where ---------------------------------------------------------------------------------------------------
DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env("SECRET_KEY")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
DEMO = env.bool("KHAREETATY_DEMO", default=True)

INSTALLED_APPS = [
    "khareetaty.admin_site.CommandCentreConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.gis",
    "django.contrib.humanize",
    "django.contrib.postgres",
    "rest_framework",
    "rest_framework_api_key",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "drf_standardized_errors",
    "django_filters",
    "import_export",
    "axes",
    "csp",
    "django_celery_beat",
    "core",
    "geography",
    "accounts",
    "incidents",
    "iot",
    "patrol",
    "alerts",
    "interop",
    "dashboard",
    "demo",
]

MIDDLEWARE = [
    "interop.middleware.ApiMiddleware",
    "core.api.middleware.ProblemMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "core.static.StaticFilesMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "core.middleware.RequestContextMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "khareetaty.urls"
ASGI_APPLICATION = "khareetaty.asgi.application"
LIVE_PRESENTER = "dashboard.live.IncidentPresenter"
LIVE_VALIDATE_S = 5.0  # how often open pages' sessions and jurisdictions are looked at again, beside what the log says of them
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "dashboard.context_processors.shell",
            ]
        },
    }
]

# --- data ------------------------------------------------------------------------------------------------------------
DATABASES = {"default": env.db_url("DATABASE_URL")}
DATABASES["default"].setdefault("ENGINE", "django.contrib.gis.db.backends.postgis")
# Threads of a web process that answer requests; each keeps a database connection.
WEB_THREADS = env.int("WEB_THREADS", default=12)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
REDIS_URL = env("REDIS_URL", default="redis://127.0.0.1:6379/0")
# What devices said and nobody has written yet: a Redis of its own that is on the disk before it answers (docs/decisions/0270).
STREAMS_URL = env("STREAMS_URL", default=REDIS_URL)
CACHES = {"default": {"BACKEND": "core.cache.ForgivingRedisCache", "LOCATION": REDIS_URL, "KEY_PREFIX": "cache"}}
FILES_DIR = VAR_DIR / "files"
# GDAL 3.6 (Debian 12) can be led to files by a spatial reference's text; we only ever pass it EPSG numbers.
SILENCED_SYSTEM_CHECKS = ["gis.W001"]

# --- people ----------------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("username", "full_name", "email")},
    },
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "board"
LOGOUT_REDIRECT_URL = "sign-in"
AXES_FAILURE_LIMIT = env.int("SIGN_IN_ATTEMPTS", default=5)
AXES_COOLOFF_TIME = env.float("SIGN_IN_LOCKOUT_HOURS", default=0.25)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_USERNAME_CALLABLE = "accounts.sign_in.name_for_lockout"
AXES_LOCKOUT_CALLABLE = "dashboard.views.account.locked_out"
AXES_IPWARE_PROXY_COUNT = env.int("TRUSTED_PROXIES", default=0)
# People's tokens (docs/decisions/0213). The key is drawn from TOKEN_SIGNING_KEY, else from SECRET_KEY.
TOKEN_SIGNING_KEY = env("TOKEN_SIGNING_KEY", default="")
TOKEN_ACCESS_HOURS = env.float("TOKEN_ACCESS_HOURS", default=8)
TOKEN_REFRESH_DAYS = env.float("TOKEN_REFRESH_DAYS", default=7)  # a refresh token that is not used for so long is over
TOKEN_SIGN_IN_DAYS = env.float("TOKEN_SIGN_IN_DAYS", default=30)  # after it the password is asked again, however often it was refreshed
SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
HTTPS_ONLY = env.bool("HTTPS_ONLY", default=False)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS_ONLY
SECURE_SSL_REDIRECT = HTTPS_ONLY
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS_ONLY else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.bool("BEHIND_PROXY", default=False) else None
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:", "blob:"],
        "worker-src": [SELF],
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}
# A body larger than this is refused before it is read; files go through their own door with its own limit.
DATA_UPLOAD_MAX_MEMORY_SIZE = 10 * 2**20
FILE_UPLOAD_MAX_MEMORY_SIZE = 5 * 2**20
API_MAX_BYTES = DATA_UPLOAD_MAX_MEMORY_SIZE
IMPORT_MAX_BYTES = env.int("IMPORT_MAX_MB", default=2048) * 2**20

# --- words and clocks ------------------------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("ar", _("Arabic")), ("en", _("English"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
TIME_ZONE = "Asia/Kuwait"
USE_TZ = True

# --- files we serve --------------------------------------------------------------------------------------------------
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = VAR_DIR / "static"
WHITENOISE_USE_FINDERS = True
WHITENOISE_MAX_AGE = 300
WHITENOISE_ALLOW_ALL_ORIGINS = False

# --- API -------------------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.SessionAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["core.api.renderers.FastJSONRenderer", "core.api.renderers.ProblemRenderer"],
    "DEFAULT_PARSER_CLASSES": ["core.api.parsers.StrictJSONParser"],
    "DEFAULT_PAGINATION_CLASS": "core.api.paging.NewestFirst",
    "DEFAULT_SCHEMA_CLASS": "core.api.schema.AutoSchema",
    "DEFAULT_METADATA_CLASS": None,  # OPTIONS tells nothing the document does not, and asks views for what they do not have
    "DEFAULT_THROTTLE_CLASSES": ["interop.api.limits.Limited"],
    "EXCEPTION_HANDLER": "core.api.handler.exception_handler",
    "URL_FORMAT_OVERRIDE": None,
}
RATE_LIMIT_PREFIX = "limit"  # of the buckets in Redis
KEYS_KNOWN_S = env.float("KEYS_KNOWN_S", default=0.5)  # how long a process goes by what it knows of a key: a revocation holds after it
REQUEST_LOG_EVERY_S = env.float("REQUEST_LOG_EVERY_S", default=0.5)  # how much of the log a killed process may take with it
REQUEST_LOG_KEEP_DAYS = env.int("REQUEST_LOG_KEEP_DAYS", default=90)  # whole days are dropped after it
READS_KEEP_DAYS = env.int("READS_KEEP_DAYS", default=90)  # which incidents partners read by their own right
PROBES_KEEP_DAYS = env.int("PROBES_KEEP_DAYS", default=30)  # whether external systems answered
SHARED_READS_KEEP_DAYS = env.int("SHARED_READS_KEEP_DAYS", default=730)  # and through agreements; whole days are dropped after it
SPECTACULAR_SETTINGS = {
    "TITLE": "Khareetaty",
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    "DESCRIPTION": (
        "Reports go in, incidents come out. Call with a partner key in `X-API-Key`, or as `Authorization: Token <key>`; "
        "people with `Authorization: Bearer <access token>`. "
        "Bodies are JSON in UTF-8. Times are ISO 8601 and carry their offset from UTC. Points are degrees in WGS 84. "
        "Whatever goes wrong is answered as RFC 9457 problem details (`application/problem+json`)."
    ),
    "TAGS": [
        {"name": "ingest", "description": "Send reports. What is answered with a 2xx is committed."},
        {"name": "standards", "description": "The field's open standards: CAP, OGC API Features, Open311, EIDO."},
        {"name": "incidents", "description": "Read what became of them, within your key's agency and governorates."},
        {"name": "sensors", "description": "Devices and what they measure. What is answered with a 2xx is on the disk."},
        {"name": "patrol", "description": "Units, positions, plans, and what came of them."},
        {"name": "alerts", "description": "What people must hear of, who was told, who acknowledged; rules, policies, who is on call."},
        {"name": "external", "description": "What partners pull: three formats, filters, pages that stand still, tags to ask again by."},
        {"name": "webhooks", "description": "Be told of what happens, by signed calls to an address of yours (Standard Webhooks)."},
        {"name": "sharing", "description": "Agreements between agencies, and the record of what partners were told."},
        {"name": "access", "description": "Partners' keys, and people's tokens (`Authorization: Bearer`)."},
        {"name": "analysis", "description": "Counts, comparisons and what the analytics found."},
    ],
    "ENUM_NAME_OVERRIDES": {
        "RunStatusEnum": "incidents.models.analytics.PipelineRun.Status",
        "ZoneLevelEnum": "geography.models.Zone.Level",
        "ForecastLevelEnum": ["country", "governorate", "area"],
        "IncidentStateEnum": "incidents.lifecycle.State",
        "TrialStateEnum": "patrol.models.measure.Trial.State",
        "KindEnum": "incidents.models.surfaces.Surface.Kind",
        "AssignmentKindEnum": "patrol.models.dispatch.Assignment.Kind",
        "AssignmentStateEnum": "patrol.models.dispatch.AssignmentState",
        "PrecisionEnum": "interop.models.partners.Precision",
        "SystemStateEnum": "interop.models.systems.ExternalSystem.State",
        "SystemKindEnum": "interop.models.systems.ExternalSystem.Kind",
        "SystemProbeEnum": "interop.models.systems.ExternalSystem.Probe",
        "ProbeErrorEnum": "interop.models.systems.SystemProbe.Error",
        "AgreementStateEnum": "interop.models.sharing.SharingAgreement.State",
        "WebhookStateEnum": "interop.models.webhooks.WebhookSubscription.State",
        "WebhookDeliveryStateEnum": "interop.models.webhooks.WebhookDelivery.State",
        "WebhookTriggerEnum": "interop.models.webhooks.WebhookDelivery.Trigger",
        "WebhookErrorEnum": "interop.models.webhooks.ErrorClass",
        "AlertStateEnum": "alerts.models.alert.AlertState",
        "AlertKindEnum": "alerts.models.alert.Alert.Kind",
        "AlertLogKindEnum": "alerts.models.alert.AlertLog.Kind",
        "AlertPageStateEnum": "alerts.models.delivery.Page.State",
        "AlertLevelEnum": "alerts.choices.Level",
        "AlertChannelEnum": "alerts.choices.Channel",
        "AlertRuleStateEnum": "alerts.models.rule.AlertRule.State",
        "PersonRoleEnum": "accounts.roles.Role",
        "RoleEnum": "incidents.models.surfaces.Surface.Role",
        "AlertRuleSourceEnum": "alerts.models.rule.AlertRule.Source",
        "CodeEnum": "patrol.services.positions.reading.Refused.values",
        "ReadingFaultEnum": "iot.services.speaking.Wrong.values",
        "DeviceStateEnum": "iot.models.devices.Device.State",
        "DeviceStatusEnum": "iot.models.devices.Device.Status",
        "DeviceKindEnum": "iot.models.profiles.DeviceKind",
        "DetectorEnum": "iot.models.anomalies.Detector",
        "SensorRuleActionEnum": "iot.models.rules.RuleAction",
        "AnomalyStateEnum": "iot.models.anomalies.Anomaly.State",
        "AnomalyOverEnum": "iot.models.anomalies.Anomaly.Because",
        "AnomalyFeedbackEnum": "iot.models.anomalies.Anomaly.Feedback",
        "MessageKindEnum": "interop.models.partners.Kind",
        "MessageStatusEnum": "interop.models.inbox.InboxMessage.Status",
        "DuplicateStateEnum": "incidents.models.duplicates.DuplicateCandidate.State",
    },
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "core.api.schema.nothing_is_required_of_chosen_fields",
        "core.api.schema.shapes_are_what_is_sent",
        "interop.api.webhook_document.webhooks_of_the_catalogue",
    ],
    "COMPONENT_SPLIT_REQUEST": True,
    "SORT_OPERATIONS": True,
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}

# --- patrol -----------------------------------------------------------------------------------------------------------
# What sensors weigh in a demand beside history, trend, forecast and surface, which weigh 1 together; 0: nothing
PATROL_SENSOR_WEIGHT = env.float("PATROL_SENSOR_WEIGHT", default=0.15)
POSITION_STALE_S = env.int("POSITION_STALE_S", default=60)  # an older position is greyed, and never recommended
POSITION_FUTURE_S = env.int("POSITION_FUTURE_S", default=30)  # how far ahead of ours a receiver's clock may be
POSITION_OLDEST_H = env.int("POSITION_OLDEST_H", default=72)  # older ones are not taken
POSITION_KEEP_DAYS = env.int("POSITION_KEEP_DAYS", default=90)  # whole days are dropped after it
POSITION_SILENT_MIN = env.int("POSITION_SILENT_MIN", default=5)  # a unit on duty that is not heard from for so long is said to be silent
MQTT_URL = env("MQTT_URL", default="")  # mqtt://user:password@host:port; empty: no gateway
WORKLOAD_LIMITS = env.json("WORKLOAD_LIMITS", default={})  # what is overwork: {"week_hours": 48}; see patrol.services.workload.Limits
DUTY_OVERRUN_H = env.float("DUTY_OVERRUN_H", default=2)  # a duty so long past its end is closed, with an event that says so
ROUTING_URL = env("ROUTING_URL", default="")  # an OSRM or Valhalla server; empty: the imported roads, else straight lines
ROUTING_KIND = env("ROUTING_KIND", default="osrm")  # or valhalla
PLAN_ITERATIONS = env.int("PLAN_ITERATIONS", default=8000)  # of the route search; it stops by the clock too, and a plan says if it did
ROADS_MAX_MB = env.int("ROADS_MAX_MB", default=1024)  # largest extract import_roads takes

# --- iot --------------------------------------------------------------------------------------------------------------
IOT_STREAM_PREFIX = "iot"  # of the streams in Redis
IOT_STREAM_MOST = env.int("IOT_STREAM_MOST", default=2_000_000)  # readings that may wait; then the doors say "later" (503)
IOT_FUTURE_S = env.int("IOT_FUTURE_S", default=60)  # how far ahead of ours a device's clock may be; beyond it a reading is refused
IOT_DEVICES_KNOWN_S = env.float("IOT_DEVICES_KNOWN_S", default=2)  # how long the writer goes by what it knows of a device
IOT_MINUTES_KEEP_DAYS = env.int("IOT_MINUTES_KEEP_DAYS", default=90)  # roll-ups of a minute
IOT_HOURS_KEEP_DAYS = env.int("IOT_HOURS_KEEP_DAYS", default=1_830)  # of an hour; those of a day are kept
IOT_MQTT_SHARED = env.bool("IOT_MQTT_SHARED", default=False)  # several gateways split the load; not with Mosquitto 2.0 (decision 0285)
IOT_NETWORK_MOST_PER_MIN = env.int("IOT_NETWORK_MOST_PER_MIN", default=6_000)  # messages of one LoRaWAN server by MQTT
MQTT_CA_FILE = env("MQTT_CA_FILE", default="")  # who signed the broker's certificate, where MQTT_URL is mqtts://; empty: the system's list
IOT_CA_DIR = Path(env("IOT_CA_DIR", default="") or VAR_DIR / "ca")  # the authority of devices' certificates, made there on first need
IOT_CA_CERTIFICATE = env("IOT_CA_CERTIFICATE", default="")  # PEM, and its key: a site's own authority instead
IOT_CA_KEY = env("IOT_CA_KEY", default="")
IOT_BROKER_DIR = Path(env("IOT_BROKER_DIR", default="") or VAR_DIR / "mosquitto/sensors")  # where the broker reads accounts and revocations
IOT_BROKER_PID_FILE = Path(env("IOT_BROKER_PID_FILE", default="") or VAR_DIR / "run/mosquitto.pid")  # whom to tell that they changed
IOT_RISK_KEEP_DAYS = env.int("IOT_RISK_KEEP_DAYS", default=90)  # scores of zones
# Where the hour's salt of plates lies so that the processes of a machine share it: in memory, never on a disk. Empty: each has its own.
IOT_SALT_DIR = env("IOT_SALT_DIR", default="/dev/shm")  # noqa: S108  (that it is no disk is the point)
# By which names devices call our TCP and CoAP: they stand in the certificates that our own authority makes for these doors.
IOT_SERVER_NAMES = env.list("IOT_SERVER_NAMES", default=[socket.gethostname(), "localhost", "127.0.0.1"])
IOT_TCP_HOST = env("IOT_TCP_HOST", default="127.0.0.1")  # where sensors' TCP is listened for
IOT_TCP_PORT = env.int("IOT_TCP_PORT", default=9999)
IOT_TCP_CERTIFICATE = env("IOT_TCP_CERTIFICATE", default="")  # files in PEM; empty: one by our own authority
IOT_TCP_KEY = env("IOT_TCP_KEY", default="")
IOT_TCP_TLS = env("IOT_TCP_TLS", default="")  # on, off; empty: wherever others than this machine can reach it
IOT_TCP_MOST = env.int("IOT_TCP_MOST", default=10_000)  # connections
IOT_TCP_IDLE_S = env.float("IOT_TCP_IDLE_S", default=900)  # nothing said for so long: closed
IOT_COAP_HOST = env("IOT_COAP_HOST", default="127.0.0.1")  # where CoAP over DTLS is listened for
IOT_COAP_PORT = env.int("IOT_COAP_PORT", default=5684)
IOT_COAP_MOST = env.int("IOT_COAP_MOST", default=3_000)  # sessions, 107 KiB each; the one that was silent for longest goes first
IOT_COAP_IDLE_S = env.float("IOT_COAP_IDLE_S", default=86_400)  # nothing said for so long: the session is over
IOT_DEAD_KEEP_DAYS = env.int("IOT_DEAD_KEEP_DAYS", default=30)  # readings that could not be taken

# --- alerts: how they reach people ------------------------------------------------------------------------------------
# What is empty here is a channel that this site does not have; the page of channels says which variable it waits for.
PUBLIC_URL = env("PUBLIC_URL", default="").rstrip("/")  # how providers and links in messages reach us, from outside
ALERT_SEND_TIMEOUT_S = env.float("ALERT_SEND_TIMEOUT_S", default=15)  # no hand-over to a provider takes longer
EMAIL_URL = env("EMAIL_URL", default="")  # smtp+tls://user:password@host:587; filemail:///folder writes files
ALERT_FROM_EMAIL = env("ALERT_FROM_EMAIL", default="Khareetaty <alerts@localhost>")
TWILIO_ACCOUNT_SID = env("TWILIO_ACCOUNT_SID", default="")
TWILIO_AUTH_TOKEN = env("TWILIO_AUTH_TOKEN", default="")
TWILIO_SMS_FROM = env("TWILIO_SMS_FROM", default="")  # a number, a sender's name, or a messaging service (MG…)
TWILIO_WHATSAPP_FROM = env("TWILIO_WHATSAPP_FROM", default="")  # +number
TWILIO_VOICE_FROM = env("TWILIO_VOICE_FROM", default="")  # +number
TWILIO_VOICE_AMD = env.bool("TWILIO_VOICE_AMD", default=True)  # ask Twilio whether a machine answered: the ladder goes on sooner
TWILIO_API_URL = env("TWILIO_API_URL", default="https://api.twilio.com").rstrip("/")
VAPID_PRIVATE_KEY = env("VAPID_PRIVATE_KEY", default="")  # web push: who we are to browsers' push services
VAPID_PUBLIC_KEY = env("VAPID_PUBLIC_KEY", default="")
VAPID_SUBJECT = env("VAPID_SUBJECT", default="mailto:alerts@localhost")
PUSH_ALLOW = env.list("PUSH_ALLOW", default=[])  # private hosts that may be push services
SLACK_WEBHOOK_URL = env("SLACK_WEBHOOK_URL", default="")
ALERT_WEBHOOKS = env.json("ALERT_WEBHOOKS", default={})  # {"name": {"url": "https://…", "secret": "whsec_…"}}
ALERT_WEBHOOK_ALLOW = env.list("ALERT_WEBHOOK_ALLOW", default=[])  # private hosts or networks that webhooks may reach
SMS_GATEWAY_KIND = env("SMS_GATEWAY_KIND", default="")  # http or smpp: a gateway or modem beside us, where there is no internet
SMS_GATEWAY_URL = env("SMS_GATEWAY_URL", default="")  # http(s)://host/send, or smpp://user:password@host:2775
SMS_GATEWAY_TOKEN = env("SMS_GATEWAY_TOKEN", default="")  # what we show an HTTP gateway
SMS_GATEWAY_SECRET = env("SMS_GATEWAY_SECRET", default="")  # what the gateway shows us with replies and receipts
SMS_GATEWAY_FROM = env("SMS_GATEWAY_FROM", default="")
ALERT_RETRIES = env.int("ALERT_RETRIES", default=3)  # further tries of a message, for what can heal
ALERT_RETRY_S = env.float("ALERT_RETRY_S", default=60)  # between two tries, spread by a fifth; a provider's Retry-After goes before it
ALERT_AUDIT_EMAIL = env.list("ALERT_AUDIT_EMAIL", default=[])  # who is told, straight by EMAIL_URL, when alerts are late
HEARTBEAT_URL = env("HEARTBEAT_URL", default="")  # asked once a minute while nothing is late; a watch outside notices when it is not
SMS_GATEWAY_RECEIPTS = env.bool("SMS_GATEWAY_RECEIPTS", default=False)  # whether it tells afterwards what arrived

# --- interop: webhooks ------------------------------------------------------------------------------------------------
WEBHOOK_ALLOW = env.list("WEBHOOK_ALLOW", default=[])  # private hosts, addresses or networks (a ministry's own) that may be called
WEBHOOK_TIMEOUT_S = env.float("WEBHOOK_TIMEOUT_S", default=15)  # from the connection's beginning to the answer's end
WEBHOOK_KEEP_DAYS = env.int("WEBHOOK_KEEP_DAYS", default=30)  # bodies and answers of deliveries; their outcomes three times as long
SEALING_KEY = env("SEALING_KEY", default="")  # what webhooks' secrets are sealed under; empty: derived from SECRET_KEY
SEALING_KEY_FALLBACKS = env.list("SEALING_KEY_FALLBACKS", default=[])  # former ones, to open what was sealed before
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])

# --- background work -------------------------------------------------------------------------------------------------
CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TIMEZONE = TIME_ZONE
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_TRANSPORT_OPTIONS = {"global_keyprefix": "celery:"}

# --- logs ------------------------------------------------------------------------------------------------------------
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env("LOG_LEVEL", default="INFO")},
    "loggers": {
        "axes": {"level": "WARNING"},
        "django.request": {"level": "ERROR"},
        "httpx": {"level": "WARNING"},
        "uvicorn.error": {"level": "WARNING"},
    },
}
