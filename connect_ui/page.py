"""A page of Connect as a row."""

from typing import Any

from django.db import models
from django.utils.functional import cached_property

from tariffs.exact import ExactJSONField

from . import routes


class Page(models.Model):
    """One JSON object from Connect, in order, and the customer's answer to it.

    `route` is our name of it, FlatPeak's where the table has none. `body` is as it came, without the connect token, and
    with our names of the actions. `answer` is `{"data": …}` or `{"action": …}`, in our names. `typed` has the form's own
    fields, so that going back shows what was entered. `led_to` and `came_from` are numbers of pages.
    """

    session = models.ForeignKey("ConnectSession", models.CASCADE, related_name="pages")
    number = models.PositiveIntegerField()
    route = models.CharField(max_length=100)
    body = ExactJSONField()
    answer = ExactJSONField(null=True)
    typed = models.JSONField(default=dict)
    came_from = models.PositiveIntegerField(null=True)
    led_to = models.PositiveIntegerField(null=True)
    shown_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["session", "number"], name="page_once")]

    def __str__(self) -> str:
        return f"{self.number} {self.route}"

    def keep(self, typed: dict[str, str]) -> None:
        """Store what was typed and not sent, so that it is there when the customer comes back.

        Without U+0000, which nobody types and PostgreSQL stores in no text.
        """
        if typed := {name: text.replace("\0", "") for name, text in typed.items()}:
            self.typed = typed
            Page.objects.filter(pk=self.pk).update(typed=typed)

    @property
    def data(self) -> dict[str, Any]:
        return self.body.get("data") or {}

    def part(self, name: str) -> dict[str, Any]:
        """The object that `data` has under a name; empty if it has none."""
        found = self.data.get(name)
        return found if isinstance(found, dict) else {}

    def parts(self, name: str) -> list[dict[str, Any]]:
        """The objects in the list that `data` has under a name; none if it has no list."""
        found = self.data.get(name)
        return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []

    @property
    def row(self) -> routes.Route:
        return routes.row(self.route)

    @property
    def goes_on(self) -> bool:
        """Whether the conversation goes on here with an answer."""
        return self.row.kind in (routes.Kind.QUESTION, routes.Kind.SUMMARY)

    @cached_property
    def actions(self) -> list[str]:
        """What the page offers, in our names; a summary before anything is connected offers no DISCONNECT."""
        kept = [] if self.row.kind is routes.Kind.QUESTION else self.row.actions
        told = self.body.get("actions", kept)
        actions = [action for action in told if isinstance(action, str)] if isinstance(told, list) else []
        first = self.row.kind is routes.Kind.SUMMARY and not self.row.is_stored and not self.session.is_connected
        return [action for action in actions if not (first and action == "DISCONNECT")]

    @property
    def redirect_url(self) -> str:
        url = self.data.get("redirect_uri") or self.data.get("redirect_url")
        return url if isinstance(url, str) else ""
