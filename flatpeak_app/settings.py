"""All settings. What varies comes from the environment or from `.env`; README.md has the table.

Two facts decide the rest: production is `SITE_URL` being https, and the sandbox is in use exactly when
`FLATPEAK_API_URL` is not https.
"""

import secrets
from pathlib import Path
from urllib.parse import urlsplit

import environ
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from .web.brand import source, style

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
env_file = env.path("ENV_FILE", default=str(BASE_DIR / ".env"))
if Path(env_file).is_file():
    env.read_env(env_file)
# What a machine keeps for itself: database, key, collected static files, the sandbox's state; ignored by git.
VAR_DIR = Path(env("VAR_DIR", default=str(BASE_DIR / "var")))

PORT = env.int("PORT", default=8000)
SANDBOX_PORT = env.int("SANDBOX_PORT", default=8900)

# --- Where we are -----------------------------------------------------------------------------------------------

SITE_URL = env("SITE_URL", default=f"http://localhost:{PORT}").rstrip("/")
site = urlsplit(SITE_URL)
LOOPBACK = ["localhost", "127.0.0.1", "[::1]"]
PRODUCTION = site.scheme == "https"
if not PRODUCTION and (site.scheme != "http" or site.netloc.rsplit(":", 1)[0] not in LOOPBACK):
    raise ImproperlyConfigured(
        f"SITE_URL is {SITE_URL!r}: set it to the https:// address that customers open, or leave it out on a laptop."
    )
if site.path or site.query:
    raise ImproperlyConfigured(f"SITE_URL is {SITE_URL!r}: give the scheme and the host alone, without a path.")

DEBUG = env.bool("DEBUG", default=False)
if DEBUG and PRODUCTION:
    raise ImproperlyConfigured("DEBUG is on, and its pages show settings and code: leave it out in production.")


def local_secret() -> str:
    """The key of this machine, made once, so that people stay signed in over a restart."""
    path = VAR_DIR / "secret-key"
    if not path.exists():
        VAR_DIR.mkdir(exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(50))
    return path.read_text()


SECRET_KEY = env("SECRET_KEY", default="")
if not SECRET_KEY:
    if PRODUCTION:
        raise ImproperlyConfigured("SECRET_KEY is not set: give it 50 or more random characters and keep it.")
    SECRET_KEY = local_secret()


def can_be_guessed(key: str) -> bool:
    return len(key) < 50 or len(set(key)) < 10 or key.startswith("django-insecure")


if PRODUCTION and can_be_guessed(SECRET_KEY):
    raise ImproperlyConfigured("SECRET_KEY can be guessed: give it 50 or more random characters and keep it.")

# What connect tokens are encrypted with; SECURITY.md says how to rotate them.
TOKEN_KEYS = list(filter(None, env.list("TOKEN_KEYS", default=[]))) or [SECRET_KEY]
if PRODUCTION and any(map(can_be_guessed, TOKEN_KEYS)):
    raise ImproperlyConfigured("TOKEN_KEYS has a key that can be guessed: give each 50 or more random characters.")

ALLOWED_HOSTS = [site.hostname] if PRODUCTION else LOOPBACK
CSRF_TRUSTED_ORIGINS = [SITE_URL]

# --- FlatPeak ---------------------------------------------------------------------------------------------------

FLATPEAK_ACCOUNT_ID = env("FLATPEAK_ACCOUNT_ID", default="")
FLATPEAK_API_KEY = env("FLATPEAK_API_KEY", default="")
if bool(FLATPEAK_ACCOUNT_ID) != bool(FLATPEAK_API_KEY):
    raise ImproperlyConfigured("FLATPEAK_ACCOUNT_ID and FLATPEAK_API_KEY belong together: set both, or neither.")
local_sandbox = not FLATPEAK_ACCOUNT_ID and not PRODUCTION
FLATPEAK_API_URL = env(
    "FLATPEAK_API_URL",
    default=f"http://127.0.0.1:{SANDBOX_PORT}" if local_sandbox else "https://api.flatpeak.com",
).rstrip("/")
SANDBOX = not FLATPEAK_API_URL.startswith("https://")
if SANDBOX and PRODUCTION and not env.bool("ALLOW_SANDBOX", default=False):
    raise ImproperlyConfigured(
        "FLATPEAK_API_URL is not https, which is the sandbox, where nothing is real: leave it out in production, or set "
        "ALLOW_SANDBOX=true for a demonstration."
    )
FLATPEAK_CONNECT_URL = env(
    "FLATPEAK_CONNECT_URL", default=FLATPEAK_API_URL if SANDBOX else "https://connect.flatpeak.com"
).rstrip("/")
if not SANDBOX and not FLATPEAK_CONNECT_URL.startswith("https://"):
    raise ImproperlyConfigured("FLATPEAK_CONNECT_URL is not https, but FLATPEAK_API_URL is: leave it out.")
