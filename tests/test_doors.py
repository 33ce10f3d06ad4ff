"""Who may open which address, and the headers and errors of every answer."""

import io
import logging
import re
from fnmatch import fnmatchcase
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from allauth.account.models import EmailAddress
from django.apps import apps
from django.core import mail
from django.db import OperationalError, transaction
from django.test import Client
from django.urls import URLResolver, converters, get_resolver, resolve, reverse
from django_guid import clear_guid

import flatpeak_app.settings as product
from connect_ui.models import ConnectSession
from flatpeak_app.web.brand import source
from flatpeak_app.web.errors import RequestId
from tariffs.models import Location

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery"
UNKNOWN = "00000000-0000-4000-8000-000000000000"

# The answers to a GET and to a POST of an empty form, for: nobody; Bob, a stranger; Alice, the owner; Charlie, staff
# without a permission. A number is a status, a name the target of a redirect: "sign in" is the sign-in, "admin sign in"
# the admin's redirect to it.
TO_SIGN_IN = "sign in, sign in"
TO_ADMIN = "admin sign in, admin sign in"
CONFIRM = "account_reauthenticate, account_reauthenticate"  # asks for the password
HOME = "home, home"


def everybody(signed_in, nobody=TO_SIGN_IN):
    return (nobody, *[signed_in] * 3)


def owner(hers, others):
    return (TO_SIGN_IN, others, hers, others)


def staff(charlie, nobody=TO_ADMIN):
    return (nobody, TO_ADMIN, TO_ADMIN, charlie)


OPEN = "200, 200"
READ = "200, 405"
ENTRANCE = everybody(HOME, OPEN)
OWNERS_PAGE = owner(READ, "404, 405")
OWNERS_FILE = ("401, 401", *OWNERS_PAGE[1:])
NO_PERMISSION = staff("403, 403", TO_SIGN_IN)

