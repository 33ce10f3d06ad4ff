"""The releases that are spoken, and which one an account has."""

from dataclasses import replace

from .anode import ANODE
from .pages import PAGES
from .release import Release

ALL = "*"  # stands for every account


class Releases:
    """The releases by name, of which one is the default, and the accounts that were raised to a later one.

    raised: {account id, or ALL: name of its release}. An account whose id begins with acc_<name> begins in that release.
    """

    def __init__(self, default: "Release | str", raised: dict[str, str]) -> None:
        self.by_name = {"zero": Release(pages=PAGES), "anode": ANODE}
        if isinstance(default, Release):
            self.by_name[default.name] = _checked(default)
            default = default.name
        self.default = self.known(default)
        self.raised = raised

    def known(self, name: str) -> Release:
        """Raises ValueError for a name that is none."""
        if name not in self.by_name:
            raise ValueError(f"There is no release {name}; there are {', '.join(self.by_name)}.")
        return self.by_name[name]

    def of_account(self, account: str) -> Release:
        own = [name for name in self.by_name if account.startswith(f"acc_{name}")]
        name = self.raised.get(account) or (own[0] if own else self.raised.get(ALL))
        return self.by_name[name] if name else self.default

    def check_raise(self, account: str, name: str) -> None:
        """Raises ValueError unless the account can be raised to that release: it never goes back."""
        now = self.of_account(account)
        if self.known(name).version < now.version:
            raise ValueError(f"{account} has {now.name} and cannot go back to {name}.")

    def paths(self, call: str, zero: str) -> dict[str, None]:
        """Every path that a call has in any release. zero: the one in zero."""
        named = [each.paths for each in self.by_name.values()]
        named += [
            changes["paths"]
            for each in self.by_name.values()
            for changes in each.readings.values()
            if "paths" in changes
        ]
        return dict.fromkeys([zero, *(paths[call] for paths in named if call in paths)])

    def routes(self) -> list[str]:
        """Every route of any release."""
        every = [each.under({switch: value}) for each in self.by_name.values() for switch, value in each.readings]
        found = [each.names() for each in (*self.by_name.values(), *every)]
        return list({name: None for names in found for name in names})


def _checked(release: Release) -> Release:
    """The release with its pages. Raises ValueError for a name that its pages do not have."""
    release = replace(release, pages=release.pages or PAGES)
    actions = {name for page in release.pages.values() for name in page.actions}
    for names, known in ((release.routes, set(release.pages)), (release.actions, actions)):
        if unknown := names.keys() - known:
            raise ValueError(f"Zero has no {', '.join(sorted(unknown))}; it has {', '.join(sorted(known))}.")
    return release
