"""What `make run` promises, on the real programs: on free ports, over a directory that is empty at first."""

import re
import shutil
import socket
import sqlite3
import stat
import sys
from contextlib import closing

import pytest
import requests

from tests.programs import PRODUCTION, PYTHON, Program, free_port, get, is_free, run

MAKE_RUN = ["make", "run", f"VENV={sys.prefix}"]
RUN_LOCAL = [PYTHON, "manage.py", "run_local"]


@pytest.fixture
def new_machine(tmp_path):
    return machine_at(tmp_path)


class Machine(dict):
    """The settings of one; `staff` is what its first start said of the account, `browser` is signed in as that."""

    staff, browser = "", None


@pytest.fixture(scope="module")
def machine(tmp_path_factory, image):
    """A machine on which it ran before, and that keeps what the tests of this file make on it."""
    used = Machine(machine_at(tmp_path_factory.mktemp("var")))
    collected(image, used)
    shutil.copy(image / "db.sqlite3", used["VAR_DIR"])
    with Program(*RUN_LOCAL, **used) as program:
        program.wait_until(told(program))
        used.browser, used.staff = sign_in(used, program.output), re.search("Staff: .*", program.output)[0]
        switches = {"switches": {"delay_ms": 7}}
        requests.post(f"http://127.0.0.1:{used['SANDBOX_PORT']}/_sandbox", json=switches).raise_for_status()
        assert program.terminate() == 0
    return used


def machine_at(folder):
    return {"VAR_DIR": folder, "PORT": free_port(), "SANDBOX_PORT": free_port()}


def collected(image, machine):
    """Give a machine the files that another test collected, which takes seconds."""
    (machine["VAR_DIR"] / "static").symlink_to(image / "static")


def sign_in(machine, output):
    email, password = re.search(r"Staff: (\S+), password (\S+)", output).groups()
    browser = requests.Session()
    address = f"http://localhost:{machine['PORT']}/account/login/"
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', browser.get(address).text)[1]
    answer = browser.post(address, {"login": email, "password": password, "csrfmiddlewaretoken": token})
    assert answer.ok
    return browser


def told(program):
    return lambda: "Nothing is lost" in program.output


def test_make_run_starts_everything_from_nothing_and_says_where_and_as_whom(new_machine):
    machine = new_machine
    with Program(*MAKE_RUN, "RELEASE=anode", **machine) as program:
        program.wait_until(told(program))
        assert program.output.count(f"http://localhost:{machine['PORT']}") == 1
        assert get(machine["PORT"], Host=f"localhost:{machine['PORT']}").status_code == 200
        assert get(machine["PORT"], "/?a=1").headers["Location"] == f"http://localhost:{machine['PORT']}/?a=1"
        sandbox = requests.get(f"http://127.0.0.1:{machine['SANDBOX_PORT']}/_sandbox")
        assert sandbox.json()["releases"] == {"*": "anode"}
        browser = sign_in(machine, program.output)
        assert browser.get(f"http://localhost:{machine['PORT']}/admin/").status_code == 200

        assert program.press_ctrl_c() in (0, -2)  # make itself ends by the signal
        assert "Traceback" not in program.output
        assert "***" not in program.output
    assert is_free(machine["PORT"])
    assert is_free(machine["SANDBOX_PORT"])
    assert stat.S_IMODE((machine["VAR_DIR"] / "staff-password").stat().st_mode) == 0o600


def test_a_second_start_repeats_no_work_and_has_lost_nothing(machine):
    manifest = machine["VAR_DIR"] / "static" / "staticfiles.json"
    before = manifest.stat().st_mtime_ns
    with Program(*RUN_LOCAL, **machine) as second:
        second.wait_for_page(machine["PORT"])
        assert manifest.stat().st_mtime_ns == before
        second.wait_until(told(second))
        assert machine.staff in second.output
        assert machine.browser.get(f"http://localhost:{machine['PORT']}/admin/").status_code == 200
        sandbox = requests.get(f"http://127.0.0.1:{machine['SANDBOX_PORT']}/_sandbox").json()
        assert sandbox["switches"]["delay_ms"] == 7
        assert second.press_ctrl_c() == 0


