"""Scan every response, address, log line and mail of the suite for secrets and for other origins.

A connect token is allowed in the two addresses that FlatPeak sends browsers back to and in the Location header to a
provider, and a login's secret in one of the two. A bearer or an API key is allowed nowhere. A page loads nothing from
another origin except logos. If PAGES is set, the pages are saved in that folder for an HTML checker.
"""

import gzip
import hashlib
import logging
import os
import re
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

import brotli
from django.conf import settings
from django.core import mail

SECRET = re.compile(r"cot_[0-9a-f]{24}|/return/[\w-]{43}|bearer_[0-9a-f]{40}|sk_(?:test|live)_\w+")
RETURN_ADDRESSES = re.compile(r"/connect/(?:[0-9a-f-]{36}/)?return/(?:[\w-]{43}/)?|/connect/callback/")
LOADED = re.compile(
    r"<(img|script|link|iframe|form|source|object|use|a)\b[^>]*?\s(?:src|href|action|data)=\"([^\"]*)\"", re.I
)

PAGES = os.environ.get("PAGES")

findings: list[str] = []


def look(where: str, text: str) -> None:
    if found := SECRET.search(text):
        findings.append(f"{found.group()[:8]}… in {where}")


def look_at_origins(where: str, html: str) -> None:
    for tag, address in LOADED.findall(html):
        url = urlsplit(address)
        own = not url.netloc or url.hostname in ("testserver", "localhost")
        logo = tag.lower() == "img" and f"{url.scheme}://{url.netloc}" in settings.LOGO_HOSTS
        # The only link to another origin, which loads nothing by itself: the sandbox's list of test providers.
        sandbox = tag.lower() == "a" and address == f"{settings.FLATPEAK_CONNECT_URL}/"
        if tag.lower() == "a" and url.scheme == "otpauth":  # opens the authenticator app on a phone
            continue
        if url.scheme not in ("", "http", "https", "data", "mailto") or not (own or logo or sandbox):
            findings.append(f"another origin in {where}: <{tag}> {address}")


def look_at_buttons(where: str, html: str) -> None:
    """A button that names a form outside of it does nothing if there is no such form."""
    for name in set(re.findall(r'<button[^>]* form="([^"]+)"', html)) - set(
        re.findall(r'<form[^>]* id="([^"]+)"', html)
    ):
        findings.append(f"a button without its form in {where}: {name}")


def keep(status: int, html: str) -> None:
    """Save a page unless one with the same sequences of tags and attributes is saved; more rows make no new page."""
    tags = [" ".join(re.findall(r"^\w+|\s[\w:-]+(?==)", tag)) for tag in re.findall(r"<([^>]+)>", html)]
    form = hashlib.sha256(repr(sorted(set(pairwise(tags)))).encode()).hexdigest()[:12]
    if not (page := Path(PAGES or "", f"{status}-{form}.html")).exists():
        page.write_text(html)


def middleware(get_response):
    def scan(request):
        response = get_response(request)
        where = f"{request.method} {request.path}"
        if not RETURN_ADDRESSES.fullmatch(request.path):
            look(f"the address of {where}", request.get_full_path())
        for header, value in response.headers.items():
            if not (header == "Location" and request.path.endswith("/login/")):
                look(f"the header {header} of {where}", value)
        if not response.streaming:
            content = response.content
            if response.headers.get("Content-Encoding") == "gzip":
                content = gzip.decompress(content)
            if response.headers.get("Content-Encoding") == "br":
                content = brotli.decompress(content)
            body = content.decode(errors="replace")
            look(f"the body of {where}", body)
            if response.headers.get("Content-Type", "").startswith("text/html"):
                look_at_origins(where, body)
                look_at_buttons(where, body)
                if PAGES and body.lower().startswith("<!doctype html"):  # not a part of a page
                    keep(response.status_code, body)
        return response

    return scan


class LogScan(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        look(f"a log line of {record.name}", logging.Formatter().format(record))


def look_at_mails() -> None:
    for message in getattr(mail, "outbox", []):
        look(f"the mail {message.subject!r}", str(message.message()))
