"""With script, a step takes one round trip, and all else is as without script."""

import re
from urllib.parse import urlsplit

import pytest
import rjsmin
from django.conf import settings
from playwright.sync_api import expect

from connect_ui.models import ConnectSession
from connect_ui.templatetags.connect import AT_ONCE
from tariffs.queue import claim_end

pytestmark = [pytest.mark.browser, pytest.mark.parametrize("screen", ["phone"], indirect=True)]


def focused_heading(visit):
    return visit.page.evaluate("document.activeElement === document.querySelector('h1')")


def watched(visit):
    """The requests from now on, without those for the icon, which Chromium takes from its cache at each new address."""
    asked = []

    def note(request):
        if not request.url.endswith(".svg"):
            asked.append((request.method, request.resource_type))

    visit.page.on("request", note)
    return asked


def to_price(visit):
    visit.to_providers().provider("Ecotricity").structure("One price at all times")
    return visit.on(re.compile("What do you pay"))


SHIFTS = """() => {
    const observer = new PerformanceObserver(() => {});
    observer.observe({ type: "layout-shift", buffered: true });
    const text = ({ node }) => node?.outerHTML ?? node?.textContent;
    return observer.takeRecords().map(({ value, sources }) => [value, ...sources.map(text)]);
}"""


def test_nothing_on_a_page_jumps_at_a_step(visit):
    to_price(visit).type({"Price per kWh": "28.15"}).press("Continue").on("What is your tariff called?")
    visit.name_and_term().on("Is this your tariff?").press("Yes, save it").to_rates()
    assert visit.page.evaluate(SHIFTS) == []  # Chromium itself ignores shifts within half a second of a press


@pytest.mark.parametrize("language", ["en-GB", "de"])
def test_the_footer_is_below_the_view_and_what_leads_on_at_its_end(open_visit, sign_in, screen, settings, language):
    settings.TERMS_URL = settings.PRIVACY_URL = settings.IMPRINT_URL = "/nowhere/"
    settings.SUPPORT_EMAIL = "help@example.com"
    visit = sign_in(open_visit(locale=language)).open("/connect/")
    bottom, button = visit.page.locator("footer"), visit.main.get_by_role("button").last
    height = visit.page.viewport_size["height"]
    assert bottom.bounding_box()["y"] >= height
    assert height - 112 <= button.bounding_box()["y"] <= height - 48
    bottom.get_by_role("button").last.scroll_into_view_if_needed()
    assert bottom.get_by_role("button").last.bounding_box()["y"] < height


def test_a_step_is_one_request_and_the_heading_has_the_focus(visit):
    to_price(visit)
    before = visit.page.url
    asked = watched(visit)
    visit.type({"Price per kWh": "28.15"}).press("Continue").on("What is your tariff called?")
    assert asked == [("POST", "fetch")]
    assert visit.page.url != before
    assert focused_heading(visit)
    expect(visit.page).to_have_title(re.compile("^What is your tariff called"))
    assert visit.page.evaluate("scrollY") == 0


LOOKS = """() => {
    const button = document.querySelector("[value=ADDRESS_CHANGE]");
    const looks = () => (({ color, textDecoration }) => color + textDecoration)(getComputedStyle(button));
    const before = looks();
    button.form.onsubmit = () => false;
    return new Promise((resolve) => {
        button.onclick = () => resolve([button.matches(":hover"), before === looks()]);
    });
}"""


FONTS = """() => {
    const found = new Set();
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT, ({ data, parentElement }) =>
        data.trim() && parentElement.checkVisibility() ? NodeFilter.FILTER_ACCEPT : NodeFilter.FILTER_SKIP);
    while (texts.nextNode()) {
        const { fontSize, fontWeight } = getComputedStyle(texts.currentNode.parentElement);
        found.add(`${fontSize} ${fontWeight}`);
    }
    return [...found];
}"""


def test_the_step_to_the_long_list_needs_no_further_font(visit):
    visit.start()
    before = set(visit.page.evaluate(FONTS))
    visit.address().on("Who is your electricity provider?")
    assert len(before) > 3
    assert set(visit.page.evaluate(FONTS)) <= before
    assert {font.split()[1] for font in before} == {"400", "600"}


def test_what_is_tapped_does_not_change_as_under_a_pointer(visit):
    visit.to_providers()
    tapped = visit.page.evaluate_handle(f"({{ looks: ({LOOKS})() }})")
    visit.page.get_by_role("button", name="Change the address").tap()
    assert tapped.evaluate("({ looks }) => looks") == [True, True]


