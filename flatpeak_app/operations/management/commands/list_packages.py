import json
import platform
import re
from importlib.metadata import Distribution, distributions

from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Print the installed packages with versions and licences in the format CycloneDX 1.6, for scanners."
    requires_system_checks: list[str] = []

    def handle(self, **options: object) -> None:
        installed = {canonical(each): component(each) for each in distributions()}
        python = {"type": "platform", "bom-ref": "python", "name": "python", "version": platform.python_version()}
        listed = {
            "bomFormat": "CycloneDX",
            "specVersion": "1.6",
            "version": 1,
            "metadata": {"component": {"type": "application", "name": "flatpeak-connect"}},
            "components": [python, *(installed[name] for name in sorted(installed))],
        }
        self.stdout.write(json.dumps(listed, indent=1))


def canonical(package: Distribution) -> str:
    """Return the name as package URLs write it: flatpeak-app for FlatPeak_App."""
    return re.sub(r"[-_.]+", "-", package.metadata["Name"]).lower()


def component(package: Distribution) -> dict[str, object]:
    """Return a package as CycloneDX describes it; a licence is an SPDX expression where the package declares one."""
    url = f"pkg:pypi/{canonical(package)}@{package.version}"
    found: dict[str, object] = {
        "type": "library",
        "bom-ref": url,
        "name": canonical(package),
        "version": package.version,
    }
    told = package.metadata.json
    names = [line.rpartition(" :: ")[2] for line in told.get("classifier", []) if line.startswith("License :: ")]
    text = str(told.get("license", ""))  # its name, or all of it
    if not names and 0 < len(text) < 50:
        names = [text]
    if expression := told.get("license_expression"):
        found["licenses"] = [{"expression": expression}]
    elif names:
        found["licenses"] = [{"license": {"name": name}} for name in names]
    return found | {"purl": url}
