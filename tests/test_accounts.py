"""Accounts: by e-mail address, and everything behind a sign-in unless it says otherwise."""

import re

import pytest
from django.contrib.auth import authenticate
from django.core import mail
from django.db import IntegrityError, transaction
from django.template.loader import render_to_string
from django.test import Client

pytestmark = pytest.mark.django_db

NEW = {"email": "new@example.com", "password1": "correct horse battery"}


def test_who_signs_up_is_signed_in_and_has_no_user_name(client, django_user_model):
    response = client.post("/account/signup/", NEW, follow=True)
    assert response.request["PATH_INFO"] == "/locations/"
    user = django_user_model.objects.get()
    assert (str(user), user.username) == ("new@example.com", None)


def test_an_address_is_one_account_however_it_is_written(alice, django_user_model):
    with pytest.raises(IntegrityError), transaction.atomic():
        django_user_model.objects.create(email="ALICE@example.com")
    assert django_user_model.objects.create_user("Dave@Example.com").email == "dave@example.com"


def test_sign_in_and_out(client, alice):
    wrong = client.post("/account/login/", {"login": alice.email, "password": "wrong"})
    assert "not correct" in wrong.content.decode()
    response = client.post("/account/login/", {"login": alice.email, "password": "correct horse battery"}, follow=True)
    assert response.request["PATH_INFO"] == "/locations/"
    assert client.post("/account/logout/", follow=True).request["PATH_INFO"] == "/"
    assert client.get("/locations/").status_code == 302


def test_a_forgotten_password_is_reset_by_mail(client, alice):
    client.post("/account/password/reset/", {"email": alice.email})
    [message] = mail.outbox
    assert "http" not in message.body.replace("http://testserver", "").replace("example.com", "")
    code = re.search(r"^[A-Z0-9]{4}-?[A-Z0-9]{4}$", message.body, re.M).group()
    response = client.post("/account/password/reset/confirm/", {"code": code}, follow=True)
    client.post(
        response.request["PATH_INFO"], {"password1": "another horse battery", "password2": "another horse battery"}
    )
    assert authenticate(None, email=alice.email, password="another horse battery") == alice


def test_neither_sign_up_nor_reset_tells_whether_an_address_is_known(client, alice):
    response = client.post("/account/password/reset/", {"email": "nobody@example.com"}, follow=True)
    assert response.request["PATH_INFO"] == "/account/password/reset/confirm/"


def test_the_admin_signs_in_where_everybody_does(client, charlie, alice):
    assert client.get("/admin/", follow=True).request["PATH_INFO"] == "/account/login/"
    client.force_login(alice)
    assert client.get("/admin/").status_code in (302, 403)
    client.force_login(charlie)
    assert client.get("/admin/").status_code == 200


@pytest.mark.parametrize("address", ["/locations/", "/connect/", "/account/email/", "/account/password/change/"])
def test_sign_in_is_asked_for(client, address):
    assert client.get(address)["Location"].startswith("/account/login/?next=")


def test_the_front_page_is_open_and_leads_whoever_is_signed_in_on(client, alice):
    assert client.get("/").status_code == 200
    client.force_login(alice)
    assert client.get("/")["Location"] == "/locations/"


def test_too_many_sign_ins_are_stopped(client, alice, settings):
    settings.ACCOUNT_RATE_LIMITS = {}
    wrong = {"login": alice.email, "password": "wrong"}
    answers = [client.post("/account/login/", wrong) for _ in range(12)]
    assert any("Too many failed login attempts" in a.content.decode() or a.status_code == 429 for a in answers)


def test_health_needs_no_sign_in_no_known_host_and_no_database(client, django_assert_num_queries, settings):
    settings.ALLOWED_HOSTS, settings.SECURE_SSL_REDIRECT = ["example.com"], True
    with django_assert_num_queries(0):
        response = client.get("/healthz", headers={"host": "10.0.0.7:8000"})
    assert (response.status_code, response.content) == (200, b"ok\n")
    assert client.get("/", headers={"host": "evil.example"}).status_code == 400


def test_every_answer_carries_the_headers_that_keep_it_safe(client, alice, sandbox):
    client.force_login(alice)
    response = client.get("/connect/")
    policy = response["Content-Security-Policy"]
    for rule in (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    ):
        assert rule in policy
    assert "unsafe" not in policy
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Referrer-Policy"] == "same-origin"
    assert "no-store" in response["Cache-Control"]
    assert "no-store" in client.get("/locations/")["Cache-Control"]


def test_the_banner_says_test_mode_and_leads_to_the_test_providers(client, settings, sandbox):
    assert f'href="{settings.FLATPEAK_CONNECT_URL}/"' in client.get("/").content.decode()
    settings.SANDBOX = False
    assert "Test mode" in client.get("/").content.decode()
    settings.FLATPEAK_LIVE_MODE = True
    assert "Test mode" not in client.get("/").content.decode()


def test_terms_and_privacy_are_linked_where_they_are_set(client, alice, settings):
    client.force_login(alice)
    assert "privacy notice" not in client.get("/connect/").content.decode()
    settings.TERMS_URL, settings.PRIVACY_URL = "/terms", "/privacy"
    page = client.get("/connect/").content.decode()
    assert 'href="/terms"' in page
    assert 'href="/privacy"' in page


def test_in_production_an_address_is_verified_by_a_code_before_anything_else(client, settings, django_user_model):
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    settings.ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = True
    response = client.post("/account/signup/", NEW, follow=True)
    assert response.request["PATH_INFO"] == "/account/confirm-email/"
    assert client.get("/locations/").status_code == 302
    [message] = mail.outbox
    code = re.search(r"^[A-Z0-9]{4}-?[A-Z0-9]{4}$", message.body, re.M).group()
    wrong = client.post("/account/confirm-email/", {"code": "AAAA-AAAA"})
    assert "Incorrect code" in wrong.content.decode()
    response = client.post("/account/confirm-email/", {"code": code}, follow=True)
    assert response.request["PATH_INFO"] == "/locations/"


def test_a_form_that_was_open_too_long_is_explained(alice, sandbox):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(alice)
    response = strict.post("/connect/", {"direction": "IMPORT", "country_code": "GB"})
    assert response.status_code == 403
    assert "again" in response.content.decode()
    assert sandbox.counts["token"] == 0


def test_pages_that_are_not_there_and_requests_that_are_wrong_have_pages_of_ours(client, alice, settings):
    client.force_login(alice)
    response = client.get("/nowhere/")
    assert response.status_code == 404
    assert "My locations" in response.content.decode()
    assert client.get("/connect/not-an-id/").status_code == 404
    assert "FlatPeak Connect" in render_to_string("500.html")
