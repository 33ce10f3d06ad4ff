"""The server and its control: switches, clock, counts, HTTP, the state file, the command line."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import pytest

from sandbox import __main__ as command, app
from sandbox.catalog import COUNTRIES, TESTS, providers
from sandbox.codec import dumps, loads
from sandbox.errors import TOLERATED
from sandbox.server import BODY_LIMIT, make_server
from sandbox.switches import SWITCHES
from sandbox.wire import with_token
from sandbox.world import World

from .conftest import HOURS, Client


def serving(**options):
    server = make_server(**{"quiet": True} | options)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    return server


def stop(server):
    server.shutdown()
    server.server_close()


# What the sandbox offers


def test_every_country_has_every_kind_of_provider():
    for country in COUNTRIES:
        real = [each for each in providers(country).values() if not each.test]
        assert {each.kind for each in real} == {"DIRECT", "LIBRARY", "MARKET", "MANUAL"}
        names = [each.name for each in providers(country).values()]
        assert len(set(names)) == len(names)
        assert [name.startswith("Test: ") for name in names] == [False] * len(real) + [True] * len(TESTS)
    count = {country: len(providers(country)) - len(TESTS) for country in ("GB", "DE", "FR", "NL", "US", "AU", "FI")}
    assert count["GB"] >= 30
    assert count["DE"] >= 60
    assert min(count.values()) >= 10
    kinds = {each.name: each.kind for each in providers("GB").values()}
    assert [kinds[name] for name in ("Octopus Energy", "SSE", "Ecotricity")] == ["DIRECT", "LIBRARY", "MANUAL"]


def test_every_direct_provider_has_a_tariff_behind_its_login(sandbox):
    for country in ("GB", "DE", "FR", "NL", "US", "AU", "FI"):
        for each in providers(country).values():
            if each.kind == "DIRECT" and "outcome" not in each.test:
                address = {"city": "X", "country_code": country, "state": {"US": "TX", "AU": "VIC"}.get(country, "")}
                talk = sandbox.talk(postal_address=address)
                assert talk.pick(each.name, country).log_in("approve").route.endswith("_confirm")


def test_logos_are_the_sandboxs_own_except_for_the_odd_ones(sandbox):
    logos = {each["display_name"]: each["logo_url"] for each in sandbox.talk().data["providers"]}
    assert 'aria-label="Octopus Energy"' in sandbox.call("GET", logos["Octopus Energy"].removeprefix(sandbox.url))
    assert sandbox.headers["Content-Type"] == "image/svg+xml"
    sandbox.call("GET", logos["Test: broken logo"].removeprefix(sandbox.url))
    assert sandbox.status == 404
    (long,) = [name for name in logos if name.startswith("Test: long names and no logo")]
    assert len(long) > 150
    assert logos[long] == ""


def test_large_empty_and_long_libraries(sandbox):
    talk = sandbox.talk().pick("Test: 2000 tariffs")
    assert len({each["id"] for each in talk.data["tariffs"]}) == 2000
    talk.go("tariff_select", {"tariff": {"id": talk.data["tariffs"][1999]["id"]}})
    assert talk.data["tariff"]["name"] == "Tariff 2000"
    assert talk.act("EDIT").pick("Test: empty library").data["tariffs"] == []
    assert len(talk.pick("Test: long names").data["tariffs"][0]["description"]) > 300


def test_summaries_with_tiers_or_a_login_to_renew(sandbox):
    assert sandbox.talk().pick("Test: tiered").log_in("approve").data["tariff"]["tiered"] is True
    talk = sandbox.talk().pick("Test: reconnect required").log_in("approve")
    assert talk.data["tariff"]["reconnect_required"] is True


def test_a_provider_with_fixed_prices_alone(sandbox):
    talk = sandbox.talk().pick("Test: only a fixed price")
    assert talk.data["options"] == ["FIXED"]
    assert talk.refused("tariff_structure_select", data={"options": ["MARKET"]}) == "option_not_supported"


# Switches, clock, counts


def test_the_redirect_can_be_named_otherwise_and_have_the_token(sandbox):
    sandbox.control(switches={"redirect_field": "redirect_url", "redirect_has_token": True})
    talk = sandbox.talk().pick("EDF")
    assert set(talk.data) == {"redirect_url"}
    assert talk.data["redirect_url"].endswith(f"?fp_cot={talk.token}")
    assert talk.log_in("approve").route == "summary_fixed_confirm"


def test_answers_to_earlier_pages_can_be_refused(sandbox):
    sandbox.control(switches={"earlier_answers": "refuse"})
    talk = sandbox.talk().pick("Ecotricity")
    assert talk.refused("provider_select", action="PROVIDER_MISSING") == "route_not_available"
    assert sandbox.status == 409
    assert talk.go("session_restore").route == "tariff_structure_select"


@pytest.mark.parametrize("status", ["403", "404"])
def test_a_second_exchange_can_be_refused(sandbox, status):
    sandbox.control(switches={"second_exchange": status})
    talk = sandbox.talk().by_hand("FIXED").act("SAVE")
    assert sandbox.exchange(talk.token)["location_id"]
    assert set(sandbox.exchange(talk.token)) == {"message"}
    assert sandbox.status == int(status)


def test_fields_that_are_named_in_two_ways(sandbox):
    sandbox.control(
        switches={"structure_field": "structure", "exchange_field": "tariff_available", "status_padded": True}
    )
    talk = sandbox.talk().by_hand("FIXED")
    assert talk.data["tariff"]["structure"] == "FIXED"
    location = sandbox.saved(talk)
    assert sandbox.exchange(talk.token)["tariff_available"] is True
    status = sandbox.api("GET", f"/locations/{location}/status")["tariff_status"]
    assert status["commodity_import"]["status"] == "CONNECTED "


def test_hours_can_be_echoed_split_at_midnight(sandbox):
    sandbox.control(switches={"split_midnight": True})
    talk = sandbox.talk().by_hand("TIME_OF_DAY").go("tariff_structure_select", {"options": ["TIME_OF_DAY"]})
    night = HOURS[1]
    assert talk.data["hours"] == [night | {"valid_from": "00:00:00"}, HOURS[0], night | {"valid_to": "00:00:00"}]


def test_the_first_hours_are_one_empty_day(sandbox):
    talk = sandbox.talk().pick("Ecotricity").go("tariff_structure_select", {"options": ["TIME_OF_DAY"]})
    assert talk.data["hours"] == [{"valid_from": "00:00:00", "valid_to": "00:00:00", "cost": 0}]


def test_calls_can_be_slow(sandbox):
    sandbox.control(switches={"delay_ms": 30})
    begin = datetime.now(UTC)
    sandbox.log_in()
    assert datetime.now(UTC) - begin >= timedelta(milliseconds=30)


def test_calls_are_counted_by_name(sandbox):
    sandbox.fixed()
    sandbox.call("POST", "/", {"connect_token": "x", "route": "nonsense"})
    counts = sandbox.call("GET", "/_sandbox")["counts"]
    assert counts["login"] == counts["token"] == counts["exchange"] == counts["connect.rate_fixed_capture"] == 1
    assert counts["connect"] == 8
    assert "control" not in counts


def test_the_clock_runs_on_from_where_it_is_put_unless_it_is_frozen(sandbox):
    answer = sandbox.control(now="2026-10-24T17:00:00+02:00", frozen=False)
    assert answer["now"].startswith("2026-10-24T15:00:00.")
    assert answer["frozen"] is False
    while sandbox.call("GET", "/_sandbox")["now"] == answer["now"]:
        """If a test hangs here, the clock stands still."""
    frozen = sandbox.control(advance=3600, frozen=True)
    assert frozen["now"].startswith("2026-10-24T16:00:00.")
    assert sandbox.call("GET", "/_sandbox")["now"] == frozen["now"]
    assert sandbox.control(advance=-60)["now"].startswith("2026-10-24T15:59:00.")
    real = datetime.fromisoformat(sandbox.control(now=None, frozen=False)["now"])
    assert abs(real - datetime.now(UTC)) < timedelta(seconds=5)


def test_a_reset_forgets_everything(sandbox):
    token = sandbox.talk().token
    answer = sandbox.control(reset=True, switches={"pending_seconds": 7})
    assert answer["counts"] == {}
    assert answer["switches"]["pending_seconds"] == 7
    sandbox.call("POST", "/", {"connect_token": token, "route": "session_restore"})
    assert sandbox.status == 403


@pytest.mark.parametrize(
    "body",
    [
        "{",
        [],
        {"time": 1},
        {"now": "noon"},
        {"now": 5},
        {"now": "2026-10-24T15:00:00"},
        {"now": "9000-01-01T00:00:00Z"},
        {"advance": "60"},
        {"advance": True},
        {"advance": 1e12},
        {"frozen": 1},
        {"reset": "yes"},
        {"switches": {"colour": "red"}},
        {"switches": {"split_midnight": 1}},
        {"switches": {"split_midnight": "true"}},
        {"switches": {"pending_seconds": -1}},
        {"switches": {"pending_seconds": True}},
        {"switches": {"pending_seconds": 1.5}},
        {"switches": ["split_midnight"]},
    ],
)
def test_control_refuses_what_it_does_not_know_and_changes_nothing(sandbox, body):
    before = sandbox.call("GET", "/_sandbox")
    answer = sandbox.call("POST", "/_sandbox", body)
    assert sandbox.status == 422
    assert answer["message"]
    assert sandbox.call("GET", "/_sandbox") == before


def test_the_clock_cannot_leave_the_calendar():
    world = World()
    with pytest.raises(ValueError, match="cannot go there"):
        world.advance(1e12)


def test_the_home_page_tells_clock_switches_and_tests(sandbox):
    html = sandbox.call("GET", "/")
    assert "2026-06-10 12:00:00" in html
    assert "It is not FlatPeak" in html
    for name in ("pending_seconds = 120", "rate_tod_capture", *(each["name"] for each in TESTS)):
        assert name in html


# HTTP


def test_every_origin_is_welcome(sandbox):
    sandbox.call("OPTIONS", "/", Origin="https://app.example")
    assert sandbox.status == 204
    assert sandbox.headers["Access-Control-Allow-Origin"] == "*"
    assert "Authorization" in sandbox.headers["Access-Control-Allow-Headers"]
    sandbox.call("GET", "/locations/x")
    assert sandbox.headers["Access-Control-Allow-Origin"] == "*"


def test_unknown_paths_and_methods(sandbox):
    assert sandbox.call("GET", "/nowhere") == {"message": "Not Found"}
    assert sandbox.status == 404
    sandbox.call("DELETE", "/connect/tariff/token")
    assert (sandbox.status, sandbox.headers["Allow"]) == (405, "GET, OPTIONS, POST")


def test_bodies_have_a_length_and_a_limit(sandbox):
    sandbox.call("POST", "/", "x" * (BODY_LIMIT + 1))
    assert sandbox.status == 413
    sandbox.call("POST", "/", "{}", Content_Length="two")
    assert sandbox.status == 411


def test_a_connection_is_kept_and_head_has_no_body(sandbox):
    connection = http.client.HTTPConnection(*sandbox.server.server_address, timeout=30)
    for method in ("HEAD", "GET", "GET"):
        connection.request(method, "/_sandbox")
        response = connection.getresponse()
        body = response.read()
        assert len(body) == (0 if method == "HEAD" else int(response.headers["Content-Length"]))
    connection.close()


def test_addresses_are_built_from_what_the_client_asked_for(sandbox):
    talk = sandbox.talk()
    body = {"connect_token": talk.token, "route": "session_restore"}
    for host, base in (("sandbox.local:1", "http://sandbox.local:1"), ("<script>", sandbox.url)):
        page = sandbox.call("POST", "/", body, Host=host)
        assert page["data"]["providers"][0]["logo_url"].startswith(base + "/logos/")


def test_a_fault_of_the_sandbox_itself_is_a_500(sandbox, monkeypatch, capsys):
    def broken():
        raise RuntimeError("broken")

    monkeypatch.setattr(sandbox.world, "now", broken)
    assert "itself failed" in sandbox.call("GET", "/")["message"]
    assert sandbox.status == 500
    assert "RuntimeError: broken" in capsys.readouterr().err


def test_the_log_names_calls_and_no_secret(capsys):
    server = serving(quiet=False)
    client = Client(server)
    client.log_in()
    talk = client.talk()
    client.rates("loc_secret")
    with pytest.raises(ConnectionError):
        talk.pick("Test: answer lost")
    stop(server)
    log = capsys.readouterr().err
    assert re.search(r"^GET login 200 \d+ ms$", log, re.M)
    assert "POST connect.session_restore 200" in log
    assert "answer withheld" in log
    for secret in (client.bearer, talk.token, "loc_secret", "Leeds", "end_time", "fp_cot"):
        assert secret not in log


def test_a_browser_that_leaves_is_not_logged(sandbox, capsys):
    sandbox.server.handle_error(None, None)
    assert capsys.readouterr().err == ""


# JSON


def test_numbers_stay_what_they_are():
    text = '{"a":0.2815,"b":[1.10,-0.00001,12345678901234567.89],"c":true,"d":null,"e":"\\u00e9"}'
    assert dumps(loads(text)) == text
    assert dumps((Decimal("1E-5"), Decimal("1E+2"), 3)) == "[0.00001,100,3]"


def test_the_token_goes_to_the_end_of_an_address():
    assert with_token("https://a.example/b", "t") == "https://a.example/b?fp_cot=t"
    assert with_token("https://a.example/b?c=1#d", "t") == "https://a.example/b?c=1&fp_cot=t#d"


# The state file


def test_the_state_survives_a_restart(tmp_path):
    path = tmp_path / "state.json"
    server = serving(state=path, now="2026-06-10T12:00:00Z", split_midnight=True)
    client = Client(server)
    client.log_in()
    location, talk = client.fixed(), client.talk().pick("EDF")
    stop(server)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["state.json"]
    written = path.stat().st_mtime_ns
    server = serving(state=path)
    again = Client(server)
    again.bearer = client.bearer
    talk.client = again
    rate = again.rates(location)["data"][0]["tariff"]["rate"]
    assert (again.status, rate) == (200, Decimal("0.2815"))
    control = again.call("GET", "/_sandbox")
    assert control["now"].startswith("2026-06-10T12:00:")
    assert control["switches"]["split_midnight"] is True
    stop(server)
    assert path.stat().st_mtime_ns == written
    server = serving(state=path, now="2026-06-10T13:00:00Z", split_midnight=False)
    again.server = server
    control = again.call("GET", "/_sandbox")
    assert control["now"].startswith("2026-06-10T13:00:")
    assert control["switches"]["split_midnight"] is False
    assert talk.go("session_restore").route == "session_redirect"
    stop(server)


@pytest.mark.parametrize("box", ["customers", "locations"])
def test_what_was_deleted_last_is_gone_after_a_restart(tmp_path, box):
    path = tmp_path / "state.json"
    server = serving(state=path)
    client = Client(server)
    client.log_in()
    client.fixed()
    stop(server)
    server = serving(state=path)
    again = Client(server)
    again.bearer = client.bearer
    [deleted] = server.world.state[box]
    again.api("DELETE", f"/{box}/{deleted}")
    assert again.status == 202
    stop(server)
    assert json.loads(path.read_text())[box] == {}


@pytest.mark.parametrize(
    "options",
    [{}, {"faults": [{"call": "rates", "fault": "status_500"}]}, {"seed": 1}, {"strict": True}],
    ids=["nothing", "faults", "a seed", "a switch"],
)
def test_a_start_with_other_options_remembers_all_the_same(tmp_path, options):
    path = tmp_path / "state.json"
    world = World(path)
    world.state["customers"]["cus_1"] = {"account_id": "acc_1", "reference_id": ""}
    world.changed = True
    world.save()
    again = World(path, **options)
    assert list(again.state["customers"]) == ["cus_1"]
    assert again.switch("strict") is options.get("strict", False)
    assert len(again.faults) == len(options.get("faults", ()))


def test_the_server_spends_at_most_a_twentieth_of_its_time_on_saving(tmp_path, monkeypatch):
    # A write from 100.0 to 100.5 makes the next one wait until 110.0.
    times, written, test = iter([100.0, 100.5, 109.9, 110.0, 110.5]), [], threading.current_thread()
    world = World(tmp_path / "state.json")

    def monotonic():  # the tests' own server asks too, on another thread, and would end without a further time
        return next(times) if threading.current_thread() is test else time.monotonic()

    monkeypatch.setattr("sandbox.world.time", SimpleNamespace(monotonic=monotonic))
    monkeypatch.setattr(world, "save", lambda: written.append(world.changed))
    world.changed = True
    for writes in (1, 1, 2):
        world.save_in_turn()
        assert len(written) == writes


def test_a_state_that_changes_while_saving_waits_is_saved_at_the_end(tmp_path):
    server = make_server(state=tmp_path / "state.json", quiet=True)
    server.world.saved_next = float("inf")
    server.world.changed = True
    server.world.state["customers"]["cus_1"] = {}
    server.service_actions()
    assert "cus_1" not in (tmp_path / "state.json").read_text()
    server.server_close()
    assert "cus_1" in (tmp_path / "state.json").read_text()


def test_a_state_that_cannot_be_written_leaves_nothing_behind(tmp_path, monkeypatch):
    world = World()
    world.path = tmp_path / "state.json"

    def broken(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", broken)
    with pytest.raises(OSError, match="disk full"):
        world.save()
    assert list(tmp_path.iterdir()) == []
    assert world.changed


def test_it_stops_with_a_sentence_when_the_state_can_no_longer_be_written(tmp_path, monkeypatch, capsys):
    server = make_server(quiet=True)
    monkeypatch.setattr(server, "service_actions", lambda: os.stat(tmp_path / "gone"))
    monkeypatch.setattr(command, "make_server", lambda **options: server)
    monkeypatch.setattr(command.signal, "signal", lambda *_: None)
    assert command.main(["--port", "0"]) == 1
    assert "The state cannot be kept: " in capsys.readouterr().err


def test_a_state_file_that_cannot_be_made_is_one_sentence(tmp_path, capsys):
    assert command.main(["--port", "0", "--state", str(tmp_path / "no" / "state.json")]) == 1
    assert capsys.readouterr().err.startswith("Cannot start on 127.0.0.1:0: ")


# The README


def test_the_readme_has_every_test_provider_switch_and_call():
    text = Path(app.__file__).with_name("README.md").read_text(encoding="utf-8")
    for each in TESTS:
        assert "refuses" in each or f"| {each['name']} | {each['says']} |" in text
    for name, each in SWITCHES.items():
        others = [value for value in each.get("choices", []) if repr(value) != repr(each["default"])]
        listed = ", ".join(
            f"`{value if isinstance(value, str) else dumps(value)}`" for value in [each["default"], *others]
        )
        assert f"| `{name}` | {listed} | {each['says']} |" in text
    for name in (*TOLERATED, *(path[0] for path in app.PATHS if path[0] != "control")):
        assert f"`{name}`" in text


# The command line


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"tokens": []}', '{"bearers": 1, "customers": 1}', "\x00"])
def test_a_broken_state_file_is_one_sentence(tmp_path, capsys, text):
    path = tmp_path / "state.json"
    path.write_text(text)
    assert command.main(["--port", "0", "--state", str(path)]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert str(path) in error
    assert path.read_text() == text


def test_a_port_in_use_is_one_sentence(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert command.main(["--port", str(taken.getsockname()[1])]) == 1
    assert capsys.readouterr().err.startswith("Cannot start on 127.0.0.1:")


@pytest.mark.parametrize("wrong", [["--now", "noon"], ["--split-midnight", "maybe"], ["--pending-seconds", "soon"]])
def test_a_wrong_option_is_one_sentence(capsys, wrong):
    assert command.main(["--port", "0", *wrong]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_the_help_tells_every_switch(capsys):
    with pytest.raises(SystemExit):
        command.main(["--help"])
    text = capsys.readouterr().out
    for option in ("--state", "--now", "--public-url", "--split-midnight", "--redirect-field", "--pending-seconds"):
        assert option in text


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_serves_until_it_is_told_to_stop(tmp_path, number):
    path = tmp_path / "state.json"
    options = [
        "--port",
        "0",
        "--state",
        str(path),
        "--redirect-has-token",
        "true",
        "--public-url",
        "https://s.example/",
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "sandbox", *options], stderr=subprocess.PIPE, text=True, cwd=os.getcwd()
    )
    url = re.search(r"http://\S+", process.stderr.readline())[0]
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=30)
    connection.request("GET", "/_sandbox")
    assert json.loads(connection.getresponse().read())["switches"]["redirect_has_token"] is True
    process.send_signal(number)
    assert process.wait(30) == 0
    process.stderr.close()
    assert path.exists()


def test_main_returns_after_its_signal(monkeypatch, capsys):
    handlers = {}
    monkeypatch.setattr(command.signal, "signal", lambda name, handler: handlers.update({name: handler}))
    threading.Timer(0.2, lambda: handlers[signal.SIGTERM]()).start()
    assert command.main(["--port", "0", "--pending-seconds", "5"]) == 0
    assert "FlatPeak sandbox at http://127.0.0.1:" in capsys.readouterr().err
