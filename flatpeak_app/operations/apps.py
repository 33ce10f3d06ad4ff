from django.apps import AppConfig


class Operations(AppConfig):
    name = "flatpeak_app.operations"

    def ready(self) -> None:
        from . import funnel  # noqa: F401  # connects its signal receiver
