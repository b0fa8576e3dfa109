# SPDX-License-Identifier: ISC
"""
cuts - the line breaks after each octet that the provider sent and, separately,
after each that it received, in every way that lines break.
"""
import os

from held import BDAT, LOCKSTEP, PIPELINED, PRDR
from pool import Job
from rig import KINDS, Rig, Wrong
from wire import FIN, RECEIVED, RST, SENT, SILENCE, Break, Slow

MODES = (LOCKSTEP, PIPELINED, BDAT, PRDR)
# Of TLS each kind of delivery has one mode at every octet of its records.
TLS_MODES = dict(zip(KINDS, (PIPELINED, PRDR, LOCKSTEP, BDAT, PIPELINED, BDAT)))
PART = 149  # of so many octets, one
CHUNK = 120  # points of a job
SILENT_CHUNK = 8  # each takes the time limit of a second
# More octets than a session with TLS has: certificates and signatures differ
# by an octet or two from one to the next.
BEYOND = 4


def jobs(setup):
    found = []
    for kind in KINDS:
        for mode in MODES:
            if mode == PRDR and kind == "lmtp":
                continue  # needs a second recipient
            found += session(setup, kind, mode, False)
            if not setup.full or TLS_MODES[kind] == mode:
                found += session(setup, kind, mode, True)
    return found


def session(setup, kind, mode, tls):
    stride = 1 if setup.full else PART
    rig = Rig(os.path.join(setup.scratch, "length"), setup, kind, mode, tls)
    point = rig.point()
    rig.run(point)
    length = point.wires[0].count
    rig.remove()
    found = []
    for side in (SENT, RECEIVED):
        for number, way in enumerate((FIN, RST, SILENCE)):
            step = stride if way != SILENCE or stride == 1 else 3 * stride
            at = list(range((7 * number) % step, length[side] + BEYOND, step))
            size = SILENT_CHUNK if way == SILENCE else CHUNK
            name = "cuts %s, %s, %s" % (rig.name, side, way)
            for begin in range(0, len(at), size):
                found.append(Job("cuts", name, cut, (
                    setup, kind, mode, tls, side, way, at[begin:begin + size]),
                    waits=way == SILENCE))
    return found


def cut(folder, tally, setup, kind, mode, tls, side, way, points):
    rig = Rig(os.path.join(folder, "rig"), setup, kind, mode, tls,
              limit="1s" if way == SILENCE else "20s")
    for at in points:
        tally.points += 1
        point = rig.point()
        breaks = Break(side, at, way)
        try:
            status = rig.run(point, breaks)
            tally.counts["status %d" % status] += 1
            if status not in (0, 67, 75):
                raise Wrong("exit status %d" % status)
            rig.drain(point)
            rig.judge(point)
        except (Wrong, Slow) as why:
            tally.found("%s: %s; runs %s\n%s" % (
                breaks, why, point.statuses, rig.said()))
