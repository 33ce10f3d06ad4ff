"""A page of the admin: where customers leave."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from connect_ui.models import OTHER, ConnectSession
from connect_ui.routes import Kind, row

from .funnel import Sums, sums

PERIODS = (7, 30, 90)  # days
ROWS = 40  # in a table
CODES = 3  # shown per route
WIDTH = 760  # of both view boxes
LABEL, NUMBERS, ROW = 200, 120, 24  # widths of names and numbers beside the bars; height per bar
AXIS, COLUMNS, TOP, BOTTOM = 40, 150, 14, 20  # left of the columns; height, and margins above and below


def must_view(request: HttpRequest, *models: type[Model]) -> None:
    if not all(admin.site.get_model_admin(model).has_view_permission(request) for model in models):
        raise PermissionDenied


class Line(NamedTuple):
    """The outcome of the conversations of one day, provider or country."""

    name: Any
    begun: int
    finished: int
    left: int

    @property
    def under_way(self) -> int:
        return self.begun - self.finished - self.left

    @property
    def share(self) -> str:
        return percent(self.finished, self.begun)


class Step(NamedTuple):
    """A route: how many reached it, how many left there, and FlatPeak's most frequent codes."""

    name: str
    reached: int
    left: int
    codes: list[tuple[str, int]]

    @property
    def share(self) -> str:
        return percent(self.left, self.reached)


def percent(part: int, whole: int) -> str:
    return f"{part / whole:.0%}" if whole else ""


def lines(found: Sums) -> list[Line]:
    """One line per first part of the key, the largest first."""
    tallies: dict[Any, list[int]] = {}
    for (name, route, code), (reached, left) in found.items():
        tally = tallies.setdefault(name, [0, 0, 0])
        if not code:
            tally[0] += 0 if route else reached
            tally[1] += reached - left if row(route).kind is Kind.END else 0
            tally[2] += left
    return sorted((Line(name, *tally) for name, tally in tallies.items()), key=lambda line: (-line.begun, line.name))


def route_steps(found: Sums) -> list[Step]:
    """The routes, the most reached first. Those beyond ROWS are one, because FlatPeak may send any number of names."""
    codes: dict[str, list[tuple[str, int]]] = {}
    for (route, code), (count, _) in sorted(found.items(), key=lambda item: -item[1][0]):
        if code:
            codes.setdefault(route, []).append((code, count))
    every = [Step(route, *tally, codes.get(route, [])[:CODES]) for (route, code), tally in found.items() if not code]
    every.sort(key=lambda step: (bool(step.name), -step.reached, step.name))
    kept, rest = every[:ROWS], every[ROWS:]
    if rest:
        kept.append(Step(OTHER, sum(step.reached for step in rest), sum(step.left for step in rest), []))
    return kept


def route_plot(found: Sequence[Step]) -> dict[str, Any]:
    """A bar per route, in a view box of `WIDTH` × `height`: those who went on, then those who left."""
    scale = (WIDTH - LABEL - NUMBERS) / max([1, *(step.reached for step in found)])
    bars = []
    for n, step in enumerate(found):
        stayed, left = round((step.reached - step.left) * scale, 1), round(step.left * scale, 1)
        bars.append({"step": step, "y": n * ROW, "stayed": stayed, "left": left, "from": LABEL + stayed})
        bars[-1]["end"] = LABEL + stayed + left
    return {"width": WIDTH, "height": len(found) * ROW, "label": LABEL, "bars": bars}


def day_plot(found: Sequence[Line], since: date, today: date) -> dict[str, Any]:
    """A column per day: those who finished, above them those under way, on top those who left."""
    by_day = {line.name: line for line in found}
    days = [since + timedelta(days=n) for n in range((today - since).days + 1)]
    most = max([1, *(line.begun for line in found)])
    depth, pitch = COLUMNS - TOP - BOTTOM, (WIDTH - AXIS) / len(days)
    columns = []
    for n, day in enumerate(days):
        line, parts = by_day.get(day, Line(day, 0, 0, 0)), []
        zero = float(COLUMNS - BOTTOM)
        for kind, count in (("finished", line.finished), ("open", line.under_way), ("left", line.left)):
            height = round(depth * count / most, 1)
            zero -= height
            parts.append((kind, round(zero, 1), height))
        columns.append({"line": line, "x": round(AXIS + n * pitch, 1), "width": round(pitch * 0.8, 1), "parts": parts})
    named = range(0, len(days), max(1, len(days) // 6))
    return {
        "width": WIDTH,
        "height": COLUMNS,
        "axis": AXIS,
        "top": TOP,
        "zero": COLUMNS - BOTTOM,
        "depth": depth,
        "most": most,
        "columns": columns,
        "labels": [(round(AXIS + (n + 0.4) * pitch, 1), days[n]) for n in named],
    }


@require_safe
def funnel(request: HttpRequest) -> HttpResponse:
    """How many conversations reached each route, and left there; four queries."""
    must_view(request, ConnectSession)
    today = timezone.now().date()
    days = next((days for days in PERIODS if request.GET.get("days") == str(days)), 30)
    since = today - timedelta(days=days - 1)
    named = {"direction": "direction", "country": "country_code", "provider": "listed_provider"}
    asked = {name: request.GET.get(name, "").replace("\0", "")[:300] for name in named}

    def found(*by: str, but: str = "") -> Sums:
        kind = {column: asked[name] for name, column in named.items() if asked[name] and name != but}
        return sums(*by, since=since, **kind)

    steps, by_day = route_steps(found()), lines(found("day"))
    # Without the filter of their own, so that another value can be chosen.
    providers, countries = lines(found("listed_provider", but="provider")), lines(found("country_code", but="country"))
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
        "route_plot": route_plot(steps) if steps else None,
        "day_plot": day_plot(by_day, since, today) if steps else None,
        "by_day": sorted(by_day, key=lambda line: line.name, reverse=True),
        "providers": providers[:ROWS],
        "countries": countries[:ROWS],
    }
    return TemplateResponse(request, "admin/connect_ui/funnel.html", context)
