"""The end of `make scan`: run wapiti against the app with production settings, signed out and as a customer.

On loopback: gunicorn with TLS and a certificate valid for a day, and the sandbox for FlatPeak, in a folder that is deleted
afterwards. Exits with 1 if wapiti finds what EXPLAINED does not name, or if the app fails.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.programs import PRODUCTION, PYTHON, Program, certificate, free_port, is_free

WAPITI = Path(sys.argv[1])
SECONDS = os.environ.get("SCAN_SECONDS", "420")  # for each of the four scans at most
EMAIL, PASSWORD = "alice@example.com", "correct horse battery"  # nosec B105
# All of wapiti's modules except those that need the internet or a list of known software (cms, htp, log4shell, nikto,
# takeover, wapp, wp_enum, network_device), that guess passwords or file names (brute_login_form, buster), and `ssl`,
# which checks the proxy's certificate.
LOOKS = "backup,cookieflags,csp,csrf,htaccess,http_headers,https_redirect,methods"
ATTACKS = "crlf,exec,file,ldap,permanentxss,redirect,shellshock,spring4shell,sql,ssrf,timesql,upload,xss,xxe"
# Pages that would end the session, delete what is scanned, or change the English text by which wapiti detects its session.
KEPT_OUT = ("account/logout/", "account/delete/", "locations/*/delete/", "language/")
KINDS = ("vulnerabilities", "anomalies", "additionals")
# Categories of findings that SECURITY.md explains; this one says only that addresses answer OPTIONS.
EXPLAINED = ("HTTP Methods",)


class Elsewhere(BaseHTTPRequestHandler):
    """A server that wapiti tries to make the app call."""

    asked: list[str] = []

    def do_GET(self) -> None:
        if not self.path.startswith("/get_"):  # wapiti itself reads the results here
            self.asked.append(self.path)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")

    do_HEAD = do_POST = do_GET

    def log_message(self, *_: Any) -> None:
        pass


def prepare(settings: dict[str, str]) -> None:
    """Create the database, with Alice, a location and an open conversation."""
    os.environ |= settings
    import django
    from django.core.management import call_command
    from django.test import Client
    from django.test.utils import setup_test_environment

    django.setup()
    setup_test_environment()
    call_command("migrate", verbosity=0)
    call_command("collectstatic", verbosity=0, interactive=False)
    from allauth.account.models import EmailAddress
    from django.contrib.auth import get_user_model

    from tests.walk import Walk

    alice = get_user_model().objects.create_user(EMAIL, PASSWORD)
    EmailAddress.objects.create(user=alice, email=EMAIL, verified=True, primary=True)
    client = Client(headers={"host": "localhost", "x-forwarded-proto": "https"})
    client.force_login(alice)
    walk = Walk(client)
    walk.fixed()
    walk.to_providers()


def location_stays() -> bool:
    from tariffs.models import Location

    return Location.objects.filter(customer__user__email=EMAIL).exists()


def scan(site: str, modules: str, report: Path, *options: str) -> dict[str, Any]:
    """Run wapiti and return its report; its log is beside the report."""
    command = [str(WAPITI), f"--url={site}", f"--module={modules}", f"--max-scan-time={SECONDS}", "--verify-ssl=0"]
    command += ["--no-bugreport", "--flush-session", f"--store-session={report.parent}", "--format=json"]
    command += [f"--store-config={report.parent}", f"--output={report}", "--depth=4", "--max-attack-time=60"]
    command += ["--skip=csrfmiddlewaretoken"]
    with report.with_suffix(".log").open("w") as log:
        subprocess.run([*command, *options], stdout=log, stderr=subprocess.STDOUT, check=True)
    return json.loads(report.read_text())


def tell(who: str, report: dict[str, Any]) -> int:
    """Print the findings and return the number of unexplained ones."""
    infos, unexplained = report["infos"], 0
    counts = ", ".join(f"{kind} {sum(map(len, report[kind].values()))}" for kind in KINDS)
    signed_in = "" if who != "customer" or infos["auth"]["logged_in"] else " BUT NOT SIGNED IN"
    print(f"{infos['version']}, {who}{signed_in}: pages and forms {infos['crawled_pages_nbr']}, {counts}")
    for category, found in (each for kind in KINDS for each in report[kind].items()):
        if found and category in EXPLAINED:
            print(f"  {category}, explained in SECURITY.md: {len(found)} times")
            continue
        unexplained += len(found)
        for each in found:
            print(f"  {category}: {each['method']} {each['path']}: {each['info']}")
    return unexplained + bool(signed_in)


def main() -> int:
    folder = Path("var/scan").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    port, sandbox_port = free_port(), free_port()
    site = f"https://localhost:{port}/"
    elsewhere = ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere)
    threading.Thread(target=elsewhere.serve_forever, daemon=True).start()
    # To a page without the words "wrong" or "failed", which wapiti takes for a failed sign-in.
    login = [f"--form-url={site}account/login/?next=/connect/", f"--form-user={EMAIL}", f"--form-password={PASSWORD}"]
    start = [f"--start={site}{path}" for path in ("locations/", "connect/", "account/second-factor/")]
    left_out = [f"--exclude={site}{path}" for path in KEPT_OUT]
    visitors = {"signed out": [], "customer": [*login, *start, *left_out]}
    found, log = 0, ""
    with ExitStack() as stack:
        scratch = stack.enter_context(tempfile.TemporaryDirectory())
        settings = PRODUCTION | {
            "ENV_FILE": os.devnull,
            "VAR_DIR": scratch,
            "DATABASE_URL": f"sqlite:///{scratch}/db.sqlite3",
            "SITE_URL": site.rstrip("/"),
            "EMAIL_URL": "dummymail://",
            "FLATPEAK_API_URL": f"http://127.0.0.1:{sandbox_port}",
            "FLATPEAK_ACCOUNT_ID": "acc_sandbox",
            "FLATPEAK_API_KEY": "sk_test_sandbox",
            "ALLOW_SANDBOX": "true",
            "TRUSTED_PROXIES": "0",
            "DJANGO_SETTINGS_MODULE": "tests.scanners.settings",
        }
        sandbox = Program(PYTHON, "-m", "sandbox", "--quiet", f"--port={sandbox_port}", f"--state={scratch}/sandbox")
        stack.enter_context(sandbox).wait_for_page(sandbox_port)
        prepare(settings)
        command = [PYTHON, "-m", "gunicorn", "flatpeak_app.wsgi", f"--bind=127.0.0.1:{port}", *certificate(scratch)]
        for name, modules, more in (("looks", LOOKS, {}), ("attacks", ATTACKS, {"UNCHECKED": "1"})):
            with Program(*command, **settings, **more) as app:
                app.wait_until(lambda: not is_free(port))
                for who, options in visitors.items():
                    report = folder / f"{name}-{who.replace(' ', '-')}.json"
                    options = [f"--endpoint=http://127.0.0.1:{elsewhere.server_port}/", *options]
                    found += tell(who, scan(site, modules, report, *options))
                log += app.output
        stays = location_stays()
    (folder / "app.log").write_text(log)
    statuses = Counter(re.findall(r'"flatpeak_app.requests".*"status": (\d{3})', log))
    broken = log.count("Traceback (most recent call last)")
    print(f"the app answered {sum(statuses.values())} requests, by status {dict(sorted(statuses.items()))}")
    print(f"tracebacks {broken}, requests elsewhere {len(Elsewhere.asked)}, location {'kept' if stays else 'GONE'}")
    return int(bool(found or broken or Elsewhere.asked or not stays))


if __name__ == "__main__":
    sys.exit(main())
