# SPDX-License-Identifier: ISC
"""
local - the local service dies, hangs, answers nonsense, too late or far too
much, at each step of its dialogue.

What it did not answer for it has not taken. Where it said yes in a way that
nobody need understand (a megabyte of it), it has; then it may come twice.
"""
import math
import os
import time

from held import LOCKSTEP, PIPELINED, PRDR
from kills import unrecorded
from patience import slowest, slowness
from pool import Job
from rig import Rig, Wrong
from stores import Untaken
from wire import Slow

VERBS = ("GREETING", "HELLO", "MAIL", "RCPT", "DATA", "TEXT", "END", "RSET",
         "QUIT")
TIMES = (1, 2, 4)  # which of those of a verb
SESSIONS = (("lmtp-several", PIPELINED), ("lmtp-several", PRDR),
            ("smtp", LOCKSTEP), ("smtp", PIPELINED), ("routes", PIPELINED))
TIMEOUT = 2  # seconds on a quiet machine
SLOWEST = 4  # times as long at most: each point waits for some of them
LIMIT = 25  # seconds: some such time-outs one after the other
pace = 1  # how slow the machine is, measured when a job begins


def die(sock, _answer):
    raise Untaken


def hang(sock, _answer):
    while sock.recv(65536):
        pass
    raise Untaken


def nonsense(sock, _answer):
    sock.sendall(b"What is this?\r\n")
    raise Untaken


def octets(sock, _answer):
    sock.sendall(bytes(range(256)) * 4 + b"\r\n")
    raise Untaken


def half(sock, answer):
    sock.sendall(answer[:-2])
    raise Untaken


def other_code(sock, _answer):
    sock.sendall(b"199 This is none\r\n")
    raise Untaken


def answer_and_close(sock, answer):
    sock.sendall(answer)
    raise OSError


def late(sock, answer):
    time.sleep(1.2 * pace)
    sock.sendall(answer)


def slow(sock, answer):
    """An octet now and then: the time limit is for the reply, not the octet."""
    try:
        for octet in answer:
            sock.sendall(bytes([octet]))
            time.sleep(0.4 * pace)
    except OSError:
        pass  # the agent did not wait for the end
    raise Untaken


def many_lines(sock, answer):
    code = answer[:3] or b"250"
    sock.sendall((code + b"-x" + b"y" * 60 + b"\r\n") * 16000 + code + b" x\r\n")


def long_line(sock, answer):
    code = answer[:3] or b"250"
    sock.sendall(code + b" " + b"y" * 1000000 + b"\r\n")


def twice(sock, answer):
    sock.sendall(answer + answer)


WAYS = {f.__name__: f for f in (
    die, hang, nonsense, octets, half, other_code, answer_and_close, late, slow,
    many_lines, long_line, twice)}

SCRIPTS = {
    "fails": "exit 1", "dies": "kill -KILL $$", "hangs": "sleep 60",
    "reads nothing": "exit 0", "reads half": "head -c 20 >/dev/null; exit 0",
    "says a megabyte": "cat >/dev/null; yes | head -c 1000000 >&2; exit 75",
    "leaves a child": "sleep 60 & exit 75", "stops": "kill -STOP $$",
}


class Fault:
    """Happens at the n-th time that a verb is to be answered."""

    def __init__(self, verb, nth, way):
        self.verb = verb
        self.left = nth
        self.way = way
        self.happened = False

    def due(self):
        self.left -= 1
        return self.left == 0

    def happen(self, sock, answer):
        self.happened = True
        WAYS[self.way](sock, answer)


def jobs(setup):
    found = []
    for kind, mode in SESSIONS if setup.full else SESSIONS[::2]:
        for way in WAYS:
            found.append(Job("local", "local %s %s, %s" % (kind, mode, way),
                             misbehave, (setup, kind, mode, way), waits=True))
    found.append(Job("local", "local sendmail", run_scripts, (setup,), waits=True))
    return found


def paced(seconds):
    """A time limit of the agent on this machine; late and slow go by it."""
    global pace
    pace = math.ceil(min(slowness(), SLOWEST))
    return "%ds" % (seconds * pace)


def misbehave(folder, tally, setup, kind, mode, way):
    rig = Rig(os.path.join(folder, "rig"), setup, kind, mode,
              timeout=paced(TIMEOUT))
    for verb in VERBS:
        for nth in TIMES:
            point = rig.point()
            fault = rig.stores["local"].fault = Fault(verb, nth, way)
            attempt(rig, point, tally, "%s %d" % (verb, nth),
                    way in ("many_lines", "long_line"))
            tally.points += fault.happened


def attempt(rig, point, tally, what, may_misunderstand=False):
    try:
        status = rig.run(point)
        tally.counts["status %d" % status] += 1
        if status not in (0, 67, 75):
            raise Wrong("exit status %d" % status)
        if point.max_seconds > LIMIT * slowest():
            raise Wrong("it took %.1f s" % point.max_seconds)
        rig.heal()
        lost = unrecorded(rig, point) if may_misunderstand else ()
        rig.drain(point)
        rig.judge(point, lost)
    except (Wrong, Slow) as why:
        tally.found("%s: %s; runs %s\n%s" % (
            what, why, point.statuses, rig.said()))


def run_scripts(folder, tally, setup):
    rig = Rig(os.path.join(folder, "rig"), setup, "sendmail", PIPELINED,
              timeout=paced(1))
    for name, script in SCRIPTS.items():
        point = rig.point()
        rig.stores["local"].install("#!/bin/sh\n%s\n" % script)
        tally.points += 1
        attempt(rig, point, tally, name)
