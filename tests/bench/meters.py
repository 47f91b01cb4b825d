"""What a process has used: CPU seconds and its peak of memory, read while it runs (Linux only)."""

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Usage:
    """What a process had used at one moment; None where this system does not tell.

    Attributes:
        cpu: CPU seconds of all its threads, since it was started.
        memory: the most bytes that it ever held in memory.
    """

    cpu: float | None
    memory: int | None


def usage(pid: int | None) -> Usage:
    """Look at a running process; at none if the broker is not ours."""
    if pid is None or sys.platform != "linux":
        return Usage(None, None)
    # The kernel's clock of another process, to the nanosecond: /proc/PID/stat counts in 10 ms.
    cpu = time.clock_gettime((~pid << 3) | 2)
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return Usage(cpu, int(line.split()[1]) * 1024)
    return Usage(cpu, None)


def spent(before: Usage, after: Usage) -> float | None:
    """CPU seconds between two looks at a process."""
    return None if before.cpu is None or after.cpu is None else after.cpu - before.cpu


def load() -> float:
    """How many processes wanted a core in the last minute, on average."""
    return os.getloadavg()[0]
