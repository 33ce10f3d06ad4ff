"""A page that says "now" updates itself while it is open, and keeps the reader's place, input and focus."""

import re
from datetime import timedelta

import pytest
from django.conf import settings
from playwright.sync_api import expect

from connect_ui.models import ConnectSession
from tariffs import flatpeak
from tariffs.models import Customer, Location, Tariff
from tests.browser.test_page import focused, only
from tests.races.servers import wait_until
from tests.test_rates_pages import NOW, Asked, hourly, refused

pytestmark = pytest.mark.browser
HIDE = """hidden => {
    Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
    document.dispatchEvent(new Event("visibilitychange", { bubbles: true }));
}"""


class Clock:
    """The server's clock, which a test sets. The browser's starts in 1970, because a phone's clock may be wrong."""

    now = NOW

    def __call__(self):
        return self.now

    def pass_by(self, visit, **by):
        """Move both clocks; the browser's timers run once, as after a laptop's sleep."""
        self.now += timedelta(**by)
        visit.page.clock.fast_forward(timedelta(**by) // timedelta(milliseconds=1))


# Notes what the page fetches. `answered` waits for all answers, and for what the page does with them.
FETCHES = """
    const ask = fetch;
    window.asked = [];
    window.fetch = (...what) => {
        const answer = ask(...what);
        asked.push(answer.then((answer) => answer.clone().text()).catch(() => {}));
        return answer;
    };
"""
ANSWERED = """async () => {
    await Promise.all(asked);
    const { port1, port2 } = new MessageChannel();  // a task, unlike a timeout, that the page's clock does not stop
    await new Promise((done) => { port1.onmessage = done; port2.postMessage(0); });
    return asked.length;
}"""


def answered(visit):
    """Wait until nothing is under way. Returns the number of fetches of this page."""
    return visit.page.evaluate(ANSWERED)


def requests(visit, least=1):
    """The requests since `visit.requests` began, once there are at least so many: Playwright may report them late."""
    wait_until(lambda: len(visit.requests) >= least or visit.page.wait_for_timeout(10))
    return visit.requests


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr("django.utils.timezone.now", clock)
    return clock


@pytest.fixture
def asked(monkeypatch):
    """The calls for rates; the price of an hour is its number, in pence."""
    asked = Asked()
    asked.answer = hourly
    monkeypatch.setattr(flatpeak, "rates", asked)
    return asked


@pytest.fixture
def tariff(clock, asked, alice):
    """Alice's tariff for selling, at half past twelve in London. Prices rise during the day."""
    customer = Customer.objects.create(user=alice, customer_id="cus_1")
    location = Location.objects.create(
        customer=customer,
        location_id="loc_1",
        address_line1="1 Example Street",
        time_zone="Europe/London",
        currency_code="GBP",
    )
    return Tariff.objects.create(
        location=location, direction="EXPORT", provider="Example Energy", name="Simple", due_at=NOW, rates_since=NOW
    )


@pytest.fixture
def open_page(visit, tariff):
    """Open the rates page of the tariff's location, or another page. `visit.requests` lists the requests after that."""

    def open_page(path=f"/locations/{tariff.location_id}/"):
        visit.requests = []
        visit.page.add_init_script(FETCHES)
        visit.page.clock.install(time=0)
        visit.open(path).page.wait_for_load_state("networkidle")
        visit.page.on("request", lambda request: visit.requests.append(request.url))
        return visit

    return open_page


def hide(visit, hidden=True):
    visit.page.evaluate(HIDE, hidden)


@only("phone")
def test_the_price_changes_in_place_when_its_time_has_come(open_page, clock, asked):
    visit = open_page().sees("Now 12.00p per kWh until 13:00.", "As of Mon 23 Nov, 12:30.")
    visit.page.evaluate("document.querySelector('.answer').dataset.stays = document.title = 'here'")
    clock.pass_by(visit, minutes=29)
    assert visit.requests == []
    clock.pass_by(visit, minutes=1, seconds=2)
    visit.sees("Now 13.00p per kWh until 14:00.", "As of Mon 23 Nov, 13:00.")
    assert requests(visit) == [visit.page.url]
    expect(visit.page).to_have_title("here")
    assert len(asked) == 1
    clock.pass_by(visit, hours=1)
    visit.sees("Now 14.00p per kWh until 15:00.")


@only("phone")
def test_a_hidden_page_asks_for_nothing_and_once_when_it_is_seen_again(open_page, clock):
    visit = open_page()
    hide(visit)
    for _ in range(12):
        clock.pass_by(visit, hours=1)
    hide(visit)
    assert visit.requests == []
    hide(visit, False)
    visit.sees("As of Tue 24 Nov, 00:30.", "Now nothing is paid until 01:00.")
    hide(visit)
    hide(visit, False)
    visit.page.clock.run_for(10_000)
    assert len(requests(visit)) == answered(visit) == 1


@only("phone")
def test_what_is_true_still_is_not_asked_for_when_it_is_seen_again(open_page, clock):
    visit = open_page()
    hide(visit)
    clock.pass_by(visit, minutes=20)
    hide(visit, False)
    visit.page.clock.run_for(10_000)
    assert visit.requests == []


@only("phone")
def test_what_is_focused_opened_read_and_in_view_stays(open_page, clock):
    visit = open_page()
    visit.main.get_by_text("Mon 23 Nov, every price").click()
    visit.main.locator(".chart svg").press("ArrowRight")
    visit.link("CSV").focus()
    before = visit.page.evaluate("scrollY")
    assert before > 0
    clock.pass_by(visit, hours=1)
    visit.sees("Now 13.00p per kWh")
    assert focused(visit.link("CSV"))
    assert visit.page.evaluate("scrollY") == before
    expect(visit.main.get_by_role("row", name="12:00 13:00 12.00p").first).to_be_visible()
    expect(visit.main.locator(".readout")).to_contain_text("00:00 to 01:00")
    visit.main.locator(".chart svg").press("ArrowRight")
    expect(visit.main.locator(".readout")).to_contain_text("01:00 to 02:00")


TOLD = """() => {
    window.told = [];
    const live = "[role=status], [role=alert], output";
    new MutationObserver((changes) => changes.forEach(({ target, addedNodes }) => {
        const { parentElement } = target;
        const region = (target.closest ? target : parentElement).closest(live);
        if (region?.checkVisibility()) told.push(region.textContent.trim());
        for (const node of addedNodes) if (node.matches?.(live)) told.push(node.textContent.trim());
    })).observe(document.body, { subtree: true, childList: true, characterData: true });
}"""


@only("phone")
def test_who_listens_is_told_the_new_sentence_and_nothing_else(open_page, clock):
    visit = open_page()
    visit.page.evaluate(TOLD)
    clock.pass_by(visit, hours=1)
    visit.sees("Now 13.00p per kWh")
    told = set(visit.page.evaluate("told"))
    assert told == {"Now 13.00p per kWh until 14:00."}


@only("phone")
def test_prices_that_were_waited_for_come_in_place_and_are_told(open_page, clock, asked):
    asked.answer = refused("pending_connect")
    visit = open_page().sees("We are still reading your tariff.")
    visit.page.evaluate(TOLD)
    asked.answer = hourly
    clock.pass_by(visit, minutes=1)
    visit.sees("Now 12.00p per kWh until 13:00.")
    assert any(said.startswith("Now 12.00p") for said in visit.page.evaluate("told"))
    visit.main.locator(".chart svg").press("ArrowRight")
    expect(visit.main.locator(".readout")).to_contain_text("00:00 to 01:00")


@only("phone")
@pytest.mark.parametrize("way", ["offline", "failing", "signed out"])
def test_what_cannot_be_updated_says_so_and_stays_and_is_tried_less_and_less(open_page, clock, way, watch):
    visit = open_page()
    cookies = visit.page.context.cookies()
    watch.expected.add(re.sub("^http://[^/]+", "", visit.page.url))
    if way == "offline":
        visit.page.context.set_offline(True)
    elif way == "failing":
        visit.page.route("**/locations/**", lambda route: route.fulfill(status=502, body="<h1>Bad gateway</h1>"))
    else:
        visit.page.context.clear_cookies(name=settings.SESSION_COOKIE_NAME)
    note = visit.main.locator(".late")
    expect(note).to_be_hidden()
    clock.pass_by(visit, hours=1)
    expect(note).to_be_visible()
    visit.on("1 Example Street").sees("It still shows how things were on Mon 23 Nov at 12:30.", "Now 12.00p")
    tried = answered(visit)
    for _ in range(60):
        clock.pass_by(visit, seconds=30)
        answered(visit)
    assert 4 <= answered(visit) - tried <= 10
    visit.page.context.set_offline(False)
    visit.page.unroute_all()
    visit.page.context.add_cookies(cookies)
    hide(visit)
    hide(visit, False)
    visit.sees("Now 14.00p per kWh until 15:00.")
    expect(note).to_be_hidden()
    tried = answered(visit)
    hide(visit)
    hide(visit, False)
    clock.pass_by(visit, seconds=4)
    assert answered(visit) == tried  # it has forgotten the trouble


@only("phone")
@pytest.mark.parametrize("path", ["/locations/", "/locations/{}/day/?date=2026-11-23", "/locations/{}/week/"])
def test_other_pages_with_the_price_of_this_moment_change_too(open_page, clock, tariff, path):
    visit = open_page(path.format(tariff.location_id)).sees("As of Mon 23 Nov, 12:30.")
    clock.pass_by(visit, hours=1)
    visit.sees("As of Mon 23 Nov, 13:30.")
    assert len(requests(visit)) == 1


@only("phone")
def test_a_page_that_waits_for_an_answer_goes_on_when_it_is_there(walk, visit):
    walk.by_hand()
    ConnectSession.objects.update(claimed_until=walk.session.expires_at)
    visit.page.clock.install()
    visit.open(f"/connect/{walk.session.pk}/").on("One moment")
    visit.page.clock.run_for(5000)
    visit.on("One moment")
    ConnectSession.objects.update(claimed_until=None)
    visit.page.clock.run_for(5000)
    visit.on("What do you pay for a kilowatt-hour?")


@only("phone")
def test_a_waiting_page_asks_for_nothing_while_hidden_and_less_while_the_server_fails(walk, visit, watch):
    walk.by_hand()
    ConnectSession.objects.update(claimed_until=walk.session.expires_at)
    path = f"/connect/{walk.session.pk}/"
    visit.page.add_init_script(FETCHES)
    visit.page.clock.install()
    visit.open(path).on("One moment")
    hide(visit)
    visit.page.clock.run_for(20_000)
    assert answered(visit) == 0
    watch.expected.add(path)
    visit.page.route(f"**{path}", lambda route: route.fulfill(status=502, body="<h1>Bad gateway</h1>"))
    hide(visit, False)
    for _ in range(60):
        visit.page.clock.run_for(1000)
        answered(visit)
    visit.on("One moment")
    assert 3 <= answered(visit) <= 7
    visit.page.unroute_all()
    ConnectSession.objects.update(claimed_until=None)
    hide(visit, False)
    visit.on("What do you pay for a kilowatt-hour?")


@only("no script")
def test_without_script_it_says_when_it_was_made(open_page):
    open_page().sees("As of Mon 23 Nov, 12:30.")
