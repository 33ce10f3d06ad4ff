"""The facts of forty made-up days are the same on the page, in the mails, in JSON and in CSV.

Each day is made of segments that nobody could expect: any length, gaps, prices below zero, clock changes. What is right is
worked out here from the segments themselves.
"""

import csv
import html
import io
import random
import re
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from django.core import mail
from django.core.cache import caches

from tariffs import money
from tariffs.models import Customer, Location, RateDay, Tariff, Wish
from tariffs.rates import Segment, day_span, dump
from tariffs.rates.levels import worked_out
from tariffs.times import local, short_date
from tests.test_wanted_mails import work

pytestmark = [pytest.mark.django_db, pytest.mark.once]

DAYS = 40
PLACES = [
    *("Europe/London GBP", "Europe/Berlin EUR", "Asia/Kathmandu INR", "America/St_Johns CAD", "Asia/Tokyo JPY"),
    *("Australia/Lord_Howe AUD", "Pacific/Auckland NZD", "America/Santiago CLP"),
]
THREE = timedelta(hours=3)


class Day:
    """A made-up today and tomorrow at a place, and a moment of today's afternoon at which the price is known."""

    def __init__(self, number):
        made = random.Random(number)
        place, self.currency = made.choice(PLACES).split()
        self.zone = ZoneInfo(place)
        changes = [date(2026, 3, 28), date(2026, 4, 4), date(2026, 9, 5), date(2026, 10, 24)]
        today = made.choice([*changes, *(date(2026, 6, 1) + timedelta(days=n) for n in range(30))])
        self.days = [today, today + timedelta(days=1)]
        self.direction = made.choice(["IMPORT", "EXPORT"])
        minutes = made.choice([15, 30, 60, 90, 300])
        kinds = [Decimal(made.randint(-200, 4000)) / 10000 for _ in range(made.choice([2, 3, 96]))]
        self.segments = []
        (start, _), (_, end) = (day_span(day, self.zone) for day in self.days)
        while start < end:
            stop = min(start + timedelta(minutes=minutes), end)
            # A midnight ends a segment, because each day is stored by itself.
            stop = min([stop, *(span[1] for span in self.spans() if start < span[1])])
            self.segments.append(Segment(start, stop, made.choice(kinds)))
            start = stop
        for _ in range(made.choice([0, 0, 1, 2])):
            self.segments.pop(made.randrange(len(self.segments) // 3))  # a gap, early today
        noon = datetime.combine(today, time(12), self.zone).astimezone(UTC)
        then = made.choice([s for s in self.segments if s.end > noon and s.start < self.spans()[0][1]])
        later = max(then.start, noon) + timedelta(minutes=made.choice([0, 1, 7, 14]))
        self.now = min(later, then.end - timedelta(minutes=1))

    def spans(self):
        return [day_span(day, self.zone) for day in self.days]

    def within(self, start, end):
        return [s for s in self.segments if start <= s.start and s.end <= end]

    def price_now(self):
        """The price now, and the end of the touching segments with that price."""
        [at] = [n for n, s in enumerate(self.segments) if s.start <= self.now < s.end]
        end = self.segments[at].end
        for later in self.segments[at + 1 :]:
            if later.start != end or later.rate != self.segments[at].rate:
                break
            end = later.end
        return self.segments[at].rate, end

    def best(self, start, end):
        """The earliest of the best three hours between two instants, and its mean."""
        ahead = [s for s in self.segments if s.end > start and s.start < end]
        begins = {start, *(s.start for s in ahead), *(s.end - THREE for s in ahead)}
        found = []
        for begin in sorted(moment for moment in begins if start <= moment <= end - THREE):
            parts = [(max(s.start, begin), min(s.end, begin + THREE), s.rate) for s in ahead]
            parts = [(first, last, rate) for first, last, rate in parts if first < last]
            if sum((last - first for first, last, _ in parts), timedelta()) == THREE:
                seconds = [(Fraction(rate), (last - first) // timedelta(seconds=1)) for first, last, rate in parts]
                found.append((sum(rate * length for rate, length in seconds), begin))
        if not found or len({s.rate for s in ahead}) == 1:
            return None
        choose = max if self.direction == "EXPORT" else min
        total = choose(total for total, _ in found)
        return next((begin, Fraction(total, THREE // timedelta(seconds=1))) for sum_, begin in found if sum_ == total)


def said(amount, currency):
    """A price without its sign, which the page says in words."""
    exact = Decimal(amount.numerator) / Decimal(amount.denominator) if isinstance(amount, Fraction) else amount
    return money.price(abs(exact), currency)


def words(page, name):
    [found] = re.findall(rf'<p class="{name}">(.*?)</p>', page, re.S)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", found)).split())


@pytest.fixture
def read(alice, client, monkeypatch):
    """Store a day as Alice's, and read it everywhere: CSV rows, JSON, the price now, the page, and mails by kind."""

    def read(day):
        monkeypatch.setattr("django.utils.timezone.now", lambda: day.now)
        caches["html"].clear()
        mail.outbox.clear()
        Customer.objects.all().delete()
        location = Location.objects.create(
            customer=Customer.objects.create(user=alice),
            location_id="loc_1",
            address_line1="1 Example Street",
            time_zone=day.zone.key,
            currency_code=day.currency,
        )
        tariff = Tariff.objects.create(location=location, direction=day.direction, rates="ok")
        for each, (start, end) in zip(day.days, day.spans(), strict=True):
            segments = dump(day.within(start, end))
            RateDay.objects.create(tariff=tariff, day=each, segments=segments, fetched_at=day.now)
        tariff.levels = worked_out(tariff, day.segments, day.days)
        tariff.due_at = None
        tariff.save()
        rate = money.shown(day.price_now()[0], day.currency)
        Wish.objects.create(tariff=tariff, kind="tomorrow", due_at=day.now)
        Wish.objects.create(tariff=tariff, kind="above", limit=rate - 1, due_at=day.now)
        work()
        client.force_login(alice)
        at = f"/locations/{location.pk}/"
        query = f"?direction={day.direction}"
        files = {name: client.get(f"{at}{name}{query}") for name in ("rates.csv", "rates.json", "now.json", "")}
        table = list(csv.DictReader(io.StringIO(files["rates.csv"].content.decode())))
        mails = {"tomorrow" if each.subject.startswith("Tomorrow") else "above": each for each in mail.outbox}
        return table, files["rates.json"].json(), files["now.json"].json(), files[""].content.decode(), mails

    return read


def test_forty_days_are_the_same_wherever_they_are_read(read):
    for number in range(DAYS):
        check(Day(number), read)


def check(day, read):
    table, rates, now, page, mails = read(day)
    where, currency = f"{day.zone.key} {day.days[0]} {day.direction}", day.currency

    # the files have the segments themselves
    rows = [(s.start.isoformat(), s.end.isoformat(), Decimal(s.rate)) for s in day.segments]
    assert [(row["valid_from"], row["valid_to"], Decimal(row["rate"])) for row in table] == rows, where
    assert [(row["valid_from"], row["valid_to"], Decimal(row["rate"])) for row in rates["rates"]] == rows, where

    # the price now
    price, until = day.price_now()
    assert (Decimal(now["price"]), now["until"]) == (price, until.isoformat()), where
    answer, end = words(page, "answer"), local(until, day.zone)
    assert said(price, currency) in answer, where
    is_last = until == day.spans()[1][1]
    midnight = until == day.spans()[0][1]
    assert is_last or ("midnight" if midnight else end) in answer, (where, answer)
    assert mails["above"].subject.startswith(f"{money.price(price, currency)} now, above "), where
    assert (now["word"] or "") in answer, where

    # the best time to come
    best = day.best(day.now, day.spans()[1][1])
    assert bool(best) == bool(now["best"]) == ('<p class="lead">' in page), where
    if best:
        start, mean = best
        found = now["best"]
        assert datetime.fromisoformat(found["start"]) == start.replace(second=0), where
        assert abs(Fraction(Decimal(found["price"])) - mean) < Fraction(1, 10**20), where
        for text in (words(page, "lead"), mails["above"].body):
            assert local(start, day.zone) in text, (where, text)
            assert said(mean, currency) in text, (where, text)

    # tomorrow
    begin, over = day.spans()[1]
    ahead = day.within(begin, over)
    low, high = (choose(s.rate for s in ahead) for choose in (min, max))
    subject = mails["tomorrow"].subject
    for rate in (low, high):
        assert money.price(rate, currency) in subject, where
    best = day.best(begin, over)
    if best and money.price(low, currency) != money.price(high, currency):
        start, mean = best
        assert f"{local(start, day.zone)} to {local(start + THREE, day.zone)}" in subject, (where, subject)
    assert short_date(day.days[1])[-4:].strip() in mails["tomorrow"].body, where