if not FLATPEAK_ACCOUNT_ID:
    if not SANDBOX:
        raise ImproperlyConfigured(
            "FLATPEAK_ACCOUNT_ID and FLATPEAK_API_KEY are not set: copy them from your FlatPeak dashboard."
        )
    FLATPEAK_ACCOUNT_ID, FLATPEAK_API_KEY = "acc_sandbox", "sk_test_sandbox"
FLATPEAK_LIVE_MODE = FLATPEAK_API_KEY.startswith("sk_live_")
# What a stored id belongs to: ids of the sandbox mean nothing to the real account of the same name.
FLATPEAK_REALM = "sandbox" if SANDBOX else FLATPEAK_ACCOUNT_ID
FLATPEAK_VERSION = env("FLATPEAK_VERSION", default="2024-08-24.zero")
FLATPEAK_CONNECT_TIMEOUT = env.float("FLATPEAK_CONNECT_TIMEOUT", default=3.05)  # seconds, to open a connection
FLATPEAK_READ_TIMEOUT = env.float("FLATPEAK_READ_TIMEOUT", default=15.0)  # seconds, to the last byte of an answer
KEEP_TYPED_DAYS = env.int("KEEP_TYPED_DAYS", default=30)
LOGO_HOSTS = env.list("LOGO_HOSTS", default=[FLATPEAK_API_URL] if SANDBOX else ["https://*.flatpeak.com"])
if not SANDBOX and not all(host.startswith("https:") for host in LOGO_HOSTS):
    raise ImproperlyConfigured("LOGO_HOSTS has an address that is not https: give each as https://logos.example.com.")

TERMS_URL = env("TERMS_URL", default="")
PRIVACY_URL = env("PRIVACY_URL", default="")
IMPRINT_URL = env("IMPRINT_URL", default="")
SUPPORT_EMAIL = env("SUPPORT_EMAIL", default="")

# Whose pages these are. What stands in BRAND_DIR's templates/ and static/ is taken instead of ours of the same name.
BRAND_NAME = env("BRAND_NAME", default="FlatPeak Connect")
BRAND_DIR = env("BRAND_DIR", default="")
if BRAND_DIR and not Path(BRAND_DIR).is_dir():
    raise ImproperlyConfigured(f"BRAND_DIR is no folder: {BRAND_DIR}.")
accents = env("BRAND_ACCENT", default=""), env("BRAND_ACCENT_DARK", default="")
if any(accents) and not all(accents):
    raise ImproperlyConfigured("BRAND_ACCENT and BRAND_ACCENT_DARK belong together: set both, or neither.")
BRAND_STYLE = style(*accents) if all(accents) else ""

# --- Django -----------------------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "flatpeak_app.operations",
    "flatpeak_app.accounts",
    "connect_ui",
    "tariffs",
    "django_guid",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.forms",
]
MIDDLEWARE = [
    "flatpeak_app.web.middleware.return_secret",
    "flatpeak_app.web.middleware.request_id",
    "django_guid.middleware.guid_middleware",
    "flatpeak_app.operations.probes.probes",
    "flatpeak_app.web.middleware.requests",
    "flatpeak_app.web.middleware.absolute",
    "flatpeak_app.web.middleware.headers",
    "flatpeak_app.web.middleware.lengths",
    "django.middleware.gzip.GZipMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "flatpeak_app.accounts.sessions.lasting",
    "flatpeak_app.web.middleware.language",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "flatpeak_app.accounts.failures.Failures",
    "flatpeak_app.accounts.mails.Unsendable",
]
ROOT_URLCONF = "flatpeak_app.urls"
WSGI_APPLICATION = "flatpeak_app.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [*([Path(BRAND_DIR) / "templates"] if BRAND_DIR else []), BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "flatpeak_app.web.pages.site_context",
            ],
        },
    },
]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

# Without a choice: SQLite in WAL mode, where readers never wait, and transactions that take the write lock at once,
# so that two writers queue for it instead of one failing.
DATABASES = {"default": env.db("DATABASE_URL", default=f"sqlite:///{VAR_DIR / 'db.sqlite3'}")}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    if not PRODUCTION:
        VAR_DIR.mkdir(exist_ok=True)
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 10,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL",
    }
