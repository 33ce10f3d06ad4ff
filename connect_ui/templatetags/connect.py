from collections.abc import Iterable
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from django import template
from django.conf import settings
from django.forms import BoundField, Field
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext

from ..in_place import path_to
from ..models import ConnectSession, Page
from ..search import LEGAL, words
from ..summary import describe, rows

register = template.Library()
register.simple_tag(path_to)

# After a step in place the script inserts the part of a list between two of these after the first paint, because a phone
# is slow to load the logos. Longer lists have no such part: each button that is added to a form slows down the next one.
REST = mark_safe("<!-- rest -->")  # nosec B308
AT_ONCE, NOT_LONG = 6, 300
# One provider of a list. Strings take 2 s for fifty thousand providers, and a loop in the template takes 7 s.
CHOICE = '<li><button class="choice" name="provider" value="{}"{}>{}<span class="choice-name">{}</span></button></li>\n'
LOGO = '<span class="logo" aria-hidden="true">{}{}</span>'
IMAGE = '<img src="{}" alt="" loading="lazy" decoding="async" referrerpolicy="no-referrer" width="40" height="40">'
CHOSEN = mark_safe(' aria-current="true"')  # nosec B308  # a constant


@register.simple_tag
def providers(items: Iterable[dict[str, Any]], chosen: Any) -> SafeString:
    """The buttons for a list of `{id, display_name, logo_url}`. The one that was chosen before is marked."""
    hosts, choices = tuple(settings.LOGO_HOSTS), []
    for each in items:
        name, logo_url = str(each.get("display_name") or ""), str(each.get("logo_url"))
        choices.append(_provider(each["id"], name, logo_url, hosts, each["id"] == chosen))
    if AT_ONCE < len(choices) <= NOT_LONG:
        choices[AT_ONCE:] = [REST, *choices[AT_ONCE:], REST]
    return mark_safe("".join(choices))  # nosec B308 B703  # format_html made each


@lru_cache(maxsize=8192)  # all customers of a country get the same list
def _provider(key: str, name: str, logo_url: str, hosts: tuple[str, ...], chosen: bool) -> SafeString:
    return format_html(CHOICE, key, CHOSEN if chosen else "", _logo(name, logo_url, hosts), name)


@register.simple_tag
def told(field: BoundField, error: str) -> str:
    """An error for the list at the top of a page. Django's own words for an empty field do not name the field."""
    empty = error == Field.default_error_messages["required"]
    return gettext("%(field)s: %(error)s") % {"field": field.label, "error": error} if empty else error


@register.simple_tag
def logo(name: Any, url: Any = "") -> SafeString:
    """A provider's logo over two letters of its name, which show if the logo is missing or its host not allowed."""
    return _logo(str(name or ""), str(url), tuple(settings.LOGO_HOSTS))


@lru_cache(maxsize=8192)
def _logo(name: str, url: str, hosts: tuple[str, ...]) -> SafeString:
    found = [word for word in words(name) if word not in LEGAL] or words(name)
    letters = "".join(word[0] for word in found[:2]).upper()
    return format_html(LOGO, letters or "?", format_html(IMAGE, url) if allowed_logo(url, hosts) else "")


def allowed_logo(url: str, hosts: Iterable[str]) -> bool:
    """Whether a logo is on one of LOGO_HOSTS. The content security policy enforces the same."""
    try:
        given = urlsplit(url)
    except ValueError:
        return False
    for allowed in map(urlsplit, hosts):
        wildcard = allowed.netloc.startswith("*.") and given.netloc.endswith(allowed.netloc[1:])
        if given.scheme == allowed.scheme and (given.netloc == allowed.netloc or wildcard):
            return True
    return False


@register.simple_tag
def summary(page: Page) -> dict[str, Any]:
    tariff = describe(page, timezone.now())
    return tariff | {"rows": rows(page, tariff)}


@register.simple_tag(takes_context=True)
def unfinished(context: Any) -> list[dict[str, Any]]:
    """The user's conversations that can go on."""
    return list(ConnectSession.unfinished(context["request"].user))
