"""Where customers leave: every conversation is counted once, whatever becomes of it, and nobody can be known by it."""

import threading
from contextlib import suppress
from datetime import UTC, datetime, time, timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone

from connect_ui.conversation.reading import note_provider
from connect_ui.models import ConnectSession, Page
from flatpeak_app.operations import funnel
from flatpeak_app.operations.models import FunnelCount
from tariffs import flatpeak
from tariffs.models import Customer, Location

pytestmark = pytest.mark.django_db

State = ConnectSession.State
BY = ("direction", "country_code", "listed_provider")


def seen(*by):
    """What the funnel says of the last week: {route or (…, route): (reached, left)}, and codes as {(…, route, code): n}."""
    found = funnel.sums(*by, since=timezone.now().date() - timedelta(days=7))
    return {key[:-1] if not key[-1] else key: value for key, value in found.items()}


def routes():
    return {key[0]: value for key, value in seen().items() if len(key) == 1}


def purge():
    out = StringIO()
    call_command("purge_sessions", stdout=out)
    return out.getvalue().strip()


def sessions(user, count=1, routes=("address", "provider"), **fields):
    """Conversations that came to these routes and expired at the last of them."""
    now = timezone.now()
    defaults = {"state": State.EXPIRED, "expires_at": now, "direction": "IMPORT", "country_code": "GB"} | fields
    made = []
    for _ in range(count):
        number = ConnectSession.objects.count()
        session = ConnectSession(user=user, newest=len(routes), last_route=routes[-1], **defaults)
        session.connect_token = f"cot-{number}"
        session.save()
        Page.objects.bulk_create(
            Page(session=session, number=n, route=route, body={}) for n, route in enumerate(routes, 1)
        )
        made.append(session)
    return made


# --- What is counted


def test_a_conversation_under_way_has_reached_its_routes_and_left_none(walk):
    walk.by_hand()
    assert routes() == {
        "": (1, 0),
        "address": (1, 0),
        "provider": (1, 0),
        "structure": (1, 0),
        "fixed_price": (1, 0),
    }
    assert seen(*BY)["IMPORT", "GB", "Ecotricity", "fixed_price"] == (1, 0)


def test_one_that_comes_back_to_a_route_has_reached_it_once(walk):
    walk.by_hand().back().answer(options="FIXED")
    assert routes()["fixed_price"] == (1, 0)


def test_one_whose_time_is_over_has_left_where_it_stood_before_and_after_it_is_closed_and_purged(walk, later):
    walk.by_hand()
    later(hours=25)
    expected = routes() | {"fixed_price": (1, 1)}
    assert expected == routes()
    assert purge() == "1 closed, 0 pages deleted"
    assert FunnelCount.objects.count() == 5
    assert routes() == expected
    later(days=5)
    ConnectSession.objects.update(updated_at=timezone.now() - timedelta(days=31))
    assert purge() == "0 closed, 4 pages deleted"
    assert purge() == "0 closed, 0 pages deleted"
    assert routes() == expected


def test_one_that_finished_has_left_nowhere(walk):
    walk.fixed()
    before = routes()
    assert before["end"] == before[""] == (1, 0)
    purge()
    assert walk.session.counted
    assert routes() == before


def test_what_is_owed_is_counted_when_it_is_no_more(walk, monkeypatch):
    def down(*told):
        raise flatpeak.Unavailable("GET /connect/tariff/token: no answer")

    with monkeypatch.context() as without:
        without.setattr(flatpeak, "exchange", down)
        walk.fixed()
    purge()
    assert not FunnelCount.objects.exists()
    assert routes()["end"] == (1, 0)
    call_command("exchange_pending", stdout=StringIO())
    ConnectSession.objects.update(due_at=timezone.now())
    call_command("exchange_pending", stdout=StringIO())
    purge()
    assert routes()["end"] == (1, 0)
    assert FunnelCount.objects.filter(route="end").exists()


