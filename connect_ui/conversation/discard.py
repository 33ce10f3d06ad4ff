"""The customer gives a conversation up before anything is connected."""

from ..models import ConnectSession


def discard(session: ConnectSession) -> bool:
    """End the session, unless something is connected by now; False if an answer is under way."""
    with session.claimed(held=True) as mine:
        if mine and session.may_be_discarded:
            session.give_up(session.State.LEFT)
    return mine
