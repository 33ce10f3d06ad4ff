"""After a restore from a backup: what was deleted since the backup is deleted again."""

import re

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import Client

from flatpeak_app.accounts.models import User
from flatpeak_app.accounts.personal import as_json, everything
from tariffs.models import Erasure, Location
from tests.walk import Walk

pytestmark = pytest.mark.django_db


def connected(user):
    client = Client()
    client.force_login(user)
    return Location.objects.get(pk=Walk(client).fixed().session.location_id)


@pytest.fixture
def restored(alice, bob, charlie, sandbox):
    """Alice deleted her location since the backup, Bob his account; both are here again. Charlie deleted nothing."""
    hers, his, kept = map(connected, (alice, bob, charlie))
    with sandbox.lock:
        for location in (hers, his):
            del sandbox.state["locations"][location.location_id]
        sandbox.state["customers"].pop(his.customer.customer_id, None)
    return hers, his, kept


def run(capsys, *options):
    call_command("delete_again", *options)
    return capsys.readouterr().out


def test_without_yes_it_says_what_it_would_delete(restored, bob, capsys):
    said = run(capsys, "--accounts", str(bob.pk), "987654")
    assert said == (
        "We found 2 locations that FlatPeak has no longer, and 1 account. To delete them, give --yes too.\n"
    )
    assert Location.objects.count() == 3


def test_it_deletes_them_and_leaves_the_others(restored, alice, bob, charlie, capsys, sandbox):
    said = run(capsys, "--yes", "--accounts", str(bob.pk))
    assert said == "We deleted 2 locations that FlatPeak has no longer, and 1 account.\n"
    assert list(Location.objects.all()) == [restored[2]]
    assert set(User.objects.values_list("pk", flat=True)) == {alice.pk, charlie.pk}
    assert not Erasure.objects.filter(done_at=None).exists()
    assert run(capsys, "--yes").startswith("We deleted 0 locations")


def test_an_account_without_a_location_is_deleted_again(bob, capsys, sandbox):
    said = run(capsys, "--yes", "--accounts", str(bob.pk))
    assert said == "We deleted 0 locations that FlatPeak has no longer, and 1 account.\n"
    assert not User.objects.exists()


def test_locations_of_another_account_of_flatpeak_are_left_alone(restored, capsys):
    Location.objects.filter(pk=restored[0].pk).update(account="acc_another")
    assert run(capsys).startswith("We found 1 location that")
    run(capsys, "--yes")
    assert Location.objects.filter(pk=restored[0].pk).exists()


def test_it_deletes_nothing_where_flatpeak_has_none_or_does_not_answer(restored, sandbox, capsys):
    with sandbox.lock:
        sandbox.set_faults([{"call": "location", "fault": "status_500", "times": 9}])
    with pytest.raises(CommandError, match="FlatPeak does not say what it has"):
        run(capsys, "--yes")
    with sandbox.lock:
        sandbox.set_faults([])
        sandbox.state["locations"].clear()
    with pytest.raises(CommandError, match="FlatPeak has none of the locations"):
        run(capsys, "--yes")
    assert Location.objects.count() == 3


def stored(user):
    """All rows of a user as text, with times to the millisecond, as Django's files have them."""
    return [
        re.sub(r"(T[\d:]+)(\.\d{3})?\d*", lambda at: at[1] + (at[2] or ".000"), row)
        for row in as_json(everything(user))
    ]


@pytest.mark.django_db(transaction=True)
def test_all_rows_move_to_another_database_by_a_file(walk, alice, tmp_path):
    """The commands are those of docs/operations.md."""
    text = (settings.BASE_DIR / "docs/operations.md").read_text()
    [options] = re.findall(r"manage.py dumpdata (.*) --output data.json", text)
    walk.fixed()
    walk.get(f"/locations/{walk.session.location_id}/").start()
    before, file = stored(alice), str(tmp_path / "data.json")
    call_command("dumpdata", *options.split(), output=file, verbosity=0)
    call_command("flush", interactive=False, verbosity=0)
    assert not User.objects.exists()
    call_command("loaddata", file, verbosity=0)
    after = stored(User.objects.get(email=alice.email))
    assert len(after) > 20
    assert after == before
