"""The product's addresses, and some that raise an error."""

from django.core.exceptions import BadRequest, PermissionDenied
from django.db import OperationalError
from django.urls import path

from flatpeak_app.urls import handler429, handler500, urlpatterns  # noqa: F401
from flatpeak_app.views import csrf_failure
from flatpeak_app.web.site import too_many_requests


def raising(error):
    def view(request):
        raise error

    return view


urlpatterns = [
    *urlpatterns,
    path("raise/400/", raising(BadRequest())),
    path("raise/403/", raising(PermissionDenied())),
    path("raise/403-csrf/", csrf_failure),
    path("raise/429/", too_many_requests),
    path("raise/500/", raising(RuntimeError())),
    path("raise/503/", raising(OperationalError())),
]
