"""Colours that other people choose: forced by the system, or those of a printer."""

import pytest

pytestmark = pytest.mark.browser
COLOURS = """(all) => Object.fromEntries(all.map((one) => {
    const { fill, stroke } = getComputedStyle(one);
    return [one.textContent + one.className.baseVal, one.nodeName === "text" ? fill : stroke];
}))"""


@pytest.fixture
def page(open_visit, sign_in, walk):
    """The rates of a market price, with a chart."""
    visit = sign_in(open_visit("phone"))
    walk.to_providers().provider("Octopus Energy").log_in_at_provider().save()
    return visit.open(f"/locations/{walk.session.location_id}/").page


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_forced_colours_reach_the_chart(page, scheme):
    page.emulate_media(forced_colors="active", color_scheme=scheme)
    system = page.evaluate(
        """() => Object.fromEntries(["CanvasText", "GrayText"].map((name) => {
            const probe = document.body.appendChild(document.createElement("i"));
            probe.style.color = name;
            return [name, getComputedStyle(probe).color];
        }))"""
    )
    found = page.locator(".chart svg :is(text, .grid, .zero, .bar, .now)").evaluate_all(COLOURS)
    assert found.pop("grid") == system["GrayText"]
    assert "cheapestname" in found
    assert set(found.values()) == {system["CanvasText"]}, found


@pytest.mark.parametrize("theme", ["light", "dark", ""])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_paper_is_white_and_ink_is_black_in_every_theme(page, theme, scheme):
    page.emulate_media(media="print", color_scheme=scheme)
    page.evaluate("(theme) => { document.documentElement.dataset.theme = theme }", theme)
    colours = page.evaluate(
        "() => { const { color, backgroundColor } = getComputedStyle(document.body); return [color, backgroundColor] }"
    )
    assert colours == ["rgb(0, 0, 0)", "rgb(255, 255, 255)"]
    texts = page.locator(".chart text").evaluate_all("all => all.map((one) => getComputedStyle(one).fill)")
    assert set(texts) == {"rgb(0, 0, 0)"}
