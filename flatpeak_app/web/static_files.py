from collections.abc import Callable, Iterable
from pathlib import Path

import rcssmin
import rjsmin
from django.core.files import File
from django.core.files.base import ContentFile
from whitenoise.storage import CompressedManifestStaticFilesStorage

SMALL: dict[str, Callable[[str], str]] = {"css": rcssmin.cssmin, "js": rjsmin.jsmin}  # by folders of ours


def small(name: str, content: bytes) -> bytes:
    """Return a file as it is served: our styles and scripts without comments and indentation."""
    shorten = SMALL.get(name.partition("/")[0])
    return shorten(content.decode()).encode() if shorten else content


def contained(name: str, folders: Iterable[Path]) -> str:
    """Return a style or script for a page to contain, from the first folder that has it: a file takes another request."""
    folder = next(folder for folder in folders if (folder / name).is_file())
    return small(name, (folder / name).read_bytes()).decode()


def uncollected(folder: Path, root: Path) -> list[str]:
    """Return the names of a folder's files that `root`, where static files are collected, lacks or has otherwise."""
    names = sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())
    return [
        name
        for name in names
        if not (root / name).is_file() or (root / name).read_bytes() != small(name, (folder / name).read_bytes())
    ]


class SmallStaticFilesStorage(CompressedManifestStaticFilesStorage):
    """whitenoise's storage, which also strips comments and indentation from our styles and scripts."""

    def _save(self, name: str, content: File) -> str:
        if name.partition("/")[0] in SMALL:
            content = ContentFile(small(name, b"".join(content.chunks())))
        return super()._save(name, content)
