"""Concurrent customers, each with a thread and a kept connection."""

import http.client
import threading
import time
from collections.abc import Callable
from statistics import median


class View:
    """One request: its start and duration in seconds, and its status, 0 for no answer."""

    def __init__(self, connection: http.client.HTTPConnection, path: str, cookie: str) -> None:
        self.begin = time.perf_counter()
        try:
            connection.request("GET", path, headers={"Cookie": cookie, "Accept-Encoding": "br"})  # as browsers do
            answer = connection.getresponse()
            answer.read()
            self.status = answer.status
        except (OSError, http.client.HTTPException):
            self.status = 0
        self.seconds = time.perf_counter() - self.begin


def views(port: int, path: str, cookie: str, customers: int, go_on: Callable[[], bool], pause: float = 0) -> list[View]:
    """Let customers request a page again and again while `go_on()` is true, with a pause in seconds between."""
    seen: list[View] = []

    def look() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        while go_on():
            seen.append(View(connection, path, cookie))
            time.sleep(pause)
        connection.close()

    threads = [threading.Thread(target=look) for _ in range(customers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return seen


def per_second(port: int, paths: dict[str, str], cookie: str, rounds: int, seconds: float) -> dict[str, list[float]]:
    """Measure requests per second by name, in alternating batches, so that other load on the machine affects all alike."""
    found: dict[str, list[float]] = {name: [] for name in paths}
    for _ in range(rounds):
        for name, path in paths.items():
            end = time.perf_counter() + seconds
            seen = views(port, path, cookie, 4, lambda end=end: time.perf_counter() < end)  # type: ignore[misc]
            assert all(view.status == 200 for view in seen), {view.status for view in seen}
            found[name].append(len(seen) / seconds)
    return found


def ratio(found: dict[str, list[float]], name: str, floor: str) -> tuple[float, float, float]:
    """Return the median, lowest and highest ratio of two names' batches."""
    ratios = [a / b for a, b in zip(found[name], found[floor], strict=True)]
    return median(ratios), min(ratios), max(ratios)