def test_the_day_is_that_of_the_beginning(alice):
    sessions(alice)
    yesterday = timezone.now() - timedelta(days=1)
    ConnectSession.objects.update(started_at=yesterday)
    before = seen("day")
    assert before[yesterday.date(), "provider"] == (1, 1)
    purge()
    assert seen("day") == before


def test_what_is_counted_and_what_is_not_yet_are_added_up(alice):
    for n in (1, 2):
        sessions(alice, routes=("address", "provider"))
        assert routes() == {"": (n, 0), "address": (n, 0), "provider": (n, n)}
        if n == 1:
            purge()
            assert FunnelCount.objects.exists()


def test_a_period_has_its_first_day_and_no_earlier_one(alice):
    first = timezone.now().date() - timedelta(days=7)
    midnight = datetime.combine(first, time(), UTC)
    for began in (midnight - timedelta(microseconds=1), midnight, midnight + timedelta(hours=23)):
        ConnectSession.objects.filter(pk=sessions(alice)[0].pk).update(started_at=began)
    assert seen("day")[first, ""] == (2, 0)
    assert routes()[""] == (2, 0)
    purge()
    assert seen("day")[first, ""] == (2, 0)
    assert routes()[""] == (2, 0)


def test_one_to_which_flatpeak_gave_no_page_has_begun_and_left_there(alice):
    [session] = sessions(alice)
    session.pages.all().delete()
    ConnectSession.objects.update(newest=0, last_route="")
    assert routes() == {"": (1, 1)}


def test_who_looks_at_the_settings_of_a_tariff_and_is_done_has_not_left(alice):
    customer = Customer.objects.create(user=alice)
    sessions(alice, state=State.LEFT, location=Location.objects.create(customer=customer, location_id="loc_1"))
    assert routes() == {"": (1, 0), "address": (1, 0), "provider": (1, 0)}


@pytest.mark.parametrize("state", State)
def test_only_who_did_not_get_a_tariff_and_cannot_go_on_has_left(alice, state):
    later = timezone.now() + timedelta(hours=1)
    sessions(alice, state=state, expires_at=later)
    left = int(state in (State.EXPIRED, State.CONFLICT, State.LEFT))
    assert routes() == {"": (1, 0), "address": (1, 0), "provider": (1, left)}
    before = routes()
    purge()
    assert routes() == before
    assert FunnelCount.objects.exists() is (state not in (State.OPEN, State.OWED))


def test_codes_are_counted_where_flatpeak_refused_or_stopped(walk, alice):
    walk.by_hand().answer(cost="0.0000001")
    ConnectSession.objects.update(last_error_code="cost_value_zero", last_error_route="fixed_price")
    stopped = sessions(alice, routes=("provider", "error"))[0]
    stopped.pages.filter(route="error").update(body={"error_code": "provider_error"})
    silent = sessions(alice, routes=("provider", "error"))[0]
    talkative = sessions(alice, routes=("provider", "error"))[0]
    talkative.pages.filter(route="error").update(body={"error_code": "Mrs Example of 1 Example Street was refused"})
    assert silent.pages.count() == 2
    expected = {
        ("fixed_price", "cost_value_zero"): (1, 0),
        ("error", "provider_error"): (1, 0),
        ("error", "none"): (1, 0),
        ("error", "other"): (1, 0),
    }
    assert {key: value for key, value in seen().items() if len(key) == 2} == expected
    purge()
    assert {key: value for key, value in seen().items() if len(key) == 2} == expected


def test_a_refusal_is_noted_with_the_page_that_it_was_about(walk, sandbox):
    with sandbox.lock:
        sandbox.set_faults([{"call": "connect.rate_fixed_capture", "fault": "status_429"}])
    walk.by_hand().answer(cost="28.15")
    assert walk.session.last_error_code
    assert walk.session.last_error_route == "fixed_price"


# --- What is not


