from django.apps import AppConfig


class Accounts(AppConfig):
    name = "flatpeak_app"
    verbose_name = "Accounts"  # in the admin
