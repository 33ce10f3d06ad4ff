from . import accounts, connect, tariffs  # noqa: F401  # Django looks here for what to register
