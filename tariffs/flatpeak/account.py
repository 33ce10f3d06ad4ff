"""Which release the FlatPeak account is on: read from FlatPeak's answers, stored, and pinned on every REST call.

An account moves up and never down. Each process keeps what it read, so no call costs a query.
"""

import logging
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from ..realm import FlatPeakAccount
from .errors import JSON
from .release import ANODE, VERSION, ZERO, Release, after, day_of, is_known, of

logger = logging.getLogger("tariffs.flatpeak")

TOO_OLD = "api_version_not_supported"  # the code of a refusal: the account is on a later release than the header says

_kept: dict[tuple[Any, ...], str] = {}  # this process's versions, by account; "" if the account has told none


def _key() -> tuple[Any, ...]:
    return settings.FLATPEAK_REALM, settings.FLATPEAK_LIVE_MODE, settings.FLATPEAK_VERSION, settings.FLATPEAK_API_URL


def forget() -> None:
    """Read the stored release again."""
    _kept.clear()


def told() -> str:
    """The version that the account is on, or that the operator forces; "" while no answer has told it."""
    key = _key()
    if key not in _kept:
        _kept[key] = settings.FLATPEAK_VERSION or _stored()
    return _kept[key]


def _stored() -> str:
    found = FlatPeakAccount.objects.here().values_list("flatpeak_version", flat=True).first()
    return found or ""


def current() -> Release:
    """The release of the account's calls. An account that has told none is asked in the first one.

    If it is on a later one, it says so.
    """
    return of(told() or ZERO.version)


def heard(asked: Release | None, version: str, answered: JSON) -> None:
    """Learn from an answer: `version` is its header, `asked` the release that the call was pinned to, if it was."""
    said = version if VERSION.fullmatch(version) else ""
    if asked and answered.get("code") == TOO_OLD:
        named = [said, *VERSION.findall(str(answered.get("message")))]
        others = [each for each in named if each and day_of(each) != asked.day]
        found = max(others, key=day_of, default=after(asked).version)
        if found == asked.version:
            logger.error("FlatPeak refuses the release %s and names no other: update this app", found)
        else:
            note(found)
        return
    # A call that was pinned is answered in that release, also if the account is on an earlier one.
    known = asked and asked.day == day_of(said) and told()
    if said and not known and not settings.FLATPEAK_VERSION and day_of(said) != day_of(told()):
        note(said)


def is_anodes(page: Mapping[str, Any]) -> bool:
    """Whether a page is anode's: zero's have no BACK, no CLOSE and no type."""
    actions = page.get("actions")
    listed = actions if isinstance(actions, list) else []
    return "BACK" in listed or "CLOSE" in listed or page.get("type") in ("COMMODITY", "NON_COMMODITY")


def shown(version: str, page: Mapping[str, Any]) -> str:
    """The version of a conversation, by its first page, for an account whose answers have told no release."""
    if not is_anodes(page) or told() or of(version) != ZERO:
        return version
    note(ANODE.version)
    return ANODE.version


def note(version: str) -> None:
    """Store the account's release, and tell the operator once if it was another one."""
    before = _stored()
    # An account is never lowered, but the sandbox is started anew.
    if day_of(version) < day_of(before) and not settings.SANDBOX:
        return
    _kept[_key()] = version
    if day_of(version) == day_of(before) or not _store(before, version):
        return  # another process has stored it and told
    if not is_known(version):
        logger.error("FlatPeak's release %s is not known here; it is treated as %s", version, of(version).name)
    if before := before or settings.FLATPEAK_VERSION:
        logger.error("The FlatPeak account moved from release %s to %s, which is used from now on", before, version)


def _store(before: str, version: str) -> bool:
    """Whether this process was the one to change it."""
    values = {"flatpeak_version": version, "told_at": timezone.now()}
    if before:
        return bool(FlatPeakAccount.objects.here().filter(flatpeak_version=before).update(**values))
    try:
        with transaction.atomic():
            FlatPeakAccount.objects.create(**values)
    except IntegrityError:
        return False
    return True
