"""The product's addresses, and beside them the least that a page behind the same middleware can be."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path

from flatpeak_app.urls import urlpatterns as product


def nothing(request: HttpRequest) -> HttpResponse:
    """For whoever is signed in, as every page here."""
    return HttpResponse("ok")


def frame(request: HttpRequest) -> HttpResponse:
    """What surrounds every page: head, menu, the form to sign out."""
    return render(request, "base.html")


urlpatterns = [*product, path("bench/nothing/", nothing), path("bench/frame/", frame)]
