"""`make messages`: update the catalogs in `locale/` from the sources and compile them.

It uses Django's `templatize` and Babel and needs no gettext tools. The compiled catalogs are in the repository, so that a
start needs no build; a test compares them with this module's output.
"""

import io
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from babel.messages import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "locale"
PACKAGES = ("connect_ui", "flatpeak_app", "tariffs")
KEYWORDS = DEFAULT_KEYWORDS | {
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext_lazy": (1, 2),
    "pgettext_lazy": ((1, "c"), 2),
}
SAME_DAY = datetime(2026, 1, 1, tzinfo=UTC)  # today's date would change the files each time


def sources() -> Iterator[Path]:
    """Yield the sources with texts for customers; the admin and the commands are in English."""
    for package in PACKAGES:
        found = sorted((ROOT / package).rglob("*.py"))
        yield from (path for path in found if not {"migrations", "management"} & set(path.relative_to(ROOT).parts))
    found = sorted(path for path in (ROOT / "templates").rglob("*") if path.suffix in (".html", ".txt"))
    yield from (path for path in found if "admin" not in path.relative_to(ROOT).parts)


def extracted() -> Catalog:
    """Return every text of the sources, without translations."""
    catalog = Catalog()
    for path in sources():
        text = path.read_text()
        # In brackets, or Babel would read the rest of a template as Python with wrong indents.
        code = f"({templatize(text)}\n)" if path.suffix != ".py" else text
        for _, message, _, context in extract("python", io.BytesIO(code.encode()), keywords=KEYWORDS):
            catalog.add(message, locations=[(str(path.relative_to(ROOT)), 0)], context=context)
    return catalog


def languages() -> list[str]:
    return sorted(path.parent.parent.name for path in FOLDER.glob("*/LC_MESSAGES/django.po"))


def path_of(language: str, suffix: str = "po") -> Path:
    return FOLDER / language / "LC_MESSAGES" / f"django.{suffix}"


def stored(language: str) -> Catalog:
    with path_of(language).open("rb") as file:
        return read_po(file, locale=language)


def updated(language: str) -> Catalog:
    """Return the texts of the sources with their stored translations; texts no longer in the sources are left out."""
    old = stored(language)
    dates: dict[str, Any] = {"creation_date": SAME_DAY, "revision_date": SAME_DAY}
    new = Catalog(locale=language, project="FlatPeak Connect", version="1", fuzzy=False, **dates)
    new.header_comment = f"# FlatPeak Connect in {new.locale.english_name}; `make messages` keeps it up to date."
    new.msgid_bugs_address = new.last_translator = new.language_team = ""
    for message in extracted():
        if message.id:
            known = old.get(message.id[0] if message.pluralizable else message.id, message.context)
            kept: dict[str, Any] = {"string": known.string, "flags": known.flags & {"fuzzy"}} if known else {}
            if known and known.pluralizable != message.pluralizable:
                kept = {}
            new.add(message.id, locations=message.locations, context=message.context, **kept)
    return new


def as_po(catalog: Catalog) -> bytes:
    file = io.BytesIO()
    write_po(file, catalog, width=118, sort_by_file=True, include_lineno=False)
    return file.getvalue()


def as_mo(catalog: Catalog) -> bytes:
    file = io.BytesIO()
    write_mo(file, catalog)
    return file.getvalue()


def missing(catalog: Catalog) -> list[str]:
    """Return the texts without a translation, or with a fuzzy one."""
    return [
        str(m.id)
        for m in catalog
        if m.id and (m.fuzzy or not all(m.string if isinstance(m.string, tuple) else [m.string]))
    ]


def main() -> None:
    for language in languages():
        path_of(language).write_bytes(as_po(updated(language)))
        catalog = stored(language)
        path_of(language, "mo").write_bytes(as_mo(catalog))
        print(f"{language}: {len(catalog)} texts, {len(missing(catalog))} to translate in {path_of(language)}")


if __name__ == "__main__":
    main()
