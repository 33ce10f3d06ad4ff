"""Opens the prices of a location to the devices that send one of its keys, besides the people who are signed in."""

from functools import wraps
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext

from flatpeak_app.web.limits import TOO_MANY, View, is_too_often, who

from ..device_keys import DeviceKey


def for_devices(view: View) -> View:
    """Let a request in that has `Authorization: Bearer` and a key of the location; then `request.device` is the key's row.

    401 for a key that is unknown or revoked, or is another location's.
    """

    @wraps(view)
    def opened(request: HttpRequest, pk: UUID, **kwargs: object) -> HttpResponse:
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return view(request, pk, **kwargs)
        device = DeviceKey.used(key.strip())
        if device is None or device.location_id != pk:
            if is_too_often("download", who(request)):  # somebody guesses
                return plainly(str(TOO_MANY), 429, **{"Retry-After": "60"})
            said = gettext("This key does not open these prices. Make a new one on the page “Devices”.")
            return plainly(said, 401, **{"WWW-Authenticate": 'Bearer error="invalid_token"'})
        request.device = device  # type: ignore[attr-defined]
        request.counted_as = f"device-{device.pk}"  # type: ignore[attr-defined]  # for the limits
        return view(request, pk, **kwargs)

    opened.takes_keys = True  # type: ignore[attr-defined]  # the middleware asks for no sign-in then
    return opened


def plainly(said: str, status: int, **headers: str) -> HttpResponse:
    return HttpResponse(
        f"{said}\n", "text/plain; charset=utf-8", status, headers={"Cache-Control": "no-store"} | headers
    )
