"""A brand's colours, one for light pages and one for dark ones, and the shades made from each."""

import re
from base64 import b64encode
from hashlib import sha256

from django.core.exceptions import ImproperlyConfigured

Colour = tuple[int, ...]
LIGHT, DARK = (255, 255, 255), (17, 22, 20)  # the backgrounds of static/css/app.css, and the texts on an accent
INK, PALE = (21, 33, 28), (232, 238, 235)  # its texts on LIGHT and on DARK
LEAST = 4.5  # minimum contrast of text, WCAG 2.2, 1.4.3


def contrast(one: Colour, other: Colour) -> float:
    """Return the contrast ratio of two colours, 1 to 21, as WCAG 2.2 defines it."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: Colour) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (value / 255 for value in colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _mixed(one: Colour, other: Colour, share: float) -> Colour:
    """Mix two colours; `share` is the part of the first, 0 to 1."""
    return tuple(round(a * share + b * (1 - share)) for a, b in zip(one, other, strict=True))


def _variables(name: str, text: str, ground: Colour, ink: Colour) -> str:
    found = re.fullmatch(r"#?([0-9a-fA-F]{6})", text)
    if not found:
        raise ImproperlyConfigured(f"{name} is no colour: give six digits, for example 0b5f4a.")
    accent = tuple(bytes.fromhex(found[1]))
    soft = _mixed(accent, ground, 0.1)
    for against, words in ((ground, "the page's ground"), (soft, "a tint of itself")):
        if contrast(accent, against) < LEAST:
            raise ImproperlyConfigured(
                f"{name} {text} has a contrast of {contrast(accent, against):.1f} to {words}, and links and buttons need "
                f"{LEAST}: choose a {'darker' if ground == LIGHT else 'lighter'} one."
            )
    variables = {
        "accent": accent,
        "accent-strong": _mixed(accent, ink, 0.75),
        "on-accent": max(LIGHT, DARK, key=lambda on: contrast(accent, on)),
        "soft": soft,
    }
    return ";".join(f"--{role}:#{bytes(colour).hex()}" for role, colour in variables.items())


def style(accent: str, accent_dark: str) -> str:
    """Return CSS that overrides app.css's colours; raises ImproperlyConfigured if text in them would be unreadable."""
    light = _variables("BRAND_ACCENT", accent, LIGHT, INK)
    dark = _variables("BRAND_ACCENT_DARK", accent_dark, DARK, PALE)
    return (
        f":root{{{light}}}@media screen and (prefers-color-scheme:dark){{:root:not([data-theme=light]){{{dark}}}}}"
        f"@media screen{{:root[data-theme=dark]{{{dark}}}}}"
    )


def source(inline: str) -> str:
    """Return the source of the Content-Security-Policy that allows this inline style or script and no other."""
    return f"'sha256-{b64encode(sha256(inline.encode()).digest()).decode()}'"
