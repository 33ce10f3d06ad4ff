"""White label: name, colours, logo, help and legal pages from settings and a folder; light and dark pages."""

import re

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from flatpeak_app.web import brand
from tests.test_settings import PRODUCTION, load

BRANDS = {
    "Example Energy": ("#1d4ed8", "#93c5fd"),
    "Solar Example": ("8a4b00", "ffc46b"),
}

DERIVED = {
    "Example Energy": (
        "--accent:#1d4ed8;--accent-strong:#1b43a9;--on-accent:#ffffff;--soft:#e8edfb}",
        "--accent:#93c5fd;--accent-strong:#a8cff8;--on-accent:#111614;--soft:#1e282b}",
    ),
    "Solar Example": (
        "--accent:#8a4b00;--accent-strong:#6d4007;--on-accent:#ffffff;--soft:#f3ede6}",
        "--accent:#ffc46b;--accent-strong:#f9ce8b;--on-accent:#111614;--soft:#29271d}",
    ),
}  # on light and on dark


def test_black_on_white_has_the_contrast_that_wcag_gives():
    assert brand.contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert brand.contrast((118, 118, 118), (255, 255, 255)) == pytest.approx(4.54, abs=0.01)
    assert brand.contrast((255, 0, 0), (255, 0, 0)) == 1


@pytest.mark.parametrize("name", BRANDS)
def test_a_brand_has_its_colours_and_readable_text_on_them(name):
    light, dark = (f"#{colour.removeprefix('#')}" for colour in BRANDS[name])
    style = brand.style(*BRANDS[name])
    assert re.findall(r"([^{}]+){--accent:(#\w+);", style) == [
        (":root", light),
        (":root:not([data-theme=light])", dark),  # the device's theme, if none was chosen
        (":root[data-theme=dark]", dark),
    ]
    assert style.count("@media screen and (prefers-color-scheme:dark){:root:not") == 1
    assert [style.count(colours) for colours in DERIVED[name]] == [1, 2]


@pytest.mark.parametrize(
    ("light", "dark", "words"),
    [
        (
            "#ffc46b",
            "#ffc46b",
            "BRAND_ACCENT #ffc46b has a contrast of 1.6 to the page's ground, and links and buttons",
        ),
        ("#0b5f4a", "#0b5f4a", "BRAND_ACCENT_DARK #0b5f4a has a contrast of 2.4 to the page's ground"),
        ("green", "#76d3b1", "BRAND_ACCENT is no colour: give six digits, for example 0b5f4a."),
    ],
)
def test_colours_that_nobody_can_read_are_refused_with_a_sentence(light, dark, words):
    with pytest.raises(ImproperlyConfigured, match=words):
        brand.style(light, dark)


def test_the_settings_refuse_half_a_brand_and_a_folder_that_is_not_there(tmp_path):
    assert load(tmp_path, "BRAND_STYLE") == {"BRAND_STYLE": ""}
    assert "belong together" in load(tmp_path, "DEBUG", BRAND_ACCENT="1d4ed8")
    assert "choose a darker one" in load(tmp_path, "DEBUG", BRAND_ACCENT="ffc46b", BRAND_ACCENT_DARK="ffc46b")
    assert "BRAND_DIR is no folder: /nowhere" in load(tmp_path, "DEBUG", BRAND_DIR="/nowhere")
    found = load(tmp_path, "BRAND_STYLE", "CONTENT_SECURITY_POLICY", BRAND_ACCENT="1d4ed8", BRAND_ACCENT_DARK="93c5fd")
    assert brand.source(found["BRAND_STYLE"]) in found["CONTENT_SECURITY_POLICY"]["DIRECTIVES"]["style-src"]


@pytest.mark.django_db
@pytest.mark.parametrize("name", BRANDS)
def test_every_page_carries_the_brand(client, settings, tmp_path, name):
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates/_mark.html").write_text(f"<svg><title>{name}</title></svg>")
    settings.BRAND_NAME, settings.BRAND_STYLE = name, brand.style(*BRANDS[name])
    settings.SUPPORT_EMAIL, settings.IMPRINT_URL = "help@example.com", "http://testserver/imprint"
    [engine] = settings.TEMPLATES
    settings.TEMPLATES = [engine | {"DIRS": [tmp_path / "templates", *engine["DIRS"]]}]
    for address in ("/", "/account/login/", "/nowhere/", "/admin/login/?next=/admin/"):
        html = client.get(address, follow=True).content.decode()
        assert name in html
        assert "FlatPeak Connect" not in html
    html = client.get("/").content.decode()
    assert f"<style>{settings.BRAND_STYLE}</style>" in html
    assert f"<title>{name}</title></svg>" in html
    assert 'href="mailto:help@example.com"' in html
    assert 'href="http://testserver/imprint"' in html


