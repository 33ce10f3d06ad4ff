"""Too long input: in every field of every form, in addresses, in numbers of fields, and as files.

The forms come from the pages and the table of routes, so a new one is tested without a line here.
"""

import io
from html.parser import HTMLParser

import pytest
from django.test import Client

from connect_ui.forms.base import LONGEST
from connect_ui.routes import Kind, named
from flatpeak_app.web.middleware import LONGEST_VALUE
from tests.test_doors import addresses, every_address, rows  # noqa: F401
from tests.test_forms import ANSWERS, answered, page

pytestmark = pytest.mark.django_db

MUCH = 100_000
# Inputs that are slow for regular expressions or too long for a column.
LONG = {"letters": "x" * MUCH, "spaces": "1" + " " * (MUCH - 2) + "1", "address": "a@" + "b." * (MUCH // 2) + "com"}


class Fields(HTMLParser):
    """Collects the fields of a page's forms as (method, action, field name)."""

    def __init__(self, response):
        super().__init__()
        self.here, self.form, self.found = response.request["PATH_INFO"], None, set()
        if response.headers.get("Content-Type", "").startswith("text/html"):
            self.feed(response.content.decode())

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag == "form":
            self.form = given.get("method", "get").lower(), (given.get("action") or self.here).partition("?")[0]
        elif self.form and tag in ("input", "select", "textarea", "button") and given.get("name"):
            self.found.add((*self.form, given["name"]))


@pytest.fixture
def table(addresses, walk, charlie):  # noqa: F811
    """Map every field of every form to a browser that is shown it: signed out, Alice's or an operator's."""
    operator, found = Client(), {}
    operator.force_login(charlie)
    for browser in (Client(), walk.client, operator):
        for _, address in addresses:
            for field in Fields(browser.get(address)).found:
                found.setdefault(field, browser)
    question = f"/connect/{walk.session.pk}/{walk.session.newest}/"
    for route in ANSWERS:
        for name in answered(route).fields:
            found["post", question, name] = walk.client
    return found


def test_a_hundred_kilobytes_in_a_field_are_refused_and_nothing_of_them_is_stored(table):
    assert {name for _, _, name in table} >= {"cost", "login", "password", "email", "q", "date", "_selected_action"}
    before = rows()
    taken = {
        (kind, *field)
        for field, browser in table.items()
        for kind, text in LONG.items()
        if getattr(browser, field[0])(field[1], {field[2]: text}).status_code != 400
    }
    assert taken == set()
    assert rows() == before


@pytest.mark.parametrize("route", ANSWERS)
def test_the_conversations_forms_store_no_text_beyond_their_limits(route):
    assert {page(each).route for each in ANSWERS} == set(named(kind=Kind.QUESTION))
    for name, typed in ANSWERS[route][0].items():
        form = answered(route, **{name: " " * MUCH + str(typed) + " " * MUCH})
        if form.is_valid():
            assert all(len(text) <= LONGEST for text in form.typed().values()), name


def test_a_long_name_and_a_text_at_the_limit(client):
    assert client.post("/theme/", {"x" * 101: ""}).status_code == 400
    assert client.post("/theme/", {"next": "/" + "x" * LONGEST_VALUE}).status_code == 400
    assert client.post("/theme/", {"next": "/" + "x" * (LONGEST_VALUE - 1)}).status_code == 302


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_long_path_is_refused_whatever_it_leads_to(client, charlie, method):
    client.force_login(charlie)
    for begins in ("/", "/connect/", "/locations/", "/admin/tariffs/location/", "/account/confirm-email/", "/static/"):
        for more in ("9" * 5000, "a/" * 2500, "%20" * 1500):
            assert getattr(client, method)(begins + more + "/").status_code == 400, begins


@pytest.mark.parametrize("query", ["a " * 500, "'’" * 500, '"a b" ' * 166, "00000000-" * 111])
def test_the_admin_searches_for_a_thousand_characters_in_each_list(client, charlie, query):
    client.force_login(charlie)
    lists = [address for name, address, _ in every_address() if name.endswith("_changelist")]
    assert len(lists) >= 8
    assert {client.get(f"/{address}", {"q": query[:LONGEST_VALUE]}).status_code for address in lists} == {200}


def test_five_thousand_fields_are_refused(client):
    many = {f"a{n}": "1" for n in range(5000)}
    assert client.get("/account/login/", many).status_code == 400
    assert client.post("/account/login/", many).status_code == 400


def test_a_form_of_more_than_256_kilobytes_is_refused_before_it_is_read(client):
    assert sends(client, "application/x-www-form-urlencoded", 257 * 1024).status_code == 400


def test_a_form_of_which_the_end_is_missing_is_refused(client):
    form = "login=alice%40example.com&password=" + "x" * LONGEST_VALUE
    kind = "application/x-www-form-urlencoded"
    assert client.post("/account/login/", form, kind).status_code == 200
    cut_off = {"CONTENT_LENGTH": len(form) + 1, "wsgi.input": io.BytesIO(form.encode())}
    assert client.post("/account/login/", form, kind, **cut_off).status_code == 400


@pytest.mark.parametrize(
    "kind", ["multipart/form-data; boundary=x", "Multipart/Form-Data", "multipart/mixed; boundary=x"]
)
def test_files_are_refused_by_the_header_before_they_are_read(client, alice, kind):
    assert sends(client, kind, 80 * 2**20).status_code == 400
    client.force_login(alice)
    assert sends(client, kind, 80 * 2**20).status_code == 400


def sends(client, kind, length):
    """Send a body of that type and length; reading any byte of it fails."""
    unread = io.BytesIO()
    unread.close()
    return client.post("/connect/", "x", kind, **{"CONTENT_LENGTH": length, "wsgi.input": unread})
