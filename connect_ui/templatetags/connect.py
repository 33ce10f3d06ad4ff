from typing import Any
from urllib.parse import urlsplit

from django import template
from django.conf import settings
from django.utils import timezone

from ..models import ConnectSession, Page
from ..search import words
from ..summary import describe

register = template.Library()


@register.filter
def initials(name: Any) -> str:
    """Two letters for a provider without a logo."""
    parts = words(str(name or "")) or ["?"]
    return "".join(part[0] for part in parts[:2]).upper()


@register.filter
def allowed_logo(url: Any) -> bool:
    """Whether a logo is on a configured host; the browser is told the same by the content security policy."""
    try:
        given = urlsplit(url if isinstance(url, str) else "")
    except ValueError:
        return False
    for host in settings.LOGO_HOSTS:
        allowed = urlsplit(host)
        wildcard = allowed.netloc.startswith("*.") and given.netloc.endswith(allowed.netloc[1:])
        if given.scheme == allowed.scheme and (given.netloc == allowed.netloc or wildcard):
            return True
    return False


@register.simple_tag
def summary(page: Page) -> dict[str, Any]:
    return describe(page, timezone.now())


@register.simple_tag(takes_context=True)
def unfinished(context: Any) -> list[ConnectSession]:
    """The user's conversations to go on with."""
    return list(ConnectSession.unfinished(context["request"].user))
