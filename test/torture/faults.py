# SPDX-License-Identifier: ISC
"""
faults - each allocation and each system call of these kinds fails, one by one.

The agent then says so or tries again, with a status of the table, within its
limits; nothing is lost. Something may come twice in two cases: the process died
for want of memory between the answer of the local service and the record (as
by a kill); or this record could not be written, and the outcomes of the message
were mixed, so that none of its recipients could be told the truth but "again".
"""
import errno
import os
import signal

from held import LOCKSTEP, PIPELINED, PRDR
from kills import unrecorded
from pool import Job
from rig import STATUSES, Rig, Wrong, counted_steps, steps
from wire import Slow

ERRORS = (errno.ENOSPC, errno.EIO, errno.EMFILE, errno.ENOMEM)
CALLS = ("write", "sync", "rename", "fork", "socket", "open", "memory")
SESSIONS = (("lmtp-several", PIPELINED, False), ("sendmail", LOCKSTEP, False),
            ("maildir", PIPELINED, True), ("smtp", PRDR, False),
            ("routes", PIPELINED, False))
PART = 9  # of so many points, one
PART_MEMORY = 199
FULL_MEMORY = 3
CHUNK = 40
SEGV = 139  # as a shell says
DIED = (70, 71, SEGV, -signal.SIGSEGV)
# OpenSSL 3.5 ends the process where it has no memory for a lock.
OPENSSL_ENDS = "OpenSSL internal error"


def jobs(setup):
    found = []
    for kind, mode, tls in SESSIONS:
        rig = Rig(os.path.join(setup.scratch, "length"), setup, kind, mode, tls)
        for call in CALLS:
            count = counted_steps(rig, setup, call)
            points = [(at, number) for number in ERRORS
                      for at in range(1, count + 1)]
            found += chunks("faults %s, %s" % (rig.name, call), fail_call,
                            points[::1 if setup.full else PART],
                            setup, kind, mode, tls, call)
        count = allocations(rig, setup)
        points = [(at, on) for on in (False, True) for at in range(
            1, count + 1, FULL_MEMORY if setup.full else PART_MEMORY)]
        found += chunks("faults %s, allocations" % rig.name, fail_memory, points,
                        setup, kind, mode, tls)
        rig.remove()
    return found


def chunks(name, function, points, *args):
    return [Job("faults", name, function, args + (points[begin:begin + CHUNK],))
            for begin in range(0, len(points), CHUNK)]


def fail_call(folder, tally, setup, kind, mode, tls, call, points):
    rig = Rig(os.path.join(folder, "rig"), setup, kind, mode, tls)
    for at, number in points:
        what = "%s %d, %s" % (call, at, errno.errorcode[number])
        fail(rig, tally, what, call == "memory", command=steps(rig, setup, at, call, number))
        tally.points += rig.broke()[1]


def allocations(rig, setup):
    """How many there are in a session that nothing disturbs."""
    rig.run(rig.point(), environment=nomem(rig, setup, 0, False))
    with open(os.path.join(rig.folder, "nomem"), "rb") as file:
        return int.from_bytes(file.read(8), "little")


def nomem(rig, setup, at, on):
    counter = os.path.join(rig.folder, "nomem")
    with open(counter, "wb") as file:
        file.write(bytes(8))
    found = {"LD_PRELOAD": os.path.join(setup.tools, "nomem.so"),
             "NOMEM_FILE": counter, "NOMEM_AT": str(at)}
    if on:
        found["NOMEM_ON"] = "1"
    return found


def fail_memory(folder, tally, setup, kind, mode, tls, points):
    rig = Rig(os.path.join(folder, "rig"), setup, kind, mode, tls)
    for at, on in points:
        tally.points += 1
        fail(rig, tally, "allocation %d%s" % (at, " and all behind it" * on),
             True, environment=nomem(rig, setup, at, on))


def fail(rig, tally, what, memory, **how):
    point = rig.point()
    try:
        status = rig.run(point, **how)
        tally.counts["status %d" % status] += 1
        # OpenSSL 3.0 and others do not look at all that they allocate.
        died = memory and (
            status in (SEGV, -signal.SIGSEGV) or
            status == -signal.SIGABRT and OPENSSL_ENDS in rig.said())
        if status not in STATUSES and not died:
            raise Wrong("exit status %d" % status)
        twice = unrecorded(rig, point)
        if status not in DIED and not died:
            twice = {t for t in twice if rig.is_mixed(t[0])}
        rig.drain(point)
        rig.judge(point, twice)
        tally.counts["came twice"] += any(n > 1 for n in rig.taken().values())
    except (Wrong, Slow) as why:
        tally.found("%s: %s; runs %s\n%s" % (
            what, why, point.statuses, rig.said()))
