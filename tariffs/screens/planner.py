""" "When should I run it?": the answer for one appliance. Makes no query."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from babel.lists import format_list
from django.utils.translation import gettext, gettext_lazy as _

from .. import money, times
from ..appliances import Appliance
from ..fields import in_hours
from ..models import Location, Tariff
from ..rates import Segment, clip
from ..rates.planner import Plan, mean_in_the_evening, mean_now, mean_of, one_run, split
from ..rates.windows import MICROSECOND, next_time

AGAIN = timedelta(minutes=5)  # after which what a run costs that begins now has changed


class Asked(NamedTuple):
    """An appliance, now, in a place. `deadline` is the first one that it can still meet, None without one."""

    appliance: Appliance
    length: timedelta
    energy: Decimal
    deadline: datetime | None
    now: datetime
    zone: ZoneInfo
    currency: str

    def sum(self, mean: Decimal) -> Decimal:
        return money.coins(self.energy * mean, self.currency)

    def said(self, sum: Decimal) -> str:
        return money.cost(abs(sum), self.currency)


def planner(
    known: Mapping[str, Appliance],
    wanted: str,
    location: Location,
    tariff: Tariff,
    ahead: Sequence[Segment],
    sold: Sequence[Segment],
    now: datetime,
) -> dict[str, Any]:
    """The context of `tariffs/_planner.html`, but for the link to the form.

    `known` are the appliances by key, and `wanted` is the key of the one that it is about.
    `ahead` are the prices to buy at and `sold` those to sell at, both in order; `ahead` begins now. `tariff` is what the
    customer buys. `moments` are when the answer changes.
    """
    appliance = known[wanted]
    length = timedelta(minutes=appliance.minutes)
    zone = location.local_zone
    by = appliance.ready_by
    deadline = next_time(by, zone, now + length - MICROSECOND) if by else None
    asked = Asked(appliance, length, appliance.kwh or Decimal(0), deadline, now, zone, location.currency_code)
    end = ahead[-1].end if ahead else now
    plan = (split if appliance.split else one_run)(ahead, length, now, min(end, deadline or end))
    return {
        "chips": [(key, each, each is appliance) for key, each in known.items()],
        "key": appliance.key,
        "energy": money.plain(asked.energy),
        "time": in_hours(appliance.minutes),
        **(answer(asked, plan, ahead, sold) if plan else no_answer(asked, tariff, end)),
        "moments": moments(asked, plan, ahead),
    }


def answer(asked: Asked, plan: Plan, ahead: Sequence[Segment], sold: Sequence[Segment]) -> dict[str, Any]:
    is_same = len({segment.rate for segment in ahead}) == 1
    cost = asked.sum(plan.mean)
    words = (
        gettext("about %(cost)s") if cost > 0 else gettext("you are paid about %(cost)s") if cost else gettext("free")
    )
    notes = [gettext("The price is the same at all times we know.")] if is_same else compared(asked, plan, ahead)
    notes += ready(asked)
    if asked.deadline and asked.deadline > ahead[-1].end:
        said = gettext("We know the prices until %(time)s.")
        notes.append(said % {"time": times.until(ahead[-1].end, asked.now, asked.zone)})
    return {
        "name": str(asked.appliance),
        "when": gettext("any time") if is_same and not asked.deadline else when(asked, plan),
        "cost": words % {"cost": asked.said(cost)},
        "notes": notes + use_or_sell(asked, plan, sold),
    }


def no_answer(asked: Asked, tariff: Tariff, end: datetime) -> dict[str, Any]:
    due = tariff.due_after(asked.now)
    limit = min(end, asked.deadline or end)
    said = gettext("%(name)s: we don't know enough prices yet.")
    if limit > asked.now:
        said = gettext("%(name)s: we know too few prices until %(time)s.")
    notes = []
    if due:
        again = gettext("Check again after %(next)s.")
        notes.append(again % {"next": times.when(due, asked.now, asked.zone)})
    time = times.until(limit, asked.now, asked.zone)
    return {"unknown": said % {"name": asked.appliance, "time": time}, "notes": notes}


def when(asked: Asked, plan: Plan) -> str:
    """today 13:00 to 15:00, now until 15:00, any time until 18:00, or the parts one after another."""
    now, zone = asked.now, asked.zone
    start, end = plan.parts[0]
    if plan.latest > start:
        end = plan.latest + asked.length
        if start <= now:
            return gettext("any time until %(time)s") % {"time": times.until(end, now, zone)}
        return gettext("any time from %(span)s") % {"span": times.span(start, end, now, zone)}
    said, day = list[str](), None
    for start, end in plan.parts:
        days = [at.astimezone(zone).date() for at in (start, end)]
        if start <= now:
            said.append(gettext("now until %(time)s") % {"time": times.until(end, now, zone)})
        elif days == [day, day]:
            span = gettext("%(begin)s to %(end)s")
            said.append(span % {"begin": times.local(start, zone), "end": times.local(end, zone)})
        else:
            said.append(times.span(start, end, now, zone))
        day = days[0]
    return format_list(said, locale=money.locale())


def compared(asked: Asked, plan: Plan, ahead: Sequence[Segment]) -> list[str]:
    """One sentence: what the plan saves against a start now and against the evening, as far as that is known."""
    begun_now = mean_now(ahead, asked.length, asked.now)
    evening = mean_in_the_evening(ahead, asked.length, asked.now, asked.zone)
    said = []
    if begun_now is not None and (less := asked.sum(begun_now - plan.mean)) > 0:
        said.append(gettext("%(sum)s less than now") % {"sum": asked.said(less)})
    if evening is not None and (less := asked.sum(evening - plan.mean)):
        than = (
            gettext("%(sum)s less than in the evening peak")
            if less > 0
            else gettext("%(sum)s more than in the evening")
        )
        said.append(than % {"sum": asked.said(less)})
    return [", ".join(said) + "."] if said else []


def ready(asked: Asked) -> list[str]:
    """Ready by tomorrow 07:00; with the reason, if it is too late for the one before."""
    by, deadline = asked.appliance.ready_by, asked.deadline
    if not by or not deadline:
        return []
    missed = next_time(by, asked.zone, asked.now)
    said = gettext("Ready by %(time)s.")
    if missed < deadline:
        said = gettext("It is too late for %(missed)s. This is ready by %(time)s.")
    known = {"missed": missed, "time": deadline}
    return [said % {name: times.when(at, asked.now, asked.zone) for name, at in known.items()}]


# What is better for the customer's own solar power, and what either is worth: by its sign.
BETTER = {
    1: _("Use your own solar power then."),
    -1: _("Sell your own solar power then."),
    0: _("Use or sell your own solar power then: both are worth the same."),
}
USED = {1: _("Using it saves %(sum)s."), 0: _("Using it saves nothing."), -1: _("Using it loses you %(sum)s.")}
SOLD = {1: _("Selling it brings %(sum)s."), 0: _("Selling it brings nothing."), -1: _("Selling it costs %(sum)s.")}


def use_or_sell(asked: Asked, plan: Plan, sold: Sequence[Segment]) -> list[str]:
    """What own solar power saves if it is used in the chosen time, and what it brings if it is sold then.

    Nothing is said if a price to sell at is not known, or if it changes in a time in which any start costs the same.
    """
    span = [(plan.start, plan.latest + asked.length)] if plan.latest > plan.start else plan.parts
    mean = mean_of(sold, span)
    if mean is None or (span is not plan.parts and len({each.rate for each in clip(sold, *span[0])}) > 1):
        return []
    use, sell = asked.sum(plan.mean), asked.sum(mean)
    better = str(BETTER[(use > sell) - (use < sell)])
    if use == sell:
        return [better]
    return [
        better,
        *(words[(sum > 0) - (sum < 0)] % {"sum": asked.said(sum)} for words, sum in ((USED, use), (SOLD, sell))),
    ]


def moments(asked: Asked, plan: Plan | None, ahead: Sequence[Segment]) -> list[datetime]:
    """When the answer changes: it begins, it is too late for it, or what it is compared with costs something else."""
    found = list[datetime]()
    if plan and len({segment.rate for segment in ahead}) > 1:
        found += [asked.now + AGAIN, plan.latest, *(at for part in plan.parts for at in part)]
    if asked.deadline:
        found.append(asked.deadline - asked.length + MICROSECOND)
    return [at for at in found if at > asked.now]