RULES = {
    "set_language": everybody("405, home", "405, home"),
    "set_theme": everybody("405, home", "405, home"),
    "offline": everybody(READ, READ),
    "manifest": everybody(READ, READ),
    "favicon": everybody(READ, READ),
    "touch_icon": everybody(READ, READ),
    "home": everybody("tariffs:locations, 405", READ),
    "account_login": ENTRANCE,
    "account_signup": ENTRANCE,
    "account_logout": everybody("200, home", HOME),
    "account_inactive": everybody(READ, READ),
    "account_reauthenticate": everybody(OPEN),
    "account_email": everybody("200, account_email"),
    "account_email_verification_sent": everybody("account_email, account_email"),
    "account_confirm_email": everybody("200, 404", "200, 404"),  # the page says that the link is invalid
    "account_change_password": everybody(OPEN),
    "account_set_password": everybody("account_change_password, account_change_password"),
    "account_reset_password": everybody(OPEN, OPEN),
    "account_confirm_login_code": everybody(HOME),
    "account_confirm_password_reset_code": everybody(TO_SIGN_IN),
    "account_complete_password_reset": everybody(*["account_reset_password, account_reset_password"] * 2),
    "account_password_reset_completed": everybody(READ, READ),
    "account_data": everybody(READ, "401, 401"),
    "account_delete": everybody(CONFIRM),
    "usersessions_list": everybody("200, usersessions_list"),
    "mfa_index": everybody(READ),
    "mfa_authenticate": everybody(HOME),
    "mfa_reauthenticate": everybody(CONFIRM),
    "mfa_activate_totp": everybody("200, 200"),
    "mfa_deactivate_totp": everybody("404, mfa_index"),
    "mfa_view_recovery_codes": everybody("404, 405"),
    "mfa_generate_recovery_codes": everybody("200, 200"),
    "mfa_download_recovery_codes": everybody("404, 404"),
    "connect_ui:start": everybody("200, 422"),
    "connect_ui:return": everybody("home, 405", "home, 405"),
    "connect_ui:callback": everybody("home, 405", "home, 405"),
    "connect_ui:newest": owner("connect_ui:page, connect_ui:page", "404, 404"),
    "connect_ui:again": owner("connect_ui:newest, connect_ui:newest", "404, 404"),
    "connect_ui:discard": owner("tariffs:locations, tariffs:locations", "404, 404"),
    "connect_ui:returned": owner("connect_ui:newest, 405", "404, 405"),
    "connect_ui:confirm": everybody("404, 404", "404, 404"),  # only for a browser that was at the login
    "connect_ui:called_back": owner("connect_ui:newest, 405", "404, 405"),
    "connect_ui:page": owner("200, 422", "404, 404"),
    "connect_ui:login": owner("404, 405", "404, 405"),  # this page has no login
    "tariffs:locations": everybody(READ),
    "tariffs:rates": OWNERS_PAGE,
    "tariffs:day": OWNERS_PAGE,
    "tariffs:week": OWNERS_PAGE,
    "tariffs:month": OWNERS_PAGE,
    "tariffs:rates_csv": OWNERS_FILE,
    "tariffs:rates_json": OWNERS_FILE,
    "tariffs:now_json": OWNERS_FILE,
    "tariffs:devices": owner("200, 422", "404, 404"),
    "tariffs:tariff": owner(READ, "404, 405"),
    "tariffs:run": owner("200, 400", "404, 404"),
    "tariffs:wrong_price": owner("200, 422", "404, 404"),
    "tariffs:mails": owner("200, tariffs:mails", "404, 404"),
    "tariffs:stop_mails": everybody("404, 404", "404, 404"),  # without a link from a mail
    "tariffs:delete": owner("200, tariffs:locations", "404, tariffs:locations"),
    "flatpeak_events": everybody("404, 404", "404, 404"),  # unless FLATPEAK_EVENTS is set
    "admin:index": staff(OPEN),
    "admin:login": (TO_SIGN_IN, "403, 403", "403, 403", "admin:index, admin:index"),
    "admin:logout": (TO_ADMIN, *["admin:index, admin:index"] * 2, "405, home"),
    "admin:password_change": staff("account_change_password, account_change_password"),
    "admin:password_change_done": staff(READ),
    "admin:autocomplete": staff("403, 405"),
    "admin:jsi18n": staff(READ),
    "admin:view_on_site": staff("404, 404"),
    "admin:app_list": staff("404, 404"),
    "admin:(?P<url>.*)$": staff("404, 404"),
    "admin:connect_ui_funnel": staff("403, 405", TO_SIGN_IN),
    "admin:customer": staff("403, 405", TO_SIGN_IN),
    "admin:connect_ui_attention": staff("403, 403", TO_SIGN_IN),
    "admin:*_changelist": NO_PERMISSION,
    "admin:*_add": NO_PERMISSION,
    "admin:*_change": NO_PERMISSION,
    "admin:*_delete": NO_PERMISSION,
    "admin:auth_user_password_change": NO_PERMISSION,
    # An unknown object, for which the admin redirects; a test below has known ones.
    "admin:*_history": staff("admin:index, admin:index", TO_SIGN_IN),
    "admin:<path:object_id>/": staff("admin change, admin change", TO_SIGN_IN),
}
ANOTHER_HOST = "localhost:1"  # allowed, as the site's name with any port is in production
NAMES = {"account_login": "sign in", "admin:login": "admin sign in"}


def every_address(resolver=None, prefix="", namespace=""):
    """Yield (name with namespace, route, pattern) of every URL; one without a name has its own part of the route."""
    for entry in (resolver or get_resolver()).url_patterns:
        route = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from every_address(entry, route, namespace + (f"{entry.namespace}:" if entry.namespace else ""))
        else:
            yield namespace + (entry.name or str(entry.pattern)), route, entry


