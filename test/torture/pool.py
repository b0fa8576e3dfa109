# SPDX-License-Identifier: ISC
"""
pool - runs jobs in processes of their own, and adds up what they found.

A job is a function over a scratch folder and a Tally, in a child process. Jobs
that use the processor run as many at a time as there are processors; those
that mostly wait run beside them.
"""
import collections
import json
import os
import selectors
import shutil
import signal
import sys
import time
import traceback

WAITING_JOBS = 24


class Tally:
    """What a job has tried: points, faults found, and further counts."""

    def __init__(self):
        self.points = 0
        self.wrong = []
        self.counts = collections.Counter()

    def found(self, what):
        self.wrong.append(what)


class Job:
    def __init__(self, part, name, function, args, waits=False):
        self.part = part
        self.name = name
        self.function = function
        self.args = args
        self.waits = waits


class Child:
    def __init__(self, job, folder):
        self.job = job
        self.folder = folder
        self.text = b""
        self.reader, writer = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.reader)
            perform(job, folder, writer)
        os.close(writer)


def perform(job, folder, writer):
    """In the child: never returns."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    tally = Tally()
    try:
        os.mkdir(folder)
        job.function(folder, tally, *job.args)
    except BaseException as why:  # whatever it is, it must be reported
        tally.found("%s: %s\n%s" % (
            type(why).__name__, why, traceback.format_exc()))
    with os.fdopen(writer, "w") as out:
        json.dump([tally.points, tally.wrong, tally.counts], out)
    os._exit(0)


class Pool:
    def __init__(self, scratch, deadline=None):
        self.scratch = scratch
        self.deadline = deadline
        self.selector = selectors.DefaultSelector()
        self.running = collections.Counter()  # by job.waits
        self.parts = collections.defaultdict(Tally)
        self.passed = self.failed = self.left_out = 0
        self.number = 0

    def stop(self):
        """Ends the jobs under way; the agents end for want of a provider."""
        for key in list(self.selector.get_map().values()):
            os.kill(key.data.pid, signal.SIGTERM)
            os.waitpid(key.data.pid, 0)

    def run(self, jobs):
        limit = {False: os.cpu_count() or 1, True: WAITING_JOBS}
        queues = {kind: [j for j in jobs if j.waits == kind] for kind in limit}
        while any(queues.values()) or any(self.running.values()):
            if self.deadline and time.monotonic() > self.deadline:
                self.left_out += sum(map(len, queues.values()))
                queues = {kind: [] for kind in limit}
            for kind, queue in queues.items():
                while queue and self.running[kind] < limit[kind]:
                    self._start(queue.pop(0))
            for key, _ in self.selector.select(1):
                self._read(key.data)

    def _start(self, job):
        self.number += 1
        child = Child(job, os.path.join(self.scratch, str(self.number)))
        self.selector.register(child.reader, selectors.EVENT_READ, child)
        self.running[job.waits] += 1

    def _read(self, child):
        data = os.read(child.reader, 65536)
        if data:
            child.text += data
            return
        self.selector.unregister(child.reader)
        os.close(child.reader)
        os.waitpid(child.pid, 0)
        self.running[child.job.waits] -= 1
        self._finished(child)

    def _finished(self, child):
        try:
            points, wrong, counts = json.loads(child.text)
        except ValueError:
            points, wrong, counts = 0, ["the process of the job died"], {}
        part = self.parts[child.job.part]
        part.points += points
        part.counts.update(counts)
        part.wrong += wrong
        for what in wrong:
            print("FAIL %s: %s" % (child.job.name, what))
        sys.stdout.flush()
        self.failed += bool(wrong)
        self.passed += not wrong
        shutil.rmtree(child.folder, ignore_errors=True)
