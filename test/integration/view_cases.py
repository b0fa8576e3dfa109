# SPDX-License-Identifier: ISC
"""
What the administrator sees of the last days: on a terminal, as JSON.
"""
import fcntl
import json
import os
import pty
import struct
import termios

import mail
from stage import one_message, rows

TEXT = mail.message("a message")
BAR = "\u2588"


def on_terminal(t, columns, locale, *args):
    """What a command writes to a terminal, whose lines end with CR LF."""
    pid, fd = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        env = t.environment({"LC_ALL": locale, "TERM": "dumb"})
        os.execve(t.binary, t.command(*args), env)
    seen = b""
    try:
        while chunk := os.read(fd, 4096):
            seen += chunk
    except OSError:  # as Linux tells the end
        pass
    os.close(fd)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert status == 0, (status, seen)
    return seen.decode().replace("\r\n", "\n")


@rows(("wide", 100, "C.UTF-8", True), ("narrow", 80, "C.UTF-8", False),
      ("of unknown width", 0, "C.UTF-8", False), ("without UTF-8", 100, "C", False),
      ("of no known locale", 100, "xx_XX.UTF-8", False))
def test_plot_on_a_terminal(t, columns, locale, shown):
    """Shown where it has room and can be read; nothing else changes."""
    t.configure(t.provider(one_message(TEXT)))
    t.fetch("office")
    seen = on_terminal(t, columns, locale, "status")
    assert (BAR in seen) == shown and ("14 DAYS" in seen) == shown, seen
    plain = t.run("status", env={"LC_ALL": locale}).out
    assert plain.isascii(), plain
    for with_plot, without in zip(seen.splitlines(), plain.splitlines()):
        assert with_plot.startswith(without[:60]), (with_plot, without)
        assert len(with_plot) <= max(columns, 80), with_plot


def test_days_in_json(t):
    """Each session counts for its day, and a file from before it had days keeps
    the messages of its day."""
    t.configure(t.provider(one_message(TEXT), one_message(TEXT)))
    t.fetch("office")
    [day] = json.loads(t.run("status", "--json").out)["days"]
    assert (day["sessions"], day["failed"], day["messages"], day["bytes"]) == (
        1, 0, 2, 2 * len(TEXT)), day
    status = t.status()
    del status["days"]
    t.write("state/status/office.json", json.dumps(status), mode=0o640)
    t.fetch("office")
    days = json.loads(t.run("status", "--json").out)["days"]
    assert sum(each["messages"] for each in days) == 2, days
    assert sum(each["sessions"] for each in days) == 2, days
    assert t.status()["total"]["messages"] == 2
