"""Whatever is done about one tariff changes no row of another customer, of the other direction, or of another account."""

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.urls import reverse
from django.utils import timezone

from connect_ui.conversation.settle import exchange_owed
from connect_ui.models import ConnectSession
from flatpeak_app.accounts.personal import everything
from flatpeak_app.operations import events
from tariffs import details, flatpeak, needed, notices, storing, wanted
from tariffs.models import Appliance, Customer, DeviceKey, Event, Location, RateDay, Reminder, Tariff, Wait, Wish
from tariffs.rates import Segment, day_span, dump, load
from tariffs.rates.days import fetch
from tariffs.rates.levels import worked_out
from tariffs.rates.refresh import make_due, refresh
from tests.test_accounts import PASSWORD
from tests.test_others import browsers
from tests.test_wrong_price import links, tell
from tests.walk import Walk, sign_in_at_provider

__all__ = ["browsers"]  # a fixture
pytestmark = pytest.mark.django_db
OTHER = "acc_other"


def copied(row, **changes):
    """A further row like this one."""
    row = type(row).objects.get(pk=row.pk)
    row.pk, row._state.adding = None, True
    if row._meta.pk.has_default():
        row.pk = row._meta.pk.get_default()
    for name, value in changes.items():
        setattr(row, name, value)
    row.save()
    return row


def rows(queryset):
    return list(queryset.order_by("pk").values())


class Her:
    """Alice, what she buys at her location, and her browser."""

    def __init__(self, client, user):
        self.client, self.user, self.walk = client, user, Walk(client)
        self.tariff = Tariff.objects.select_related("location__customer__user").get(location__customer__user=user)
        self.location = self.tariff.location
        self.path = f"/locations/{self.location.pk}/"

    def one(self, model, **more):
        return model.objects.get(tariff=self.tariff, **more)

    def event(self, type):
        about = {"location_id": self.location.location_id, "tariff_id": self.tariff.tariff_id}
        event = Event.objects.create(event_id=f"evt_{type}", type=type, told_at=timezone.now(), **about)
        assert events.handle(event)


@pytest.fixture
def her(browsers, alice, bob):
    """Everything is due, for Alice and for others; the ids of FlatPeak's are the same in another account."""
    her = Her(browsers[0], alice)
    for tariff in Tariff.objects.all():
        Wish.objects.create(tariff=tariff, kind="below", limit=1)
    sold = copied(her.tariff, direction="EXPORT", tariff_id="")
    for day in RateDay.objects.filter(tariff=her.tariff):
        copied(day, tariff=sold)
    Customer.objects.create(user=bob)  # FlatPeak has not told its id yet
    customer = copied(her.location.customer, account=OTHER)
    location = copied(her.location, account=OTHER, customer=customer)
    there = copied(her.tariff, account=OTHER, location=location)
    for tariff in (sold, there):
        for model, more in (
            (Wait, {"since": timezone.now()}),
            (Wish, {"kind": "tomorrow"}),
            (Reminder, {"kind": "login"}),
        ):
            model.objects.create(tariff=tariff, account=tariff.account, **more)
    Tariff.objects.update(due_at=timezone.now() - timedelta(minutes=1), tariff_id="")
    her.tariff.refresh_from_db()
    return her


def reported(her):
    """The price of this moment is wrong, she says."""
    filled(her.tariff, "0.1")
    [link] = links(her.client, her.path)
    return tell(her.client, link)


def leaves_for_a_login(her):
    her.walk.to_providers().provider("Octopus Energy")
    return her.walk.leave()


