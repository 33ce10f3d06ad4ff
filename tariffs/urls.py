from django.urls import path

from .screens import devices, downloads, mails, manage, run, views, wrong_price

app_name = "tariffs"
urlpatterns = [
    path("", views.locations, name="locations"),
    path("<uuid:pk>/", views.location_rates, name="rates"),
    path("<uuid:pk>/day/", views.other_days, {"period": "day"}, name="day"),
    path("<uuid:pk>/week/", views.other_days, {"period": "week"}, name="week"),
    path("<uuid:pk>/month/", views.other_days, {"period": "month"}, name="month"),
    path("<uuid:pk>/tariff/", manage.tariff, name="tariff"),
    path("<uuid:pk>/run/", run.run, name="run"),
    path("<uuid:pk>/wrong-price/", wrong_price.wrong_price, name="wrong_price"),
    path("<uuid:pk>/mails/", mails.wanted, name="mails"),
    path("<uuid:pk>/devices/", devices.devices, name="devices"),
    path("mails/stop/", mails.stop, name="stop_mails"),
    path("<uuid:pk>/delete/", views.delete_location, name="delete"),
    path("<uuid:pk>/rates.csv", downloads.download, {"form": "csv"}, name="rates_csv"),
    path("<uuid:pk>/rates.json", downloads.download, {"form": "json"}, name="rates_json"),
    path("<uuid:pk>/now.json", downloads.now, name="now_json"),
]