def address_of(name, route, entry, **known):
    """Return a URL of that name, with known arguments, else with ids that do not exist."""
    if not entry.name:
        return "/" + re.sub(r"<path:object_id>|\(\?P<url>.*", UNKNOWN, route)
    known = {
        "number": 1,
        "key": "no-such-key",
        "content_type_id": 1,
        "object_id": UNKNOWN,
        "id": 0,
        "app_label": "tariffs",
        "url": "nowhere/",
    } | known
    given = getattr(entry.pattern, "converters", None) or entry.pattern.regex.groupindex
    return reverse(name, kwargs={word: known[word] for word in given})


def rules_of(name):
    """Return the rules of a URL: that of its name, else those of matching patterns."""
    return [RULES[name]] if name in RULES else [rule for key, rule in RULES.items() if fnmatchcase(name, key)]


@pytest.fixture
def addresses(walk):
    """Each name with a URL: of Alice's conversation and location, else of ids that do not exist."""
    walk.fixed()
    walk.start()
    ids = {"connect_ui": walk.session.pk, "tariffs": Location.objects.get().pk}
    every = [
        (name, address_of(name, route, entry, pk=ids.get(name.split(":")[0]))) for name, route, entry in every_address()
    ]
    return sorted(every, key=lambda each: "delete" in each[0])  # deletions last, because the sandbox rolls nothing back


@pytest.fixture
def people(alice, bob, django_user_model):
    clerk = django_user_model.objects.create_user("charlie@example.com", PASSWORD, is_staff=True)
    return [None, bob, alice, clerk]


def asks(user, method, address, **headers):
    """Return the answer to a user's browser, and roll back what it changed."""
    with transaction.atomic():
        browser = Client()
        if user:
            browser.force_login(user)
        response = getattr(browser, method)(address, **headers)
        transaction.set_rollback(True)
    return response


def outcome(response):
    if response.status_code != 302:
        return str(response.status_code)
    name = resolve(urlsplit(response["Location"]).path).view_name
    return NAMES.get(name, "admin change" if fnmatchcase(name, "admin:*_change") else name)


def test_every_address_has_one_rule_and_every_rule_an_address():
    names = [name for name, _, _ in every_address()]
    assert [name for name in names if len(rules_of(name)) != 1] == []
    assert [key for key in RULES if not any(fnmatchcase(name, key) or name == key for name in names)] == []


def check_headers(response, where):
    policy = dict(rule.strip().partition(" ")[::2] for rule in response["Content-Security-Policy"].split(";"))
    assert "unsafe" not in response["Content-Security-Policy"], where
    assert "data:" not in response["Content-Security-Policy"], where
    for rule in ("form-action", "connect-src", "font-src", "manifest-src"):
        assert policy[rule] == "'self'", where
    assert policy["script-src"] == f"'self' {source(product.RATES_SCRIPT)}", where
    assert policy["style-src"] == f"'self' {' '.join(map(source, product.OUR_STYLES))}", where
    for rule in ("default-src", "base-uri", "frame-ancestors"):
        assert policy[rule] == "'none'", where
    assert policy["img-src"] == f"'self' {product.FLATPEAK_API_URL}", where
    assert response["X-Content-Type-Options"] == "nosniff", where
    assert response["X-Frame-Options"] == "DENY", where
    assert response["Referrer-Policy"] == "same-origin", where
    assert response["Cross-Origin-Opener-Policy"] == "same-origin", where
    for feature in ("camera", "microphone", "geolocation", "payment", "usb"):
        assert f"{feature}=()" in response["Permissions-Policy"].split(", "), where


