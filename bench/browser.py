"""What a customer with a slow phone on a slow line sees: paints, steps, bytes, layout shifts and keys, in Chromium.

Chromium's developer tools emulate the line and the processor. ROUND_TRIP is the least time from the request to the
answer's headers: the server's time is part of it, and connecting costs nothing.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from statistics import median

from playwright.sync_api import Browser, Page, Response, sync_playwright

from tests.browser.conftest import ARGUMENTS, PHONE

from .journeys import Customer
from .rates import fill as fill_days
from .site import Row, Site

ROUND_TRIP = 150  # milliseconds
LINE = {"offline": False, "latency": ROUND_TRIP, "downloadThroughput": 200_000, "uploadThroughput": 93_750}  # bytes/s
SLOWER = 4  # factor by which the processor is slowed down
READING = 700  # milliseconds between scrolling to a button and pressing it, while the logos around it load
ADDRESSES = ({"address_line1": f"{n} Example Street", "city": "London", "post_code": "N1 1AA"} for n in count(2))
PROVIDERS = 2000
QUERIES = ["octopus", "british gas", "energy 19", "zzz"]  # find some, one, many and none of the list

# Milliseconds from the start of the navigation to the largest contentful paint.
LARGEST_PAINT = """() => new Promise((resolve) =>
  new PerformanceObserver((list) => resolve(list.getEntries().at(-1).startTime))
    .observe({ type: "largest-contentful-paint", buffered: true }))"""

# Layout shifts of a page so far, as shares of the viewport: those without input, and all.
SHIFTS = """() => new Promise((resolve) => {
  const sum = (entries) => entries.reduce((total, { value }) => total + value, 0);
  const observer = new PerformanceObserver(() => {});
  observer.observe({ type: "layout-shift", buffered: true });
  const entries = observer.takeRecords();
  resolve([sum(entries.filter(({ hadRecentInput }) => !hadRecentInput)), sum(entries)]);
})"""

# Milliseconds from the next press to the second frame after the heading changed.
WATCH = """() => {
  const left = document.querySelector("h1");
  let pressed;
  addEventListener("click", ({ timeStamp }) => (pressed = timeStamp), { capture: true, once: true });
  window.painted = new Promise((resolve) =>
    new MutationObserver((_, observer) => {
      if (left.isConnected) return;
      observer.disconnect();
      requestAnimationFrame(() => requestAnimationFrame(() => resolve(performance.now() - pressed)));
    }).observe(document.querySelector("main"), { childList: true, subtree: true }));
}"""

# Milliseconds per key: of the input event's listeners with the layout after them, and until the results are laid out. The
# page shows results in a timer set by the next frame, so a timer set after it runs later. Each query begins with an empty
# field, a second after the query before, while its results are still being added.
TYPE = """async (queries) => {
  const input = document.querySelector("[data-search]");
  input.focus();
  const took = [];
  for (const query of queries)
    for (let length = 0; length <= query.length; length++) {
      if (!length) await new Promise((resolve) => setTimeout(resolve, 1000));
      await new Promise(requestAnimationFrame);
      const began = performance.now();
      input.value = query.slice(0, length);
      input.dispatchEvent(new InputEvent("input", { bubbles: true }));
      document.body.offsetHeight;
      const key = performance.now() - began;
      await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
      document.body.offsetHeight;
      took.push([key, performance.now() - began]);
    }
  return took;
}"""


class Phone:
    """A slow phone on a slow line with empty caches and a signed-in customer."""

    def __init__(self, chromium: Browser, port: int, cookie: str) -> None:
        url = f"http://127.0.0.1:{port}"
        name, value = cookie.split("=", 1)
        self.context = chromium.new_context(base_url=url, locale="en-GB", **PHONE)  # type: ignore[arg-type]
        self.context.add_cookies([{"name": name, "value": value, "url": url}])

    def open(self, path: str) -> Page:
        """Open a path in a new page and wait until the network is idle; records `answers` and `headers` in bytes."""
        page = self.context.new_page()
        line = self.context.new_cdp_session(page)
        line.send("Network.enable")
        line.send("Network.emulateNetworkConditions", LINE)
        line.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
        self.headers: list[int] = []
        self.answers: list[int] = []
        line.on("Network.responseReceived", lambda event: self.headers.append(event["response"]["encodedDataLength"]))
        line.on("Network.loadingFinished", lambda event: self.answers.append(event["encodedDataLength"]))
        page.goto(path)
        page.wait_for_load_state("networkidle")
        return page


@dataclass
class Run:
    """One customer's journey; times in milliseconds, sizes in bytes, shifts as shares of the viewport."""

    first_paint: float
    again_paint: float
    answers: list[int]  # sizes of the first page's answers, with headers
    headers: int
    steps: dict[str, float]
    shifts: float
    all_shifts: float


