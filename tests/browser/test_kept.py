"""What is typed stays in the browser until it is sent, for the person who typed it."""

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.parametrize("screen", ["phone"], indirect=True)]
TYPED = {"Street and number": "7 Half Street", "Town or city": "Leeds"}
EARLIER = """(hours) => {
    const typed = JSON.parse(sessionStorage.typed);
    for (const each of Object.values(typed)) each.at = Date.now() - hours * 36e5;
    sessionStorage.typed = JSON.stringify(typed);
}"""


def half_filled(visit):
    return visit.start().on("Where do you use this electricity?").type(TYPED)


def shows_what_was_typed(visit):
    for name, value in (("address_line1", "7 Half Street"), ("city", "Leeds")):
        expect(visit.page.locator(f'[name="{name}"]')).to_have_value(value)
    assert "Half" not in visit.page.url


def stored(visit):
    return visit.page.evaluate("sessionStorage.typed || '{}'")


def sign_out_elsewhere(client):
    client.session.flush()


def sign_in_as(visit, user):
    return visit.fill(login=user.email, password="correct horse battery").press("Sign in")


def test_a_reload_and_another_address_and_back_lose_nothing(visit):
    page = half_filled(visit).page.url
    visit.page.reload()
    shows_what_was_typed(visit)
    visit.open("/locations/").open(page)
    shows_what_was_typed(visit)
    visit.open("/locations/").page.go_back()
    shows_what_was_typed(visit)


def test_another_language_and_other_colours_lose_nothing(visit):
    half_filled(visit)
    visit.press("Deutsch").on("Wo verbrauchen Sie diesen Strom?")
    shows_what_was_typed(visit)
    visit.press("Dunkel")
    shows_what_was_typed(visit)


def test_without_script_another_language_loses_nothing_either(open_visit, sign_in, screen):
    visit = sign_in(open_visit(screen, java_script_enabled=False))
    half_filled(visit).press("Deutsch").on("Wo verbrauchen Sie diesen Strom?")
    shows_what_was_typed(visit)


@pytest.mark.parametrize("script", [True, False])
def test_who_was_signed_out_finds_it_again(open_visit, sign_in, client, alice, script, screen):
    visit = half_filled(sign_in(open_visit(screen, java_script_enabled=script)))
    sign_out_elsewhere(client)
    visit.press("Continue").on("Sign in")
    sign_in_as(visit, alice).on("Where do you use this electricity?")
    shows_what_was_typed(visit)
    visit.fill(post_code="LS1 1UR").press("Continue").on("Who is your electricity provider?")
    assert "Half" not in stored(visit) if script else True


def test_another_person_in_the_same_tab_gets_nothing(visit, client, bob):
    half_filled(visit)
    sign_out_elsewhere(client)
    visit.open("/connect/").on("Sign in")
    sign_in_as(visit, bob).on("Connect your tariff")
    assert "Half" not in stored(visit)
    visit.begin()
    expect(visit.page.locator('[name="address_line1"]')).to_have_value("")


def test_a_sign_out_takes_it_away(visit):
    half_filled(visit)
    assert "Half" in stored(visit)
    visit.page.locator(".menu summary").click()
    visit.press("Sign out")
    assert "Half" not in stored(visit)


def test_a_question_that_was_left_by_going_back_is_still_half_filled(visit):
    visit.to_providers().provider("Ecotricity").structure("One price at all times")
    visit.fill(cost="28.15").press("Continue").on("What is your tariff called?").fill(tariff_name="Night owl")
    visit.click_link("Back").fill(cost="29").press("Continue").on("What is your tariff called?")
    expect(visit.page.locator('[name="tariff_name"]')).to_have_value("Night owl")


def test_nothing_is_left_after_the_end(visit):
    visit.to_providers().provider("Ecotricity").structure("One price at all times")
    visit.fill(cost="28.15").press("Continue").name_and_term().press("Yes, save it")
    visit.on("1 Example Street, London, N1 1AA")
    assert stored(visit) == "{}"


def test_the_begin_is_kept_too(visit):
    visit.open("/connect/").field("Electricity I sell, for example from solar panels").check()
    visit.page.locator("select").select_option("CH")
    visit.page.reload()
    expect(visit.field("Electricity I sell, for example from solar panels")).to_be_checked()
    expect(visit.page.locator("select")).to_have_value("CH")


def test_it_is_kept_for_a_day(visit):
    half_filled(visit)
    for hours, kept in ((23, True), (25, False)):
        visit.page.evaluate(EARLIER, hours)
        visit.page.reload()
        visit.on("Where do you use this electricity?")
        assert ("Half" in stored(visit)) is kept
