from django.urls import path

from . import views

app_name = "tariffs"
urlpatterns = [
    path("", views.locations, name="locations"),
    path("<uuid:pk>/", views.location_rates, name="rates"),
]