AT_THE_LOCATION = {
    "its rates are due": lambda her: make_due(her.location.location_id),
    "its event": lambda her: her.event("location.update"),
    "its upgrade": lambda her: her.event("tariff.connection.upgrade"),
    "its page": lambda her: her.client.get(her.path, {"direction": "IMPORT"}),
    "a mail is chosen": lambda her: her.client.post(f"{her.path}mails/", {"import-tomorrow": "on"}),
    "a wrong price": reported,
    "its deletion": lambda her: her.client.post(f"{her.path}delete/"),
}
OF_THE_TARIFF = {
    "stored again": lambda her: storing.store(
        her.user.pk,
        {"customer_id": her.location.customer.customer_id, "location_id": her.location.location_id},
        storing.Connected("IMPORT", "COMMODITY", "connected", {"name": "Dearer"}),
    ),
    "stored elsewhere": lambda her: storing.store(
        her.user.pk,
        {"customer_id": "cus_new", "location_id": "loc_new"},
        storing.Connected("IMPORT", "COMMODITY", "connected", {}),
    ),
    "stored without a customer": lambda her: storing.store(
        her.user.pk,
        {"customer_id": "", "location_id": "loc_new"},
        storing.Connected("IMPORT", "COMMODITY", "connected", {}),
    ),
    "its details": lambda her: details.complete(her.tariff),
    "its rates": lambda her: refresh(her.tariff, timezone.now()),
    "a wish is told": lambda her: wanted.tell(her.one(Wish, kind="below")),
    "wishes wake": lambda her: Wish.wake(her.tariff, timezone.now()),
    "a wait wakes": lambda her: Wait.wake(her.tariff, timezone.now()),
    "a wish ends": lambda her: Wish.end(her.one(Wish, kind="below").pk),
    "a link ends a wish": lambda her: her.client.post(wanted.link_to_stop(her.one(Wish, kind="below"))),
    "a reminder": lambda her: needed.remind(her.one(Reminder)),
    "a notice": lambda her: notices.send_due(her.one(Wait)),
    "a key": lambda her: DeviceKey.make(her.location, "heat pump"),
    "a key is used": lambda her: her.client.get(
        f"{her.path}now.json", headers={"Authorization": f"Bearer {DeviceKey.make(her.location, 'heat pump')[1]}"}
    ),
    "a key is revoked": lambda her: her.client.post(
        f"{her.path}devices/", {"revoke": str(DeviceKey.objects.get(location=her.location).pk)}
    ),
    "an appliance": lambda her: her.client.post(f"{her.path}run/", {"name": "Kiln", "duration": "2:00", "kwh": "3"}),
    "an appliance goes": lambda her: her.client.post(
        f"{her.path}run/", {"run": Appliance.objects.get(user=her.user).key, "do": "remove"}
    ),
    "past days": lambda her: her.client.get(
        f"{her.path}week/", {"direction": "IMPORT", "date": timezone.localdate() - timedelta(days=300)}
    ),
    "a conversation": lambda her: her.walk.fixed(),
    "a conversation is discarded": lambda her: (
        her.walk.by_hand(),
        her.client.post(f"/connect/{her.walk.session.pk}/discard/", {"then": "list"}),
    ),
    "a login": lambda her: her.walk.get(sign_in_at_provider(leaves_for_a_login(her))),
    "a login elsewhere": lambda her: (
        (other := Walk(type(her.client)())).get(sign_in_at_provider(leaves_for_a_login(her))),
        other.post(other.path, {"answer": "no"}),
    ),
    "an owed exchange": lambda her: exchange_owed(ConnectSession.objects.get(user=her.user, state="owed")),
    "a change": lambda her: (
        her.walk.post("/connect/", {"location": str(her.location.pk), "direction": "IMPORT"}),
        her.walk.act("DISCONNECT"),
    ),
    "another language": lambda her: her.client.post(reverse("set_language"), {"language": "de"}),
    "another password": lambda her: her.client.post(
        "/account/password/change/", {"oldpassword": PASSWORD, "password1": PASSWORD + "x", "password2": PASSWORD + "x"}
    ),
    "another address": lambda her: her.client.post("/account/email/", {"email": "new@example.com", "action_add": "1"}),
}


