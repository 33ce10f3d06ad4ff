"""What The reason we were given: each page, each other answer, each error, spoilt."""

import pytest
from hypothesis import strategies as st

from connect_ui.models import ConnectSession
from tariffs.models import Location
from tests.fuzz.hostile import ERROR, VALID, filled, spoilt, texts
from tests.fuzz.stage import SECOND_TOKEN
from tests.test_faults import PAGES
from tests.walk import Walk

pytestmark = [pytest.mark.django_db, pytest.mark.long]

ROUTES = sorted({*PAGES, "session_redirect", "session_complete", "summary_tariff_failed", "error", "unknown"})


@pytest.mark.parametrize("route", ROUTES)
def test_no_page_of_connect_breaks_a_page_of_ours(examples, begun, route):
    @examples(200, spoilt(begun.page(route)), filled(VALID.get(route, {"action": "SAVE"})))
    def run(page, form):
        with begun.example() as flatpeak:
            begun.stands_at(page)
            newest = f"/connect/{begun.session.pk}/{begun.session.newest}/"
            begun.answer({"search": "1", "q": form.get("q", "a")})
            begun.get(f"{newest}login/")
            if begun.session.newest:
                flatpeak.tell("connect", begun.page("contract_term_capture"))
                begun.answer(form)
            begun.look_around()


@pytest.mark.parametrize("call", ["login", "token", "connect"])
def test_no_answer_breaks_the_start(examples, begun, call):
    @examples(400, spoilt(SECOND_TOKEN if call == "token" else begun.told["answers"][call]))
    def run(answer):
        with begun.example() as flatpeak:
            flatpeak.tell(call, answer)
            begun.post("/connect/", {"direction": "IMPORT", "country_code": "GB"})
            begun.look_around()


@pytest.mark.parametrize("call", ["exchange", "location", "status"])
def test_no_answer_breaks_the_end(examples, begun, call):
    begun.stands_at(begun.page("summary_fixed_confirm"))

    @examples(700, spoilt(begun.told["answers"][call]))
    def run(answer):
        with begun.example() as flatpeak:
            flatpeak.tell(call, answer)
            flatpeak.tell("connect", begun.page("session_complete"))
            begun.answer({"action": "SAVE"})
            begun.look_around()


def test_no_rates_break_a_page_of_ours(examples, saved):
    place = f"/locations/{Location.objects.get().pk}/"

    @examples(1500, spoilt(saved.told["answers"]["rates"]))
    def run(answer):
        with saved.example() as flatpeak:
            flatpeak.tell("rates", answer)
            saved.get("/locations/")
            saved.get(place, QUERY_STRING="direction=IMPORT&day=tomorrow")
            saved.look_around()


@pytest.mark.parametrize("call", ["login", "token", "connect", "exchange", "location", "status", "rates"])
def test_no_error_breaks_a_page_of_ours(examples, saved, call):
    place = f"/locations/{Location.objects.get().pk}/"
    codes = ["connect_token_expired", "pending_connect", "no_price_data", "rate_limit", ERROR["code"], "e" * 300]
    statuses = [200, 202, 204, 302, 400, 401, 403, 404, 409, 422, 422, 422, 429, 500, 599]

    @examples(
        200,
        spoilt(ERROR) | st.sampled_from([ERROR | {"code": code} for code in codes]),
        st.sampled_from(statuses),
        texts,
    )
    def run(error, status, retry_after):
        with saved.example() as flatpeak:
            flatpeak.tell(call, error, status, retry_after.encode("latin-1", "replace").decode("latin-1"))
            saved.get(place)
            saved.post("/connect/", {"direction": "EXPORT", "country_code": "GB"})
            if ConnectSession.objects.filter(newest__gt=0, state="open").exists():
                saved.answer(Walk.ADDRESS | {"again": "1"})
                saved.answer({"action": "SAVE"})
            saved.look_around()
