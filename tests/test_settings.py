"""Settings: https in SITE_URL means production, and a missing setting stops the start; each case is a new process."""

import json
import os
import re
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from flatpeak_app import settings
from tests.programs import ROOT, run

OUR_COMMANDS = sorted(path.stem for path in ROOT.glob("*/management/commands/[!_]*.py"))
PRODUCTION = {
    "SITE_URL": "https://tariffs.example.com",
    "SECRET_KEY": "x" * 25 + "abcdefghijklmnopqrstuvwxyz",
    "EMAIL_URL": "smtp://localhost",
    "DATABASE_URL": "postgres://user@127.0.0.1/name",
    "FLATPEAK_ACCOUNT_ID": "acc_1",
    "FLATPEAK_API_KEY": "sk_live_1",
}


def load(tmp_path, *names, **environment):
    """Load the settings in a new process with this environment; returns values, or the last line of the error."""
    code = (
        "import json; from django.conf import settings as s; "
        f"print(json.dumps({{n: getattr(s, n, None) for n in {names!r}}}, default=str))"
    )
    base = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    base |= {
        "DJANGO_SETTINGS_MODULE": "flatpeak_app.settings",
        "ENV_FILE": os.devnull,
        "VAR_DIR": str(tmp_path / "var"),
    }
    done = subprocess.run(
        [sys.executable, "-c", code], env=base | environment, capture_output=True, text=True, check=False
    )
    return json.loads(done.stdout) if done.returncode == 0 else done.stderr.strip().splitlines()[-1]


def test_a_laptop_needs_nothing_and_speaks_to_the_sandbox(tmp_path):
    names = ["PRODUCTION", "SANDBOX", "DEBUG", "FLATPEAK_API_URL", "FLATPEAK_CONNECT_URL", "ACCOUNT_EMAIL_VERIFICATION"]
    assert load(tmp_path, *names, "FLATPEAK_REALM", "SITE_URL", SANDBOX_PORT="8901", PORT="8001") == {
        "PRODUCTION": False,
        "SANDBOX": True,
        "DEBUG": False,
        "FLATPEAK_API_URL": "http://127.0.0.1:8901",
        "FLATPEAK_CONNECT_URL": "http://127.0.0.1:8901",
        "ACCOUNT_EMAIL_VERIFICATION": "none",
        "FLATPEAK_REALM": "sandbox",
        "SITE_URL": "http://localhost:8001",
    }
    key = tmp_path / "var" / "secret-key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert load(tmp_path, "SECRET_KEY") == {"SECRET_KEY": key.read_text()}


def test_programs_that_start_at_once_have_one_key(tmp_path, monkeypatch):
    monkeypatch.setattr(settings, "VAR_DIR", tmp_path / "var")
    start = threading.Barrier(8)

    def key(_):
        start.wait()
        return settings.local_secret()

    with ThreadPoolExecutor(8) as pool:
        (key,) = set(pool.map(key, range(8)))
    assert len(key) > 50
    assert [file.name for file in (tmp_path / "var").iterdir()] == ["secret-key"]


def test_two_values_are_all_there_is_to_change_for_a_real_account(tmp_path):
    names = [
        "SANDBOX",
        "FLATPEAK_API_URL",
        "FLATPEAK_CONNECT_URL",
        "FLATPEAK_LIVE_MODE",
        "FLATPEAK_REALM",
        "LOGO_HOSTS",
    ]
    assert load(tmp_path, *names, FLATPEAK_ACCOUNT_ID="acc_1", FLATPEAK_API_KEY="sk_test_1") == {
        "SANDBOX": False,
        "FLATPEAK_API_URL": "https://api.flatpeak.com",
        "FLATPEAK_CONNECT_URL": "https://connect.flatpeak.com",
        "FLATPEAK_LIVE_MODE": False,
        "FLATPEAK_REALM": "acc_1",
        "LOGO_HOSTS": ["https://*.flatpeak.com"],
    }


def test_the_two_values_may_stand_in_the_env_file(tmp_path):
    (tmp_path / ".env").write_text("FLATPEAK_ACCOUNT_ID=acc_1\nFLATPEAK_API_KEY=sk_live_1\n")
    found = load(tmp_path, "SANDBOX", "FLATPEAK_LIVE_MODE", ENV_FILE=str(tmp_path / ".env"))
    assert found == {"SANDBOX": False, "FLATPEAK_LIVE_MODE": True}


