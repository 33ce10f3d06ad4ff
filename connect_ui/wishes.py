"""What a customer pressed on the page of a connected tariff, before the conversation about it began."""

from .conversation import ask
from .models import ConnectSession

# Connect's actions for a wish, by the words of the page; the first that its first page offers is the one.
WISHES = {"change": ("EDIT", "RECONNECT"), "disconnect": ("DISCONNECT",)}


def fulfil(session: ConnectSession, wish: str) -> None:
    """Press the button of the conversation's first page that does it; nothing if there is none. Raises FlatPeakError."""
    page = session.pages.filter(number=session.newest).first() if wish in WISHES and session.is_open else None
    action = next((each for each in WISHES.get(wish, ()) if page and each in page.actions), "")
    if page and action:
        with session.claimed() as mine:
            if mine:
                ask.send(session, page, {"action": action}, {}, None)