def test_a_new_database_gets_a_password_of_its_own(machine, tmp_path):
    password = machine["VAR_DIR"] / "staff-password"
    before = password.read_text()
    with Program(*RUN_LOCAL, **machine, DATABASE_URL=f"sqlite:///{tmp_path}/new.sqlite3") as program:
        program.wait_until(told(program))
        sign_in(machine, program.output)
    assert password.read_text() != before


def test_with_credentials_in_env_it_starts_no_sandbox_and_a_second_checkout_runs_beside(machine, image, tmp_path):
    (tmp_path / ".env").write_text("FLATPEAK_ACCOUNT_ID=acc_example\nFLATPEAK_API_KEY=sk_test_example\n")
    other = machine | {"PORT": free_port(), "SANDBOX_PORT": free_port(), "VAR_DIR": tmp_path}
    collected(image, other)
    with (
        Program(*RUN_LOCAL, **machine) as ours,
        Program(*RUN_LOCAL, **other, ENV_FILE=tmp_path / ".env") as real,
    ):
        ours.wait_until(told(ours))
        real.wait_until(told(real))
        assert "FlatPeak: https://api.flatpeak.com" in real.output
        assert [get(each["PORT"], "/healthz").status_code for each in (other, machine)] == [200, 200]
        assert is_free(other["SANDBOX_PORT"])
        assert real.terminate() == ours.terminate() == 0


@pytest.mark.parametrize("name", ["PORT", "SANDBOX_PORT"])
def test_a_taken_port_is_one_sentence(machine, name):
    with socket.create_server(("127.0.0.1", machine[name])):
        ended = run(*RUN_LOCAL, **machine)
    assert ended.returncode == 1
    assert (
        ended.stdout
        == f"CommandError: Port {machine[name]} is in use. Choose another one with {name}, for example {name}=9123.\n"
    )


def test_when_the_app_ends_so_does_the_sandbox(machine):
    ended = run(*RUN_LOCAL, **machine, WEB_CONCURRENCY=3)
    assert ended.returncode == 1
    assert "3 workers need a cache that they share: set CACHE_URL" in ended.stdout
    assert ended.stdout.endswith("CommandError: The app stopped by itself with exit code 1.\n")
    assert is_free(machine["SANDBOX_PORT"])


def test_it_leaves_production_to_gunicorn(machine):
    ended = run(*RUN_LOCAL, **machine, **PRODUCTION)
    assert ended.returncode == 1
    assert ended.stdout.startswith("CommandError: SITE_URL begins with https")


@pytest.mark.parametrize(
    ("fails_on", "sentence"),
    [("version_info", "Python 3.11 or newer is needed"), ("ensurepip", "lacks its venv package: install it")],
)
def test_a_python_that_will_not_do_is_one_sentence(tmp_path, fails_on, sentence):
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\ncase "$2" in *{fails_on}*) exit 1;; esac\n')
    python.chmod(0o755)
    ended = run("make", "run", f"PYTHON={python}", f"VENV={tmp_path}/venv")
    assert ended.returncode != 0
    said, made = ended.stdout.splitlines()
    assert sentence in said
    assert made.startswith("make: ***")
    assert not (tmp_path / "venv").exists()


def test_a_database_from_before_the_migrations_were_made_anew_is_one_sentence(image, new_machine):
    collected(image, new_machine)
    with closing(sqlite3.connect(new_machine["VAR_DIR"] / "db.sqlite3")) as old, old:
        old.execute("CREATE TABLE django_migrations (id INTEGER PRIMARY KEY, app TEXT, name TEXT, applied TEXT)")
        old.execute("INSERT INTO django_migrations VALUES (1, 'account', '0001_initial', '2026-01-01')")
    done = run(*RUN_LOCAL, **new_machine)
    assert done.returncode == 1
    assert "can't use the database of an earlier one" in done.stdout
    assert "Traceback" not in done.stdout