def run(chromium: Browser, site: Site, cookie: str) -> Run:
    phone = Phone(chromium, site.port, cookie)
    path = begun(site, cookie).path
    page = phone.open(path)
    first, answers, headers = page.evaluate(LARGEST_PAINT), [*phone.answers], sum(phone.headers)
    moved = page.evaluate(SHIFTS)
    page.locator("h1").tap()  # as people do before they leave
    page.wait_for_timeout(READING)
    page.goto("about:blank")
    page.goto(path)
    page.wait_for_load_state("networkidle")
    again = page.evaluate(LARGEST_PAINT)
    steps = dict(journey(page))
    shifts, all_shifts = map(sum, zip(moved, page.evaluate(SHIFTS), strict=True))
    phone.context.close()
    return Run(first, again, answers, headers, steps, shifts, all_shifts)


def begun(site: Site, cookie: str) -> Customer:
    """Begin a conversation; its first page asks for the address."""
    customer = Customer(site.port, cookie, "phone")
    customer.get("/connect/")
    customer.press({"direction": "IMPORT", "country_code": "GB"})
    return customer


def journey(page: Page) -> Iterator[tuple[str, float]]:
    """Walk from the address to the summary, which ends what goes in place; yields each step's name and milliseconds."""
    fill(page, next(ADDRESSES))  # a new one: who connects an address twice is asked about it
    yield "address", press(page, "Continue")
    yield "provider", press(page, "Ecotricity")
    yield "structure", press(page, "One price at all times")
    fill(page, {"cost": "28.15"})
    yield "price", press(page, "Continue")
    fill(page, {"tariff_name": "Simple"})
    yield "name", press(page, "Continue")
    page.get_by_label("I don't know").check()
    yield "term", press(page, "Continue")


def fill(page: Page, fields: dict[str, str]) -> None:
    for name, value in fields.items():
        page.fill(f'[name="{name}"]', value)


def press(page: Page, name: str) -> float:
    """Return milliseconds from the press to the paint of the next heading, less the server's time beyond the round trip."""

    def is_answer(response: Response) -> bool:
        return response.request.method == "POST"

    button = page.get_by_role("button", name=name).first
    button.scroll_into_view_if_needed()  # tap() would scroll and press at once, which no finger does
    page.wait_for_timeout(READING)
    page.evaluate(WATCH)
    with page.expect_response(is_answer) as answer:
        button.tap(force=True)
    painted: float = page.evaluate("painted")
    timing = answer.value.request.timing
    return painted - max(timing["responseStart"] - timing["requestStart"] - ROUND_TRIP, 0)


