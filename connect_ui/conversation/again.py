"""A new conversation in place of one whose token has expired."""

from tariffs import flatpeak

from ..models import ConnectSession
from ..routes import form_for
from .ask import begin, catch_up, send
from .tokens import REPEATED_ACTIONS, path_to


def again(old: ConnectSession) -> ConnectSession:
    """Start a new conversation and repeat the answers of the old one for as long as Connect asks the same questions.

    What was typed last and not accepted is filled in. Raises FlatPeakError if FlatPeak fails meanwhile; nothing is kept
    then, so the customer can try again.
    """
    new = begin(
        old.user_id, direction=old.direction, country_code=old.country_code, location=old.location, type=old.type
    )
    try:
        catch_up(new)
        new.not_listed = old.not_listed
        repeat_answers(old, new)
    except flatpeak.FlatPeakError:
        ConnectSession.objects.filter(pk=new.pk).update(counted=True)  # not for the funnel: no customer saw it
        new.delete()
        raise
    return new


def repeat_answers(old: ConnectSession, new: ConnectSession) -> None:
    """Give the answers of the old conversation in the new one. Raises Unavailable."""
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
