"""What every page has to stand up to: a narrow screen, a finger, and axe, by day, by night, and in colours of the system."""

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


# In the system's few colours, where grounds and shadows are gone: a control without an edge or a line under its words, and
# what is chosen or is the present one without a frame.
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
    """Nothing reaches over the right side or is too small to hit; and axe finds nothing, in whatever colours."""
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
