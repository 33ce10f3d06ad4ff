from django.apps import AppConfig


class Tariffs(AppConfig):
    name = "tariffs"

    def ready(self) -> None:
        from . import deletion  # noqa: F401  # connects its receivers
