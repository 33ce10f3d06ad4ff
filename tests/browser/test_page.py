"""Single pages in a browser: the script, the keyboard, narrow screens, pictures, and double clicks."""

import os
import re
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from playwright.sync_api import expect

from connect_ui.models import ConnectSession
from tests.browser.conftest import WITHOUT_SCRIPT_TOO
from tests.browser.fits import NARROW, OUTSIDE, fits
from tests.races.servers import wait_until

pytestmark = pytest.mark.browser


def only(*screens):
    return pytest.mark.parametrize("screen", screens, indirect=True)


def answers(sandbox):
    """The number of answers sent to Connect, by route; a question where a conversation stands is no answer."""
    with sandbox.lock:
        return {k: n for k, n in sandbox.counts.items() if k.startswith("connect.") and k != "connect.session_restore"}


def focused(locator):
    return locator.evaluate("element => element === document.activeElement")


def tab_to(visit, locator, most=60):
    """Press Tab until an element has the focus; fail if it does not get it, is out of view, or shows no focus."""
    for _ in range(most):
        if focused(locator):
            break
        visit.page.keyboard.press("Tab")
    expect(locator).to_be_focused()
    expect(locator).to_be_in_viewport()
    outline = "e => [e, e.closest('.with-unit')].some(e => e && getComputedStyle(e).outlineStyle !== 'none')"
    assert locator.evaluate(outline), "nothing shows where the focus is"
    return locator


def to_fixed_price(visit):
    visit.to_providers().provider("Ecotricity").structure("One price at all times")
    return visit.on("What do you pay for a kilowatt-hour?")


# -- the search


# What the button of the search sends where no script listens.
SEARCH_WITHOUT_SCRIPT = """(input, typed) => {
  input.value = typed;
  input.form.append(Object.assign(document.createElement("input"), { type: "hidden", name: "search", value: "1" }));
  input.form.submit();
}"""
SEARCHES = {
    "octo": "Octopus Energy",
    "OCTOPUS Limited": "Octopus Energy",
    "yu energy": "Yü Energy",
    "e.on": "E.ON Next",
    "eon next": "E.ON Next",
    "EDF Energy": "EDF",
    "British Gas Trading Limited": "British Gas",
    "scotish power": "ScottishPower",
}


@only("phone")
def test_the_search_filters_at_once_without_accents_case_and_legal_form(visit, sandbox):
    visit.to_providers()
    expect(visit.button("SSE")).to_be_visible()  # in the part that is inserted after the first paint
    everything, sent = visit.names(), dict(sandbox.counts)
    for typed, found in SEARCHES.items():
        visit.page.get_by_role("searchbox").clear()
        visit.page.get_by_role("searchbox").press_sequentially(typed)
        expect(visit.choices).to_have_text([re.compile(rf"{re.escape(found)}\s*$")])
        expect(visit.main.get_by_role("status")).to_have_text(f"1 of {len(everything)}")
    visit.page.get_by_role("searchbox").press("Enter")
    expect(visit.choices).to_have_count(1)
    visit.page.get_by_role("searchbox").clear()
    expect(visit.choices).to_have_count(len(everything))
    assert visit.names() == everything
    not_logos = {name: n for name, n in sandbox.counts.items() if name != "logo"}
    assert not_logos == {name: n for name, n in sent.items() if name != "logo"}
    assert "?" not in visit.page.url


@only("no script")
def test_the_search_finds_the_same_without_script(visit):
    visit.to_providers()
    for typed, found in SEARCHES.items():
        visit.search(typed)
        expect(visit.choices).to_have_text([re.compile(rf"{re.escape(found)}\s*$")])
    visit.search("")
    expect(visit.button("SSE")).to_be_visible()


@only("phone")
def test_the_ways_out_of_a_list_stay_where_they_are_however_little_is_found(visit):
    visit.to_providers()
    place = visit.button("My provider is not listed").bounding_box()
    for typed, count in (("ecotr", 1), ("zzz", 0)):
        visit.search(typed)
        expect(visit.choices).to_have_count(count)
        assert visit.button("My provider is not listed").bounding_box() == place


