"""Characters that nobody sees, as they come with text that was copied, are in no field; passwords are as they were typed."""

import pytest
from django.contrib.auth import authenticate

from tariffs.models import Location

pytestmark = pytest.mark.django_db
HIDDEN = "\u200e{}\u200b\ufeff\u00ad\u2060"


def hidden(fields):
    return {name: HIDDEN.format(value) for name, value in fields.items()}


def test_an_address_that_is_typed_with_them_is_stored_without(walk):
    walk.start().answer(**hidden(walk.ADDRESS)).provider("Ecotricity").answer(options="FIXED").answer(cost="28.15")
    walk.answer(**hidden({"tariff_name": "Simple"})).answer(term="unknown").save()
    location = Location.objects.get()
    assert (location.address_line1, location.post_code) == ("1 Example Street", "N1 1AA")
    assert location.tariffs.get().name == "Simple"


def test_an_account_is_found_with_them(client, alice):
    fields = hidden({"login": alice.email}) | {"password": "correct horse battery"}
    assert client.post("/account/login/", fields).status_code == 302


def test_a_password_keeps_them(client, django_user_model):
    password = HIDDEN.format("correct horse battery")
    client.post("/account/signup/", {"email": "new@example.com", "password1": password})
    assert authenticate(None, email="new@example.com", password=password)
    assert not authenticate(None, email="new@example.com", password="correct horse battery")


def test_a_search_ignores_them(walk):
    walk.to_providers()
    walk.answer(search="1", **hidden({"q": "ecotricity"}))
    assert "Ecotricity" in walk.text
    assert "Octopus" not in walk.text