else:
    # A process lends its connections to the requests that are under way; as many as it has threads at most, so that nobody
    # waits for a slow export, or for who waits for FlatPeak. Who gets none within 3 seconds gets an error.
    DATABASES["default"] |= {"CONN_MAX_AGE": 0, "CONN_HEALTH_CHECKS": True}
    pool = {"pool": {"min_size": 1, "max_size": 16, "timeout": 3}}
    # A server that is gone without a word holds nobody up for minutes: seconds to connect, milliseconds to be heard.
    patience = {"connect_timeout": 3, "tcp_user_timeout": 10_000}
    DATABASES["default"]["OPTIONS"] = pool | patience | DATABASES["default"].get("OPTIONS", {})
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CACHES = {
    "default": env.cache("CACHE_URL", default="locmemcache://"),
    # Parts of pages as HTML. Apart from the other, which holds limits that a full cache must not push out.
    "pages": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "pages"},
}
if CACHES["default"]["BACKEND"] == "django.core.cache.backends.locmem.LocMemCache":
    CACHES["default"]["OPTIONS"] = {"MAX_ENTRIES": 100_000}  # a third is dropped beyond; limits are among them
if CACHES["default"]["BACKEND"] == "django.core.cache.backends.redis.RedisCache":
    CACHES["default"]["BACKEND"] = "flatpeak_app.web.cache.ForgivingRedisCache"

STATIC_URL = "static/"
STATIC_ROOT = VAR_DIR / "static"
WHITENOISE_ALLOW_ALL_ORIGINS = False  # pages of other origins have no need to read our files
STATICFILES_DIRS = [BASE_DIR / "static"]
if BRAND_DIR and (Path(BRAND_DIR) / "static").is_dir():
    STATICFILES_DIRS.insert(0, Path(BRAND_DIR) / "static")
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "flatpeak_app.web.static_files.SmallStaticFilesStorage"},
}

LANGUAGE_CODE = "en-gb"
LANGUAGES = [
    ("en-gb", "English"),
    ("de", "Deutsch"),
    ("fr", "Français"),
]  # each by its own name, as the switch in the footer has it
LOCALE_PATHS = [BASE_DIR / "locale"]
LANGUAGE_COOKIE_AGE = 365 * 24 * 3600
TIME_ZONE = "UTC"
USE_TZ = True

# --- Accounts ---------------------------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
LOGIN_URL = "account_login"
ACCOUNT_ADAPTER = "flatpeak_app.accounts.adapter.Accounts"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "home"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_FORMS = {
    "signup": "flatpeak_app.accounts.forms.SignUpForm",
    "add_email": "flatpeak_app.accounts.forms.NewAddressForm",
}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "mandatory" if PRODUCTION else "none"
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = PRODUCTION
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_TIMEOUT = 600  # seconds
ACCOUNT_PASSWORD_RESET_BY_CODE_ENABLED = True  # a link would carry its key through the access log
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_DEFAULT_HTTP_PROTOCOL = site.scheme
ACCOUNT_CHANGE_EMAIL = True
ACCOUNT_EMAIL_NOTIFICATIONS = True  # a changed address is told at the old one, and so are passwords and second factors
ACCOUNT_REAUTHENTICATION_REQUIRED = True  # of a change of address too
ACCOUNT_REAUTHENTICATION_TIMEOUT = 600  # seconds after the sign-in, or after the password was last given
# How long an address that nobody confirmed may keep it from being anybody's; `purge_sessions` deletes the sign-up then.
KEEP_UNCONFIRMED_DAYS = 7
MAILS_PER_DAY = 10  # to one address, asked for by somebody who need not be its owner
KNOWN_COOKIE_NAME, KNOWN_COOKIE_AGE = "known", 365 * 24 * 3600
ACCOUNT_SESSION_REMEMBER = True  # an energy price is looked at every day, on one's own phone
# Per person and minute; allauth has its own for sign-in, sign-up and reset, per address.
RATE_LIMITS = {
    "connect_start": 10,
    "connect_answer": 60,
    "connect_ask": 10,  # where a conversation stands: "Try again", and the ways back from a login and from FlatPeak
    "ask_rates": 30,  # of other days and by downloads; beyond that there is what is stored
    "download": 60,
    "delete": 10,
}
# How many proxies of ours stand before the app; the client's address, for rate limits, is taken from that far back.
ALLAUTH_TRUSTED_PROXY_COUNT = env.int("TRUSTED_PROXIES", default=1 if PRODUCTION else 0)
# A second factor: anybody may have one, staff must where STAFF_MFA is on before the admin opens.
STAFF_MFA = env.bool("STAFF_MFA", default=PRODUCTION)
MFA_ADAPTER = "flatpeak_app.accounts.adapter.SecondFactor"
MFA_TOTP_ISSUER = BRAND_NAME
MFA_TOTP_TOLERANCE = 1  # a phone's clock may be half a minute off
MFA_ALLOW_UNVERIFIED_EMAIL = not PRODUCTION  # nothing verifies an address on a laptop

# --- E-mail -----------------------------------------------------------------------------------------------------

if PRODUCTION and not env("EMAIL_URL", default=""):
    raise ImproperlyConfigured(
        "EMAIL_URL is not set: sign-up sends codes by e-mail (smtp+tls://user:password@host:587)."
    )
