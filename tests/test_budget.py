"""The bytes of a page on the wire: the first one, a step, the longest list. Files come with Brotli, pages with gzip."""

import gzip
import re

import brotli
import pytest
from django.conf import settings

from connect_ui.templatetags.connect import REST
from flatpeak_app.web.brand import source
from flatpeak_app.web.static_files import SMALL
from tests.test_faults import PAGES

pytestmark = pytest.mark.django_db
GZIP = {"Accept-Encoding": "gzip"}
LONG = {"postal_address_capture", "provider_select"}  # with the list of all countries, and of all providers


def file_size(name):
    """The size of a static file as it is served."""
    text = (settings.BASE_DIR / "static" / name).read_text()
    small = SMALL.get(name.partition("/")[0], str)
    return len(brotli.compress(small(text).encode()))


def size(response):
    assert response["Content-Encoding"] == "gzip"
    return len(response.content)


def files_of(response):
    """The static files that a browser loads with a page, in their order."""
    page = gzip.decompress(response.content).decode()
    return re.findall(r'(?:<link[^>]*?href|<script[^>]*?src|<img[^>]*?src)="/static/([^"]+)"', page)


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("css/app.css", 4_100),
        ("js/app.js", 2_400),
        ("js/search.js", 2_800),
        ("js/prices.js", 1_500),
        ("css/rates.css", 950),
        ("js/rates.js", 1_000),
    ],
)
def test_a_style_sheet_and_a_script_are_small(name, most):
    assert file_size(name) <= most


def test_the_first_page_of_connect_fits_into_the_first_flight(walk, client):
    walk.start()
    response = client.get(walk.path, headers=GZIP)
    files = files_of(response)
    assert files == ["css/app.css", "icon.svg", "js/app.js"]
    assert size(response) + sum(map(file_size, files)) <= 10_400


@pytest.mark.parametrize("route", PAGES)
def test_no_page_of_connect_loads_what_only_prices_and_lists_need(walk, client, route):
    PAGES[route][0](walk)
    assert files_of(client.get(walk.path, headers=GZIP)) == ["css/app.css", "icon.svg", "js/app.js"]


def test_a_page_with_prices_contains_a_style_and_a_script_of_its_own(walk, client):
    walk.fixed()
    location = f"/locations/{walk.session.location_id}/"
    for path in ("/locations/", location, f"{location}day/", f"{location}week/"):
        response = client.get(path, headers=GZIP)
        assert files_of(response) == ["css/app.css", "icon.svg", "js/app.js"]
        page = gzip.decompress(response.content).decode()
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
    response = client.post(walk.path, {"newest": 0, "cost": "1"}, headers=GZIP | {"Part": "main"})
    if response.status_code == 404:  # it needs an action
        action = walk.page.actions[0]
        response = client.post(walk.path, {"newest": 0, "action": action}, headers=GZIP | {"Part": "main"})
    assert response["Content-Location"] == walk.path
    assert size(response) <= (4_500 if route in LONG else 2_200 if "summary" in route else 2_000)


def test_a_list_of_two_thousand_providers_is_small(walk, sandbox, client):
    walk.start()
    with sandbox.lock:
        sandbox.set_faults([{"call": "connect.postal_address_capture", "fault": "many_choices", "count": 2000}])
    walk.address()
    assert len(walk.page.data["providers"]) == 2000
    response = client.get(walk.path, headers=GZIP)
    assert size(response) <= 18_000
    assert REST.encode() not in gzip.decompress(response.content)
