"""Limits per person and minute, counted in the shared cache, and the answers beyond them."""

import shutil
import sys
import time
from contextlib import ExitStack
from datetime import timedelta
from urllib.parse import urlencode
from uuid import uuid4

import pytest
import redis
import requests
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.core.cache import cache
from django.urls import URLResolver, get_resolver, reverse
from django.utils import timezone

import flatpeak_app.settings as product
from connect_ui.models import ConnectSession
from flatpeak_app.web.limits import count, is_too_often
from tariffs.models import Location, RateDay, Tariff
from tests.programs import Program, free_port
from tests.races.servers import shared_cache
from tests.test_accounts import signed_in

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery"


@pytest.fixture
def limits(settings):
    """Production's limits."""
    settings.ACCOUNT_RATE_LIMITS, settings.RATE_LIMITS = {}, product.RATE_LIMITS


def check_refusal(response):
    assert response.status_code == 429
    assert response["Retry-After"] == "60"
    assert "too often" in response.content.decode()


SIGN_UP = ("/account/signup/", {"email": "x", "password1": "x"})


@pytest.mark.parametrize(
    ("address", "form", "allowed"),
    [
        ("/account/login/", {"login": "user{n}@example.com"}, 30),
        (*SIGN_UP, 20),
        ("/account/password/reset/", {"email": "user{n}@example.com"}, 20),
        ("/account/password/reset/", {"email": "alice@example.com"}, 5),
    ],
    ids=["sign-in", "sign-up", "reset", "reset of one address"],
)
def test_signing_in_and_up_and_resetting_are_limited(client, limits, address, form, allowed):
    def post(n):
        return client.post(address, {name: value.format(n=n) for name, value in form.items()})

    assert 429 not in {post(n).status_code for n in range(allowed)}
    check_refusal(post(allowed))
    assert client.get(address).status_code == 200


FAILED = "Too many tries failed. Wait five minutes, then try again."


def check_failures(response):
    assert (response.status_code, response["Retry-After"]) == (429, "300")
    assert FAILED in response.content.decode()
    assert "no-store" in response["Cache-Control"]


@pytest.mark.parametrize("email", ["alice@example.com", "nobody@example.com"])
def test_after_five_failed_sign_ins_an_address_is_refused_known_or_not_and_stays_typed(client, limits, alice, email):
    def sign_in(email, password):
        return client.post("/account/login/", {"login": email, "password": password})

    assert {sign_in(email, f"wrong {n}").status_code for n in range(5)} == {200}
    for password in ("wrong", PASSWORD):
        refused = sign_in(email, password)
        check_failures(refused)
        assert f'value="{email}"' in refused.content.decode()
        assert PASSWORD not in refused.content.decode()
    assert sign_in("bob@example.com", "wrong").status_code == 200
    assert client.get("/account/login/").status_code == 200


def test_another_port_in_the_host_header_gives_no_more_tries(client, limits, alice):
    def sign_in(n):
        form = {"login": alice.email, "password": "wrong"}
        return client.post("/account/login/", form, HTTP_HOST=f"localhost:{n}")

    assert {sign_in(n).status_code for n in range(1, 6)} == {200}
    check_failures(sign_in(6))


def test_failed_sign_ins_of_many_addresses_are_refused_from_one_client(client, limits):
    answers = [client.post("/account/login/", {"login": f"user{n}@example.com", "password": "x"}) for n in range(11)]
    assert {answer.status_code for answer in answers[:10]} == {200}
    check_failures(answers[10])


def test_a_password_asked_for_again_and_a_second_factor_are_guessed_at_a_few_times_only(limits, alice, settings):
    browser = signed_in(alice)
    again = [browser.post("/account/reauthenticate/", {"password": "wrong"}) for _ in range(6)]
    assert [answer.status_code for answer in again] == [200] * 5 + [429]
    cache.clear()
    browser.post("/account/reauthenticate/", {"password": PASSWORD})
    setup = "/account/second-factor/totp/activate/"
    codes = [browser.post(setup, {"code": "000000"}) for _ in range(6)]
    assert [answer.status_code for answer in codes] == [200] * 5 + [429]
    assert "You tried too often. Wait five minutes, then try again." in codes[5].content.decode()
    cache.clear()
    TOTP.activate(alice, generate_totp_secret())
    browser = signed_in(alice)
    codes = [browser.post("/account/second-factor/authenticate/", {"code": "000000"}) for _ in range(6)]
    assert [answer.status_code for answer in codes[:5]] == [200] * 5
    check_failures(codes[5])