globals().update(env.email_url("EMAIL_URL", default="consolemail://"))
EMAIL_TIMEOUT = 10  # seconds; a mail server that hangs must not hold a request or a run
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env("DEFAULT_FROM_EMAIL", default=f"noreply@{site.hostname}")
ADMINS = [("Operator", address) for address in env.list("ADMINS", default=[])]
DEFAULT_EXCEPTION_REPORTER = "flatpeak_app.web.errors.ErrorReport"

# --- Security ---------------------------------------------------------------------------------------------------

DATA_UPLOAD_MAX_MEMORY_SIZE = 256 * 1024  # bytes, as the proxy of compose.yaml has it; a longer form is not read
SESSION_COOKIE_AGE = 14 * 24 * 3600  # seconds after the last use, give or take a day
STAFF_SESSION_AGE = 12 * 3600  # seconds after the sign-in
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = LANGUAGE_COOKIE_HTTPONLY = True
THEME_COOKIE_NAME, LOGIN_COOKIE_NAME = "theme", "login"
LANGUAGE_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"  # Strict would drop the session on the way back from a login
CSRF_FAILURE_VIEW = "flatpeak_app.views.csrf_failure"
FRAME_ANCESTORS = env.list("FRAME_ANCESTORS", default=[])
X_FRAME_OPTIONS = "DENY"  # knows no list: `middleware.headers` takes it away where FRAME_ANCESTORS has one
SECURE_REFERRER_POLICY = "same-origin"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF, *([source(BRAND_STYLE)] if BRAND_STYLE else [])],
        "img-src": [SELF, *LOGO_HOSTS],
        "connect-src": [SELF],
        "font-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": FRAME_ANCESTORS or [NONE],
    }
}
PERMISSIONS_POLICY = ", ".join(
    f"{feature}=()"
    for feature in ("camera", "microphone", "geolocation", "payment", "usb", "serial", "hid", "midi", "display-capture")
)
if PRODUCTION:
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = True
    THEME_COOKIE_NAME, KNOWN_COOKIE_NAME, LOGIN_COOKIE_NAME = "__Host-theme", "__Host-known", "__Host-login"
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME, LANGUAGE_COOKIE_NAME = "__Host-session", "__Host-csrf", "__Host-language"
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT, SECURE_SSL_HOST = True, site.netloc
    SECURE_HSTS_SECONDS = 365 * 24 * 3600
# Subdomains under HSTS (W005) and browsers' preload lists (W021) decide over a domain that is not this app's.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]

# --- Logging and metrics ----------------------------------------------------------------------------------------

METRICS_TOKEN = env("METRICS_TOKEN", default="")
if 0 < len(METRICS_TOKEN) < 32:
    raise ImproperlyConfigured("METRICS_TOKEN can be guessed: give it 32 or more random characters, or leave it out.")
# Whether a request's id is taken from a header, which anybody may send where no proxy overwrites it.
TRUST_REQUEST_ID = env.bool("TRUST_REQUEST_ID", default=False)
DJANGO_GUID = {"GUID_HEADER_NAME": "X-Request-ID", "EXPOSE_HEADER": False}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"format": "{asctime} {levelname} {name} {request_id} {message}", "style": "{"},
        "json": {
            "()": "flatpeak_app.web.errors.JsonLine",
            "fmt": ["levelname", "name", "request_id", "message"],
            "rename_fields": {"levelname": "level", "name": "logger"},
            "timestamp": "time",
        },
    },
    "filters": {
        "request_id": {"()": "flatpeak_app.web.errors.RequestId"},
        "unhandled": {"()": "flatpeak_app.web.errors.Unhandled"},
    },
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": "json" if PRODUCTION else "line",
            "filters": ["request_id"],
        },
        "mail_admins": {"class": "flatpeak_app.web.errors.OperatorMail", "level": "ERROR"},
        "nowhere": {"class": "logging.NullHandler"},  # a logger without any writes to stderr, tracebacks too
    },
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {
        "flatpeak_app": {"level": "INFO"},
        "connect_ui": {"level": "INFO", "handlers": ["mail_admins"]},
        "tariffs": {"level": "INFO", "handlers": ["mail_admins"]},
        "django": {"level": "INFO", "handlers": ["mail_admins"]},
        "django.request": {"filters": ["unhandled"]},
        "django_guid": {"level": "ERROR"},  # it tells of every id that it makes
        # runserver logs whole addresses, and two of ours carry a connect token
        "django.server": {"handlers": ["nowhere"], "propagate": False},
        # What cannot be answered, answered 400: a traceback and a mail for each, with what was sent, at anybody's wish.
        "django.security": {"handlers": ["nowhere"], "propagate": False},
        "django.security.csrf": {"handlers": ["console"], "propagate": False},
    },
}
