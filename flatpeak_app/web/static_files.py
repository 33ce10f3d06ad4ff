import re
from collections.abc import Callable

import rcssmin
import rjsmin
from django.core.files import File
from django.core.files.base import ContentFile
from whitenoise.storage import CompressedManifestStaticFilesStorage

HASH = re.compile(r"\.[0-9a-f]{12}(?=\.)")  # the hash of the content in a file's name
SMALL: dict[str, Callable[[str], str]] = {
    "css/app.css": rcssmin.cssmin,
    "css/rates.css": rcssmin.cssmin,
    "js/app.js": rjsmin.jsmin,
    "js/rates.js": rjsmin.jsmin,
}


class SmallStaticFilesStorage(CompressedManifestStaticFilesStorage):
    """whitenoise's storage, which also strips comments and indentation from our styles and scripts."""

    def _save(self, name: str, content: File) -> str:
        if small := SMALL.get(HASH.sub("", name)):
            text = b"".join(content.chunks()).decode()
            content = ContentFile(small(text).encode())
        return super()._save(name, content)