@pytest.fixture
def two_servers(image, tmp_path):
    """The ports of two gunicorns that share a database and a Redis, as two machines do."""
    url = shared_cache() or "redis://127.0.0.1:6379/15"
    try:
        redis.from_url(url).ping()
    except redis.RedisError:
        pytest.skip(f"no Redis at {url}: `docker run -p 6379:6379 redis`, or CACHE_URL")
    shared = {"VAR_DIR": tmp_path, "SECRET_KEY": "0123456789" * 5, "CACHE_URL": url, "TRUSTED_PROXIES": 1}
    shutil.copytree(image, tmp_path, dirs_exist_ok=True)
    ports = [free_port() for _ in range(2)]
    command = [sys.executable, "-m", "gunicorn", "flatpeak_app.wsgi", "--bind"]
    with ExitStack() as stack:
        for port in ports:
            stack.enter_context(Program(*command, f"127.0.0.1:{port}", **shared)).wait_for_page(port, "/healthz")
        yield ports


def test_what_one_worker_counted_another_refuses(two_servers):
    browser = requests.Session()
    run_id = uuid4().hex[:12]  # Redis may still have an earlier run's counts
    browser.headers["X-Forwarded-For"] = f"2001:db8:{run_id[:4]}:{run_id[4:8]}::1"  # allauth counts networks of 64 bits
    browser.get(f"http://127.0.0.1:{two_servers[0]}/account/login/")

    def sign_in(port, email):
        form = {"login": email, "password": "wrong", "csrfmiddlewaretoken": browser.cookies["csrftoken"]}
        return browser.post(f"http://127.0.0.1:{port}/account/login/", form, allow_redirects=False)

    here, there = two_servers
    alice = f"alice-{run_id}@example.com"
    assert [sign_in(port, alice).status_code for port in (here, there, here, there, here)] == [200] * 5
    for port in two_servers:
        refused = sign_in(port, alice)
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "300")
        assert FAILED in refused.text
    assert sign_in(there, f"bob-{run_id}@example.com").status_code == 200


@pytest.mark.parametrize(
    ("proxies", "forwarded"),
    [(0, "198.51.100.{n}"), (1, "198.51.100.{n}, 203.0.113.5"), (2, "198.51.100.{n}, 203.0.113.5, 10.0.0.1")],
)
def test_a_header_that_the_client_made_up_gets_round_no_limit(client, limits, settings, proxies, forwarded):
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = proxies

    def sign_up(n):
        return client.post(*SIGN_UP, headers={"x-forwarded-for": forwarded.format(n=n)})

    assert {sign_up(n).status_code for n in range(20)} == {200}
    check_refusal(sign_up(20))


def test_behind_a_proxy_each_client_has_a_limit_of_its_own(client, limits, settings):
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    answers = [client.post(*SIGN_UP, headers={"x-forwarded-for": f"198.51.100.{n}"}) for n in range(25)]
    assert {answer.status_code for answer in answers} == {200}


def test_who_comes_around_a_proxy_is_limited_by_the_address_that_connected(client, limits, settings):
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 2

    def sign_up(n):
        return client.post(*SIGN_UP, headers={"x-forwarded-for": f"198.51.100.{n}"})

    assert {sign_up(n).status_code for n in range(20)} == {200}
    check_refusal(sign_up(20))


