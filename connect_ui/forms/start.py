from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext, gettext_lazy as _

from ..fields import CountryField


class StartForm(forms.Form):
    """Where the tariff is, and whether it is for buying or selling; or a stored location, whose country is known."""

    direction = forms.ChoiceField(
        label=_("What is the tariff for?"),
        choices=[
            ("IMPORT", _("Electricity that I buy")),
            ("EXPORT", _("Electricity that I sell, for example from solar panels")),
        ],
        widget=forms.RadioSelect,
    )
    country_code = CountryField(required=False)
    location: Any = forms.ModelChoiceField(None, required=False, widget=forms.HiddenInput)

    def __init__(self, locations: QuerySet[Any], data: Any = None, **options: Any) -> None:
        super().__init__(data, label_suffix="", **options)
        self.fields["location"].queryset = locations  # type: ignore[attr-defined]

    def clean(self) -> None:
        if not self.cleaned_data.get("location") and not self.cleaned_data.get("country_code"):
            self.add_error("country_code", gettext("Choose the country that you use electricity in."))
