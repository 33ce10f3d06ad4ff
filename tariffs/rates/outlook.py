"""What somebody with this tariff wants to know first: the price now, its word, when it changes, and the best time to come.

The page, the mails and the API for devices all say these facts, so that they agree.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from .. import rates
from ..models import RateDay, Tariff
from ..rates import Segment
from .levels import word
from .windows import Window, best

LENGTH = timedelta(hours=3)  # of the best time, unless somebody asks for another


class Outlook(NamedTuple):
    """`now` is the price until its `end`, None if it is not known; `next` is the price after that, if it is known.

    `word` is low, usual, high or "". `best` is the cheapest time to come, or the dearest for what is sold; None if all prices
    are the same or too few are known. `ahead` is in order and begins now.
    """

    now: Segment | None
    word: str
    next: Segment | None
    best: Window | None
    ahead: list[Segment]


def segments_of(days: Iterable[RateDay]) -> list[Segment]:
    return [segment for day in days for segment in rates.load(day.segments)]


def without_carbon(segments: Iterable[Segment]) -> list[Segment]:
    """The segments, joined where only their carbon differs, since a price or a chart does not show it."""
    return rates.joined(s._replace(carbon=None) for s in segments)


def outlook(tariff: Tariff, segments: Sequence[Segment], now: datetime, length: timedelta = LENGTH) -> Outlook:
    """The outlook from the rates of today and tomorrow, sorted, in which neighbours of one price are joined."""
    current = rates.current(segments, now)
    ahead = [segment._replace(start=max(segment.start, now)) for segment in segments if segment.end > now]
    window = None
    if len({segment.rate for segment in ahead}) > 1:
        window = best(ahead, length, now, ahead[-1].end, dearest=tariff.direction == "EXPORT")
    return Outlook(
        now=current,
        word=word(tariff, current.rate) if current else "",
        next=next((s for s in ahead if current and s.start == current.end), None),
        best=window,
        ahead=ahead,
    )
