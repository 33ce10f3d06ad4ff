from django.apps import AppConfig


class Tariffs(AppConfig):
    name = "tariffs"

    def ready(self) -> None:
        from . import erasure  # noqa: F401  # connects its receivers
