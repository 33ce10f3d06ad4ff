"""The checks of every page: narrow screens, targets for a finger, and axe in light, dark and the system's colours."""

from axe_playwright_python.base import AXE_SCRIPT

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


# The rules of axe that judge colours. What the others judge is the same in every colour scheme.
OF_COLOURS = ["color-contrast", "link-in-text-block"]
SCHEMES = {
    "dark": ({"color_scheme": "dark"}, OF_COLOURS),
    "light": ({"color_scheme": "light"}, []),
    "forced colours": ({"forced_colors": "active"}, OF_COLOURS),
}
VIOLATIONS = """async (rules) => {
    const only = rules.length ? { runOnly: { type: "rule", values: rules } } : {};
    const { violations } = await axe.run({ resultTypes: ["violations"], ...only });
    return violations.map(({ help, nodes }) => `${help}: ${nodes.map(({ html }) => html).join(" ")}`);
}"""


def fits(visit):
    """Nothing overflows to the right, no target is too small, and axe finds nothing in any colours."""
    heading = visit.page.get_by_role("heading", level=1).inner_text()
    for width in (640, 320):  # a screen of 1280 at 200 and 400 %
        visit.page.set_viewport_size({"width": width, "height": 640})
        assert visit.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), heading
        assert (outside := visit.page.evaluate(OUTSIDE)) == [], (heading, outside)
    assert visit.page.evaluate(SMALL) == [], heading
    if not visit.page.evaluate("'axe' in window"):
        visit.page.evaluate(AXE_SCRIPT)
    for scheme, (colours, rules) in SCHEMES.items():
        visit.page.emulate_media(**colours)
        found = visit.page.evaluate(VIOLATIONS, rules)
        assert found == [], f"{heading}, {scheme}: {found}"
    unseen = visit.page.evaluate(UNSEEN)
    assert unseen == [], f"{heading}: {unseen}"
    visit.page.emulate_media(forced_colors="none")
    return visit
