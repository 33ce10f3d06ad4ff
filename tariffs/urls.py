from django.urls import path

from .screens import downloads, manage, views, wrong_price

app_name = "tariffs"
urlpatterns = [
    path("", views.locations, name="locations"),
    path("<uuid:pk>/", views.location_rates, name="rates"),
    path("<uuid:pk>/day/", views.other_days, {"length": 1}, name="day"),
    path("<uuid:pk>/week/", views.other_days, {"length": 7}, name="week"),
    path("<uuid:pk>/tariff/", manage.tariff, name="tariff"),
    path("<uuid:pk>/wrong-price/", wrong_price.wrong_price, name="wrong_price"),
    path("<uuid:pk>/delete/", views.delete_location, name="delete"),
    path("<uuid:pk>/rates.csv", downloads.download, {"form": "csv"}, name="rates_csv"),
    path("<uuid:pk>/rates.json", downloads.download, {"form": "json"}, name="rates_json"),
]
