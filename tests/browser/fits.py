"""The checks of every page: narrow screens, targets for a finger, and axe in light, dark and the system's colours."""

from axe_playwright_python.sync_playwright import Axe

NARROW = {"viewport": {"width": 320, "height": 640}, "is_mobile": False, "reduced_motion": "reduce"}
OUTSIDE = """() => [...document.body.querySelectorAll('*')]
    .filter(e => e.checkVisibility() && e.getBoundingClientRect().right > innerWidth + 1)
    .map(e => e.outerHTML.slice(0, 80))"""


# Targets that are too small for a finger. Links within a sentence or a list are exempt.
SMALL = """() => [...document.querySelectorAll('button, input:not([type=hidden]), select, summary, .button')]
    .map(e => e.matches('[type=radio], [type=checkbox]') ? e.closest('label') : e)
    .filter(e => e.checkVisibility() && (e.offsetHeight < 44 || e.offsetWidth < 44))
    .map(e => e.outerHTML.slice(0, 120))"""


# Forced colours remove backgrounds and shadows. There, a control needs a border or underlined words, and a chosen or current
# element needs an outline.
UNSEEN = """() => [...document.querySelectorAll(
        'button, input:not([type=hidden], [type=radio], [type=checkbox]), select, textarea, .button, ' +
        'fieldset label:has(input), [aria-current]')]
    .filter(e => e.checkVisibility() && !e.closest('.top'))
    .filter(e => {
        const { borderBottomWidth, textDecorationLine } = getComputedStyle(e.closest('.with-unit, .choices > li') ?? e);
        const framed = getComputedStyle(e).outlineStyle !== 'none';
        if (e.matches('[aria-current], label:has(:checked)')) return !framed;
        return borderBottomWidth === '0px' && !textDecorationLine.includes('underline');
    })
    .map(e => e.outerHTML.slice(0, 120))"""


def fits(visit):
    """Nothing overflows to the right, no target is too small, and axe finds nothing in any colours."""
    heading = visit.page.get_by_role("heading", level=1).inner_text()
    for width in (640, 320):  # a screen of 1280 at 200 and 400 %
        visit.page.set_viewport_size({"width": width, "height": 640})
        assert visit.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), heading
        assert visit.page.evaluate(OUTSIDE) == [], heading
    assert visit.page.evaluate(SMALL) == [], heading
    for colours in ({"color_scheme": "dark"}, {"color_scheme": "light"}, {"forced_colors": "active"}):
        visit.page.emulate_media(**colours)
        found = Axe().run(visit.page)
        assert not found.violations_count, f"{heading}, {colours}: {found.generate_report()}"
    unseen = visit.page.evaluate(UNSEEN)
    assert unseen == [], f"{heading}: {unseen}"
    visit.page.emulate_media(forced_colors="none")
    return visit
