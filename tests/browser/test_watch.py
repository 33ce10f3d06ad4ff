"""The watch over the browser tests finds what it looks for."""

import pytest

from tests import scan

pytestmark = [pytest.mark.browser, pytest.mark.parametrize("screen", ["desktop"], indirect=True)]


@pytest.fixture
def found(visitor, watch):
    """The findings of the watch since the test began. They do not fail this test."""
    visitor.open("/")
    yield watch.findings
    visitor.page.context.close()
    watch.findings.clear()
    scan.findings.clear()


def open_until(visitor, event, path):
    """Open a page and wait for such an event of it, which Playwright may report after the page has loaded."""
    with visitor.page.context.expect_event(event, lambda each: each.url.endswith(path)):
        visitor.open(path)


def test_a_connect_token_in_an_address_is_found(visitor, found):
    open_until(visitor, "request", f"/account/login/?next=cot_{'0' * 24}")
    assert "a connect token in the address" in found[0]


def test_a_request_to_another_origin_is_found(visitor, found):
    visitor.page.route("http://elsewhere.example/", lambda route: route.fulfill(body="Hello"))
    open_until(visitor, "request", "http://elsewhere.example/")
    assert found == ["a request to another origin: http://elsewhere.example/"]


def test_a_violation_of_the_content_security_policy_is_found(visitor, found):
    with visitor.page.context.expect_console_message():
        visitor.page.evaluate(
            "document.head.append(document.createElement('style').appendChild(new Text('a {}')).parentNode)"
        )
    assert "Content Security Policy" in found[0]


def test_a_script_that_fails_is_found(visitor, found):
    with visitor.page.context.expect_event("weberror"):
        visitor.page.evaluate("setTimeout(() => { throw new Error('no such thing') })")
    assert "no such thing" in found[0]


def test_an_answer_of_500_is_found(visitor, found):
    visitor.page.route("**/account/login/", lambda route: route.fulfill(status=500, body="Oh"))
    open_until(visitor, "response", "/account/login/")
    assert found == ["status 500 from /account/login/"]
