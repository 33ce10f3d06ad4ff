"""The providers that most customers of a country chose come first in its list."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from connect_ui.forms.questions import ProviderForm
from connect_ui.models import ConnectSession, Page, PopularProviders
from connect_ui.popular import popular
from connect_ui.search import gist
from flatpeak_app.operations.models import FunnelCount
from flatpeak_app.operations.popular import rank_providers

pytestmark = pytest.mark.django_db
HINT = "The most chosen come first."


def chosen(country="GB", days_ago=1, route="", code="", **counts):
    """Conversations about these providers, as the funnel has counted them."""
    day = timezone.now().date() - timedelta(days=days_ago)
    for name, count in counts.items():
        FunnelCount(
            day=day,
            direction="IMPORT",
            country_code=country,
            listed_provider=name.replace("_", " "),
            route=route,
            code=code,
            reached=count,
            left=0,
        ).save()


def listed(walk):
    return [item["display_name"] for item in walk.response.context["found"]]


def of_flatpeak(walk):
    return [item["display_name"] for item in walk.page.data["providers"]]


def test_before_anybody_chose_the_list_is_as_flatpeak_gives_it(walk):
    walk.to_providers()
    assert listed(walk) == of_flatpeak(walk)
    assert HINT not in walk.text


def test_the_most_chosen_come_first_and_the_others_in_their_order(walk):
    chosen(SSE=3, Octopus_Energy=7)
    chosen(EDF=1, SSE=2, days_ago=40)
    rank_providers()
    walk.to_providers()
    first = ["Octopus Energy", "SSE", "EDF"]
    assert listed(walk) == first + [name for name in of_flatpeak(walk) if name not in first]
    assert HINT in walk.text


def test_six_come_first_at_most(walk):
    names = ["EDF", "SSE", "Drax", "Boost", "Ebico", "Utilita", "Ecotricity", "Octopus_Energy"]
    chosen(**{name: 20 - n for n, name in enumerate(names)})
    rank_providers()
    walk.to_providers()
    assert listed(walk)[:7] == ["EDF", "SSE", "Drax", "Boost", "Ebico", "Utilita", "100Green"]


def test_the_night_after_a_conversation_its_provider_comes_first(walk, empty_cache):
    walk.to_providers().provider("Ecotricity").act("CLOSE")
    call_command("purge_sessions")
    assert not PopularProviders.objects.exists()  # it is not over
    ConnectSession.objects.update(state="expired")
    call_command("purge_sessions")
    empty_cache()
    assert popular("GB") == ["Ecotricity"]


def test_each_country_has_its_own(walk):
    chosen(country="FR", EDF=5)
    rank_providers()
    walk.to_providers()
    assert listed(walk) == of_flatpeak(walk)
    walk.to_providers(country="FR")
    assert listed(walk)[0] == "EDF"


def test_countries_whose_numbers_are_mixed_are_counted_apart():
    chosen(EDF=9, SSE=5, Drax=1)
    chosen(country="FR", EDF=7, Engie=3)
    rank_providers()
    assert (popular("GB"), popular("FR")) == (["EDF", "SSE", "Drax"], ["EDF", "Engie"])


def test_what_was_typed_and_what_is_long_ago_and_pages_and_errors_do_not_count():
    chosen(other=9)
    chosen(days_ago=100, SSE=9)
    chosen(route="provider", EDF=9)
    chosen(code="api_error", Drax=9)
    rank_providers()
    assert popular("GB") == []


def test_another_account_and_the_other_mode_do_not_count(settings):
    chosen(SSE=1)
    rank_providers()
    settings.FLATPEAK_LIVE_MODE = not settings.FLATPEAK_LIVE_MODE
    rank_providers()
    assert popular("GB") == []
    settings.FLATPEAK_LIVE_MODE = not settings.FLATPEAK_LIVE_MODE
    assert popular("GB") == ["SSE"]


def test_a_ranking_is_written_anew_and_one_that_nothing_is_left_of_goes():
    chosen(SSE=2, EDF=1)
    chosen(country="FR", days_ago=90, EDF=1)
    rank_providers()
    rank_providers()
    assert {row.country_code: row.names for row in PopularProviders.objects.all()} == {
        "GB": ["SSE", "EDF"],
        "FR": ["EDF"],
    }
    FunnelCount.objects.filter(country_code="FR").delete()
    chosen(EDF=5)
    rank_providers()
    assert PopularProviders.objects.get().names == ["EDF", "SSE"]


def test_the_setting_comes_after_what_was_chosen(walk, settings, empty_cache):
    settings.POPULAR_PROVIDERS = {"GB": ["British Gas Trading Ltd", "EDF Energy", "Nobody", "SSE"]}
    walk.to_providers()
    assert listed(walk)[:4] == ["British Gas", "EDF", "SSE", "100Green"]
    chosen(SSE=1)
    rank_providers()
    assert popular("GB")[0] == "British Gas Trading Ltd"  # remembered for ten minutes
    empty_cache()
    walk.get(walk.path)
    assert listed(walk)[:3] == ["SSE", "British Gas", "EDF"]


def test_of_two_that_match_as_well_the_more_chosen_comes_first(walk):
    chosen(country="DE", Stadtwerke_Ulm=5)
    rank_providers()
    walk.to_providers(country="DE")
    walk.answer(search="1", q="stadtwerke")
    assert listed(walk)[:2] == ["Stadtwerke Ulm", "Stadtwerke Augsburg"]
    assert HINT not in walk.text


def test_the_list_costs_one_query_more_once_in_ten_minutes(walk, client, empty_cache, django_assert_num_queries):
    walk.to_providers()
    with django_assert_num_queries(3):
        client.get(walk.path)
    empty_cache()
    with django_assert_num_queries(4):
        client.get(walk.path)


def test_providers_of_one_name_all_stay(walk):
    page = walk.to_providers().page
    one = {"id": "prv_1", "display_name": "EDF"}
    page.body["data"]["providers"] = [{"id": "prv_2", "display_name": "SSE"}, one, dict(one), {"id": "prv_3"}]
    form = ProviderForm(Page.objects.get(pk=page.pk))
    form.offered = page.data["providers"]
    form.put_first(["EDF Energy", ""])
    assert [item["id"] for item in form.offered] == ["prv_1", "prv_1", "prv_2", "prv_3"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("EDF", "EDF Energy Ltd"),
        ("E.ON Next", "eon next"),
        ("Energie AG", "energie ag"),
        ("Süwag", "Suewag Energie AG"),
    ],
)
def test_two_names_of_one_provider_have_one_gist(one, other):
    assert gist(one) == gist(other) != ""
    assert gist(one) != gist(f"{one} Nord")