def test_production_follows_from_https(tmp_path):
    found = load(
        tmp_path,
        "PRODUCTION",
        "ALLOWED_HOSTS",
        "CSRF_TRUSTED_ORIGINS",
        "SESSION_COOKIE_NAME",
        "CSRF_COOKIE_NAME",
        "SESSION_COOKIE_SECURE",
        "SECURE_SSL_REDIRECT",
        "SECURE_HSTS_SECONDS",
        "ACCOUNT_EMAIL_VERIFICATION",
        "ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED",
        "DEBUG",
        "ALLAUTH_TRUSTED_PROXY_COUNT",
        **PRODUCTION,
    )
    assert found == {
        "ALLAUTH_TRUSTED_PROXY_COUNT": 1,
        "PRODUCTION": True,
        "ALLOWED_HOSTS": ["tariffs.example.com"],
        "CSRF_TRUSTED_ORIGINS": ["https://tariffs.example.com"],
        "SESSION_COOKIE_NAME": "__Host-session",
        "CSRF_COOKIE_NAME": "__Host-csrf",
        "SESSION_COOKIE_SECURE": True,
        "SECURE_SSL_REDIRECT": True,
        "SECURE_HSTS_SECONDS": 31536000,
        "ACCOUNT_EMAIL_VERIFICATION": "mandatory",
        "ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED": True,
        "DEBUG": False,
    }
    assert not (tmp_path / "var").exists()


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        (
            {"SITE_URL": "http://tariffs.example.com"},
            "SITE_URL is 'http://tariffs.example.com': set it to the https://",
        ),
        ({"SITE_URL": "localhost:8000"}, "SITE_URL is 'localhost:8000'"),
        ({"SITE_URL": "http://localhost.example.com"}, "SITE_URL is"),
        ({"SITE_URL": "https://example.com/app"}, "without a path"),
        (PRODUCTION | {"SECRET_KEY": ""}, "SECRET_KEY is not set or can be guessed: give it 50"),
        ({"SITE_URL": ""}, "SITE_URL is not set: give it the https:// address that customers open."),
        (PRODUCTION | {"DATABASE_URL": ""}, "DATABASE_URL is not set: give it PostgreSQL's address (postgres://"),
        (PRODUCTION | {"SECRET_KEY_FALLBACKS": "short"}, "SECRET_KEY_FALLBACKS is not set or can be guessed"),
        *(
            (PRODUCTION | {"SECRET_KEY": PRODUCTION["SECRET_KEY"] + rest}, "SECRET_KEY has a space, a quote, $, # or")
            for rest in ("k9$x1#", "k9#", "'", '"', "\\", " ", "(", "ä")
        ),
        (PRODUCTION | {"TOKEN_KEYS": PRODUCTION["SECRET_KEY"] + "#"}, "TOKEN_KEYS has a space"),
        (PRODUCTION | {"FLATPEAK_API_KEY": '"sk_live_1"'}, "FLATPEAK_API_KEY has a space"),
        ({"METRICS_TOKEN": "abcdefghijkl$" * 4}, "METRICS_TOKEN has a space"),
        (PRODUCTION | {"SECRET_KEY_FILE": "/nowhere"}, "SECRET_KEY_FILE names a file that can't be read (FileNotFound"),
        (PRODUCTION | {"EMAIL_URL": ""}, "EMAIL_URL is not set"),
        (PRODUCTION | {"FLATPEAK_ACCOUNT_ID": "", "FLATPEAK_API_KEY": ""}, "FLATPEAK_API_KEY are not set"),
        ({"FLATPEAK_ACCOUNT_ID": "acc_1"}, "belong together"),
        (PRODUCTION | {"DEBUG": "true"}, "DEBUG is on, and its pages show settings and code: leave it out"),
        (PRODUCTION | {"SECRET_KEY": "abcdefghijklmnopqrstuvwxyz"}, "SECRET_KEY is not set or can be guessed"),
        (PRODUCTION | {"SECRET_KEY": "abc" * 20}, "or can be guessed"),
        (PRODUCTION | {"SECRET_KEY": "django-insecure-" + PRODUCTION["SECRET_KEY"]}, "or can be guessed"),
        (PRODUCTION | {"TOKEN_KEYS": PRODUCTION["SECRET_KEY"] + ",short"}, "TOKEN_KEYS is not set or can be guessed"),
        ({"METRICS_TOKEN": "short"}, "METRICS_TOKEN is not set or can be guessed: give it 32"),
        (PRODUCTION | {"FLATPEAK_API_URL": "http://127.0.0.1:8900"}, "ALLOW_SANDBOX=true"),
        (PRODUCTION | {"FLATPEAK_CONNECT_URL": "http://connect.example.com"}, "FLATPEAK_CONNECT_URL is not https"),
        ({"FLATPEAK_VERSION": "anode"}, "FLATPEAK_VERSION is no release such as 2025-09-14.anode: anode."),
        (
            PRODUCTION | {"LOGO_HOSTS": "https://a.example.com,http://b.example.com"},
            "LOGO_HOSTS has an address that is",
        ),
        ({"POPULAR_PROVIDERS": "Octopus Energy, EDF"}, "POPULAR_PROVIDERS is no JSON of names by country"),
        ({"POPULAR_PROVIDERS": '{"GB": "EDF"}'}, "POPULAR_PROVIDERS is no JSON of names by country"),
        ({"POPULAR_PROVIDERS": '{"Britain": ["EDF"]}'}, "POPULAR_PROVIDERS is no JSON of names by country"),
        ({"POPULAR_PROVIDERS": '["EDF"]'}, "POPULAR_PROVIDERS is no JSON of names by country"),
    ],
)
def test_what_is_missing_is_said_in_a_sentence(tmp_path, environment, sentence):
    error = load(tmp_path, "DEBUG", **environment)
    assert error.startswith("django.core.exceptions.ImproperlyConfigured: ")
    assert sentence in error
    key = environment.get("SECRET_KEY")
    assert not key or key not in error