@only("desktop")
def test_script_and_server_put_what_is_found_in_the_same_order(visit):
    visit.to_providers()
    expect(visit.button("SSE")).to_be_visible()  # in the part that is inserted after the first paint
    everything, here = visit.choices.count(), {}
    for typed in ("e", "en", "energy", "co", "test: re", "good energy", "energy good", "enrgy", "&", "zzz"):
        visit.page.get_by_role("searchbox").fill(typed)
        visit.page.evaluate("new Promise((shown) => requestAnimationFrame(() => setTimeout(shown)))")
        said = visit.main.get_by_role("status").text_content()  # the others come a little later
        found = re.match(r"\d+|", said)[0] or (0 if said else everything)
        expect(visit.choices).to_have_count(int(found))
        here[typed] = visit.names()
    address = visit.page.url
    for typed, names in here.items():
        visit.page.goto(address)
        with visit.page.expect_navigation():
            visit.page.locator("[data-search]").evaluate(SEARCH_WITHOUT_SCRIPT, typed)
        assert visit.page.url == address
        assert visit.names() == names, typed


# -- what is typed


@WITHOUT_SCRIPT_TOO
def test_a_wrong_price_is_told_at_its_field_and_kept(visit, sandbox):
    to_fixed_price(visit).type({"Price per kWh": "cheap"}).press("Continue")
    summary, field = visit.page.get_by_role("alert"), visit.field("Price per kWh")
    expect(summary).to_contain_text("Enter a number, for example 24.5.")
    expect(field).to_have_value("cheap")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_accessible_description(re.compile("Enter a number, for example 24.5."))
    expect(visit.page).to_have_title(re.compile("^Error: "))
    if visit.script:
        expect(summary).to_be_focused()
    summary.get_by_role("link", name="Enter a number").click()
    if visit.script:
        expect(field).to_be_focused()
    expect(field).to_be_in_viewport()
    assert "connect.rate_fixed_capture" not in answers(sandbox)
    visit.type({"Price per kWh": "24.5"}).press("Continue").on("What is your tariff called?")


@only("desktop")
def test_a_price_is_said_back_while_it_is_typed(visit):
    to_fixed_price(visit)
    said, field = visit.main.get_by_role("status").last, visit.field("Price per kWh")
    expect(field).to_have_accessible_description(re.compile("p per kWh"))
    field.press_sequentially("28.15")
    expect(said).to_have_text("28.15p (£0.2815) per kWh, about £760 a year at 2,700 kWh")
    field.fill("28,15p")
    expect(said).to_contain_text("28.15p (£0.2815) per kWh, about £760 a year")
    field.fill("£0.245")
    expect(said).to_contain_text("24.50p (£0.245) per kWh")
    field.fill("25.015")
    expect(said).to_contain_text("25.02p (£0.25015) per kWh")
    field.fill("17.5")  # a year costs 472.5, and a little less in floats
    expect(said).to_contain_text("17.50p (£0.175) per kWh, about £473 a year")
    field.fill("cheap")
    expect(said).to_have_text("")


def test_a_price_in_the_wrong_unit_is_asked_about_once(visit, sandbox):
    to_fixed_price(visit).type({"Price per kWh": "0.245"}).press("Continue")
    visit.sees("Did you mean 24.50p?")
    expect(visit.field("Price per kWh")).to_have_value("0.245")
    assert "connect.rate_fixed_capture" not in answers(sandbox)
    visit.press("Continue").on("What is your tariff called?")
    assert answers(sandbox)["connect.rate_fixed_capture"] == 1


@only("phone")
def test_a_double_click_sends_one_answer(visit, sandbox):
    to_fixed_price(visit).type({"Price per kWh": "28.15"})
    sent = []
    visit.page.route(
        "**/connect/**", lambda route: sent.append(route)
    )  # holds the first press until the second is over
    visit.button("Continue").dblclick()
    visit.page.wait_for_function("document.querySelector('[aria-busy]')")
    wait_until(lambda: sent or visit.page.wait_for_timeout(10))
    sent[0].continue_()
    visit.on("What is your tariff called?")
    assert answers(sandbox)["connect.rate_fixed_capture"] == len(sent) == 1


@only("no script")
def test_a_second_press_without_script_waits_for_the_first(visit, sandbox):
    to_fixed_price(visit).type({"Price per kWh": "28.15"})
    sandbox.state["switches"]["delay_ms"] = 2500
    button = visit.button("Continue").bounding_box()
    visit.page.mouse.click(button["x"] + 9, button["y"] + 9)
    # The browser sends each press on a connection of its own, so without this wait the second may arrive first.
    wait_until(ConnectSession.objects.filter(claimed_until__isnull=False).exists)
    visit.page.mouse.click(button["x"] + 9, button["y"] + 9)
    visit.on("One moment")
    visit.on("What is your tariff called?")
    assert answers(sandbox)["connect.rate_fixed_capture"] == 1


