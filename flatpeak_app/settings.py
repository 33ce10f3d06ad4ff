"""All settings. Those that vary come from the environment, `.env` or files; docs/configuration.md has the table.

It is production if `SITE_URL` is https, and the sandbox is used if `FLATPEAK_API_URL` is not https.
"""

import os
import re
import secrets
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from urllib.parse import urlsplit

from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from .web.brand import source, style
from .web.environment import Environment, check_key, check_whole
from .web.static_files import contained

BASE_DIR = Path(__file__).resolve().parent.parent

env = Environment()
env.read_env(env("ENV_FILE", default=str(BASE_DIR / ".env")))  # if there is one
# For what a machine keeps: database, key, collected static files, the sandbox's state.
VAR_DIR = Path(env("VAR_DIR", default=str(BASE_DIR / "var")))
PORT, SANDBOX_PORT = env.int("PORT", default=8000), env.int("SANDBOX_PORT", default=8900)

# --- Site ---------------------------------------------------------------------------------------------------------

SITE_URL = env("SITE_URL", default=f"http://localhost:{PORT}").rstrip("/")
site = urlsplit(SITE_URL)
LOOPBACK = ["localhost", "127.0.0.1", "[::1]"]
PRODUCTION = site.scheme == "https"
if not SITE_URL:  # as in the image, so that a container without settings does not believe to be a laptop
    raise ImproperlyConfigured("SITE_URL is not set: give it the https:// address that customers open.")
if not PRODUCTION and (site.scheme != "http" or site.netloc.rsplit(":", 1)[0] not in LOOPBACK):
    raise ImproperlyConfigured(f"SITE_URL is {SITE_URL!r}: set it to the https:// address or leave it out on a laptop.")
if site.path or site.query:
    raise ImproperlyConfigured(f"SITE_URL is {SITE_URL!r}: give the scheme and the host alone, without a path.")

DEBUG = env.bool("DEBUG", default=False)
if DEBUG and PRODUCTION:
    raise ImproperlyConfigured("DEBUG is on, and its pages show settings and code: leave it out in production.")


def local_secret() -> str:
    """Return this machine's key, made once, so that a restart signs nobody out.

    The file is written under another name, so that no program that starts at the same moment reads half of it.
    """
    path = VAR_DIR / "secret-key"
    if not path.exists():
        VAR_DIR.mkdir(exist_ok=True)
        with NamedTemporaryFile("w", dir=VAR_DIR) as new, suppress(FileExistsError):
            new.write(secrets.token_urlsafe(50))
            new.flush()
            os.link(new.name, path)
    return path.read_text()


SECRET_KEY = env("SECRET_KEY", default="") or ("" if PRODUCTION else local_secret())
# Earlier keys, which are still accepted: docs/operations.md says how to rotate them.
SECRET_KEY_FALLBACKS = list(filter(None, env.list("SECRET_KEY_FALLBACKS", default=[])))
# Encrypt connect tokens and second factors.
TOKEN_KEYS = list(filter(None, env.list("TOKEN_KEYS", default=[]))) or [SECRET_KEY, *SECRET_KEY_FALLBACKS]
if PRODUCTION:
    check_key("SECRET_KEY", SECRET_KEY, 50, " and keep it")
    for name in ("SECRET_KEY_FALLBACKS", "TOKEN_KEYS"):
        for key in globals()[name]:
            check_key(name, key, 50)

ALLOWED_HOSTS = [site.hostname] if PRODUCTION else LOOPBACK
CSRF_TRUSTED_ORIGINS = [SITE_URL]

# --- FlatPeak -----------------------------------------------------------------------------------------------------

FLATPEAK_ACCOUNT_ID = env("FLATPEAK_ACCOUNT_ID", default="")
FLATPEAK_API_KEY = env("FLATPEAK_API_KEY", default="")
check_whole("FLATPEAK_API_KEY", FLATPEAK_API_KEY)
if bool(FLATPEAK_ACCOUNT_ID) != bool(FLATPEAK_API_KEY):
    raise ImproperlyConfigured("FLATPEAK_ACCOUNT_ID and FLATPEAK_API_KEY belong together: set both, or neither.")
