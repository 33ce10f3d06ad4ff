from django.apps import AppConfig


class Accounts(AppConfig):
    name = "flatpeak_app.accounts"
    verbose_name = "Customers and staff"  # in the admin
