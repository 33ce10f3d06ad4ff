from django.apps import AppConfig


class Connect(AppConfig):
    name = "connect_ui"
    verbose_name = "Connect"  # in the admin
