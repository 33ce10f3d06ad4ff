"""What processes use, from Linux's /proc: CPU in seconds, memory in megabytes, connections."""

import os
import re
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


def children(pid: int) -> list[int]:
    return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


def cpu(pids: Iterable[int]) -> float:
    """Return user and system time of these processes so far, in steps of a hundredth of a second."""
    used = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except FileNotFoundError:
            continue
        used += int(fields[11]) + int(fields[12])
    return used / TICK


def cpu_exactly(pids: Iterable[int]) -> float:
    """Return the same in nanosecond steps, without threads that have ended."""
    used = 0
    for path in (path for pid in pids for path in Path("/proc").glob(f"{pid}/task/*/schedstat")):
        with suppress(FileNotFoundError, ProcessLookupError):
            used += int(path.read_text().split()[0])
    return used / 1e9


def at_rest(pids: list[int]) -> bool:
    """Return whether these processes are idle."""
    before = cpu_exactly(pids)
    time.sleep(0.2)
    return cpu_exactly(pids) - before < 0.002


def cpu_of_all() -> float:
    """Return the CPU time of the whole machine so far."""
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    user, nice, system, _idle, _iowait, irq, softirq, steal = fields
    return (user + nice + system + irq + softirq + steal) / TICK


def memory(pids: Iterable[int]) -> float:
    """Return the resident megabytes of these processes; shared memory counts for each."""
    held = (re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text()) for pid in pids)
    return sum(int(found[1]) for found in held if found) / 1024


def connections(port: int) -> set[str]:
    """Return the client ends of the TCP connections to a local port, with those that ended within the last minute."""
    ends = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        local, remote = (int(end.partition(":")[2], 16) for end in line.split()[1:3])
        if port in (local, remote) and remote:
            ends.add(f"{local + remote - port}")
    return ends
