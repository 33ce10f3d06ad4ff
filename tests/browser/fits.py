"""What every page has to stand up to: a narrow screen, a finger, and axe, by day and by night."""

from axe_playwright_python.sync_playwright import Axe

NARROW = {"viewport": {"width": 320, "height": 640}, "is_mobile": False, "reduced_motion": "reduce"}
OUTSIDE = """() => [...document.body.querySelectorAll('*')]
    .filter(e => e.checkVisibility() && e.getBoundingClientRect().right > innerWidth + 1)
    .map(e => e.outerHTML.slice(0, 80))"""


# What a finger has to hit, but for links within a sentence or a list of them.
SMALL = """() => [...document.querySelectorAll('button, input:not([type=hidden]), select, summary, .button')]
    .map(e => e.matches('[type=radio], [type=checkbox]') ? e.closest('label') : e)
    .filter(e => e.checkVisibility() && (e.offsetHeight < 44 || e.offsetWidth < 44))
    .map(e => e.outerHTML.slice(0, 120))"""


def fits(visit):
    """Nothing reaches over the right side or is too small to hit; and axe finds nothing, by day and by night."""
    heading = visit.page.get_by_role("heading", level=1).inner_text()
    for width in (640, 320):  # a screen of 1280 at 200 and 400 %
        visit.page.set_viewport_size({"width": width, "height": 640})
        assert visit.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), heading
        assert visit.page.evaluate(OUTSIDE) == [], heading
    assert visit.page.evaluate(SMALL) == [], heading
    for scheme in ("dark", "light"):
        visit.page.emulate_media(color_scheme=scheme)
        found = Axe().run(visit.page)
        assert not found.violations_count, f"{heading}, {scheme}: {found.generate_report()}"
    return visit