def test_conversations_are_begun_ten_times_a_minute_at_most(walk, limits, sandbox, bob):
    form = {"direction": "IMPORT", "country_code": "GB"}
    assert {walk.client.post("/connect/", form).status_code for _ in range(10)} == {302}
    calls = dict(sandbox.counts)
    check_refusal(walk.client.post("/connect/", form))
    check_refusal(walk.client.post(f"/connect/{walk.session.pk}/again/"))
    assert dict(sandbox.counts) == calls
    assert walk.client.get("/connect/").status_code == 200
    walk.client.force_login(bob)
    assert walk.client.post("/connect/", form).status_code == 302


def test_answers_are_taken_sixty_times_a_minute_at_most(walk, limits):
    page = walk.start().path
    assert {walk.client.post(page, {}).status_code for _ in range(60)} == {422}
    check_refusal(walk.client.post(page, walk.ADDRESS))
    assert walk.client.get(page).status_code == 200
    # The count is in the shared cache, so every worker refuses.
    cache.clear()
    assert walk.client.post(page, {}).status_code == 422


@pytest.mark.django_db(databases=[])
def test_each_action_of_each_person_has_a_count_of_its_own(settings, monkeypatch):
    settings.RATE_LIMITS = {"one": 2, "other": 1}
    minutes = iter([1] * 7 + [2])
    monkeypatch.setattr("flatpeak_app.web.limits.minute", lambda: next(minutes))
    asked = [("one", 1), ("one", 1), ("one", 1), ("other", 1), ("other", 1), ("one", 2), ("no limit", 1), ("other", 2)]
    assert [is_too_often(*each) for each in asked] == [False, False, True, False, True, False, False, False]
    assert not is_too_often("one", 1)  # in the next minute


def test_a_count_outlives_its_minute(settings, monkeypatch):
    settings.RATE_LIMITS, kept = {"a": 3}, []
    monkeypatch.setattr("flatpeak_app.web.limits.count", lambda key, seconds: kept.append(seconds) or 1)
    is_too_often("a", 1)
    assert kept[0] >= 2 * 60


def test_exports_are_given_sixty_times_a_minute_at_most_in_either_form(walk, limits):
    walk.fixed()
    export = f"/locations/{Location.objects.get().pk}/rates."
    assert {walk.client.get(export + form).status_code for form in ("csv", "json") for _ in range(30)} == {200}
    for form, kind in (("csv", "text/plain; charset=utf-8"), ("json", "application/json")):
        response = walk.client.get(export + form)
        check_refusal(response)
        assert response["Content-Type"] == kind
        assert "no-store" in response["Cache-Control"]
    assert list(response.json()) == ["error"]
    for path in (export + "csv", "/account/data.json"):  # the download of the account counts too
        assert walk.client.head(path).status_code == walk.client.get(path).status_code == 429
    assert walk.client.get(export.removesuffix("rates.")).status_code == 200


# --- calls to FlatPeak, from whatever address


def addresses(patterns=None, before=""):
    """Yield the names of our URLs; the views of the admin and of allauth do not call FlatPeak."""
    for pattern in patterns or get_resolver().url_patterns:
        if not isinstance(pattern, URLResolver):
            yield before + pattern.name
        elif pattern.app_name in ("connect_ui", "tariffs"):
            yield from addresses(pattern.url_patterns, f"{pattern.app_name}:")


def parts(name):
    """Return the names of a URL's arguments."""
    return next(
        list(pattern.pattern.converters)
        for resolver in [get_resolver(), *get_resolver().url_patterns]
        if isinstance(resolver, URLResolver)
        for pattern in resolver.url_patterns
        if not isinstance(pattern, URLResolver)
        if name == ":".join(filter(None, [resolver.app_name, pattern.name]))
    )


def calls(sandbox):
    return sum(
        count for call, count in sandbox.counts.items() if "." not in call
    )  # names with a dot count Connect's calls again, by route


def at_providers(walk):
    walk.to_providers()


def at_login(walk):
    walk.to_providers().provider("Octopus").leave()
    assert walk.route == "session_redirect"
    ConnectSession.objects.update(login="back")


def at_owed(walk):
    at_providers(walk)
    ConnectSession.objects.update(state="owed", due_at=timezone.now())


def expired(walk):
    at_providers(walk)
    ConnectSession.objects.update(state="expired")