def keys(chromium: Browser, site: Site, cookie: str) -> list[tuple[float, float]]:
    """Return milliseconds of each key in the search of a long list, and until its results are shown."""
    customer = begun(site, cookie)
    site.control(faults=[{"call": "connect.postal_address_capture", "fault": "many_choices", "count": PROVIDERS}])
    customer.press(next(ADDRESSES) | {"country_code": "GB"})
    phone = Phone(chromium, site.port, cookie)
    page = phone.open(customer.path)
    assert page.locator("[data-list] > li").count() == PROVIDERS
    took = page.evaluate(TYPE, QUERIES)
    phone.context.close()
    return [(key, shown) for key, shown in took]


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the system's Chromium, else Playwright's."""
    with sync_playwright() as playwright:
        path = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


def browser(site: Site, quick: bool) -> Iterator[Row]:
    """Measure seven journeys, one if quick, each in a new browser context: medians, and the worst layout shifts."""
    cookie = site.sign_up("phone@example.com")
    count = 1 if quick else 7
    with site.sandbox(), site.app(), chromium() as program:
        runs = [run(program, site, cookie) for _ in range(count)]
        typed = [keys(program, site, cookie) for _ in range(count)]
    steps = {name: median(each.steps[name] for each in runs) for name in runs[0].steps}
    first, size = runs[0], sum(runs[0].answers)
    slowest = max(steps, key=steps.__getitem__)
    per_key = [median(key for key, _ in times) for times in zip(*typed, strict=True)]
    per_find = [median(shown for _, shown in times) for times in zip(*typed, strict=True)]
    yield (
        f"A phone {SLOWER} times slower, {ROUND_TRIP} ms, 1.6 Mbit/s: the first page of Connect, its largest paint",
        f"{median(each.first_paint for each in runs):.0f} ms",
        "≤ 900 ms",
    )
    yield (
        "… what its answers take on the wire, headers and bodies, and how many they are",
        f"{size / 1000:.1f} KB ({(size - first.headers) / 1000:.1f} KB without headers), {len(first.answers)}",
        "≤ 14 KB, ≤ 4",
    )
    yield (
        "… the same page again, once it was touched, its largest paint",
        f"{median(each.again_paint for each in runs):.0f} ms",
        "≤ 450 ms",
    )
    yield (
        "… a step from the press to the paint, without the server's own time: median, slowest",
        f"{median(steps.values()):.0f} ms, {steps[slowest]:.0f} ms ({slowest})",
        "≤ 300 ms",
    )
    yield (
        "… layout shifts of the journey that no input caused, and all",
        f"{max(each.shifts for each in runs):.3f}, {max(each.all_shifts for each in runs):.3f}",
        "0",
    )
    yield (
        f"… a key in the search of {PROVIDERS:,} providers: median, slowest",
        f"{median(per_key):.1f} ms, {max(per_key):.1f} ms",
        "< 16 ms",
    )
    yield (
        "… until what it finds is shown, which waits for the frame with the letter: median, slowest",
        f"{median(per_find):.1f} ms, {max(per_find):.1f} ms",
        "",
    )


def prices(site: Site, quick: bool) -> Iterator[Row]:
    """Measure the first look at a rates page that buys and sells, of 24 and of 96 prices a day, in new browser contexts."""
    from django.utils import timezone

    from tariffs.models import RateDay, Tariff
    from tariffs.rates.levels import worked_out

    buys, now = Tariff.objects.select_related("location").get(pk=site.tariff), timezone.now()
    today = now.astimezone(buys.location.local_zone).date()
    days = [today, today + timedelta(days=1)]
    sells = Tariff.objects.create(location=buys.location, direction="EXPORT", type=buys.type, provider=buys.provider)
    Tariff.objects.filter(pk__in=(buys.pk, sells.pk)).update(due_at=now + timedelta(days=1), rates="ok")
    for number in (24, 96):
        for tariff in (buys, sells):
            tariff.levels = None
            levels = worked_out(tariff, fill_days(tariff, days, 2 * number, now), days)
            Tariff.objects.filter(pk=tariff.pk).update(levels=levels)
        paints = []
        with site.sandbox(), site.app(), chromium() as program:
            for _ in range(2 if quick else 7):
                phone = Phone(program, site.port, site.cookie)
                paints.append(phone.open(site.location).evaluate(LARGEST_PAINT))
                answers = list(phone.answers)
                phone.context.close()
        yield f"… the rates page, {number} prices a day, its largest paint", f"{median(paints):.0f} ms", "≤ 700 ms"
        yield (
            "… the same on the wire: headers and bodies, and how many answers",
            f"{sum(answers) / 1000:.1f} KB, {len(answers)}",
            "≤ 16 KB, ≤ 5",
        )
    sells.delete()
    RateDay.objects.filter(tariff=buys).delete()
    Tariff.objects.filter(pk=buys.pk).update(due_at=now, levels=None)  # the next measures use FlatPeak's rates
