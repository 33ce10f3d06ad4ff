"""The bytes of a page on the wire, with Brotli: the first one, a step, the longest list."""

import gzip
import re
from datetime import timedelta

import brotli
import pytest
from django.conf import settings
from django.http import HttpResponse
from django.test import RequestFactory
from django.utils import timezone

from bench.rates import fill
from connect_ui.templatetags.connect import REST
from flatpeak_app.web.brand import source
from flatpeak_app.web.middleware import Compress
from flatpeak_app.web.static_files import SMALL
from tariffs.models import Tariff
from tests.test_faults import PAGES

pytestmark = pytest.mark.django_db
BROTLI = {"Accept-Encoding": "gzip, deflate, br, zstd"}
LONG = {"postal_address_capture", "provider_select"}  # with the list of all countries, and of all providers


def file_size(name):
    """The size of a static file as it is served."""
    text = (settings.BASE_DIR / "static" / name).read_text()
    small = SMALL.get(name.partition("/")[0], str)
    return len(brotli.compress(small(text).encode()))


def size(response):
    assert response["Content-Encoding"] == "br"
    return len(response.content)


@pytest.fixture
def known(client):
    """A browser that has opened a page of the site before."""
    client.get("/account/password/change/")
    return client


def files_of(response):
    """The static files that a browser loads with a page, in their order."""
    page = brotli.decompress(response.content).decode()
    return re.findall(r'(?:<link[^>]*?href|<script[^>]*?src|<img[^>]*?src)="/static/([^"]+)"', page)


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("css/app.css", 4_150),
        ("js/app.js", 2_450),
        ("js/search.js", 2_800),
        ("js/prices.js", 1_500),
        ("css/rates.css", 950),
        ("js/rates.js", 1_000),
    ],
)
def test_a_style_sheet_and_a_script_are_small(name, most):
    assert file_size(name) <= most


def test_the_first_page_of_a_browser_contains_its_style_and_fits_into_the_first_flight(walk, client):
    walk.start()
    client.cookies.pop(settings.CSRF_COOKIE_NAME, None)
    response = client.get(walk.path, headers=BROTLI)
    files = files_of(response)
    assert files == ["icon.svg", "js/app.js"]
    assert brotli.decompress(response.content).decode().count(settings.APP_STYLE) == 1
    assert source(settings.APP_STYLE) in response["Content-Security-Policy"]
    assert size(response) + sum(map(file_size, files)) <= 10_000


def test_a_later_page_takes_its_style_from_the_browsers_cache(walk, known):
    walk.start()
    response = known.get(walk.path, headers=BROTLI)
    assert files_of(response) == ["css/app.css", "icon.svg", "js/app.js"]
    assert settings.APP_STYLE not in brotli.decompress(response.content).decode()


@pytest.mark.parametrize("route", PAGES)
def test_no_page_of_connect_loads_what_only_prices_and_lists_need(walk, known, route):
    PAGES[route][0](walk)
    assert files_of(known.get(walk.path, headers=BROTLI)) == ["css/app.css", "icon.svg", "js/app.js"]


def test_a_page_with_prices_contains_a_style_and_a_script_of_its_own(walk, known):
    client = known
    walk.fixed()
    location = f"/locations/{walk.session.location_id}/"
    for path in ("/locations/", location, f"{location}day/", f"{location}week/"):
        response = client.get(path, headers=BROTLI)
        assert files_of(response) == ["css/app.css", "icon.svg", "js/app.js"]
        page = brotli.decompress(response.content).decode()
        for inline in (settings.RATES_STYLE, settings.RATES_SCRIPT):
            assert page.count(inline) == 1
            assert source(inline) in response["Content-Security-Policy"]


@pytest.mark.parametrize("route", PAGES)
def test_a_step_is_small(walk, client, route):
    reach, _, _ = PAGES[route]
    reach(walk)
    route = route.partition("/")[0]  # one route may be reached in several ways
    assert walk.route == route
    # A POST that names an old page as the newest changes nothing, and is answered with a step like any other.
    response = client.post(walk.path, {"newest": 0, "cost": "1"}, headers=BROTLI | {"Part": "main"})
    if response.status_code == 404:  # it needs an action
        action = walk.page.actions[0]
        response = client.post(walk.path, {"newest": 0, "action": action}, headers=BROTLI | {"Part": "main"})
    assert response["Content-Location"] == walk.path
    assert size(response) <= (4_500 if route in LONG else 2_200 if "summary" in route else 2_000)


def test_a_list_of_two_thousand_providers_is_small(walk, sandbox, client):
    walk.start()
    with sandbox.lock:
        sandbox.set_faults([{"call": "connect.postal_address_capture", "fault": "many_choices", "count": 2000}])
    walk.address()
    assert len(walk.page.data["providers"]) == 2000
    response = client.get(walk.path, headers=BROTLI)
    assert size(response) <= 18_000
    assert REST.encode() not in brotli.decompress(response.content)


@pytest.mark.parametrize(("each", "most"), [(60, 6_500), (15, 7_800)])
def test_a_rates_page_with_both_directions_is_small(walk, client, each, most):
    """All prices differ, which compresses least. With four files and the headers it is at most 16 KB on the wire."""
    walk.fixed()
    buys, now = Tariff.objects.select_related("location").get(), timezone.now()
    sells = Tariff.objects.create(location=buys.location, direction="EXPORT")
    today = now.astimezone(buys.location.local_zone).date()
    for tariff in (buys, sells):
        fill(tariff, [today, today + timedelta(days=1)], 2 * 24 * 60 // each, now)
    Tariff.objects.update(due_at=now + timedelta(days=1), rates="ok", levels=[str(today), 30, "0.20", "0.30"])
    response = client.get(f"/locations/{buys.location_id}/", headers=BROTLI)
    assert brotli.decompress(response.content).count(b'class="bar ') == 2 * 24 * 60 // each
    assert size(response) <= most


# --- compression


def answer_of(content, accepts, **headers):
    request = RequestFactory().get("/", headers={"Accept-Encoding": accepts})
    return Compress(lambda _: HttpResponse(content, headers=headers))(request)


def test_a_page_is_compressed_as_the_browser_takes_it():
    page = b"<p>a price</p>" * 100
    for accepts, encoding, unpack in (
        ("gzip, deflate, br, zstd", "br", brotli.decompress),
        ("gzip", "gzip", gzip.decompress),
        ("identity", None, bytes),
    ):
        response = answer_of(page, accepts, ETag='"1"')
        assert response.get("Content-Encoding") == encoding
        assert response["Vary"] == "Accept-Encoding"
        assert unpack(response.content) == page
        assert response["ETag"] == ('W/"1"' if encoding else '"1"')
        assert int(response.get("Content-Length", len(page))) == len(response.content)


def test_what_is_short_or_compressed_stays_as_it_is():
    assert answer_of(b"short", "br").content == b"short"
    assert answer_of(b"x" * 900, "br", **{"Content-Encoding": "zstd"}).content == b"x" * 900


def test_the_length_of_a_page_does_not_tell_what_it_contains():
    sizes = {len(answer_of(b"<p>a price</p>" * 100, "br")["X-Padding"]) for _ in range(200)}
    assert len(sizes) > 20