@pytest.mark.once
@pytest.mark.parametrize("who", range(4), ids=["nobody", "a stranger", "the owner", "staff without a permission"])
def test_every_address_opens_to_whom_its_rule_says_with_safe_headers(addresses, people, who):
    """The answers also repeat no host of the request, and no page has a script or a style of its own."""
    expected = {(name, address): rules_of(name)[0][who] for name, address in addresses}
    found, pages = {}, 0
    for name, address in addresses:
        responses = [asks(people[who], method, address, HTTP_HOST=ANOTHER_HOST) for method in ("get", "post")]
        found[name, address] = ", ".join(map(outcome, responses))
        for response in responses:
            check_headers(response, address)
            content = b"" if response.streaming else response.content
            assert ANOTHER_HOST not in f"{response.headers} {content}", address
            if response["Content-Type"].startswith("text/html"):
                assert "no-store" in response["Cache-Control"], address
                content = content.replace(f'<script type="module">{product.RATES_SCRIPT}</script>'.encode(), b"")
                for style in product.OUR_STYLES:  # allowed by their digests
                    content = re.sub(rb"<style[^>]*>" + re.escape(style.encode()) + b"</style>", b"", content)
                assert not re.search(rb"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)", content), address
                pages += response.status_code == 200
    # Some of allauth's addresses appear twice, behind ours.
    assert len(found) == len({(name, route) for name, route, _ in every_address()})
    assert found == expected
    assert pages >= 10


def rows():
    """Return every row of every model except sessions."""
    models = [model for model in apps.get_models() if model.__name__ != "Session"]
    return {model.__name__: list(model.objects.order_by("pk").values()) for model in models}


def test_a_scanner_that_opens_every_address_of_a_mail_changes_nothing(addresses, walk, sandbox):
    token = walk.session.connect_token
    returns = [f"/connect/{place}/?fp_cot={token}" for place in ("callback", "return")]
    before, calls = rows(), dict(sandbox.counts)
    for address in [address for _, address in addresses] + returns:
        for method in ("get", "head"):
            getattr(Client(), method)(address, follow=True)
    assert rows() == before
    assert dict(sandbox.counts) == calls


def test_whoever_is_not_staff_is_refused_where_the_admin_sends_them(people):
    for user in people[1:3]:
        browser = Client()
        browser.force_login(user)
        assert browser.get("/admin/tariffs/location/", follow=True).status_code == 403


def test_staff_without_a_permission_open_nothing_of_a_customers_in_the_admin(addresses, people):
    location = Location.objects.get()
    for model, of in {
        "tariffs_location": location,
        "tariffs_customer": location.customer,
        "tariffs_tariff": location.tariffs.get(),
        "accounts_user": location.customer.user,
        "connect_ui_connectsession": location.customer.user.connect_sessions.first(),
    }.items():
        for page in ("change", "delete", "history"):
            assert asks(people[3], "get", reverse(f"admin:{model}_{page}", args=[of.pk])).status_code == 403


def test_ids_in_our_addresses_are_random_uuids():
    ours = {name: entry for name, route, entry in every_address() if name.startswith(("connect_ui:", "tariffs:"))}
    kinds = {
        name: {word: type(kind) for word, kind in entry.pattern.converters.items()} for name, entry in ours.items()
    }
    assert all(kind == converters.UUIDConverter for found in kinds.values() for kind in [found.pop("pk", None)] if kind)
    # A page's number is useless without its conversation's id.
    numbers = {name for name, found in kinds.items() if found == {"number": converters.IntConverter}}
    assert numbers == {name for name, found in kinds.items() if found} == {"connect_ui:page", "connect_ui:login"}


# --- Whole addresses


def test_each_mail_has_the_sites_own_address_whatever_host_a_request_names(client, alice, mailoutbox, settings):
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    EmailAddress.objects.create(user=alice, email=alice.email, primary=True, verified=True)

    def post(path, **form):
        client.post(path, form, HTTP_HOST=ANOTHER_HOST)

    post("/account/signup/", email=alice.email, password1=PASSWORD)
    post("/account/signup/", email="new@example.com", password1=PASSWORD)
    post("/account/password/reset/", email=alice.email)
    post("/account/password/reset/", email="nobody@example.com")
    client.force_login(alice)
    post("/account/reauthenticate/", password=PASSWORD)
    post("/account/email/", action_add="", email="other@example.com")
    post("/account/password/change/", oldpassword=PASSWORD, password1=PASSWORD + "!", password2=PASSWORD + "!")
    assert [sent.to for sent in mailoutbox] == [
        [address]
        for address in (
            *(alice.email, "new@example.com", alice.email, "nobody@example.com"),
            *("other@example.com", alice.email),
        )
    ]
    for sent in mailoutbox:
        assert ANOTHER_HOST not in f"{sent.message()}"
        assert urlsplit(settings.SITE_URL).netloc in sent.body
    links = [link for sent in mailoutbox for link in re.findall(r"\w+://\S+", sent.body)]
    assert len(links) == 5
    assert all(link.startswith(f"{settings.SITE_URL}/account/") for link in links)


