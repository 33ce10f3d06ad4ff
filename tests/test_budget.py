"""How many bytes a page costs on the wire: the first one, a step, and the longest list; Brotli for files, gzip for pages."""

import gzip
import re

import brotli
import pytest
from django.conf import settings

from connect_ui.templatetags.connect import REST
from flatpeak_app.web.static_files import SMALL
from tests.test_faults import PAGES

pytestmark = pytest.mark.django_db
GZIP = {"Accept-Encoding": "gzip"}
# Pages with a list, a table or a chart in them; that of the address has every country.
LONG = {"postal_address_capture", "provider_select", "tariff_select", "summary_tou_confirm", "rate_tod_capture"}


def file_size(name):
    """Of a static file as it is served: small, and compressed ahead of time with Brotli."""
    text = (settings.BASE_DIR / "static" / name).read_text()
    return len(brotli.compress(SMALL.get(name, str)(text).encode()))


def size(response):
    assert response["Content-Encoding"] == "gzip"
    return len(response.content)


def test_style_and_script_are_small():
    assert file_size("css/app.css") <= 6_000
    assert file_size("js/app.js") <= 3_000
    assert file_size("js/live.js") <= 800  # which no page of Connect that asks something loads


def test_the_first_page_of_connect_fits_into_the_first_flight(walk, client):
    walk.start()
    response = client.get(walk.path, headers=GZIP)
    page = walk.response.content.decode()
    files = re.findall(r'(?:<link[^>]*href|<script[^>]*src|<img[^>]*src)="/static/([^"]+)"', page)
    assert len(files) + 1 <= 4
    assert size(response) + sum(map(file_size, files)) <= 14_000


@pytest.mark.parametrize("route", PAGES)
def test_a_step_is_small(walk, client, route):
    reach, _, _ = PAGES[route]
    reach(walk)
    route = route.partition("/")[0]  # one route may be reached in several ways
    assert walk.route == route
    # What a step brings is what a POST is answered that changes nothing, such as one that says which page was newest.
    response = client.post(walk.path, {"newest": 0, "cost": "1"}, headers=GZIP | {"Part": "main"})
    if response.status_code == 404:  # it wants an action
        action = walk.page.actions[0]
        response = client.post(walk.path, {"newest": 0, "action": action}, headers=GZIP | {"Part": "main"})
    assert response["Content-Location"] == walk.path
    assert size(response) <= (5_000 if route in LONG else 3_000)


def test_a_list_of_two_thousand_providers_is_small(walk, sandbox, client):
    walk.start()
    with sandbox.lock:
        sandbox.set_faults([{"call": "connect.postal_address_capture", "fault": "many_choices", "count": 2000}])
    walk.address()
    assert len(walk.page.data["providers"]) == 2000
    response = client.get(walk.path, headers=GZIP)
    assert size(response) < 60_000
    assert REST.encode() not in gzip.decompress(response.content)