@only("phone", "no script")
def test_reloading_a_page_sends_nothing(visit, sandbox):
    to_fixed_price(visit).type({"Price per kWh": "28.15"}).press("Continue").on("What is your tariff called?")
    before = dict(sandbox.counts)
    visit.page.reload()
    visit.on("What is your tariff called?")
    visit.page.go_back()
    visit.on("What do you pay for a kilowatt-hour?")
    expect(visit.field("Price per kWh")).to_have_value("28.15")
    visit.page.reload()
    visit.on("What do you pay for a kilowatt-hour?")
    assert dict(sandbox.counts) == before


@only("desktop")
def test_the_date_is_asked_of_those_whose_contract_ends(visit):
    to_fixed_price(visit).type({"Price per kWh": "28.15"}).press("Continue").on("What is your tariff called?")
    visit.type({"Name of your tariff": "Simple"}).press("Continue").on("When does your contract end?")
    expect(visit.field("Last day of the contract")).to_be_hidden()
    visit.field("Yes, on a date I know").check()
    visit.type({"Last day of the contract": "2031-06-15"})
    visit.press("Continue").on("Is this your tariff?").sees("15 June 2031")


# -- pictures


@only("phone", "no script")
def test_logos_come_from_flatpeak_and_a_broken_one_leaves_the_initials(visit, sandbox):
    visit.to_providers()
    logo = visit.button("Affect Energy").locator("img")
    expect(logo).to_have_js_property("complete", True)
    assert logo.evaluate("image => image.naturalWidth") > 0
    assert logo.bounding_box()["width"] == logo.bounding_box()["height"] == 40
    broken = visit.button("Test: broken logo")
    broken.scroll_into_view_if_needed()
    expect(broken.locator("img")).to_have_js_property("complete", True)
    assert broken.locator("img").bounding_box()["width"] == 0
    expect(broken.locator(".logo")).to_have_text("TB")
    assert sandbox.counts["logo"] > 0


# -- the keyboard


@only("desktop")
def test_the_keyboard_alone_leads_through_connect(visit, sandbox):
    visit.open("/connect/").on("Connect your tariff")
    keyboard = visit.page.keyboard
    keyboard.press("Tab")
    expect(visit.page.get_by_role("link", name="Skip to the content")).to_be_focused()
    keyboard.press("Enter")
    tab_to(visit, visit.field("Electricity I buy"), most=2)
    tab_to(visit, visit.button("Start"))
    keyboard.press("Enter")
    visit.on("Where do you use this electricity?")
    for label, text in visit.ADDRESS.items():
        tab_to(visit, visit.field(label))
        keyboard.type(text)
    keyboard.press("Enter")
    visit.on("Who is your electricity provider?")
    tab_to(visit, visit.page.get_by_role("searchbox"))
    keyboard.type("ecotr")
    tab_to(visit, visit.button("Ecotricity"), most=5)
    keyboard.press("Enter")
    visit.on("How does your price work?")
    tab_to(visit, visit.choices.first)
    keyboard.press("Space")
    visit.on("What do you pay for a kilowatt-hour?")
    tab_to(visit, visit.field("Price per kWh"))
    keyboard.type("28.15")
    keyboard.press("Enter")
    visit.on("What is your tariff called?")
    tab_to(visit, visit.button("Continue"))
    keyboard.press("Enter")
    expect(visit.page.get_by_role("alert").filter(visible=True)).to_be_focused()
    keyboard.press("Tab")
    keyboard.press("Enter")
    expect(visit.field("Name of your tariff")).to_be_focused()
    keyboard.type("Simple")
    keyboard.press("Enter")
    visit.on("When does your contract end?")
    tab_to(visit, visit.field("Yes, on a date I know"))
    keyboard.press("ArrowUp")
    expect(visit.field("I don't know")).to_be_checked()
    keyboard.press("Enter")
    tab_to(visit.on("Is this your tariff?"), visit.button("Yes, save it"))
    keyboard.press("Enter")
    visit.to_rates().pays("28.15p", "")
    assert answers(sandbox)["connect.rate_fixed_capture"] == 1


@only("phone")
def test_the_menu_opens_by_keyboard_and_closes_beside_it(visit):
    visit.open("/locations/").on("My locations")
    menu = visit.page.get_by_role("link", name="Account", exact=True)
    expect(menu).to_be_hidden()
    tab_to(visit, visit.page.locator("summary", has_text="Menu"))
    visit.page.keyboard.press("Enter")
    expect(menu).to_be_visible()
    visit.page.get_by_role("heading", level=1).click(force=True)
    expect(menu).to_be_hidden()