# --- Headers


def test_who_may_frame_the_pages_is_a_setting_and_the_two_headers_agree(client, settings):
    settings.FRAME_ANCESTORS = ["https://portal.example.com"]
    settings.CONTENT_SECURITY_POLICY = {"DIRECTIVES": {"frame-ancestors": settings.FRAME_ANCESTORS}}
    response = client.get("/")
    assert "frame-ancestors https://portal.example.com" in response["Content-Security-Policy"].split("; ")
    assert "X-Frame-Options" not in response


def test_cookies_are_for_this_site_and_not_for_scripts(client, alice):
    client.get("/account/login/")
    client.post("/account/login/", {"login": alice.email, "password": PASSWORD})
    assert set(client.cookies) >= {"csrftoken", "sessionid"}
    for name in ("csrftoken", "sessionid"):
        cookie = client.cookies[name]
        assert (cookie["httponly"], cookie["samesite"], cookie["path"], cookie["domain"]) == (True, "Lax", "/", "")


# --- Forms without a valid CSRF token


@pytest.fixture
def strict(walk):
    """Alice's browser on the address page, with CSRF checks."""
    browser = Client(enforce_csrf_checks=True)
    browser.cookies = walk.client.cookies
    walk.start()
    return browser


def token(response):
    return re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', response.content.decode())[1]


def test_a_question_whose_form_has_expired_is_asked_again_with_what_was_typed(strict, walk, sandbox):
    walk.start()  # another one of hers
    calls = dict(sandbox.counts)
    form = walk.ADDRESS | {"newest": 1}
    response = strict.post(walk.path, form)
    html = response.content.decode()
    assert response.context["page"].session == walk.session
    assert response.status_code == 403
    assert "This page timed out, so we sent nothing." in html
    assert 'value="1 Example Street"' in html
    assert dict(sandbox.counts) == calls
    answer = strict.post(walk.path, form | {"csrfmiddlewaretoken": token(response)})
    assert answer["Location"] == walk.path.replace("/1/", "/2/")


def test_a_button_without_a_form_whose_token_has_expired_is_shown_again(walk, sandbox):
    walk.by_hand().answer(cost="28.15").name_and_term()
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = walk.client.cookies
    calls = dict(sandbox.counts)
    response = strict.post(walk.path, {"action": "SAVE", "newest": walk.session.newest})
    assert (response.status_code, dict(sandbox.counts)) == (403, calls)
    assert 'value="SAVE"' in response.content.decode()
    saved = {"action": "SAVE", "newest": walk.session.newest, "csrfmiddlewaretoken": token(response)}
    assert strict.post(walk.path, saved).status_code == 302
    assert Location.objects.count() == 1


def test_what_another_site_filled_in_is_not_shown(strict, walk):
    response = strict.post(walk.path, walk.ADDRESS, headers={"origin": "https://evil.example"})
    html = response.content.decode()
    assert response.status_code == 403
    assert "This page timed out" in html
    assert "Example Street" not in html


def test_a_question_of_somebody_else_is_not_asked_again(strict, walk, bob):
    strict.force_login(bob)
    response = strict.post(walk.path, walk.ADDRESS)
    assert response.status_code == 403
    assert "Example Street" not in response.content.decode()


def test_a_question_of_what_is_over_is_not_asked_again(strict, walk):
    ConnectSession.objects.update(state="expired")
    response = strict.post(walk.path, walk.ADDRESS)
    assert response.status_code == 403
    assert "We sent nothing." in response.content.decode()
    assert "Example Street" not in response.content.decode()


