"""The product's addresses and the floor's."""

from django.urls import path

from flatpeak_app.urls import urlpatterns as product

from . import floor

urlpatterns = [
    *product,
    path("bench/nothing/", floor.nothing),
    path("bench/frame/", floor.frame),
    path("bench/bare/", floor.bare),
    path("bench/signed-in/", floor.signed_in),
    path("bench/step/<uuid:pk>/<int:number>/", floor.step, name="floor_step"),
]
