"""A press whose answer takes longer than a second says what the customer waits for."""

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


@pytest.fixture
def visit(open_visit, sign_in):
    return sign_in(open_visit("phone"))


def test_a_slow_answer_says_after_a_second_what_for_until_the_next_page_is_there(visit, sandbox):
    visit.start().on("Where do you use this electricity?").type(visit.ADDRESS)
    busy = visit.page.locator(".busy")
    sandbox.state["switches"]["delay_ms"] = 4000
    visit.button("Continue").click()
    visit.page.wait_for_timeout(500)
    expect(busy).to_be_empty()
    expect(busy).to_have_text("We are looking for the providers at your address.", timeout=3000)
    expect(busy).to_be_in_viewport()
    expect(busy).to_have_attribute("role", "status")
    visit.on("Who is your electricity provider?")
    expect(busy).to_be_empty()


def test_a_quick_answer_says_nothing_later(visit):
    visit.to_providers().provider("Ecotricity").on("How does your price work?")
    visit.page.wait_for_timeout(1300)
    expect(visit.page.locator(".busy")).to_be_empty()


def leaves(visit, locator, text):
    """Press what leads to another page, and see what is said meanwhile; a locator would wait for that page."""
    tell = "new MutationObserver(() => console.log(busy.textContent)).observe(busy, { childList: true })"
    visit.page.evaluate(f"busy => {{ {tell} }}", visit.page.locator(".busy").element_handle())
    with visit.page.expect_console_message(lambda message: message.text == text):
        locator.evaluate("element => setTimeout(() => element.click())")


def test_a_link_to_prices_says_that_they_are_fetched(visit):
    visit.connect_fixed().open("/locations/").on("My locations")
    visit.page.evaluate("addEventListener('click', (event) => event.preventDefault())")
    leaves(visit, visit.page.get_by_role("link", name="1 Example Street"), "We are fetching the prices.")


def test_a_form_that_is_no_question_says_that_it_is_sent(visit):
    visit.open("/account/logout/").page.route("**/account/logout/", lambda route: None)
    leaves(visit, visit.main.get_by_role("button"), "We are sending what you entered.")