def test_a_folder_of_the_brand_comes_before_ours(tmp_path):
    (tmp_path / "static").mkdir()
    names = ("TEMPLATES", "STATICFILES_DIRS", "MFA_TOTP_ISSUER", "ICONS", "RATES_STYLE")
    found = load(tmp_path, *names, BRAND_DIR=str(tmp_path), BRAND_NAME="B")
    assert found["ICONS"] == str(settings.BASE_DIR / "static")
    (tmp_path / "static/css").mkdir()
    (tmp_path / "static/icon.svg").touch()
    (tmp_path / "static/css/rates.css").write_text("b { color: red; }")
    branded = load(tmp_path, "ICONS", "RATES_STYLE", BRAND_DIR=str(tmp_path))
    assert branded == {"ICONS": str(tmp_path / "static"), "RATES_STYLE": "b{color:red}"}
    assert found["TEMPLATES"][0]["DIRS"][0] == str(tmp_path / "templates")
    assert found["STATICFILES_DIRS"][0] == str(tmp_path / "static")
    assert found["MFA_TOTP_ISSUER"] == "B"


# --- light and dark


@pytest.mark.django_db
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_light_or_dark_is_remembered_and_leads_back(client, theme):
    assert "<html lang" in client.get("/account/login/").content.decode()
    assert '<html lang="en-gb">' in client.get("/account/login/").content.decode()
    response = client.post("/theme/", {"theme": theme, "next": "/account/login/?next=/locations/"})
    assert (response.status_code, response["Location"]) == (302, "/account/login/?next=/locations/")
    html = client.get("/account/login/").content.decode()
    assert f'data-theme="{theme}"' in html
    assert f'value="{theme}" aria-current="true"' in html
    gone = client.post("/theme/", {"theme": "", "next": "/"}).cookies["theme"]
    assert (gone.value, gone["max-age"], gone["samesite"]) == ("", 0, "Lax")
    assert '<html lang="en-gb">' in client.get("/account/login/").content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "target",
    [
        "https://example.com/",
        "//example.com/",
        "javascript:alert(1)",
        "",
        "nowhere",
        "account_email",
        "http://[",
        "\\\\example.com",
    ],
)
def test_a_choice_of_colours_leads_to_our_own_pages_alone(client, target):
    assert client.post("/theme/", {"theme": "dark", "next": target})["Location"] == "/"


@pytest.mark.django_db
def test_a_cookie_with_another_theme_is_none(client):
    client.cookies["theme"] = '"><script>'
    assert '<html lang="en-gb">' in client.get("/account/login/").content.decode()


def test_in_production_the_cookie_is_of_this_host_alone(tmp_path):
    assert load(tmp_path, "THEME_COOKIE_NAME", **PRODUCTION) == {"THEME_COOKIE_NAME": "__Host-theme"}


@pytest.mark.django_db
@pytest.mark.parametrize("target", ["/\r\nSet-Cookie: a=b", "/\0", "/\ud800", "/ü?a=ü", "/" + "x" * 5000])
def test_no_way_back_is_an_error_or_a_header_of_its_own(client, target):
    response = client.post("/theme/", {"theme": "dark", "next": target.encode(errors="surrogatepass")})
    assert response.status_code in (302, 400)
    assert "a" not in response.cookies


def test_the_admin_has_the_colours_of_the_pages():
    def roles(name):
        css = (settings.BASE_DIR / "static/css" / name).read_text()
        return re.findall(r"--(accent|accent-strong|on-accent): (#\w+);", css)

    assert roles("admin.css") == roles("app.css")


@pytest.mark.parametrize("name", ["app.css", "admin.css"])
def test_dark_colours_are_on_pages_set_to_dark_and_on_none_set_to_light(settings, name):
    css = (settings.BASE_DIR / "static/css" / name).read_text()
    [(where, dark)] = re.findall(r"@media screen and \(prefers-color-scheme: dark\) \{\s*(.+?) \{(.+?)\}", css, re.S)
    assert where == ':root:not([data-theme="light"])'
    [chosen] = re.findall(r"^ *:root\[data-theme=\"dark\"\] \{(.+?)\}", css, re.S | re.M)
    assert re.findall("--.+?;", dark) == re.findall("--.+?;", chosen) != []
