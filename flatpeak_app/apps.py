from django.apps import AppConfig


class Users(AppConfig):
    name = "flatpeak_app"
    verbose_name = "Users"  # in the admin
