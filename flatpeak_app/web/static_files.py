from collections.abc import Callable

import rcssmin
import rjsmin
from django.core.files import File
from django.core.files.base import ContentFile
from whitenoise.storage import CompressedManifestStaticFilesStorage

SMALL: dict[str, Callable[[str], str]] = {"css": rcssmin.cssmin, "js": rjsmin.jsmin}  # by folders of ours


class SmallStaticFilesStorage(CompressedManifestStaticFilesStorage):
    """whitenoise's storage, which also strips comments and indentation from our styles and scripts."""

    def _save(self, name: str, content: File) -> str:
        if small := SMALL.get(name.partition("/")[0]):
            text = b"".join(content.chunks()).decode()
            content = ContentFile(small(text).encode())
        return super()._save(name, content)
