"""Whether pages, admin lists and `refresh_rates` stay as fast with a hundred times as many locations."""

import re
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from statistics import mean, median
from typing import Any
from uuid import UUID

from django.db.models import Model

from .site import Row, Site

SIZES = (1_000, 10_000, 100_000)
PROVIDERS = 30
OURS = ("tariffs_", "connect_ui_", "accounts_", "operations_")


def growth(site: Site, quick: bool) -> Iterator[Row]:
    """Time each against a page of one query, alternating, at each size; the result is the last ratio by the first."""
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    sizes, times = ((50, 200), 1) if quick else (SIZES, 15)
    work, looked_at = works()
    floor = Client()
    floor.cookies.load(site.cookie)
    with site.sandbox():
        assert floor.get(site.location).status_code == 200  # which stores its rates
    costs: dict[str, list[float]] = {name: [] for name in work}
    queries: dict[str, set[int]] = {name: set() for name in work}
    read: dict[str, list[str]] = {}  # tables
    made = 0
    for size in sizes:
        fill(site.tariff, made, size)
        made = size
        settle()
        looked_at.extend(customer(n * size // 5) for n in range(5))
        for name, each in work.items():
            each()  # fill caches that last for minutes
            with CaptureQueriesContext(connection) as asked:
                each()
            queries[name].add(len(asked))
            read[name] = sorted({table for query in asked for table in read_whole(query["sql"] or "")})
            took: tuple[list[float], list[float]] = [], []
            for _ in range(times):
                for one, spent in zip((each, lambda: floor.get("/bench/signed-in/")), took, strict=True):
                    begin = time.perf_counter()
                    one()
                    spent.append(time.perf_counter() - begin)
            costs[name].append(median(took[0]) / median(took[1]))
    for name, found in costs.items():
        asked_for = "constant" if len(queries[name]) == 1 else "it grows"
        yield (
            f"{name}, {sizes[-1]:,} locations : {sizes[0]:,}",
            f"{found[-1] / found[0]:.2f} ({found[-1]:.1f} pages of one query; {max(queries[name])} queries, {asked_for}; "
            f"{', '.join(read[name]) or 'none'} without an index)",
            "≤ 2, constant, none",
        )
    yield from sizes_of(made)


def works() -> tuple[dict[str, Callable[[], Any]], list[tuple[str, str]]]:
    """Return what is measured, by name, and the list to fill with the `customer`s whose pages are opened."""
    from django.contrib.auth import get_user_model
    from django.core.cache import caches
    from django.test import Client
    from django.utils import timezone

    from flatpeak_app.operations.queues import RATES
    from tariffs.models import Tariff

    customer, staff = Client(), Client()
    staff.force_login(get_user_model().objects.create_superuser("staff@example.com"))
    looked_at: list[tuple[str, str]] = []

    def as_a_customer(rates: bool) -> Callable[[], Any]:
        def look() -> None:
            cookie, path = looked_at.pop(0)
            looked_at.append((cookie, path))
            customer.cookies.load(cookie)
            caches["html"].clear()  # drop the HTML of the customer before
            assert customer.get(path if rates else "/locations/").status_code == 200

        return look

    def as_staff(path: str, some: bool = True) -> Callable[[], Any]:
        def look() -> None:
            answer = staff.get(f"/admin/{path}")
            assert answer.status_code == 200, answer.status_code
            assert ('class="action-select"' in answer.content.decode()) == some, path

        return look

    def due() -> None:
        assert next(RATES.rows.each_due(timezone.now() + timedelta(minutes=1)), None)  # reads the whole first batch

    return {
        "My locations": as_a_customer(rates=False),
        "A rates page": as_a_customer(rates=True),
        "Admin, list of locations": as_staff("tariffs/location/"),
        "Admin, list of tariffs": as_staff("tariffs/tariff/"),
        "Admin, list of conversations": as_staff("connect_ui/connectsession/"),
        "Admin, list of users": as_staff("accounts/user/"),
        "Admin, search by e-mail address": as_staff("tariffs/location/?q=grown7@example.com"),
        "Admin, search among e-mail addresses": as_staff("account/emailaddress/?q=grown7@example.com", some=False),
        "Admin, search by post code": as_staff("tariffs/tariff/?q=g7+1a"),
        "Admin, search by FlatPeak's id": as_staff("connect_ui/connectsession/?q=loc_grown7x"),
        "Admin, search that finds nothing": as_staff("connect_ui/connectsession/?q=nobody", some=False),
        "Admin, tariffs that failed": as_staff(f"tariffs/tariff/?state__exact={Tariff.State.FAILED}"),
        "Admin, conversations that are owed": as_staff("connect_ui/connectsession/?state__exact=owed"),
        "refresh_rates, the first that are due": due,
    }, looked_at


def customer(n: int) -> tuple[str, str]:
    """Return the cookie of a customer that `fill` created, and the path of their rates page."""
    from tariffs.models import Location

    location = Location.objects.get(location_id=f"loc_grown{n}x")
    return Site.sign_in(f"grown{n}@example.com"), f"/locations/{location.pk}/"


def fill(tariff: UUID, first: int, last: int) -> None:
    """Create locations with numbers from `first` up to `last`, each with its own user and finished conversation.

    They are copies of that tariff's location, with its rates of today and tomorrow, an appliance and a wanted mail. One in
    ten, those of the last month, has the conversation's pages. The first sixty have failed and are owed an exchange, and
    the first 200 with an odd number are due, so that the searches find as many rows at each size.
    """
    from django.db import connection
    from django.utils import timezone

    from connect_ui.models import ConnectSession
    from tariffs.models import Appliance, RateDay, Tariff, Wish

    like = Tariff.objects.select_related("location__customer__user").get(pk=tariff)
    told = ConnectSession.objects.get(tariff=like)
    location, customer, user = like.location, like.location.customer, like.location.customer.user
    told.last_error_code = like.name = ""
    like.due_at = timezone.now() + timedelta(days=1)
    user.is_superuser = user.is_staff = False

    def key(of: str) -> str:
        """Return SQL for a UUID made from `n`, in no order."""
        if connection.vendor == "postgresql":
            return f"md5('{of}' || n)::uuid"
        return "printf('%%08x%%024x', (n * 2654435761) %% 4294967296, n)"

    def first_sixty(instead: str, else_: str) -> str:
        return f"CASE WHEN n < 60 THEN '{instead}' ELSE '{else_}' END"

    copy(user, first, last, id="1000000 + n", email="'grown' || n || '@example.com'")
    copy(customer, first, last, id=key("customer"), user_id="1000000 + n", customer_id="'cus_grown' || n")
    copy(
        location,
        first,
        last,
        id=key("location"),
        customer_id=key("customer"),
        location_id="'loc_grown' || n || 'x'",
        address_line1="n || ' Example Street'",
        city="'City ' || n %% 500",
        post_code="'G' || n || ' 1AA'",
    )
    copy(
        like,
        first,
        last,
        id=key("tariff"),
        location_id=key("location"),
        provider=f"'Provider ' || n %% {PROVIDERS}",
        state=first_sixty("failed", "connected"),
    )
    copy(
        told,
        first,
        last,
        id=key("session"),
        user_id="1000000 + n",
        location_id=key("location"),
        tariff_id=key("tariff"),
        token_digest="'grown' || n",
        provider=f"'Provider ' || n %% {PROVIDERS}",
        state=first_sixty("owed", "connected"),
    )
    copy(Appliance(kind="car", minutes=300, watt_hours=30_000), first, last, id="1000000 + n", user_id="1000000 + n")
    copy(Wish(kind="tomorrow", due_at=like.due_at), first, last, id=key("wish"), tariff_id=key("tariff"))
    due = [f"grown{n}" for n in range(first + 1, min(last, 400), 2)]
    Tariff.objects.filter(connect_sessions__token_digest__in=due).update(due_at=timezone.now())
    with connection.cursor() as cursor:
        day = connection.ops.quote_name("day")
        cursor.execute(
            f"INSERT INTO tariffs_rateday (tariff_id, {day}, segments, since, fetched_at, former, tiered) "
            f"SELECT t.id, d.{day}, d.segments, d.since, d.fetched_at, d.former, d.tiered "
            "FROM tariffs_tariff t, tariffs_rateday d "
            "WHERE d.tariff_id = %s AND NOT EXISTS (SELECT 1 FROM tariffs_rateday o WHERE o.tariff_id = t.id)",
            [RateDay._meta.get_field("tariff").get_db_prep_value(like.pk, connection)],
        )
        columns = "number, route, body, answer, typed, came_from, led_to, shown_at"
        cursor.execute(
            f"INSERT INTO connect_ui_page (session_id, {columns}) "
            f"SELECT s.id, {', '.join(f'p.{name}' for name in columns.split(', '))} "
            "FROM connect_ui_connectsession s, connect_ui_page p WHERE p.session_id = %s "
            "AND s.token_digest LIKE 'grown%%0' AND NOT EXISTS "
            "(SELECT 1 FROM connect_ui_page o WHERE o.session_id = s.id)",
            [ConnectSession._meta.pk.get_db_prep_value(told.pk, connection)],
        )


def copy(row: Model, first: int, last: int, **changed: str) -> None:
    """Insert copies of a row for `n` from `first` up to `last`; `changed` has SQL for other values, by column."""
    from django.db import connection

    values = [changed.get(field.attname, "%s") for field in row._meta.concrete_fields]
    kept = [field for field in row._meta.concrete_fields if field.attname not in changed]
    columns = ", ".join(connection.ops.quote_name(str(field.column)) for field in row._meta.concrete_fields)
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH RECURSIVE numbers(n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < {last}) "
            f"INSERT INTO {row._meta.db_table} ({columns}) SELECT {', '.join(values)} FROM numbers",
            [field.get_db_prep_save(getattr(row, field.attname), connection) for field in kept],
        )


def settle() -> None:
    """Update the planner's statistics, as autovacuum does a while after so many writes."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE" if connection.vendor == "postgresql" else "ANALYZE")


def read_whole(sql: str) -> set[str]:
    """Return those of our tables that the query's plan scans without an index."""
    from django.db import connection

    if not sql.startswith("SELECT"):
        return set()
    explain = "EXPLAIN " if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN "
    with connection.cursor() as cursor:
        cursor.cursor.execute(explain + sql)
        plan = [str(row[-1]) for row in cursor.fetchall()]
    whole = r"Seq Scan on (\w+)" if connection.vendor == "postgresql" else r"^SCAN (\w+)$"
    return {found[1] for line in plan if (found := re.search(whole, line)) and found[1].startswith(OURS)}


def sizes_of(count: int) -> Iterator[Row]:
    """Measure the size of the database with its indexes: on PostgreSQL by table, on SQLite the file."""
    from django.db import connection

    from connect_ui.models import Page
    from tariffs.models import RateDay

    with connection.cursor() as cursor:
        if connection.vendor != "postgresql":
            cursor.execute("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()")
            yield "The database, for each location", f"{cursor.fetchone()[0] / count:,.0f} bytes", ""
            return

        def bytes_of(*tables: str) -> int:
            cursor.execute(
                "SELECT sum(pg_total_relation_size(name::regclass)) FROM unnest(%s::text[]) name", [list(tables)]
            )
            return int(cursor.fetchone()[0])

        location = bytes_of("accounts_user", "tariffs_customer", "tariffs_location", "tariffs_tariff") / count
        session = bytes_of("connect_ui_connectsession") / count
        page = bytes_of("connect_ui_page") / Page.objects.count()
        day = bytes_of("tariffs_rateday") / RateDay.objects.count()
    pages = Page.objects.filter(session__token_digest="grown0").count()
    yield "The database: a location with its user, customer and tariff", f"{location:,.0f} bytes", ""
    rates = mean(len(segments) for segments in RateDay.objects.order_by("-pk").values_list("segments", flat=True)[:100])
    yield f"… a day of rates of a tariff, {rates:.0f} rates", f"{day:,.0f} bytes", ""
    yield (
        f"… a finished conversation with its {pages} pages, and once they are purged",
        f"{session + pages * page:,.0f}, {session:,.0f} bytes",
        "",
    )
