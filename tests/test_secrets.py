"""No secret stands in the repository or gets into the image; what `--help` and error mails say is tried elsewhere."""

import subprocess

import pytest
from detect_secrets import SecretsCollection
from detect_secrets.settings import default_settings, get_settings

from tests.programs import PRODUCTION, PYTHON, ROOT

# What looks like a secret and is made up, by the file that it stands in.
EXAMPLES = {
    "password": {"*"},  # of user:password@ in addresses
    PRODUCTION["SECRET_KEY"][:16]: {"tests/programs.py"},
    "0123456789abcdef" * 2: {"tests/test_doors.py"},  # a request's id
    "FLATPEAK_ACCOUNT_ID=acc_example" + r"\nFLATPEAK_API_KEY=sk_test_example\n": {"tests/test_run.py"},
}
# Each value after a name like "password" would be one, and so would any long hash of npm's or pip's.
LEFT_OUT = ["KeywordDetector"]


def tracked():
    return subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")[
        :-1
    ]


def secrets_in(root, names):
    """[(file, line, kind, value)] that detect-secrets finds, but for examples."""
    with default_settings():
        get_settings().disable_plugins(*LEFT_OUT)
        found = SecretsCollection(root=str(root))
        for name in names:
            found.scan_file(name)
    return [
        (name, each.line_number, each.type, each.secret_value)
        for name, each in found
        if not EXAMPLES.get(each.secret_value, set()) & {"*", name}
    ]


@pytest.fixture(scope="module")
def repository():
    if not (ROOT / ".git").exists():
        pytest.skip("not a clone: git names the files")
    return tracked()


def test_no_secret_is_in_the_repository(repository):
    assert len(repository) > 200
    assert secrets_in(ROOT, repository) == []


@pytest.mark.parametrize(
    "planted",
    [
        "-----BEGIN RSA " + "PRIVATE KEY-----",
        "AKIA" + "Z3MSJV4VTYGMXWQF",
        "https://operator:" + "Zx9-kk20Lq@db.example.com/",
        'key = "' + "sk_live_" + '9hG3kQz7TnVb2LxW4pRc"',
        'TOKEN = "' + "c2VjcmV0LXRoYXQtaXMt" + "bG9uZy1lbm91Z2gtdG8tYmUtb25l" + '"',
    ],
    ids=["private key", "AWS", "password in an address", "FlatPeak's or Stripe's", "random text"],
)
def test_a_secret_in_a_file_would_be_found(tmp_path, planted):
    (tmp_path / "settings.py").write_text(f"# a file\n{planted}\n")
    assert [(name, line) for name, line, _, _ in secrets_in(tmp_path, ["settings.py"])] == [("settings.py", 2)]


def test_the_image_takes_what_runs_by_name_and_nothing_that_lies_around(repository, tmp_path):
    everything, *lines = [
        line for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] not in ("#", "")
    ]
    assert everything == "*"
    taken = [line[1:] for line in lines if line.startswith("!")]
    assert set(lines) - {f"!{name}" for name in taken} == {"**/__pycache__"}
    # brand/ is the operator's own folder of templates and static files.
    assert set(taken) - {"brand"} <= {name.split("/")[0] for name in repository}
    # That is enough to run: the same files in another place.
    for name in [name for name in repository if name.split("/")[0] in taken]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    assert {path.name for path in tmp_path.iterdir()} == set(taken) - {"brand"}
    code = """
import flatpeak_app.wsgi, gunicorn.app.base
from django.utils import translation
print(flatpeak_app.wsgi.__file__)
with translation.override("de"):
    print(translation.gettext("My locations"))
"""
    command = [PYTHON, "-c", code]
    environment = {"SECRET_KEY": "build", "ENV_FILE": "/dev/null"}
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert ran.stdout.startswith(str(tmp_path))
    assert ran.stdout.splitlines()[1] == "Meine Adressen"
