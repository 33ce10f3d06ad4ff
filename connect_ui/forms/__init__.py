"""One form per route of Connect that takes input; `templates/connect_ui/<route>.html` is its page."""

from .base import FORMS, RouteForm, form_for
from .prices import RateTodForm
from .questions import ListForm, StructureForm
from .start import StartForm

__all__ = ["FORMS", "ListForm", "RateTodForm", "RouteForm", "StartForm", "StructureForm", "form_for"]