api = "https://api.flatpeak.com" if FLATPEAK_ACCOUNT_ID or PRODUCTION else f"http://127.0.0.1:{SANDBOX_PORT}"
FLATPEAK_API_URL = env("FLATPEAK_API_URL", default=api).rstrip("/")
SANDBOX = not FLATPEAK_API_URL.startswith("https://")
if SANDBOX and PRODUCTION and not env.bool("ALLOW_SANDBOX", default=False):
    raise ImproperlyConfigured(
        "FLATPEAK_API_URL is not https, which is the sandbox, where nothing is real: leave it out in production, or set "
        "ALLOW_SANDBOX=true for a demonstration."
    )
connect = FLATPEAK_API_URL if SANDBOX else "https://connect.flatpeak.com"
FLATPEAK_CONNECT_URL = env("FLATPEAK_CONNECT_URL", default=connect).rstrip("/")
if not SANDBOX and not FLATPEAK_CONNECT_URL.startswith("https://"):
    raise ImproperlyConfigured("FLATPEAK_CONNECT_URL is not https, but FLATPEAK_API_URL is: leave it out.")
if not FLATPEAK_ACCOUNT_ID and not SANDBOX:
    raise ImproperlyConfigured("FLATPEAK_ACCOUNT_ID and FLATPEAK_API_KEY are not set: copy them from your dashboard.")
if not FLATPEAK_ACCOUNT_ID:
    FLATPEAK_ACCOUNT_ID, FLATPEAK_API_KEY = "acc_sandbox", "sk_test_sandbox"
FLATPEAK_LIVE_MODE = FLATPEAK_API_KEY.startswith("sk_live_")
# Stored ids carry it, because an id of the sandbox or of another account means nothing to this one.
FLATPEAK_REALM = "sandbox" if SANDBOX else FLATPEAK_ACCOUNT_ID
FLATPEAK_VERSION = env("FLATPEAK_VERSION", default="")
if FLATPEAK_VERSION and not re.fullmatch(r"\d{4}-\d\d-\d\d\.\w+", FLATPEAK_VERSION, re.ASCII):
    raise ImproperlyConfigured(
        f"FLATPEAK_VERSION is no release such as 2025-09-14.anode: {FLATPEAK_VERSION}. Leave it out to use the account's."
    )
FLATPEAK_CONNECT_TIMEOUT = env.float("FLATPEAK_CONNECT_TIMEOUT", default=3.05)  # seconds, to open a connection
FLATPEAK_READ_TIMEOUT = env.float("FLATPEAK_READ_TIMEOUT", default=15.0)  # seconds, to the last byte of an answer
FLATPEAK_EVENTS = env.bool("FLATPEAK_EVENTS", default=False)  # whether /flatpeak/events/ exists
KEEP_TYPED_DAYS = env.int("KEEP_TYPED_DAYS", default=30)
LOGO_HOSTS = env.list("LOGO_HOSTS", default=[FLATPEAK_API_URL] if SANDBOX else ["https://*.flatpeak.com"])
if not SANDBOX and not all(host.startswith("https:") for host in LOGO_HOSTS):
    raise ImproperlyConfigured("LOGO_HOSTS has an address that is not https: give each as https://logos.example.com.")

NOT_BY_COUNTRY = 'POPULAR_PROVIDERS is no JSON of names by country, such as {"GB": ["Octopus Energy", "EDF"]}.'
try:
    POPULAR_PROVIDERS = env.json("POPULAR_PROVIDERS", default={})
except ValueError as error:
    raise ImproperlyConfigured(NOT_BY_COUNTRY) from error
if not isinstance(POPULAR_PROVIDERS, dict) or not all(
    re.fullmatch("[A-Z]{2}", country) and isinstance(names, list) and all(isinstance(name, str) for name in names)
    for country, names in POPULAR_PROVIDERS.items()
):
    raise ImproperlyConfigured(NOT_BY_COUNTRY)

# --- Brand --------------------------------------------------------------------------------------------------------

TERMS_URL = env("TERMS_URL", default="")
PRIVACY_URL = env("PRIVACY_URL", default="")
IMPRINT_URL = env("IMPRINT_URL", default="")
SUPPORT_EMAIL = env("SUPPORT_EMAIL", default="")
BRAND_NAME = env("BRAND_NAME", default="FlatPeak Connect")
BRAND_DIR = env("BRAND_DIR", default="") or (str(brand) if (brand := BASE_DIR / "brand").is_dir() else "")
override = [Path(BRAND_DIR)] if BRAND_DIR else []  # its templates/ and static/ come before ours
if BRAND_DIR and not Path(BRAND_DIR).is_dir():
    raise ImproperlyConfigured(f"BRAND_DIR is no folder: {BRAND_DIR}.")
