"""What people type into the forms of a conversation."""

import pytest
from hypothesis import strategies as st

from tariffs.models import Location
from tests.fuzz.hostile import VALID, filled

pytestmark = [pytest.mark.django_db, pytest.mark.long]


@pytest.mark.parametrize("route", sorted(VALID))
def test_nothing_that_is_typed_into_a_form_breaks_it(examples, begun, route):
    page = begun.page(route)
    offered = [item["id"] for name in ("providers", "tariffs") for item in page["data"].get(name, [])]
    valid = {name: value or offered[0] for name, value in VALID[route].items()}
    begun.stands_at(page)

    @examples(260, filled(valid), st.sampled_from(["tariff_name_capture", "session_complete", "summary_fixed_confirm"]))
    def run(form, route):
        with begun.example() as flatpeak:
            flatpeak.tell("connect", begun.page(route))
            begun.answer(form)
            begun.answer(form)
            for number in range(1, begun.session.newest + 1):
                begun.get(f"/connect/{begun.session.pk}/{number}/")
            begun.get("/account/data.json")


def test_nothing_that_is_typed_at_the_start_breaks_it(examples, saved):
    valid = {"direction": "EXPORT", "country_code": "GB", "location": str(Location.objects.get().pk)}

    @examples(400, filled(valid))
    def run(form):
        with saved.example():
            saved.post("/connect/", form)
            saved.look_around()
