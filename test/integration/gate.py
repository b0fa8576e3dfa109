# SPDX-License-Identifier: ISC
"""
gate - a point that a script waits at until the case opens it, and the scripts
of a provider that many cases stop there.
"""
import threading

from stage import deliver, dotted, goodbye, hello, until


class Gate:
    def __init__(self):
        self.reached = threading.Event()
        self.opened = threading.Event()

    def wait(self, seconds=60):
        self.reached.set()
        until(self.opened.is_set, seconds, "the gate to be opened")

    def arrived(self):
        until(self.reached.is_set, 30, "somebody at the gate")

    def open(self):
        self.opened.set()

    # Scripts of a provider

    def no_mail(self, line):
        """It has nothing, which it says once the gate is open."""
        hello(line)
        self.wait()
        goodbye(line)

    def message(self, text, *rcpts):
        """A message comes once the gate is open."""
        def script(line):
            hello(line)
            self.wait()
            deliver(line, text, *rcpts)
            goodbye(line)
        return script

    def amid(self, text):
        """Half a message, and the other half once the gate is open; the agent
        accepts it and ends the session."""
        text = dotted(text)

        def script(line):
            begin(line)
            line.send(text[:50])
            line.delivered()
            self.wait()
            line.send(text[50:])
            line.expect(250)
            shut(line)
        return script

    def without_end(self, text):
        """A message whose end never comes."""
        def script(line):
            begin(line)
            line.send(text)
            line.delivered()
            self.reached.set()
            line.wait_end()
        return script

    def silent(self, line):
        """Not a word; the agent is gone without one, too."""
        hello(line)
        self.reached.set()
        line.wait_end()

    def shut(self, line):
        """Not a word, until the agent ends the session."""
        hello(line)
        self.reached.set()
        shut(line)


def begin(line):
    hello(line)
    line.command("MAIL FROM:<s@r.example>", 250)
    line.command("RCPT TO:<user@example.org>", 250)
    line.command("DATA", 354)


def shut(line):
    line.expect(421)
    line.wait_end()