accents = env("BRAND_ACCENT", default=""), env("BRAND_ACCENT_DARK", default="")
if any(accents) and not all(accents):
    raise ImproperlyConfigured("BRAND_ACCENT and BRAND_ACCENT_DARK belong together: set both, or neither.")
BRAND_STYLE = style(*accents) if all(accents) else ""

# --- Django -------------------------------------------------------------------------------------------------------

INSTALLED_APPS = [
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
    "flatpeak_app.operations",  # after the packages whose admin it replaces
]
MIDDLEWARE = [
    "flatpeak_app.web.middleware.return_secret",
    "flatpeak_app.web.middleware.request_id",
    "django_guid.middleware.guid_middleware",
    "flatpeak_app.operations.probes.probes",
    "flatpeak_app.web.middleware.requests",
    "flatpeak_app.web.middleware.absolute",
    "flatpeak_app.web.middleware.one_host",
    "flatpeak_app.web.middleware.headers",
    "flatpeak_app.web.middleware.fields",
    "flatpeak_app.web.middleware.Compress",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "connect_ui.kept.kept",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "flatpeak_app.accounts.sessions.lasting",
    "flatpeak_app.web.middleware.language",
    "flatpeak_app.accounts.sessions.SignedIn",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "flatpeak_app.accounts.failures.Failures",
    "flatpeak_app.accounts.mails.Unsendable",
]
ROOT_URLCONF = "flatpeak_app.urls"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [folder / "templates" for folder in (*override, BASE_DIR)],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "flatpeak_app.web.site.site_context",
            ]
        },
    }
]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

if PRODUCTION and not env("DATABASE_URL", default=""):
    raise ImproperlyConfigured(
        "DATABASE_URL is not set: give it PostgreSQL's address (postgres://user:password@host:5432/name), because a "
        "database in a file is lost with its container."
    )
DATABASES = {"default": env.db("DATABASE_URL", default=f"sqlite:///{VAR_DIR / 'db.sqlite3'}")}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    if not PRODUCTION:
        VAR_DIR.mkdir(exist_ok=True)
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",  # take the write lock at once, so that two writers queue and neither fails
        "timeout": 10,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL",  # with WAL readers never wait
    }
else:
    DATABASES["default"] |= {"CONN_MAX_AGE": 0, "CONN_HEALTH_CHECKS": True}
    DATABASES["default"]["OPTIONS"] = {
        # One pool per process, as large as its threads, so that no request waits for another's slow export.
        "pool": {"min_size": 1, "max_size": 16, "timeout": 3},
        # Give a silent server up soon: seconds to connect, milliseconds until sent data is acknowledged.
        "connect_timeout": 3,
        "tcp_user_timeout": 10_000,
        # The server puts the parameters into a statement: in Python that takes a tenth of the CPU of a tariff's refresh.
        "server_side_binding": True,
    } | DATABASES["default"].get("OPTIONS", {})
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CACHES = {
    "default": env.cache("CACHE_URL", default="locmemcache://"),
    # HTML of parts of pages. A cache of its own, so that it cannot push the limits out of the other.
    "html": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "html"},
}
if CACHES["default"]["BACKEND"].endswith(".LocMemCache"):
    CACHES["default"]["OPTIONS"] = {"MAX_ENTRIES": 100_000}  # many, because a full cache drops entries, limits too
if CACHES["default"]["BACKEND"].endswith(".RedisCache"):
    CACHES["default"]["BACKEND"] = "flatpeak_app.web.cache.ForgivingRedisCache"

STATIC_URL = "static/"
STATIC_ROOT = VAR_DIR / "static"
WHITENOISE_ROOT = BASE_DIR / "static/root"  # a service worker controls only pages below its own address
WHITENOISE_ALLOW_ALL_ORIGINS = False  # other origins need not read our files
STATICFILES_DIRS = [folder / "static" for folder in (*override, BASE_DIR) if (folder / "static").is_dir()]
ICONS = next(folder for folder in STATICFILES_DIRS if (folder / "icon.svg").is_file())  # never those of two brands
APP_STYLE, ACCOUNT_STYLE, HOME_STYLE, RATES_STYLE = OUR_STYLES = [
    contained(f"css/{name}.css", STATICFILES_DIRS) for name in ("app", "account", "home", "rates")
]
RATES_SCRIPT = contained("js/rates.js", STATICFILES_DIRS)
STORAGES = {"staticfiles": {"BACKEND": "flatpeak_app.web.static_files.SmallStaticFilesStorage"}}