# -- narrow screens


def test_what_is_long_fits_320_pixels(open_visit, sign_in):
    visit = sign_in(open_visit(**NARROW))
    visit.to_providers().search("long names")
    fits(visit)
    visit.choose("Test: long names").on("Which tariff do you have?")
    fits(visit)
    visit.leave_by(visit.choices.last)
    fits(visit.on("Is this your tariff?"))
    fits(visit.save().to_rates().pays())
    visit.page.get_by_role("link", name="My locations").first.click()
    visit.on("My locations").page.locator("summary", has_text="Menu").click()
    fits(visit)


def test_prices_with_many_digits_and_hours_fit_320_pixels(open_visit, sign_in):
    visit = sign_in(open_visit(**NARROW))
    visit.to_providers().provider("Ecotricity").structure("Different prices at different times")
    visit.on("What are your prices, and when do they start?").press("Add another price")
    expect(visit.field("Price 3 per kWh")).to_be_visible()
    visit.type({"Price 1 starts at": "07:00", "Price 1 per kWh": "123456789"}).press("Continue")
    expect(visit.page.get_by_role("alert")).to_be_visible()
    fits(visit)
    visit.type({"Price 1 per kWh": "30.12345678", "Price 2 starts at": "23:00", "Price 2 per kWh": "9.5"})
    visit.press("Continue").name_and_term("Simple")
    fits(visit.on("Is this your tariff?"))
    visit.press("No, change it").provider("Test: market only").press("Continue").name_and_term("A" * 200)
    fits(visit.on("Is this your tariff?"))
    visit.save().to_rates().pays()
    fits(visit.open(f"{visit.page.url}day/?date={last_long_day()}").sees("01:00 BST", "01:00 GMT"))


def last_long_day():
    """The latest past last Sunday of October, which has 25 hours in London."""
    today = datetime.now(UTC).date()
    ends = (date(today.year - years, 10, 31) for years in (0, 1))
    sundays = (end - timedelta(days=(end.weekday() + 1) % 7) for end in ends)
    return next(sunday for sunday in sundays if sunday < today)


@only("desktop")
def test_the_chart_is_read_out_by_arrow_keys_and_by_the_pointer(visit):
    visit.to_providers().provider("Ecotricity").structure("Different prices at different times")
    visit.type({"Price 1 starts at": "07:00", "Price 1 per kWh": "30"})
    visit.type({"Price 2 starts at": "23:00", "Price 2 per kWh": "9.5"}).press("Continue")
    visit.name_and_term("Simple").save().to_rates()
    chart, said = visit.page.locator(".chart svg"), visit.page.locator(".readout")
    chart.focus()
    visit.page.keyboard.press("ArrowRight")
    expect(said).to_contain_text("00:00 to 07:00: 9.50p")
    visit.page.keyboard.press("ArrowRight")
    expect(said).to_contain_text("07:00 to 23:00: 30.00p")
    visit.page.keyboard.press("ArrowLeft")
    expect(said).to_contain_text("00:00 to 07:00: 9.50p")
    chart.hover()  # the middle of the chart is late in the first evening
    expect(said).to_contain_text("07:00 to 23:00: 30.00p")


@only("phone")
def test_a_tap_and_a_drag_on_the_chart_say_the_price_under_the_finger_above_it(visit):
    visit.to_providers().provider("Ecotricity").structure("Different prices at different times")
    visit.type({"Price 1 starts at": "07:00", "Price 1 per kWh": "30"})
    visit.type({"Price 2 starts at": "23:00", "Price 2 per kWh": "9.5"}).press("Continue")
    visit.name_and_term("Simple").save().to_rates()
    chart, said = visit.page.locator(".chart svg"), visit.page.locator(".readout")
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    middle = box["y"] + box["height"] / 2
    visit.page.touchscreen.tap(box["x"] + box["width"] * 0.15, middle)  # early today
    expect(said).to_contain_text("00:00 to 07:00: 9.50p")
    assert said.bounding_box()["y"] + said.bounding_box()["height"] <= middle
    # A finger that moves along; Chromium's tools send what a touch screen would.
    line = visit.page.context.new_cdp_session(visit.page)
    for kind, share in (("touchStart", 0.15), ("touchMove", 0.2), ("touchMove", 0.35), ("touchEnd", None)):
        points = [{"x": box["x"] + box["width"] * share, "y": middle}] if share else []
        line.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    expect(said).to_contain_text("07:00 to 23:00: 30.00p")