@pytest.mark.parametrize("done", [*AT_THE_LOCATION, *OF_THE_TARIFF])
def test_it_changes_no_row_of_others(her, bob, done):
    others = {f"Bob's {name}": queryset for name, queryset in everything(bob).items()}
    there = {"account": OTHER}
    others |= {
        f"{model.__name__} there": model.objects.filter(**there) for model in (Customer, Location, Tariff, Wish, Wait)
    }
    if done in OF_THE_TARIFF:
        sold = {"tariff__direction": "EXPORT"}
        others |= {"Tariff sold": Tariff.objects.filter(direction="EXPORT")}
        others |= {"Customer known": Customer.objects.filter(pk=her.location.customer_id)}
        others |= {f"{model.__name__} sold": model.objects.filter(**sold) for model in (RateDay, Wish, Wait, Reminder)}
    before = {name: rows(queryset) for name, queryset in others.items()}
    assert all(before.values()), before
    result = (AT_THE_LOCATION | OF_THE_TARIFF)[done](her)
    for each in result if type(result) is tuple else [result]:
        assert getattr(getattr(each, "response", each), "status_code", 200) < 400, done
    for name, queryset in others.items():
        assert rows(queryset.all()) == before[name], name


# --- what is read


def filled(tariff, rate):
    """Ten past days, today and tomorrow at this price."""
    zone = tariff.location.local_zone
    today = timezone.now().astimezone(zone).date()
    RateDay.objects.filter(tariff=tariff).delete()
    for day in (today + timedelta(days=n) for n in range(-10, 2)):
        start, end = day_span(day, zone)
        half = start + (end - start) / 2
        segments = dump([Segment(start, half, Decimal(rate)), Segment(half, end, Decimal(rate) * 2)])
        RateDay.objects.create(tariff=tariff, day=day, segments=segments, fetched_at=timezone.now())


def read(her):
    """What she is shown of what she buys, by address, without what differs from one rendering to the next."""
    found = {}
    for name in ("", "day/", "week/", "month/", "tariff/", "rates.csv", "rates.json", "now.json", "run/"):
        answer = her.client.get(her.path + name, {"direction": "IMPORT"})
        assert answer.status_code == 200, name
        found[name] = re.sub(r'value="\w{64}"|nonce[-="\w]+', "", answer.getvalue().decode())
    for path in ("/connect/", f"{her.path}devices/"):
        found[path] = re.sub(r'value="\w{64}"', "", her.client.get(path).content.decode())
    her.tariff.refresh_from_db()
    today = timezone.now().astimezone(her.location.local_zone).date()
    segments = [
        each for day in RateDay.objects.filter(tariff=her.tariff, day__gte=today) for each in load(day.segments)
    ]
    found["levels"] = worked_out(her.tariff, segments, [today, today + timedelta(days=1)])
    found["mails"] = wanted.known_rates(her.tariff, timezone.now())
    return found


def test_what_she_reads_does_not_change_with_what_others_have(her, bob, monkeypatch):
    now = timezone.now().replace(hour=12, minute=30)
    monkeypatch.setattr("django.utils.timezone.now", lambda: now)
    others = Tariff.objects.exclude(pk=her.tariff.pk).select_related("location")
    filled(her.tariff, "0.1")
    for tariff in others:
        filled(tariff, "0.5")
    Tariff.objects.update(due_at=now + timedelta(days=1), levels=None)
    before = read(her)
    for tariff in others:
        filled(tariff, "0.01")
    Appliance.objects.filter(user=bob).update(name="Kiln")
    DeviceKey.objects.exclude(location=her.location).update(name="Boiler")
    ConnectSession.objects.filter(user=bob).update(provider="Other Energy", state="open")
    assert read(her) == before


def test_a_past_day_that_others_have_is_fetched_for_her_all_the_same(her):
    now = timezone.now()
    day = now.date() - timedelta(days=50)
    for tariff in Tariff.objects.exclude(pk=her.tariff.pk):
        RateDay.objects.create(tariff=tariff, day=day, fetched_at=now)
    assert not fetch(her.tariff, [day], now)
    assert RateDay.objects.get(tariff=her.tariff, day=day).segments


def test_a_past_day_of_a_tariff_that_changes_meanwhile_is_not_stored_though_others_do_not_change(her, monkeypatch):
    now = timezone.now()
    day = now.date() - timedelta(days=50)
    Tariff.objects.update(version=her.tariff.version)
    ask = flatpeak.rates

    def rates(*asked):
        Tariff.objects.filter(pk=her.tariff.pk).update(version=her.tariff.version + 1)
        return ask(*asked)

    monkeypatch.setattr(flatpeak, "rates", rates)
    assert not fetch(her.tariff, [day], now)
    assert not RateDay.objects.filter(day=day).exists()
