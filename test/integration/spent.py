# SPDX-License-Identifier: ISC
"""
spent - what cases take, for the list of the slowest at the end of a log.
"""
LISTED = 20


class Spent:
    """Seconds of a case, and those of processors: its own, and of what it started
    and waited for."""

    def __init__(self, name, seconds, processor):
        self.name = name
        self.seconds = seconds
        self.processor = processor

    def __str__(self):
        return "%6.1f s, %5.1f s of a processor" % (self.seconds, self.processor)


def list_slowest(spent):
    """Of a few, everybody sees the slowest."""
    if len(spent) < LISTED:
        return
    print("the slowest of %d cases:" % len(spent))
    for one in sorted(spent, key=lambda s: -s.seconds)[:LISTED]:
        print("  %s  %s" % (one, one.name))
    print("  %s  together" % Spent("", sum(s.seconds for s in spent),
                                   sum(s.processor for s in spent)))