@WITHOUT_SCRIPT_TOO
def test_tabs_other_days_and_downloads_work_from_the_rates_page(visit):
    visit.to_providers().provider("Ecotricity").structure("Different prices at different times")
    visit.type({"Price 1 starts at": "07:00", "Price 1 per kWh": "30"})
    visit.type({"Price 2 starts at": "23:00", "Price 2 per kWh": "9.5"}).press("Continue")
    visit.name_and_term("Simple").save().to_rates()
    visit.link("Tomorrow").click()
    visit.sees("Tomorrow: 9.50p to 30.00p per kWh")
    expect(visit.page).to_have_url(re.compile("day=tomorrow$"))
    with visit.page.expect_download() as got:
        visit.link("CSV").click()
    assert got.value.suggested_filename.endswith(".csv")
    visit.link("Month").click()
    visit.on(re.compile(r"^\w+ 20\d\d$"))
    visit.link("Week").click()
    visit.on(re.compile("^The week from Monday"))
    visit.main.get_by_text("Every day as a table").click()
    visit.page.get_by_role("row").nth(1).get_by_role("link").click()
    visit.on(re.compile("^Monday"))


@pytest.mark.parametrize("locale", ["de", "fr"])
def test_no_tab_breaks_its_word_and_buttons_stand_apart(open_visit, sign_in, walk, locale):
    visit = sign_in(open_visit("phone", locale=locale))
    walk.fixed()
    visit.open(f"/locations/{walk.session.location_id}/")
    heights = visit.page.evaluate("[...document.querySelectorAll('.tabs a')].map(e => e.offsetHeight)")
    assert len(heights) == 4
    assert max(heights) < 60  # one line
    edges = visit.page.evaluate(
        "[...document.querySelectorAll('main .button.quiet')].map(e => e.getBoundingClientRect()).map(e => [e.top, e.bottom])"
    )
    assert all(later[0] - earlier[1] >= 8 for earlier, later in pairwise(sorted(edges)))


# -- the language


@only("phone", "no script")
def test_the_language_is_switched_on_any_page_and_stays(visitor, screen):
    visitor.open("/account/login/?next=/connect/").on("Sign in").press("Deutsch").on("Anmelden")
    expect(visitor.page).to_have_url(re.compile(r"/account/login/\?next=/connect/$"))
    expect(visitor.button("Deutsch")).to_have_attribute("aria-current", "true")
    visitor.open("/").on("Sehen Sie Stunde für Stunde, was Ihr Strom kostet")
    visitor.press("Français").on("Voyez ce que coûte votre électricité, heure par heure")


# German has the longest words; French has words between those of the others.
@pytest.mark.parametrize("language", ["de", "fr", "ar"] if "TORTURE" in os.environ else ["de", "ar"])
def test_other_languages_fit_a_narrow_screen_from_whichever_side_they_are_written(
    open_visit, sign_in, arabic, walk, language
):
    walk.by_hand(structure="MARKET").answer(percentage="5", fixed="2").name_and_term().act("SAVE")
    location = f"/locations/{walk.session.location_id}/"
    questions = []
    for step in (lambda: walk.start(), walk.address, lambda: walk.provider("Ecotricity")):
        step()
        questions.append(walk.path)
    questions += [walk.answer(options="TIME_OF_DAY").path]
    walk.answer(periods="2", start_0="07:00", cost_0="30", start_1="23:00", cost_1="9.5")
    questions += [walk.path, walk.name_and_term().path]
    visit = sign_in(open_visit(**NARROW | {"locale": language}))
    rates = [location, f"{location}?direction=IMPORT&hours=2&kwh=3", f"{location}week/", f"{location}day/"]
    account = [f"/account/{place}/" for place in ("email", "sessions", "second-factor", "password/change")]
    for path in ("/connect/", *questions, "/locations/", *rates, *account, "/nowhere/"):
        visit.open(path)
        expect(visit.page.locator("html")).to_have_attribute("lang", language)
        fits(visit)
        beyond = OUTSIDE.replace("right > innerWidth + 1", "left < -1")
        assert visit.page.evaluate(beyond) == [], path
    assert visit.page.evaluate("document.dir") == ("rtl" if language == "ar" else "")
    visit.page.locator("summary").first.click()
    fits(visit)
    visitor = open_visit(**NARROW | {"locale": language})
    for path in ("/", "/account/login/", "/account/signup/"):
        fits(visitor.open(path))