LANGUAGE_CODE = "en-gb"
LANGUAGES = [("en-gb", "English"), ("de", "Deutsch"), ("fr", "Français")]  # by their own names, for the footer
LOCALE_PATHS = [BASE_DIR / "locale"]
LANGUAGE_COOKIE_AGE = 365 * 24 * 3600
TIME_ZONE = "UTC"

# --- Accounts -----------------------------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
LOGIN_URL = "account_login"
ACCOUNT_ADAPTER = "flatpeak_app.accounts.adapter.Accounts"
LOGIN_REDIRECT_URL = LOGOUT_REDIRECT_URL = "home"
ACCOUNT_SIGNUP_REDIRECT_URL = "connect_ui:start"  # to the first question, since nothing is connected yet
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ours = "flatpeak_app.accounts.forms."
ACCOUNT_FORMS = {
    "signup": ours + "SignUpForm",
    "login": ours + "SignInForm",
    "reset_password": ours + "ResetForm",
    "reset_password_from_key": ours + "NewPasswordForm",
    "change_password": ours + "ChangePasswordForm",
    "reauthenticate": ours + "PasswordAgainForm",
    "confirm_password_reset_code": ours + "ResetCodeForm",
    "confirm_email_verification_code": ours + "AddressCodeForm",
    "add_email": ours + "NewAddressForm",
}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "mandatory" if PRODUCTION else "none"
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = PRODUCTION
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_TIMEOUT = 600  # seconds
ALLAUTH_USER_CODE_FORMAT = {"numeric": True}  # for a phone's numeric keypad
ACCOUNT_PASSWORD_RESET_BY_CODE_ENABLED = True  # the key of a link would be in the access log
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_CHANGE_EMAIL = True
ACCOUNT_EMAIL_NOTIFICATIONS = True  # of a changed address (to the old one), password or second factor
ACCOUNT_REAUTHENTICATION_REQUIRED = True  # before a change of address too
ACCOUNT_REAUTHENTICATION_TIMEOUT = 600  # seconds after the sign-in, or after the password was last given
# `purge_sessions` then deletes a sign-up with an unconfirmed address, so that the owner of the address can sign up.
KEEP_UNCONFIRMED_DAYS = 7
MAILS_PER_DAY = 10  # to one address, because anybody can request them
ACCOUNT_SESSION_REMEMBER = True  # customers look at a price every day, on their own phone
# Per person and minute; allauth has its own for sign-in, sign-up and reset, per address.
RATE_LIMITS = {
    "connect_start": 10,
    "connect_answer": 60,
    "connect_ask": 10,  # "Try again", and the returns from a provider's login and from FlatPeak
    "ask_rates": 30,  # requests for other days, and downloads; beyond that the stored rates are shown
    "download": 60,
    "delete": 10,
    "wrong_price": 5,
    "appliance": 30,
    "mails": 20,
    "devices": 20,
}
# Our proxies before the app: the client's address, for rate limits, is so many entries from the end of X-Forwarded-For.
ALLAUTH_TRUSTED_PROXY_COUNT = env.int("TRUSTED_PROXIES", default=1 if PRODUCTION else 0)
STAFF_MFA = env.bool("STAFF_MFA", default=PRODUCTION)  # the admin opens with a second factor only
MFA_ADAPTER = "flatpeak_app.accounts.adapter.SecondFactor"
MFA_FORMS = {
    "authenticate": ours + "FactorForm",
    "reauthenticate": ours + "FactorAgainForm",
    "activate_totp": ours + "FactorOnForm",
}
MFA_TOTP_ISSUER = BRAND_NAME
MFA_TOTP_TOLERANCE = 1  # a phone's clock may be half a minute off
MFA_ALLOW_UNVERIFIED_EMAIL = not PRODUCTION  # no address is verified on a laptop

# --- E-mail -------------------------------------------------------------------------------------------------------

if PRODUCTION and not env("EMAIL_URL", default=""):
    raise ImproperlyConfigured("EMAIL_URL is not set: sign-up mails codes (smtp+tls://user:password@host:587).")
globals().update(env.email_url("EMAIL_URL", default="consolemail://"))
EMAIL_TIMEOUT = 10  # seconds
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env("DEFAULT_FROM_EMAIL", default=f"noreply@{site.hostname}")
ADMINS = [("Operator", address) for address in env.list("ADMINS", default=[])]
DEFAULT_EXCEPTION_REPORTER = "flatpeak_app.web.errors.ErrorReport"

