"""Answers that are given once more: in a new conversation, or after a change on the way to a summary."""

from contextlib import suppress

from django.db.models import Q
from django.http import QueryDict

from tariffs import flatpeak

from ..models import ConnectSession, Page
from ..routes import form_for
from .ask import begin, catch_up, send
from .tokens import REPEATED_ACTIONS, path_to


def begin_again(old: ConnectSession) -> ConnectSession:
    """Start a new conversation and repeat the answers of the old one for as long as Connect asks the same questions.

    What was typed last and not accepted is filled in. Raises FlatPeakError if FlatPeak fails meanwhile; nothing is kept
    then, so the customer can try again.
    """
    names = ("direction", "country_code", "location", "type", "not_listed")
    new = begin(old.user_id, **{name: getattr(old, name) for name in names})
    try:
        with new.claimed():
            catch_up(new)
        repeat_answers(old, new)
    except flatpeak.FlatPeakError:
        ConnectSession.objects.filter(pk=new.pk).update(counted=True)  # not for the funnel: no customer saw it
        new.delete()
        raise
    return new


def repeat_answers(old: ConnectSession, new: ConnectSession) -> None:
    """Give the answers of the old conversation in the new one. Raises Unavailable."""
    for said in path_to(old, old.newest):
        asked = new.pages.filter(number=new.newest).first()
        if asked and asked.route != said.route:
            asked = answer_part(new, asked, said)
        if not asked or asked.route != said.route or not new.is_open:
            break
        answer = said.answer or {}
        repeatable = "data" in answer or answer.get("action") in REPEATED_ACTIONS
        if repeatable and said.number != old.newest:
            with suppress(flatpeak.Rejected), new.claimed() as mine:
                if not mine:
                    break
                send(new, asked, answer, said.typed, form_for(asked))
                continue
        asked.typed = said.typed
        asked.save(update_fields=["typed"])
        break


def answer_part(new: ConnectSession, asked: Page, said: Page) -> Page | None:
    """Answer a question that was a part of one in the old conversation's release. Returns the page that follows."""
    form = form_for(asked, said.typed)
    if not form or not form.fields.keys() <= said.typed.keys() or not form.is_valid():
        return None
    with suppress(flatpeak.Rejected), new.claimed() as mine:
        return send(new, asked, {"data": form.to_data()}, form.typed(), form) if mine else None
    return None


def repeat_later(session: ConnectSession) -> None:
    """After another answer to a page on the way to a summary, give the answers that followed it once more.

    Stops at the summary, and at a question that was not asked on the way or whose answer does not fit any more; what was
    typed then stands in the form. The next answer goes on from there. Each answer has a claim of its own, so a crash or
    another request leaves a question that can be answered. Raises FlatPeakError.
    """
    path = {page.route: page for page in path_to(session, session.returns_to) if page.answer}
    asked = session.pages.filter(number=session.newest).first()
    # What was asked since is not answered with what was said before it.
    since = Q(number__gt=session.returns_to, number__lt=session.newest) | Q(number=asked and asked.came_from)
    for route in session.pages.filter(since).values_list("route", flat=True):
        path.pop(route, None)
    while asked and session.is_open and session.returns_to and (said := path.pop(asked.route, None)):
        asked.typed = said.typed
        asked.save(update_fields=["typed"])
        answer, form = said.answer or {}, None
        if "data" in answer:
            given = QueryDict(mutable=True)
            given.update(said.typed)
            given.setlist("sure", [*said.typed.values()])  # it was questioned the first time
            form = form_for(asked, given)
            same = asked.data.get("currency_code") == said.data.get("currency_code")
            if not (form and same and form.is_valid() and form.to_data() == answer["data"]):
                break
        elif answer.get("action") not in REPEATED_ACTIONS:
            break
        with session.claimed() as mine:
            asked = send(session, asked, answer, said.typed, form) if mine else None
