"""What a browser finds in a page: the forms that change something (by POST), what they send, and their buttons."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any


@dataclass
class Button:
    words: str
    name: str
    value: str
    address: str  # its own, "" for that of the form


@dataclass
class Form:
    address: str  # "" for that of the page
    fields: dict[str, str] = field(default_factory=dict)  # as a browser sends them untouched
    names: set[str] = field(default_factory=set)  # of every field and button
    buttons: list[Button] = field(default_factory=list)


def forms(page: str) -> list[Form]:
    reader = _Reader()
    reader.feed(page)
    return reader.found


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[Form] = []
        self.named: dict[str, Form] = {}
        self.form = self.button = None  # type: Any
        self.select = ""

    def handle_starttag(self, tag: str, attributes: Any) -> None:
        given = {name: value or "" for name, value in attributes}
        name, value = given.get("name", ""), given.get("value", "")
        if tag == "form":
            self.form = Form(given.get("action", "").split("#")[0])
            if given.get("method", "").lower() == "post":
                self.found.append(self.form)
            self.named[given.get("id", "")] = self.form
        elif tag == "button":
            self.button = Button("", name, value, given.get("formaction", "").split("#")[0])
            if form := self.named.get(given["form"]) if given.get("form") else self.form:
                form.names.add(name)
                form.buttons.append(self.button)
        elif self.form and tag in ("input", "select", "textarea"):
            self.form.names.add(name)
            self.select = name if tag == "select" else ""
            is_choice = given.get("type") in ("radio", "checkbox")
            if tag == "input" and name and (not is_choice or "checked" in given):
                self.form.fields[name] = value
        elif self.form and tag == "option" and self.select and "selected" in given:
            self.form.fields[self.select] = value

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.form = None
        elif tag == "button" and self.button:
            self.button.words = " ".join(self.button.words.split())
            self.button = None

    def handle_data(self, data: str) -> None:
        if self.button:
            self.button.words += data
