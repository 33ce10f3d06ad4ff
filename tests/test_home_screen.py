"""The site on a phone's home screen: manifest, icons, and the addresses at which browsers look for them by themselves."""

import re
from io import BytesIO
from urllib.parse import urlsplit

import pytest
from django.conf import settings as django_settings
from PIL import Image

pytestmark = pytest.mark.django_db

GREEN = (0x0B, 0x5F, 0x4A)  # of static/icon.svg


def icons(client):
    return client.get("/manifest.webmanifest").json()["icons"]


def test_the_manifest_names_the_site_and_where_it_begins(client, settings):
    settings.BRAND_NAME = "Example Power"
    response = client.get("/manifest.webmanifest")
    assert (response.status_code, response["Content-Type"]) == (200, "application/manifest+json")
    found = response.json()
    assert (found["name"], found["start_url"], found["display"]) == ("Example Power", "/", "standalone")
    assert response["Cache-Control"] == "max-age=86400"
    assert "Set-Cookie" not in response


def test_its_icons_are_pictures_of_their_sizes(client):
    found = {icon["src"].rpartition("/")[2].partition(".")[0]: icon for icon in icons(client)}
    assert list(found) == ["icon", "icon-192", "icon-512", "icon-maskable"]
    for name, icon in list(found.items())[1:]:
        picture = Image.open(django_settings.BASE_DIR / f"static/{name}.png")
        assert (f"{picture.width}x{picture.height}", picture.format) == (icon["sizes"], "PNG")
    assert found["icon-maskable"]["purpose"] == "maskable"


def test_what_a_phone_cuts_the_icon_to_has_no_corner_that_is_seen_through():
    for name in ("icon-maskable.png", "touch-icon.png"):
        picture = Image.open(django_settings.BASE_DIR / "static" / name).convert("RGBA")
        assert picture.getpixel((0, 0)) == (*GREEN, 255), name


@pytest.mark.parametrize(
    ("address", "kind", "sizes"),
    [("/favicon.ico", "image/x-icon", {16, 32, 48}), ("/apple-touch-icon.png", "image/png", {180})],
)
def test_browsers_find_an_icon_at_its_fixed_address(client, address, kind, sizes):
    response = client.get(address)
    assert (response.status_code, response["Content-Type"]) == (200, kind)
    picture = Image.open(BytesIO(response.content))
    assert {width for width, _ in picture.info.get("sizes", {picture.size})} == sizes


def test_pages_name_them_and_keep_its_own_icon_and_colours(client, alice):
    client.force_login(alice)
    for address in ("/", "/account/email/", "/locations/", "/connect/", "/nowhere/"):
        page = client.get(address, follow=True).content.decode()
        links = dict(re.findall(r'<link rel="(icon|manifest|apple-touch-icon)" href="([^"]+)"', page))
        # Where people come back to. Elsewhere the manifest would be one more request.
        manifest = {"manifest"} if address in ("/", "/locations/") else set()
        assert set(links) == {"icon", "apple-touch-icon"} | manifest, address
        assert page.count('name="theme-color"') == 2
        for link in links.values():
            assert urlsplit(link).path.startswith("/static/") or client.get(link).status_code == 200


def test_icons_of_two_brands_are_never_mixed(client, settings, tmp_path):
    (tmp_path / "icon.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    settings.ICONS = tmp_path
    assert [icon["type"] for icon in icons(client)] == ["image/svg+xml"]
    response = client.get("/favicon.ico")
    assert (response["Content-Type"], response.content) == ("image/svg+xml", (tmp_path / "icon.svg").read_bytes())
    assert client.get("/apple-touch-icon.png").status_code == 404


def test_the_policy_lets_the_manifest_in(client):
    assert "manifest-src 'self'" in client.get("/account/login/")["Content-Security-Policy"]
