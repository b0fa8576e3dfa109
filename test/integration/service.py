# SPDX-License-Identifier: ISC
"""
service - `odmr-agent run` as a case uses it: started until it says READY to
the socket of a service manager, ended by SIGTERM.
"""
import os
import signal

from doubles import Notified
from stage import until


class Service:
    """jitter: the case does not mind when calls come. All others wait for them,
    and chance must not put them off."""
    COUNT = 0

    def __init__(self, t, *options, env=None, command=None, seconds=20,
                 jitter=False, **start):
        Service.COUNT += 1
        self.t = t
        late = [name for name, account in t.config["accounts"].items()
                if account.get("jitter") != "0s"]
        assert jitter or not late, "no jitter: 0s of %s" % " ".join(late)
        self.notified = Notified(t.path("notify%d" % Service.COUNT))
        t.at_end(self.notified.close)
        environment = {"NOTIFY_SOCKET": self.notified.path}
        environment.update(env or {})
        self.child = t.start(*options, "run", env=environment,
                             command=command, **start)
        self.pid = self.child.pid
        self.wait("READY=1", seconds=seconds)

    def wait(self, line, count=1, seconds=20):
        """Until that line was told to the service manager so many times."""
        until(lambda: self.notified.lines().count(line) >= count
              or self.child.poll() is not None, seconds, line)
        assert self.notified.lines().count(line) >= count, self.output()

    def output(self):
        return self.t.output(self.child)

    def logged(self, *words, seconds=20):
        """Waits for a line of the log that holds all words; returns it."""
        def find():
            for line in self.output().err.split("\n"):
                if all(word in line for word in words):
                    return line
            return None
        try:
            return until(find, seconds, " ".join(words))
        except AssertionError as why:
            raise AssertionError("%s: %r" % (why, self.output())) from None

    def children(self):
        try:
            with open("/proc/%d/task/%d/children" % (self.pid, self.pid),
                      encoding="ascii") as file:
                return [int(p) for p in file.read().split()]
        except OSError:
            return []

    def signal(self, number):
        os.kill(self.pid, number)

    def reload(self):
        """SIGHUP, until it was seen to."""
        ready = self.notified.lines().count("READY=1")
        self.signal(signal.SIGHUP)
        self.wait("READY=1", ready + 1)

    def stop(self, limit=20):
        self.child.terminate()
        run = self.t.finish(self.child, limit)
        self.t.expect(run, 0)
        return run
