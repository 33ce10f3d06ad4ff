"""When staff see what belongs to others: with the permission, and a second factor shown in this session."""

from allauth.account.authentication import get_authentication_records
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.http import HttpRequest


def lacks_second_factor(request: HttpRequest) -> bool:
    """Return whether STAFF_MFA asks for a second factor that this session has not shown.

    Either there is none, or it was set up elsewhere after this session's sign-in.
    """
    if not settings.STAFF_MFA:
        return False
    types = dict(Authenticator.objects.filter(user=request.user.pk).values_list("pk", "type"))
    records = get_authentication_records(request, request.user)
    shown = {record.get("id") for record in records if record["method"] == "mfa"}
    return Authenticator.Type.TOTP not in types.values() or shown.isdisjoint(types)


def may_see_others(request: HttpRequest, permission: str) -> bool:
    """Return whether a page outside the admin may show this user what belongs to others."""
    return request.user.is_staff and request.user.has_perm(permission) and not lacks_second_factor(request)
