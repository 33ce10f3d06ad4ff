"""What is installed: the locks pin each package with its hashes, and the image lists what it has."""

import json
import re
from importlib.metadata import version

import pytest
from django.core.management import call_command
from packaging.requirements import Requirement

from tests.programs import DOCKERFILE, ROOT

MAKEFILE = (ROOT / "Makefile").read_text()
LOCKS = ["requirements", "requirements-dev"]


def locked(name):
    """The entries of a lock: each requirement with the number of its hashes."""
    text = re.sub(r"^ *#.*\n", "", (ROOT / f"{name}.lock").read_text(), flags=re.MULTILINE).replace("\\\n", "")
    entries = [line.split(" --hash=") for line in re.sub(" +", " ", text).splitlines()]
    return {Requirement(entry): hashes for entry, *hashes in entries}


def asked(name):
    lines = (ROOT / f"{name}.txt").read_text().splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith(("#", "-r"))]


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("name", LOCKS)
def test_the_lock_has_one_version_of_each_package_and_its_hashes(name):
    for entry, hashes in locked(name).items():
        assert re.fullmatch(r"==[\w.]+", str(entry.specifier)), entry
        assert hashes, entry
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64} ?", each) for each in hashes), entry
    names = [entry.name for entry in locked(name)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", LOCKS)
def test_the_lock_has_what_is_asked_for_in_the_version_that_is_asked_for(name):
    pinned = {entry.name: str(entry.specifier) for entry in locked(name)}
    for each in asked(name):
        assert pinned[canonical(each.name)] == str(each.specifier)


def test_the_tests_run_what_production_runs():
    everything = {entry.name: entry.specifier for entry in locked("requirements-dev")}
    for entry in locked("requirements"):
        assert everything[entry.name] == entry.specifier


@pytest.mark.parametrize("name", LOCKS)
def test_each_package_that_is_asked_for_has_its_reason(name):
    before = ""
    for line in (ROOT / f"{name}.txt").read_text().splitlines():
        assert line.startswith(("#", "-r")) or before.startswith("# "), line
        before = line


@pytest.mark.parametrize("name", LOCKS)
def test_the_lock_names_no_registry(name):
    assert not re.findall(r"://|--(?:extra-)?index-url|--find-links", (ROOT / f"{name}.lock").read_text())


def test_what_is_installed_is_what_the_lock_says():
    for entry in locked("requirements-dev"):
        if not entry.marker or entry.marker.evaluate():
            assert entry.specifier.contains(version(entry.name)), entry


def test_image_and_make_install_from_the_locks_and_take_nothing_without_a_hash():
    for install in re.findall(r"pip install .* -r .*", DOCKERFILE + MAKEFILE):
        assert re.search(r"--require-hashes -r requirements(-dev)?\.lock$", install)
    assert "!requirements.lock" in (ROOT / ".dockerignore").read_text()


def test_the_image_lists_each_package_with_version_licence_and_address(capsys):
    assert "python manage.py list_packages > packages.cdx.json" in DOCKERFILE
    call_command("list_packages")
    listed = json.loads(capsys.readouterr().out)
    assert (listed["bomFormat"], listed["specVersion"]) == ("CycloneDX", "1.6")
    found = {each["name"]: each for each in listed["components"]}
    for entry in locked("requirements"):
        if not entry.marker or entry.marker.evaluate():
            assert found[entry.name]["purl"] == f"pkg:pypi/{entry.name}@{version(entry.name)}"
            assert found[entry.name].get("licenses"), entry
    assert found["django"]["licenses"] == [{"expression": "BSD-3-Clause"}]
    assert found["python"]["type"] == "platform"