def test_a_setting_may_be_in_a_file_and_the_file_wins(tmp_path):
    (tmp_path / "key").write_text(PRODUCTION["SECRET_KEY"] + "file\n")
    (tmp_path / "database").write_text("postgres://user:pass$word@db:5432/name\n")
    files = {"SECRET_KEY_FILE": str(tmp_path / "key"), "DATABASE_URL_FILE": str(tmp_path / "database")}
    found = load(tmp_path, "SECRET_KEY", "DATABASES", **PRODUCTION | files)
    assert found["SECRET_KEY"] == PRODUCTION["SECRET_KEY"] + "file"
    assert found["DATABASES"]["default"]["PASSWORD"] == "pass$word"
    (tmp_path / ".env").write_text(f"SECRET_KEY=other\nSECRET_KEY_FILE={tmp_path / 'key'}\n")
    without = {name: value for name, value in PRODUCTION.items() if name != "SECRET_KEY"}
    found = load(tmp_path, "SECRET_KEY", **without, ENV_FILE=str(tmp_path / ".env"))
    assert found == {"SECRET_KEY": PRODUCTION["SECRET_KEY"] + "file"}


def test_an_earlier_key_is_still_accepted_and_decrypts(tmp_path):
    new, old = PRODUCTION["SECRET_KEY"] + "new", PRODUCTION["SECRET_KEY"]
    found = load(
        tmp_path,
        *("SECRET_KEY_FALLBACKS", "TOKEN_KEYS"),
        **PRODUCTION | {"SECRET_KEY": new, "SECRET_KEY_FALLBACKS": old},
    )
    assert found == {"SECRET_KEY_FALLBACKS": [old], "TOKEN_KEYS": [new, old]}


def test_new_env_writes_keys_that_the_settings_accept_once_it_is_completed(tmp_path):
    def new_env(*arguments):
        program = [str(ROOT / "deploy" / "new-env"), *arguments]
        return subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, check=False)

    for wrong in ([], ["http://connect.example.com"], ["https://connect.example.com/app"], ["https://a.com'$(id)"]):
        refused = new_env(*wrong)
        assert refused.returncode == 2
        assert refused.stderr.startswith("Give the ")
    assert not (tmp_path / ".env").exists()
    assert new_env("https://connect.example.com").returncode == 0
    file = tmp_path / ".env"
    assert file.stat().st_mode & 0o777 == 0o600
    text = file.read_text()
    keys = re.findall(r"^\w+='([0-9a-f]+)'$", text, re.MULTILINE)
    assert [len(key) for key in keys] == [64] * len(keys)
    assert len(set(keys)) == len(keys) >= 4
    assert "FLATPEAK_API_KEY are not set" in load(tmp_path, "DEBUG", ENV_FILE=str(file), DATABASE_URL="postgres://db/a")
    for name, value in (
        ("EMAIL_URL", "smtp+tls://user:k9$x1@mail.example.com:587"),
        ("FLATPEAK_ACCOUNT_ID", "acc_1"),
        ("FLATPEAK_API_KEY", "sk_live_1"),
    ):
        text = text.replace(f"{name}=''", f"{name}='{value}'")
    file.write_text(text)
    found = load(tmp_path, "SITE_URL", "SECRET_KEY", "TOKEN_KEYS", ENV_FILE=str(file), DATABASE_URL="postgres://db/a")
    assert found["SITE_URL"] == "https://connect.example.com"
    assert {found["SECRET_KEY"], *found["TOKEN_KEYS"]} < set(keys)
    again = new_env("https://connect.example.com")
    assert (again.returncode, file.read_text()) == (1, text)
    assert ".env is here already" in again.stderr


