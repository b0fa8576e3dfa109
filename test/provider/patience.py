# SPDX-License-Identifier: ISC
"""
patience - how long the tests wait, on whatever machine they run.

A limit here is meant for a quiet machine and is there to end what hangs. When
it is reached, a known piece of work is timed: where that takes ten times as
long as it should, so may everything else, and the wait goes on. What was once
seen of the machine counts from then on: the time limits that the agent was given
while it was slow are waited for when it is not any more.
"""
import os
import subprocess
import tempfile
import time

WORK = 0.03  # seconds for work() on a quiet machine that is not fast
STORED = 0.05  # likewise for stored()
SLOWEST = 40  # beyond that nothing is worth a wait
_seen = 1  # the slowest of this process


def work():
    """A bit of what tests do: programs started, and some arithmetic."""
    for _ in range(5):
        subprocess.run(["/bin/true"], check=True)
    return sum(range(400000))


def stored():
    """What mail servers and the agent do with each message: they wait for the
    disk, which may be busy where the processor is not."""
    with tempfile.TemporaryFile() as file:
        file.write(b"x" * 4096)
        file.flush()
        os.fsync(file.fileno())


def took(piece):
    begun = time.monotonic()
    piece()
    return time.monotonic() - begun


def slowness():
    """How many times as long as on a quiet machine things take, now or over the
    last minute: 1 to SLOWEST."""
    global _seen
    queued = os.getloadavg()[0] / len(os.sched_getaffinity(0))
    now = min(max(took(work) / WORK, took(stored) / STORED, queued, 1), SLOWEST)
    _seen = max(_seen, now)
    return now


def slowest():
    """The same at its worst since this process began: for what was measured, or
    is to be waited for."""
    return max(slowness(), _seen)


class Patience:
    """A limit in seconds of a quiet machine, from now on."""

    def __init__(self, seconds):
        self.seconds = seconds
        self.begun = time.monotonic()
        self._slowness = 1

    def left(self):
        """Seconds until it is worth asking again; 0 when patience is at its
        end."""
        elapsed = time.monotonic() - self.begun
        if elapsed >= self.seconds * self._slowness:
            self._slowness = slowest()
        return max(0, self.seconds * self._slowness - elapsed)

    def elapsed(self):
        """Seconds since its begin, as on a quiet machine."""
        return (time.monotonic() - self.begun) / slowest()

    def renew(self):
        """Something has gone on: the wait begins anew."""
        self.begun = time.monotonic()


__all__ = ["Patience", "slowest", "slowness"]