def test_elsewhere_an_expired_form_has_a_page_that_leads_back_to_it(strict, sandbox):
    calls = dict(sandbox.counts)
    response = strict.post("/connect/", {"direction": "IMPORT", "country_code": "GB"})
    html = response.content.decode()
    assert response.status_code == 403
    assert "We sent nothing." in html
    assert 'href="/connect/"' in html
    assert dict(sandbox.counts) == calls
    assert "We sent nothing." in Client(enforce_csrf_checks=True).post("/account/login/").content.decode()


@pytest.mark.parametrize("checks", [True, False], ids=["without a token", "with one"])
def test_who_was_signed_out_midway_is_asked_the_question_again_after_signing_in(walk, alice, checks):
    page = walk.start().path
    browser = Client(enforce_csrf_checks=checks)
    response = browser.post(page, walk.ADDRESS)
    assert response["Location"] == f"/account/login/?next={page}"
    browser.handler.enforce_csrf_checks = False
    there = browser.post(response["Location"], {"login": alice.email, "password": PASSWORD}, follow=True)
    assert there.request["PATH_INFO"] == page
    assert 'name="address_line1"' in there.content.decode()


# --- Errors


def breaks(error):
    def view(*_, **__):
        where = "1 Example Street"  # noqa: F841  # a report could show its value
        raise error

    return view


def test_every_error_has_a_page_with_a_plain_sentence(client, alice, settings, monkeypatch, walk):
    settings.RATE_LIMITS = product.RATE_LIMITS
    client.raise_request_exception = False
    pages = {
        400: client.get("/", headers={"host": "evil.example"}),
        403: client.get("/admin/login/"),
        404: client.get("/nowhere/"),
        429: [client.post("/connect/", {"direction": "IMPORT", "country_code": "GB"}) for _ in range(11)][-1],
    }
    monkeypatch.setattr("tariffs.screens.views.render", breaks(ValueError()))
    pages[500] = client.get("/locations/")
    monkeypatch.setattr("tariffs.screens.views.render", breaks(OperationalError()))
    pages[503] = client.get("/locations/")
    said = {
        400: "We can’t read what your browser sent",
        403: "You can’t open this page",
        404: "Page not found",
        429: "You tried too often",
        500: "Sorry, something went wrong",
        503: "Back in a moment",
    }
    for status, response in pages.items():
        html = response.content.decode()
        assert response.status_code == status
        assert re.findall(r"<h1>(.*?)</h1>", html) == [said[status]]
        assert re.search(r'<p class="why">[A-Z][^<]+\.</p>', html)
        assert ">Go to the start page</a>" in html
        assert "css/app.css" in html
        assert "default-src 'none'" in response["Content-Security-Policy"]
        assert "no-store" in response["Cache-Control"]
        assert re.fullmatch("[0-9a-f]{32}", response["X-Request-ID"])
        assert response["X-Request-ID"] in html
    assert pages[503]["Retry-After"] == "60"


def test_the_lines_of_a_request_carry_its_id(client, alice, monkeypatch, caplog, settings):
    settings.TRUST_REQUEST_ID = True
    caplog.handler.addFilter(RequestId())
    monkeypatch.setattr("tariffs.screens.views.render", breaks(ValueError()))
    client.raise_request_exception = False
    client.force_login(alice)
    given = "0123456789abcdef0123456789abcdef"
    for sent, kept in ((given, True), ("cot_0123", False)):
        caplog.clear()
        response = client.get("/locations/", headers={"X-Request-ID": sent})
        assert (response["X-Request-ID"] == sent) is kept
        assert [record.request_id for record in caplog.records] == [response["X-Request-ID"]]


def test_a_database_that_is_gone_is_told_as_such_and_health_is_green(client, monkeypatch, alice):
    client.raise_request_exception = False
    client.force_login(alice)
    monkeypatch.setattr(
        "django.contrib.sessions.backends.db.SessionStore._get_session_from_db", breaks(OperationalError())
    )
    assert client.get("/locations/").status_code == 503
    assert client.get("/healthz").content == b"ok\n"