def test_a_name_that_the_customer_typed_is_counted_as_other(walk):
    walk.to_providers().act("PROVIDER_MISSING", q="The Smiths")
    walk.answer(provider_name="The Smiths")
    assert walk.session.last_route != "provider_name"
    ConnectSession.objects.update(state=State.EXPIRED)
    purge()
    assert set(FunnelCount.objects.values_list("listed_provider", flat=True)) == {"other"}


def test_who_types_a_name_after_choosing_one_is_counted_as_other_and_the_other_way_round(walk):
    walk.to_providers().provider("Ecotricity")
    assert walk.session.listed_provider == "Ecotricity"
    walk.back().act("PROVIDER_MISSING")
    assert walk.session.listed_provider == "other"
    walk.back().provider("Ecotricity")
    assert walk.session.listed_provider == "Ecotricity"


def test_a_provider_is_known_by_its_choice_where_the_next_page_names_none(walk):
    walk.to_providers().provider("Octopus Energy")
    assert "provider" not in walk.page.data
    assert (walk.session.provider, walk.session.listed_provider) == ("Octopus Energy", "Octopus Energy")


def test_a_name_is_noted_as_far_as_there_is_room_for_it(walk):
    page = walk.to_providers().page
    page.body["data"]["providers"][0]["display_name"] = "Example Energy " * 50
    page.save()
    walk.get(walk.path).provider("Example Energy")
    assert walk.session.listed_provider == ("Example Energy " * 50)[:300]
    told = Page(session=walk.session, body={"data": {"provider": {"name": "Example Energy " * 50}}})
    note_provider(told.session, told, None)
    assert told.session.provider == ("Example Energy " * 50)[:300]


def test_a_typed_name_that_connect_shows_in_a_later_conversation_is_other(alice):
    later = ConnectSession(user=alice)
    data = {"provider": {"display_name": "The Smiths"}}
    note_provider(later, Page(session=later, route="fixed_summary", body={"data": data}), None)
    assert (later.provider, later.listed_provider) == ("The Smiths", "other")


@pytest.mark.parametrize("route", ["a sentence of somebody", "cot_secret", "x" * 70, "<b>"])
def test_a_route_that_is_no_word_is_counted_as_other(alice, route):
    sessions(alice, routes=("provider", route))
    expected = {"": (1, 0), "provider": (1, 0), "other": (1, 1)}
    assert routes() == expected
    purge()
    assert routes() == expected


def test_the_counters_have_no_column_that_leads_to_a_person():
    columns = {field.name for field in FunnelCount._meta.get_fields()}
    assert columns == {
        *("id", "account", "live_mode", "day", "direction", "country_code"),
        *("listed_provider", "route", "code", "reached", "left", "answered", "waited"),
    }


def test_what_was_begun_in_the_place_of_an_old_one_and_never_seen_is_not_counted(walk, sandbox):
    walk.by_hand()
    ConnectSession.objects.update(expires_at=timezone.now())
    walk.answer(cost="28.15")
    with sandbox.lock:
        sandbox.set_faults([{"call": "connect.provider_select", "fault": "status_500"}])
    walk.post(f"/connect/{walk.session.pk}/again/", {})
    assert ConnectSession.objects.count() == 1
    assert not FunnelCount.objects.exists()


# --- Once


def test_a_deleted_account_stays_in_the_funnel_without_the_person(walk, alice):
    walk.fixed()
    walk.by_hand()
    sessions(alice, state=State.CONFLICT)
    expected = routes()
    expected["fixed_price"] = (expected["fixed_price"][0], 1)  # who deletes the account has left
    alice.delete()
    assert not ConnectSession.objects.exists()
    assert routes() == expected


def test_a_location_that_is_deleted_with_its_conversations_counts_them_once(walk, alice):
    walk.fixed()
    expected = routes()
    location = walk.session.location
    location.delete()
    assert routes() == expected


