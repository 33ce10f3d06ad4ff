"""Checks every request, response and console message of a browser for what must not be in it."""

import re
from urllib.parse import urlsplit

from tests.scan import RETURN_ADDRESSES

TOKEN = re.compile(r"cot_[0-9a-f]{24}|/return/[\w-]{43}")  # a connect token, or the secret of a login
# Chromium's message about a failed request or a status of 400 and above, which `response` judges itself.
NOT_LOADED = "Failed to load resource:"


class Watch:
    """Collects sentences in `findings`. `expected` has the paths that may fail.

    A page fails with a status of 500 and above, and what it loads with 400 and above.
    """

    def __init__(self, site: str, sandbox: str) -> None:
        self.site, self.sandbox = site, sandbox
        self.findings: list[str] = []
        self.expected = {"/logos/broken.svg"}

    def over(self, context) -> None:
        context.on("request", self.request)
        context.on("requestfailed", self.failure)
        context.on("response", self.response)
        context.on("console", self.message)
        context.on("weberror", lambda error: self.findings.append(f"a script failed: {error.error}"))

    def request(self, request) -> None:
        url = urlsplit(request.url)
        origin = f"{url.scheme}://{url.netloc}"
        if origin not in (self.site, self.sandbox):
            self.findings.append(f"a request to another origin: {request.url}")
        may_carry = (origin == self.site and RETURN_ADDRESSES.fullmatch(url.path)) or (
            origin == self.sandbox and url.path.startswith("/provider/login/")
        )
        if TOKEN.search(request.url) and not may_carry:
            self.findings.append(f"a connect token in the address {origin}{url.path}")
        # Playwright reports a referrer for a redirect from the sandbox that the browser does not send.
        referrer = request.headers.get("referer", "")
        invented = request.redirected_from and referrer.startswith(self.sandbox)
        if TOKEN.search(referrer) and origin == self.site and not invented:
            self.findings.append(f"a connect token in the referrer of {origin}{url.path}")

    def failure(self, request) -> None:
        # Leaving a page aborts its loads, and a second press of a button aborts the first.
        path = urlsplit(request.url).path
        if request.failure != "net::ERR_ABORTED" and path not in self.expected:
            self.findings.append(f"no answer from {path}: {request.failure}")

    def response(self, response) -> None:
        path = urlsplit(response.url).path
        request = response.request  # the service worker requests pages only
        is_page = request.service_worker or request.is_navigation_request() or "part" in request.headers
        least = 500 if is_page else 400
        if response.status >= least and path not in self.expected:
            self.findings.append(f"status {response.status} from {path}")

    def message(self, message) -> None:
        if message.type in ("error", "warning") and not message.text.startswith(NOT_LOADED):
            self.findings.append(f"the console says: {message.text}")
