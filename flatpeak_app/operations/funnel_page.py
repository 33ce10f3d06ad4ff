"""A page of the admin: where customers leave."""

from datetime import timedelta
from typing import Any, NamedTuple

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from connect_ui.models import OTHER, ConnectSession
from connect_ui.routes import Kind, in_words, row

from .funnel import Sums, Times, sums, times
from .growth import weeks

PERIODS = (7, 30, 90)  # days
ROWS = 40  # per table
CODES = 3  # per route


def may_view(request: HttpRequest, model: type[Model]) -> bool:
    return admin.site.get_model_admin(model).has_view_permission(request)


def must_view(request: HttpRequest, *models: type[Model]) -> None:
    if not all(may_view(request, model) for model in models):
        raise PermissionDenied


class Line(NamedTuple):
    """What became of the conversations of one day, provider or country."""

    name: Any
    begun: int
    finished: int
    left: int

    @property
    def under_way(self) -> int:
        return self.begun - self.finished - self.left


class Step(NamedTuple):
    """How many reached a route, how many left there, how long they took there, and the commonest error codes there."""

    name: str
    reached: int
    left: int
    codes: list[tuple[str, int]]
    took: timedelta | None = None  # on average, if anybody has answered

    @property
    def stayed(self) -> int:
        return self.reached - self.left

    @property
    def words(self) -> str:
        return in_words(self.name) if self.name else "Begun, before a page"

    @property
    def time(self) -> str:
        """1:05 is a minute and five seconds."""
        minutes, seconds = divmod(round(self.took.total_seconds()), 60) if self.took is not None else (0, 0)
        return f"{minutes}:{seconds:02}" if self.took is not None else ""


def lines(found: Sums) -> list[Line]:
    """Add up by the first part of the key, the largest first."""
    tallies: dict[Any, list[int]] = {}
    for (name, route, code), (reached, left) in found.items():
        tally = tallies.setdefault(name, [0, 0, 0])
        if not code:
            tally[0] += 0 if route else reached
            tally[1] += reached - left if row(route).kind is Kind.END else 0
            tally[2] += left
    return sorted((Line(name, *tally) for name, tally in tallies.items()), key=lambda line: (-line.begun, line.name))


def route_steps(found: Sums, times: Times) -> list[Step]:
    """List the routes, the most reached first; those after ROWS become one, because FlatPeak may send any name."""
    codes: dict[str, list[tuple[str, int]]] = {}
    for (route, code), (count, _) in sorted(found.items(), key=lambda item: -item[1][0]):
        if code:
            codes.setdefault(route, []).append((code, count))
    mean = {route: waited / answered for (route,), (answered, waited) in times.items() if answered}
    every = [
        Step(route, *tally, codes.get(route, [])[:CODES], mean.get(route))
        for (route, code), tally in found.items()
        if not code
    ]
    every.sort(key=lambda step: (bool(step.name), -step.reached, step.name))
    kept, rest = every[:ROWS], every[ROWS:]
    if rest:
        kept.append(Step(OTHER, sum(step.reached for step in rest), sum(step.left for step in rest), []))
    return kept


@require_safe
def funnel(request: HttpRequest) -> HttpResponse:
    """How many conversations reached each route, and how many left there, and the growth; always eight queries."""
    must_view(request, ConnectSession)
    days = next((days for days in PERIODS if request.GET.get("days") == str(days)), 30)
    since = timezone.now().date() - timedelta(days=days - 1)
    named = {"direction": "direction", "country": "country_code", "provider": "listed_provider"}
    asked = {name: request.GET.get(name, "").replace("\0", "")[:300] for name in named}

    def kind(but: str = "") -> dict[str, str]:
        return {column: asked[name] for name, column in named.items() if asked[name] and name != but}

    def found(*by: str, but: str = "") -> Sums:
        return sums(*by, since=since, **kind(but))

    steps, by_day = route_steps(found(), times(since, **kind())), lines(found("day"))
    # Each choice ignores its own filter, so the others can still be chosen.
    providers, countries = lines(found("listed_provider", but="provider")), lines(found("country_code", but="country"))
    of_day = {line.name: line for line in by_day}
    every_day = [since + timedelta(days=n) for n in range(days)]
    total = Line("", *(sum(line[n] for line in by_day) for n in (1, 2, 3)))
    context = admin.site.each_context(request) | {
        "title": "Where customers leave",
        "opts": ConnectSession._meta,
        "asked": asked,
        "days": days,
        "periods": PERIODS,
        "total": total,
        "worst": max(steps, key=lambda step: step.left, default=None),
        "steps": steps,
        "longest_bar": max((step.reached for step in steps), default=0),
        "columns": [of_day.get(day, Line(day, 0, 0, 0)) for day in every_day],
        "highest_column": max((line.begun for line in by_day), default=0),
        "by_day": sorted(by_day, key=lambda line: line.name, reverse=True),
        "providers": providers[:ROWS],
        "countries": countries[:ROWS],
        "weeks": weeks(timezone.now()),
    }
    return TemplateResponse(request, "admin/connect_ui/funnel.html", context)
