"""A browser's name from its User-Agent header.

Two tables, because a list of sign-ins needs no more than whose browser it is: the libraries for this try hundreds of patterns
on what a stranger may have written. Nothing of the header but a name from here is shown.
"""

from django.utils.translation import gettext

# By a mark in the header, the first that is found: most browsers also name those that they are made from.
BROWSERS = {
    "Edg": "Edge",
    "OPR/": "Opera",
    "SamsungBrowser/": "Samsung Internet",
    "Vivaldi/": "Vivaldi",
    "DuckDuckGo/": "DuckDuckGo",
    "Ddg/": "DuckDuckGo",
    "FxiOS/": "Firefox",
    "Firefox/": "Firefox",
    "CriOS/": "Chrome",
    "Chrome/": "Chrome",
    "Safari/": "Safari",
}
SYSTEMS = {
    "Windows": "Windows",
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Android": "Android",
    "CrOS": "ChromeOS",
    "Macintosh": "Mac",
    "Linux": "Linux",
}


def named(user_agent: str) -> str:
    """Return "Firefox on Windows", or as much of it as the header tells."""
    found = {
        key: next((name for mark, name in table.items() if mark in user_agent), "") for key, table in TABLES.items()
    }
    if found["browser"] and found["system"]:
        return gettext("%(browser)s on %(system)s") % found
    if found["system"]:
        return gettext("A browser on %(system)s") % found
    return found["browser"] or gettext("An unknown browser")


TABLES = {"browser": BROWSERS, "system": SYSTEMS}