def at_rates(walk):
    walk.fixed()


# What prepares the requests, and the most calls to FlatPeak that they make, however many they are.
MOST = {
    ("home", "GET"): (at_owed, 1),
    ("account_delete", "POST"): (at_rates, 4),
    ("connect_ui:start", "POST"): (at_providers, 20),
    ("connect_ui:newest", "POST"): (at_providers, 10),
    ("connect_ui:again", "POST"): (expired, 40),
    ("connect_ui:returned", "GET"): (at_login, 10),
    ("connect_ui:called_back", "GET"): (at_providers, 10),
    ("connect_ui:page", "GET"): (at_owed, 1),
    ("connect_ui:page", "POST"): (at_providers, 60),
    ("tariffs:locations", "GET"): (at_rates, 3),
    ("tariffs:rates", "GET"): (at_rates, 3),
    ("tariffs:day", "GET"): (at_rates, 31),
    ("tariffs:week", "GET"): (at_rates, 31),
    ("tariffs:month", "GET"): (at_rates, 31),
    ("tariffs:rates_csv", "GET"): (at_rates, 31),
    ("tariffs:rates_json", "GET"): (at_rates, 31),
    ("tariffs:now_json", "GET"): (at_rates, 3),
    ("tariffs:delete", "POST"): (at_rates, 1),
}


def test_what_is_counted_is_forgotten_after_its_seconds_and_not_before():
    assert [count("short", 1), count("short", 1), count("long", 60)] == [1, 2, 1]
    time.sleep(1.1)
    assert [count("short", 1), count("long", 60)] == [1, 2]


def test_every_address_that_is_told_to_call_flatpeak_is_one():
    assert {name for name, _ in MOST} <= set(addresses())


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("name", sorted(set(addresses())))
def test_many_requests_to_an_address_make_few_calls_to_flatpeak(walk, limits, sandbox, name, method):
    prepare, most = MOST.get((name, method), (at_rates if name.startswith("tariffs:") else at_providers, 0))
    prepare(walk)
    session, today = walk.session, timezone.localdate()
    pk = session.location_id if name.startswith("tariffs:") else session.pk
    given = {part: session.newest if part == "number" else pk for part in parts(name)}
    address, before = reverse(name, kwargs=given), calls(sandbox)
    statuses = set()
    for n in range(most + 5 if most else 5):
        day = today - timedelta(days=7 * n + 3 if "week" in name else n + 3)
        query = {"date": day, "start": day, "end": day} if method == "GET" else {}
        query |= {"fp_cot": walk.token} if name in ("connect_ui:return", "connect_ui:callback") else {}
        typed = {"direction": "IMPORT", "country_code": "GB", "provider": "x", "newest": session.newest}
        response = walk.client.generic(
            method,
            f"{address}?{urlencode(query)}",
            urlencode(typed),
            content_type="application/x-www-form-urlencoded",
        )
        statuses.add(response.status_code)
        assert response.status_code != 429 or response["Retry-After"] == "60"
    assert calls(sandbox) - before <= most
    assert statuses <= {200, 302, 400, 403, 404, 405, 410, 422, 429, 503}, statuses


def test_days_that_are_stored_are_shown_however_often_they_are_looked_at(walk, limits):
    walk.fixed()
    day = f"/locations/{walk.session.location_id}/day/?date={timezone.localdate() - timedelta(days=3)}"
    assert {walk.client.get(day).status_code for _ in range(40)} == {200}
    other = timezone.localdate() - timedelta(days=9)
    check_refusal(walk.client.get(day.replace(day[-10:], str(other))))
    bought = Tariff.objects.get()
    sold = Tariff.objects.create(location=bought.location, direction="EXPORT", due_at=bought.due_at)
    RateDay.objects.create(tariff=sold, day=other, segments=[], fetched_at=timezone.now())
    for kind in ("csv", "json"):
        path = reverse(f"tariffs:rates_{kind}", args=[bought.location_id])
        assert walk.client.get(path, {"start": day[-10:]}).status_code == 200
        check_refusal(walk.client.get(path, {"start": other}))