def test_a_command_has_an_id_for_its_lines():
    record = logging.makeLogRecord({})
    assert RequestId().filter(record)
    assert re.fullmatch("[0-9a-f]{32}", record.request_id)
    clear_guid()


def test_an_error_answer_of_ours_leaves_no_line_of_its_own_and_no_mail(walk, settings, caplog, monkeypatch, sandbox):
    """Django logs and mails unhandled exceptions only; another line has the reason of other errors."""
    settings.ADMINS = [("Operator", "operator@example.com")]
    walk.client.raise_request_exception = False
    walk.start()
    with sandbox.lock:
        sandbox.set_faults([{"call": "connect", "fault": "status_500"}])
    statuses = [
        walk.answer(**walk.ADDRESS).response.status_code,
        walk.answer(city="").response.status_code,
        walk.get("/nowhere/").response.status_code,
    ]
    assert statuses == [503, 422, 404]
    assert [record.name for record in caplog.records] == ["tariffs.flatpeak"]
    assert not mail.outbox
    for error, status in ((ValueError(), 500), (OperationalError(), 503)):
        caplog.clear()
        monkeypatch.setattr("tariffs.screens.views.render", breaks(error))
        assert walk.get("/locations/").response.status_code == status
        assert [(record.name, bool(record.exc_info)) for record in caplog.records] == [("django.request", True)]
    assert len(mail.outbox) == 2


@pytest.fixture
def console(monkeypatch):
    """The output of the console handler of the settings."""
    [handler] = [each for each in logging.getLogger().handlers if each.name == "console"]
    monkeypatch.setattr(handler, "stream", io.StringIO())
    return handler.stream


@pytest.mark.parametrize(
    ("address", "query"),
    [("/account/data.json", "q"), ("/admin/tariffs/tariff/add/", "_to_field")],
    ids=["long", "admin"],
)
def test_what_nobody_can_answer_is_a_400_and_no_mail_or_traceback(charlie, settings, console, address, query):
    settings.ADMINS = [("Operator", "operator@example.com")]
    browser = Client()
    if query != "q":
        browser.force_login(charlie)
    assert browser.get(address, {query: "1 Example Street" * 1500}).status_code == 400
    assert mail.outbox == []
    assert "Traceback" not in console.getvalue()
    assert "Example" not in console.getvalue()


def test_what_is_not_to_be_logged_goes_nowhere(settings):
    """Python writes lines of a logger without any handler to stderr, with tracebacks."""
    ends = [logger for logger in settings.LOGGING["loggers"].values() if not logger.get("propagate", True)]
    assert ends
    assert all(logger["handlers"] for logger in ends)


def test_a_form_without_its_token_is_a_line_in_the_log(console):
    Client(enforce_csrf_checks=True).post("/account/login/")
    assert "WARNING django.security.csrf" in console.getvalue()


@pytest.mark.parametrize("broken", ["connect_ui.views.take", "connect_ui.views.form_for"])
def test_an_error_mail_tells_where_and_nothing_that_was_typed_or_is_secret(walk, settings, monkeypatch, broken):
    settings.ADMINS = [("Operator", "operator@example.com")]
    page = walk.start().path
    secrets = [walk.session.connect_token, walk.client.cookies["sessionid"].value, settings.SECRET_KEY]
    cause = KeyError("N1 1AA")
    error = ValueError("no such place: 1 Example Street")
    error.__cause__ = cause
    monkeypatch.setattr(broken, breaks(error))
    walk.client.raise_request_exception = False
    walk.client.cookies["other"] = "typed"
    response = walk.client.post(f"{page}?fp_cot=typed", walk.ADDRESS | {"q": "typed"}, headers={"user-agent": "typed"})
    assert response.status_code == 500
    [message] = mail.outbox
    text = message.subject + message.body
    assert f"POST {page}" in text
    assert "builtins.KeyError" in text
    assert "builtins.ValueError" in text
    assert "in view\n" in text
    for absent in [
        *secrets,
        "Example Street",
        "N1 1AA",
        "typed",
        "alice@",
        "COOKIE",
        "SECRET",
        settings.FLATPEAK_API_KEY,
    ]:
        assert absent not in text


