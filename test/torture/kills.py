# SPDX-License-Identifier: ISC
"""
kills - the agent, all of it, is killed at each of its system calls.

Nothing may be lost. A message may come twice only where the kill fell between
the answer of the local service and its record in the ledger: the store has it
and the ledger does not. With Maildirs that is one recipient at most: each has
its record before the next has its message. Recipients of one step (a run of
sendmail, a Maildir with two addresses) are on record at once or not at all.
"""
import os

from held import BDAT, LOCKSTEP, PIPELINED, PRDR
from pool import Job
from rig import KILLED_KINDS, Rig, Wrong, counted_steps, steps
from wire import Slow

MODES = (LOCKSTEP, PIPELINED, BDAT, PRDR)
PART = 7
CHUNK = 40
PART_MODES = dict(zip(KILLED_KINDS, (PIPELINED, PRDR, LOCKSTEP, BDAT, PIPELINED,
                                     PRDR, LOCKSTEP)))
ONE_STEP = ("sendmail", "maildir-shared")
KILLED = 137


def jobs(setup):
    found = []
    for kind in KILLED_KINDS:
        for mode in MODES if setup.full else (PART_MODES[kind],):
            found += session(setup, kind, mode, False)
        if setup.full or kind == "lmtp-several":
            found += session(setup, kind, PIPELINED, True)
    return found


def session(setup, kind, mode, tls):
    rig = Rig(os.path.join(setup.scratch, "length"), setup, kind, mode, tls)
    count = counted_steps(rig, setup)
    rig.remove()
    at = list(range(1, count + 5, 1 if setup.full else PART))
    return [Job("kills", "kills %s" % rig.name, kill,
                (setup, kind, mode, tls, at[begin:begin + CHUNK]))
            for begin in range(0, len(at), CHUNK)]


def kill(folder, tally, setup, kind, mode, tls, points):
    rig = Rig(os.path.join(folder, "rig"), setup, kind, mode, tls)
    for at in points:
        point = rig.point()
        try:
            status = rig.run(point, command=steps(rig, setup, at))
            if not rig.broke()[1]:
                tally.counts["beyond the end"] += 1
            elif status != KILLED:
                raise Wrong("it was killed and gave status %d" % status)
            else:
                tally.points += 1
            window = unrecorded(rig, point)
            if kind == "maildir" and len(window) > 1:
                raise Wrong("several have it and no record: %s" % window)
            if kind in ONE_STEP and halves(rig, point, window):
                raise Wrong("half of a step is on record: without are %s" % window)
            rig.drain(point)
            rig.judge(point, twice=window)
            tally.counts["between answer and record"] += bool(window)
            tally.counts["came twice"] += any(
                n > 1 for n in rig.taken().values())
        except (Wrong, Slow) as why:
            tally.found("at call %d: %s; runs %s\n%s" % (
                at, why, point.statuses, rig.said()))


def unrecorded(rig, point):
    """(sender, recipient) of what a store has and the ledger does not."""
    taken = set(rig.taken())
    found = set()
    for message in point.held.messages:
        text = message.text.replace(b"\r\n", b"\n")
        for rcpt in message.rcpts:
            if (rcpt, text) in taken and not recorded(rig, message.sender, rcpt):
                found.add((message.sender, rcpt))
    return found


def halves(rig, point, window):
    """A message some of whose recipients are on record, and others have it."""
    return any(recorded(rig, m.sender, rcpt) for m in point.held.messages
               for rcpt in m.rcpts if m.sender in {sender for sender, _ in window})


def recorded(rig, sender, rcpt):
    try:
        with open(os.path.join(rig.folder, "state", "ledger", "office"),
                  encoding="ascii") as file:
            return any(" taken " in line and line.endswith(
                " <%s> <%s>\n" % (sender, rcpt)) for line in file)
    except FileNotFoundError:
        return False