def test_a_demonstration_in_production_may_use_the_sandbox(tmp_path):
    sandbox = {"FLATPEAK_API_URL": "http://127.0.0.1:8900", "ALLOW_SANDBOX": "true"}
    assert load(tmp_path, "PRODUCTION", "SANDBOX", **PRODUCTION | sandbox) == {"PRODUCTION": True, "SANDBOX": True}


def test_a_postgresql_that_is_silent_is_not_waited_for_unless_its_address_says_so(tmp_path):
    def options(query=""):
        url = f"postgres://user:password@127.0.0.1:5432/name{query}"
        return load(tmp_path, "DATABASES", DATABASE_URL=url)["DATABASES"]["default"]["OPTIONS"]

    silent = {"connect_timeout": 3, "tcp_user_timeout": 10_000}
    assert options().items() >= silent.items()
    assert options("?sslmode=require&connect_timeout=9")["connect_timeout"] == 9
    assert options("?sslmode=require")["sslmode"] == "require"


def test_no_server_is_waited_for_without_a_limit(tmp_path):
    names = ["EMAIL_TIMEOUT", "FLATPEAK_CONNECT_TIMEOUT", "FLATPEAK_READ_TIMEOUT"]
    assert load(tmp_path, *names) == dict(zip(names, [10, 3.05, 15.0], strict=True))
    [sqlite] = load(tmp_path, "DATABASES")["DATABASES"].values()
    assert (sqlite["OPTIONS"]["timeout"], sqlite["OPTIONS"]["transaction_mode"]) == (10, "IMMEDIATE")
    [postgresql] = load(tmp_path, "DATABASES", DATABASE_URL="postgres://user@127.0.0.1/name")["DATABASES"].values()
    assert postgresql["OPTIONS"]["pool"]["timeout"] == 3


def test_every_cookie_in_production_is_secure_and_not_for_scripts(tmp_path):
    kinds = ("SESSION", "CSRF", "LANGUAGE")
    names = [f"{kind}_COOKIE_{what}" for kind in kinds for what in ("SECURE", "HTTPONLY", "SAMESITE")]
    found = load(tmp_path, *names, "COOKIE_OPTIONS", "KNOWN_COOKIE_NAME", "THEME_COOKIE_NAME", **PRODUCTION)
    assert [found[name] for name in names] == [True, True, "Lax"] * 3
    assert found["COOKIE_OPTIONS"] == {"secure": True, "httponly": True, "samesite": "Lax"}
    assert (found["KNOWN_COOKIE_NAME"], found["THEME_COOKIE_NAME"]) == ("__Host-known", "__Host-theme")


def test_staff_need_a_second_factor_in_production_unless_it_is_switched_off(tmp_path):
    assert load(tmp_path, "STAFF_MFA") == {"STAFF_MFA": False}
    assert load(tmp_path, "STAFF_MFA", **PRODUCTION) == {"STAFF_MFA": True}
    assert load(tmp_path, "STAFF_MFA", **PRODUCTION, STAFF_MFA="false") == {"STAFF_MFA": False}


def test_pages_are_framed_by_nobody_or_by_whom_the_setting_names(tmp_path):
    def policy(**environment):
        return load(tmp_path, "CONTENT_SECURITY_POLICY", **environment)["CONTENT_SECURITY_POLICY"]["DIRECTIVES"]

    assert policy()["frame-ancestors"] == ["'none'"]
    parents = "https://www.example.com,https://app.example.com"
    assert policy(FRAME_ANCESTORS=parents)["frame-ancestors"] == parents.split(",")


@pytest.mark.parametrize("arguments", [["--help"], *([name, "--help"] for name in OUR_COMMANDS), ["check", "--deploy"]])
def test_no_help_says_a_secret(tmp_path, arguments):
    told = run(sys.executable, "manage.py", *arguments, **PRODUCTION, VAR_DIR=tmp_path)
    assert told.returncode == 0, told.stdout
    for name in ("SECRET_KEY", "FLATPEAK_API_KEY", "EMAIL_URL"):
        assert PRODUCTION[name] not in told.stdout


def test_databases_caches_and_mail_come_from_urls(tmp_path):
    found = load(
        tmp_path,
        "DATABASES",
        "CACHES",
        "EMAIL_HOST",
        DATABASE_URL="postgres://user:password@db:5432/name",
        CACHE_URL="redis://cache:6379/0",
        EMAIL_URL="smtp+tls://user:password@mail.example.com:587",
    )
    assert found["DATABASES"]["default"]["ENGINE"] == "django.db.backends.postgresql"
    assert found["DATABASES"]["default"]["CONN_MAX_AGE"] == 0
    assert found["DATABASES"]["default"]["OPTIONS"]["pool"]["max_size"] == 16
    assert found["CACHES"]["default"]["BACKEND"] == "flatpeak_app.web.cache.ForgivingRedisCache"
    assert found["EMAIL_HOST"] == "mail.example.com"
