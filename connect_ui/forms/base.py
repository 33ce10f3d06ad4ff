"""What the forms of all questions share."""

from typing import Any

from django import forms

from tariffs.flatpeak import JSON, Rejected

from .. import refusals

LONGEST = 200  # characters that any field takes


class RouteForm(forms.Form):
    """The form of a page: its data becomes `initial`, and what is typed becomes the `data` of the answer.

    `codes` names the field of each error code that does not begin with a field's name.
    """

    required_css_class = "required"
    keeps = True  # whether it is kept when the customer leaves it half filled
    more = ""  # the name of a button that shows the form again, changed, and sends nothing
    codes: dict[str, str] = {}

    def __init__(self, page: Any, data: Any = None) -> None:
        self.page = page
        super().__init__(data, label_suffix="")
        self.build()
        self.initial = self.from_data(page.data) | page.typed
        self.doubts: dict[str, str] = {}  # typed values that were questioned, by field; sent again they are accepted

    def build(self) -> None:
        """Fit the fields to the page."""

    def from_data(self, data: JSON) -> JSON:
        """The page's data as initial values, by field."""
        return {name: data[name] for name in self.fields if name in data}

    def to_data(self) -> JSON:
        """The answer's `data`, from `cleaned_data`."""
        return dict(self.cleaned_data)

    def said_back(self, data: JSON) -> list[str]:
        """An answer's `data` in plain words, to show on the next page."""
        return []

    def ask_once(self, name: str, question: str) -> None:
        """Add an error that asks whether a value is right, unless `sure` says that it was asked before."""
        self.doubts[name] = self.data[name]
        if self.data[name] not in self.data.getlist("sure"):  # type: ignore[attr-defined]
            self.add_error(name, question)

    def typed(self) -> dict[str, str]:
        """What was typed, by field, to show again after going back."""
        given = {
            name: field.widget.value_from_datadict(self.data, self.files, name) for name, field in self.fields.items()
        }
        return {name: text[:LONGEST] for name, text in given.items() if text is not None}

    def field_of(self, code: str) -> str | None:
        """The field that an error code of Connect belongs to; None if it concerns the whole page."""
        if self.codes.get(code) in self.fields:
            return self.codes[code]
        return max((name for name in self.fields if code.startswith(name)), key=len, default=None)

    def add_rejection(self, error: Rejected) -> None:
        self.full_clean()
        field = self.field_of(error.code)
        self.add_error(field, self.at_field(field, error) if field else refusals.sentence(error))

    def at_field(self, name: str, error: Rejected) -> str:
        return refusals.at_field(error)