def test_what_was_counted_before_is_not_counted_at_its_deletion(walk, alice):
    walk.fixed()
    purge()
    expected, rows = routes(), FunnelCount.objects.count()
    alice.delete()
    assert (routes(), FunnelCount.objects.count()) == (expected, rows)


def test_a_run_that_is_killed_has_counted_whole_batches_and_the_next_one_counts_the_rest(alice, monkeypatch):
    monkeypatch.setattr(funnel, "BATCH", 4)
    sessions(alice, 10)
    expected = routes()
    written = FunnelCount.objects.bulk_create
    calls = []

    def killed(rows):
        made = written(rows)
        calls.append(made)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return made

    with monkeypatch.context() as dying:
        dying.setattr(FunnelCount.objects, "bulk_create", killed)
        with suppress(KeyboardInterrupt):
            purge()
    assert ConnectSession.objects.filter(counted=True).count() == 4
    assert Page.objects.count() == 20
    assert routes() == expected
    purge()
    assert routes() == expected
    assert not ConnectSession.objects.filter(counted=False).exists()


def test_an_answer_that_froze_until_the_conversation_was_counted_changes_nothing(alice):
    [session] = sessions(alice, state=State.OPEN)
    assert session.claim()
    purge()
    session.refresh_from_db()
    assert session.state == State.OPEN  # an answer is under way
    ConnectSession.objects.update(claimed_until=timezone.now() - timedelta(hours=1))
    session.refresh_from_db()
    assert purge() == "1 closed, 0 pages deleted"
    session.last_route = "end"
    assert not session.release()


def together(*works):
    """Run these at the same moment, each on a connection of its own; what they raised."""
    barrier, errors = threading.Barrier(len(works)), []

    def run(work):
        try:
            barrier.wait()
            work()
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[work]) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return errors


@pytest.mark.django_db(transaction=True)
def test_runs_at_the_same_moment_count_each_conversation_once(alice, monkeypatch):
    monkeypatch.setattr(funnel, "BATCH", 7)
    sessions(alice, 60)
    assert together(*[purge] * 4) == []
    purge()  # what a run passed over, because another one held it
    assert not ConnectSession.objects.filter(counted=False).exists()
    assert routes() == {"": (60, 0), "address": (60, 0), "provider": (60, 60)}


@pytest.mark.django_db(transaction=True)
def test_deletions_during_the_runs_lose_nothing_and_count_nothing_twice(django_user_model, monkeypatch):
    monkeypatch.setattr(funnel, "BATCH", 5)
    users = [django_user_model.objects.create_user(f"{n}@example.com", "x") for n in range(6)]
    for user in users:
        sessions(user, 8)
        sessions(user, 2, state=State.OPEN, expires_at=timezone.now() + timedelta(days=1))
    deletions = [lambda user=user: django_user_model.objects.get(pk=user.pk).delete() for user in users[:3]]
    assert together(purge, purge, *deletions) == []
    purge()
    left = 48 + 3 * 2
    assert routes() == {"": (60, 0), "address": (60, 0), "provider": (60, left)}


@pytest.mark.django_db(transaction=True)
def test_a_location_and_its_account_that_are_deleted_at_the_same_moment_count_once(django_user_model):
    for n in range(1, 6):
        user = django_user_model.objects.create_user(f"{n}@example.com", "x")
        customer = Customer.objects.create(user=user)
        place = Location.objects.create(customer=customer, location_id=f"loc_{n}")
        for location in (place, None) * 6:
            sessions(user, location=location)
        assert together(user.delete, place.delete) == []
        assert routes()[""] == (12 * n, 0)
    assert not ConnectSession.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_deletion_that_fails_counts_nothing(alice):
    sessions(alice, 3)
    with suppress(KeyError), transaction.atomic():
        alice.delete()
        raise KeyError
    assert not FunnelCount.objects.exists()
    assert routes()[""] == (3, 0)