# --- Security -----------------------------------------------------------------------------------------------------

DATA_UPLOAD_MAX_MEMORY_SIZE = 256 * 1024  # bytes, as in compose.yaml's proxy; a longer form is not read
STAFF_SESSION_AGE = 12 * 3600  # seconds after the sign-in; a customer's session ends two weeks after its last use
CSRF_COOKIE_HTTPONLY = LANGUAGE_COOKIE_HTTPONLY = True
# Strict would drop the session on the way back from a provider's login.
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = LANGUAGE_COOKIE_SAMESITE = "Lax"
COOKIE_OPTIONS = {"secure": PRODUCTION, "httponly": True, "samesite": "Lax"}  # of the cookies that we set ourselves
prefix = "__Host-" if PRODUCTION else ""
THEME_COOKIE_NAME, KNOWN_COOKIE_NAME, LOGIN_COOKIE_NAME = f"{prefix}theme", f"{prefix}known", f"{prefix}login"
TYPED_COOKIE_NAME = f"{prefix}typed"
KNOWN_COOKIE_AGE = 365 * 24 * 3600
CSRF_FAILURE_VIEW = "flatpeak_app.views.csrf_failure"
FRAME_ANCESTORS = env.list("FRAME_ANCESTORS", default=[])
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, source(RATES_SCRIPT)],
        "style-src": [SELF, *map(source, filter(None, [BRAND_STYLE, *OUR_STYLES]))],
        "img-src": [SELF, *LOGO_HOSTS],
        "connect-src": [SELF],
        "font-src": [SELF],
        "manifest-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": FRAME_ANCESTORS or [NONE],
    }
}
PERMISSIONS_POLICY = (
    "camera=(), microphone=(), geolocation=(), payment=(), usb=(), serial=(), hid=(), midi=(), display-capture=()"
)
if PRODUCTION:
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = True
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME, LANGUAGE_COOKIE_NAME = "__Host-session", "__Host-csrf", "__Host-language"
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT, SECURE_SSL_HOST = True, site.netloc
    SECURE_HSTS_SECONDS = 365 * 24 * 3600
# HSTS for subdomains (W005) and preload lists (W021) would decide for the whole domain, which is not this app's.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]

# --- Logging and metrics ------------------------------------------------------------------------------------------

METRICS_TOKEN = env("METRICS_TOKEN", default="")
if METRICS_TOKEN:
    check_key("METRICS_TOKEN", METRICS_TOKEN, 32, ", or leave it out")
TRUST_REQUEST_ID = env.bool("TRUST_REQUEST_ID", default=False)  # off, because a client can send the header too
DJANGO_GUID = {"GUID_HEADER_NAME": "X-Request-ID", "EXPOSE_HEADER": False}
log_format = "json" if PRODUCTION else "line"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"format": "{asctime} {levelname} {name} {request_id} {message}", "style": "{"},
        "json": {"()": "flatpeak_app.web.errors.JsonLine"},
    },
    "filters": {
        "request_id": {"()": "flatpeak_app.web.errors.RequestId"},
        # Django's other lines repeat the status, which the request's line has, and would mail about each intended 503.
        "unhandled": {
            "()": "django.utils.log.CallbackFilter",
            "callback": lambda line: line.exc_info and line.levelname == "ERROR",
        },
    },
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": log_format, "filters": ["request_id"]},
        "mail_admins": {"class": "flatpeak_app.web.errors.OperatorMail", "level": "ERROR"},
        "nowhere": {"class": "logging.NullHandler"},  # a logger without a handler writes to stderr
    },
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {
        "flatpeak_app": {"level": "INFO"},
        "flatpeak_app.operations": {"handlers": ["mail_admins"]},  # what a worker could not do
        **{name: {"level": "INFO", "handlers": ["mail_admins"]} for name in ("connect_ui", "tariffs", "django")},
        "django.request": {"filters": ["unhandled"]},
        "django_guid": {"level": "ERROR"},  # it logs each id that it makes
        # runserver logs whole addresses, and two of ours carry a connect token.
        "django.server": {"handlers": ["nowhere"], "propagate": False},
        # Anybody could cause a traceback and a mail for each request that is answered 400.
        "django.security": {"handlers": ["nowhere"], "propagate": False},
        "django.security.csrf": {"handlers": ["console"], "propagate": False},
    },
}