TYPED = """async () => {
    const input = document.querySelector("[data-search]");
    const list = document.querySelector("[data-list]");
    input.value = "sse";
    input.dispatchEvent(new InputEvent("input", { bubbles: true }));
    const before = list.hidden;
    await new Promise((shown) => requestAnimationFrame(() => setTimeout(shown)));
    return [before, list.hidden];
}"""


def test_a_letter_does_not_wait_for_what_it_finds(visit):
    visit.to_providers()
    expect(visit.button("SSE")).to_be_visible()  # in the part that is inserted after the first paint
    assert visit.page.evaluate(TYPED) == [False, True]


def test_what_is_below_the_view_of_a_list_comes_a_moment_later_and_is_found_too(visit):
    visit.page.add_init_script(
        "const wait = setTimeout; window.setTimeout = (what, ms) => ms === 50 ? (window.rest = what) : wait(what, ms)"
    )
    visit.to_providers()
    expect(visit.choices).to_have_count(AT_ONCE)
    visit.search("ecotr")
    visit.page.evaluate("rest()")
    expect(visit.choices).to_have_text([re.compile(r"Ecotricity\s*$")])
    visit.search("")
    expect(visit.button("SSE")).to_be_visible()
    expect(visit.page.locator("[data-list] ~ ul > li")).to_have_count(0)


def test_the_server_searches_and_the_list_is_whole_if_the_script_of_the_search_does_not_load(visit):
    broken = {"body": "throw 0", "content_type": "text/javascript"}
    visit.page.route("**/js/search.js", lambda route: route.fulfill(**broken))
    visit.to_providers()
    expect(visit.button("SSE")).to_be_visible()  # in the part that is inserted after the first paint
    visit.search("EDF Energy")
    visit.button("Search").click()
    expect(visit.choices).to_have_text([re.compile(r"EDF\s*$")])


def test_an_error_has_the_focus_and_a_second_try_goes_on(visit):
    to_price(visit)
    before = visit.page.url
    visit.type({"Price per kWh": "abc"}).press("Continue")
    expect(visit.page.get_by_role("alert")).to_be_focused()
    expect(visit.page).to_have_title(re.compile("^Error: "))
    assert visit.page.url == before
    visit.type({"Price per kWh": "28.15"}).press("Continue").on("What is your tariff called?")


def test_back_and_forward_and_reload_show_what_belongs_to_the_address(visit):
    to_price(visit).type({"Price per kWh": "28.15"}).press("Continue").on("What is your tariff called?")
    visit.page.reload()
    visit.on("What is your tariff called?")
    visit.page.go_back()
    visit.on(re.compile("What do you pay"))
    expect(visit.field("Price per kWh")).to_have_value("28.15")
    visit.page.go_back()
    visit.on("How does your price work?")
    visit.page.go_forward()
    visit.on(re.compile("What do you pay"))
    visit.type({"Price per kWh": "30"}).press("Continue").on("What is your tariff called?")
    visit.type({"Name of your tariff": "Simple"}).press("Continue")
    visit.field("I don't know").check()
    visit.press("Continue").sees("30.00p")


STYLES = "[...document.styleSheets].map(({ href }) => href?.split('/').pop() ?? 'within')"
LARGE = "parseFloat(getComputedStyle(document.querySelector('.price')).fontSize) > 30"


def test_steps_and_prices_look_and_work_as_they_should_across_back_and_forward(visit):
    to_price(visit).type({"Price per kWh": "28.15"}).press("Continue").name_and_term().on("Is this your tariff?")
    assert visit.page.evaluate(STYLES) == ["within"]  # the browser's first page, and steps in it
    visit.save()
    for _ in range(2):  # Back leads to the conversation, which leads on to the rates
        visit.to_rates().pays("28.15p", "")
        assert visit.page.evaluate(STYLES) == ["app.css", "within"]
        assert visit.page.evaluate(LARGE)
        visit.page.go_back()
    visit.page.go_forward()
    visit.pays("28.15p", "")
    assert visit.page.evaluate(LARGE)
    visit.manage()
    assert visit.page.evaluate(STYLES) == ["app.css"]
    visit.page.go_back()
    visit.pays("28.15p", "")
    assert visit.page.evaluate(LARGE)


def test_a_step_to_a_page_that_waits_goes_on_by_itself(visit, sandbox):
    to_price(visit).type({"Price per kWh": "28.15"})
    ConnectSession.objects.update(claimed_until=claim_end())  # as if another tab had just sent its answer
    asked = watched(visit)
    visit.press("Continue").on("One moment")
    assert asked == [("POST", "fetch")]
    ConnectSession.objects.update(claimed_until=None)
    visit.on(re.compile("What do you pay"))


