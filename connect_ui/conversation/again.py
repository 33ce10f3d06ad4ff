"""A conversation whose token has expired, led to the same question by another one."""

from tariffs import flatpeak

from ..models import ConnectSession
from ..routes import form_for
from .ask import begin, catch_up, send
from .tokens import REPEATED_ACTIONS, path_to


def again(old: ConnectSession) -> ConnectSession:
    """Another conversation in the place of one whose token has expired, led to the same question as far as Connect goes.

    The answers that were given are given again, page by page, for as long as Connect asks the same; what was typed last
    and never taken stands in the form. Raises FlatPeakError where FlatPeak is not there for all of that; it can be begun
    anew then.
    """
    new = begin(
        old.user_id, direction=old.direction, country_code=old.country_code, location=old.location, type=old.type
    )
    try:
        catch_up(new)
        new.not_listed = old.not_listed
        follow(old, new)
    except flatpeak.FlatPeakError:
        ConnectSession.objects.filter(pk=new.pk).update(counted=True)  # no customer saw it, so none has left it
        new.delete()
        raise
    return new


def follow(old: ConnectSession, new: ConnectSession) -> None:
    """Give the answers of one conversation in another. Raises Unavailable."""
    for said in path_to(old, old.newest):
        asked = new.pages.filter(number=new.newest, route=said.route).first()
        if not asked or not new.is_open:
            break
        answer = said.answer or {}
        repeatable = "data" in answer or answer.get("action") in REPEATED_ACTIONS
        if not repeatable or said.number == old.newest:
            asked.typed = said.typed
            asked.save(update_fields=["typed"])
            break
        form = form_for(asked)
        if not new.claim():
            break
        try:
            send(new, asked, answer, said.typed, form)
        except flatpeak.Rejected:
            asked.typed = said.typed
            asked.save(update_fields=["typed"])
            break
