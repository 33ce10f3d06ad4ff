"""Whatever is typed, asked for or told by FlatPeak, no page breaks, leaks or lets foreign text become markup.

Hypothesis makes the examples: always the same three hundred, or with TORTURE set twenty thousand others each time
(`--hypothesis-seed` repeats them, and `make torture` prints it). The run's last lines say how many there were.
"""

import logging
import os
from datetime import timedelta
from functools import wraps

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import given, settings

from tariffs.models import Tariff
from tests.fuzz.stage import Exceptions, Stage, StandIn, learn

TORTURE = "TORTURE" in os.environ
SHARE = 1 if TORTURE else 80


@pytest.fixture
def examples(record_property):
    """Run what is decorated with so many examples, the fixed share of them without TORTURE."""

    def decorator(count, *strategies):
        def run(test):
            ran = 0

            @wraps(test)
            def counted(**values):
                nonlocal ran
                ran += 1
                test(**values)

            chosen = settings(
                max_examples=max(2, count // SHARE),  # the first is always the simplest that there is
                deadline=None,
                database=None,
                derandomize=not TORTURE,
                print_blob=True,
            )
            try:
                chosen(given(*strategies)(counted))()
            finally:
                record_property("examples", ran)

        return run

    return decorator


TOLD = {}


@pytest.fixture
def told(walk):
    """The pages by route, and the answers by call; learnt from the sandbox once."""
    if not TOLD:
        with transaction.atomic():
            TOLD["pages"], TOLD["answers"] = learn(walk)
            transaction.set_rollback(True)
    return TOLD


@pytest.fixture
def stage(client, told, monkeypatch, empty_cache):
    empty_cache()  # the first to learn what the sandbox says leaves its bearer there
    log = Exceptions()
    logging.getLogger().addHandler(log)
    yield Stage(client, told, monkeypatch, log, empty_cache)
    logging.getLogger().removeHandler(log)


@pytest.fixture
def begun(stage, told):
    """Alice at the first page of a conversation."""
    stage.adapter = StandIn(told["answers"])
    stage.post("/connect/", {"direction": "IMPORT", "country_code": "GB"})
    stage.token = stage.session.connect_token
    return stage


@pytest.fixture
def saved(begun):
    """Alice with a location whose rates nobody has looked at yet."""
    begun.stands_at(begun.page("summary_fixed_confirm"))
    begun.adapter.tell("connect", begun.page("session_complete"))
    begun.answer({"action": "SAVE"})
    Tariff.objects.update(due_at=timezone.now() - timedelta(hours=1))
    return begun