def test_where_the_script_cannot_ask_the_form_is_sent_as_without_it(visitor, sign_in, sandbox):
    visitor.page.add_init_script("window.fetch = () => Promise.reject(new TypeError('no'))")
    sign_in(visitor).connect_fixed().pays("28.15p", "")
    with sandbox.lock:
        assert sandbox.counts["connect.rate_fixed_capture"] == 1
        assert sandbox.counts["connect.summary_fixed_confirm"] == 1


def test_an_answer_without_a_network_stays_in_its_form_until_there_is_one(visit, sandbox, watch):
    to_price(visit).type({"Price per kWh": "28.15"}).page.context.set_offline(True)
    watch.expected.add(urlsplit(visit.page.url).path)
    visit.button("Continue").click()
    note = visit.page.get_by_role("alert").filter(has_text="You are offline, so we sent nothing.")
    expect(note).to_be_in_viewport()
    expect(visit.field("Price per kWh")).to_have_value("28.15")
    visit.page.context.set_offline(False)
    visit.press("Continue").on("What is your tariff called?")
    expect(note).to_be_hidden()
    assert sandbox.counts["connect.rate_fixed_capture"] == 1


def test_a_button_works_again_if_no_page_follows(visit, watch):
    to_price(visit).type({"Price per kWh": "28.15"}).page.clock.install()
    watch.expected.add(urlsplit(visit.page.url).path)
    visit.page.route("**/connect/**", lambda route: None)  # no answer comes
    visit.button("Continue").click()
    busy = visit.main.locator("form[aria-busy]")
    expect(busy).to_have_count(1)
    visit.page.clock.run_for(20_000)
    expect(busy).to_have_count(0)


def test_without_a_network_a_page_of_ours_says_so(open_visit, screen, sign_in, watch):
    visit = sign_in(open_visit(screen, locale="de"))
    visit.open("/locations/").page.evaluate("navigator.serviceWorker.ready.then(() => 1)")
    visit.page.wait_for_function("caches.match('/offline/')")
    watch.expected.add("/connect/")
    visit.page.context.set_offline(True)
    visit.open("/connect/").on("Sie sind offline")
    assert visit.page.evaluate("getComputedStyle(document.body).margin") == "0px"  # it contains its style
    watch.expected.add("/healthz")
    assert visit.page.evaluate("fetch('/healthz').then(() => 'a page', () => 'nothing')") == "nothing"
    visit.page.context.set_offline(False)
    visit.page.reload()
    visit.on("Verbinden Sie Ihren Tarif")


def test_who_was_signed_out_meanwhile_signs_in_and_is_at_the_question(visit):
    to_price(visit).page.context.clear_cookies(name=settings.SESSION_COOKIE_NAME)
    visit.type({"Price per kWh": "28.15"}).press("Continue").on("Sign in")
    visit.fill(login="alice@example.com", password="correct horse battery").press("Sign in")
    visit.on(re.compile("What do you pay"))


def test_the_script_as_it_is_served_does_the_same(visitor, sign_in):
    script = rjsmin.jsmin((settings.BASE_DIR / "static/js/app.js").read_text())
    visitor.page.route("**/js/app.js", lambda route: route.fulfill(body=script, content_type="text/javascript"))
    visit = sign_in(visitor).to_providers()
    visit.search("ecotr")
    expect(visit.choices).to_have_count(1)
    asked = watched(visit)
    visit.provider("Ecotricity").on("How does your price work?")
    assert asked == [("POST", "fetch")]
    visit.fixed_price().name_and_term().save().to_rates().pays("28.15p", "")


def test_a_browsers_first_page_waits_for_no_style_sheet_and_the_next_one_has_it_at_hand(visitor):
    asked = []
    visitor.page.on("request", lambda request: ".css" in request.url and asked.append(request.resource_type))
    visitor.open("/account/signup/")
    visitor.page.wait_for_load_state("networkidle")
    assert asked == []
    with visitor.page.expect_response(re.compile(r"/css/app\..*css")) as fetched:
        visitor.page.get_by_label("E-mail").click()
    assert fetched.value.ok
    visitor.open("/account/login/")
    assert visitor.page.evaluate("getComputedStyle(document.body).margin") == "0px"
    loaded = "performance.getEntriesByType('resource').find((one) => one.name.includes('.css')).transferSize"
    assert visitor.page.evaluate(loaded) == 0  # from the cache