def test_an_error_mail_about_a_sign_in_or_a_call_has_no_password_token_or_key(
    client, alice, settings, monkeypatch, walk
):
    settings.ADMINS = [("Operator", "operator@example.com")]
    token = walk.start().token

    def fails(*_, **__):
        password, key, connect_token = PASSWORD, settings.FLATPEAK_API_KEY, token  # noqa: F841  # a report could show them
        raise ValueError(password)

    monkeypatch.setattr("flatpeak_app.accounts.adapter.Accounts.pre_authenticate", fails)
    monkeypatch.setattr("tariffs.flatpeak.answer", fails)
    walk.client.raise_request_exception = client.raise_request_exception = False
    assert walk.client.post(walk.path, walk.ADDRESS | {"newest": "1"}).status_code == 500
    browser = Client(raise_request_exception=False)
    assert browser.post("/account/login/", {"login": alice.email, "password": PASSWORD}).status_code == 500
    assert len(mail.outbox) == 2
    for message in mail.outbox:
        text = message.subject + str(message.message())
        assert "builtins.ValueError" in text
        for absent in (PASSWORD, settings.FLATPEAK_API_KEY, token, alice.email):
            assert absent not in text


@pytest.mark.parametrize(
    ("where", "secret"), [("/connect/callback/", ""), (f"/connect/{UNKNOWN}/return/", "another-secret/")]
)
def test_an_error_mail_of_the_addresses_that_carry_a_token_or_a_secret_has_none(
    client, settings, monkeypatch, where, secret, capfd
):
    settings.ADMINS = [("Operator", "operator@example.com")]
    monkeypatch.setattr("connect_ui.logins.ConnectSession", None)
    client.raise_request_exception = False
    client.get(where + secret, {"fp_cot": "something-secret"})
    [message] = mail.outbox
    assert f"GET {where}" in message.body
    assert "-secret" not in message.subject + message.body
    assert "-secret" not in "".join(capfd.readouterr())


def test_the_operator_has_one_mail_per_cause_and_day(settings, empty_cache, mailoutbox):
    settings.ADMINS = [("Operator", "operator@example.com")]
    log = logging.getLogger("tariffs.flatpeak")

    def refused(code, n):
        log.error("%s%s", f"GET /connect/tariff/token: 422 {code}, request req_{n}", f", for session {uuid4()}")

    for n in range(120):
        refused("not_complete", n)
    assert len(mailoutbox) == 1
    refused("another_code", 1)
    assert len(mailoutbox) == 2
    empty_cache()  # as on the next day
    refused("not_complete", 1)
    assert len(mailoutbox) == 3


def test_errors_that_nobody_caught_are_mailed_once_for_each_place_in_the_code(walk, settings, monkeypatch):
    settings.ADMINS = [("Operator", "operator@example.com")]
    walk.client.raise_request_exception = False

    def fails(*_):
        raise ValueError

    monkeypatch.setattr("tariffs.screens.views.render", fails)
    for n in range(5):
        walk.client.get(f"/locations/?n={n}")
    assert len(mail.outbox) == 1
    monkeypatch.setattr("tariffs.screens.views.readable_tariffs", fails)
    for _ in range(5):
        walk.client.get(f"/locations/{uuid4()}/")
    assert len(mail.outbox) == 2


def test_the_page_that_is_kept_for_when_there_is_no_network_brings_its_style(client, settings):
    client.get("/account/login/")
    assert settings.APP_STYLE not in client.get("/account/login/").content.decode()  # which has the file by now
    assert settings.APP_STYLE in client.get("/offline/").content.decode()


def test_the_service_worker_comes_from_the_root_to_everybody(client):
    assert client.get("/offline.js")["Content-Type"].startswith("text/javascript")
    assert client.post("/offline.js").status_code == 405
