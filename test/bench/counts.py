# SPDX-License-Identifier: ISC
"""What callgrind and strace have written down, as numbers."""
import collections
import re

# What a message may cost in calls of the system, by the names of the table.
KINDS = {
    "sends": ("sendto", "sendmsg", "sendmmsg"),
    "receives": ("recvfrom", "recvmsg", "read"),
    "polls": ("poll", "ppoll", "select", "pselect6"),
    "writes": ("write", "writev", "pwrite64"),
    "syncs": ("fsync", "fdatasync", "syncfs", "sync_file_range"),
}
# What the C library does by itself, more or less often with each release.
MEMORY = ("brk", "mmap", "munmap", "mremap", "madvise", "mprotect", "futex")


def calls_of_system(text, begins):
    """Calls a message by kind, all others as "others", out of what strace says
    of one process: from the first call that begins so, one of each message, to the
    last. None: there is none."""
    names = {name: kind for kind, all_of in KINDS.items() for name in all_of}
    lines = text.splitlines()
    messages = [number for number, line in enumerate(lines)
                if re.match(begins, line)]
    if len(messages) < 2:
        return None
    counts = collections.Counter()
    for line in lines[messages[0]:messages[-1]]:
        found = re.match(r"([a-z_0-9]+)\(", line)
        if found and found.group(1) not in MEMORY:
            counts[names.get(found.group(1), "others")] += 1
    return {kind: n / (len(messages) - 1) for kind, n in counts.items()}


class Profile:
    """A file of callgrind: instructions by object, and what was called in
    libraries by the object `own`."""

    def __init__(self, own):
        self.own = own
        self.names = {}  # compressed names, by (kind, number)
        self.objects = collections.Counter()  # instructions
        self.functions = collections.Counter()  # instructions, own alone
        self.calls = collections.Counter()  # into libraries, by function

    def name(self, kind, value):
        found = re.match(r"\((\d+)\)(?: (.*))?$", value)
        if not found:
            return value
        key = (kind, found.group(1))
        if found.group(2) is not None:
            self.names[key] = found.group(2)
        return self.names[key]

    def read(self, text):
        here = where = function = called = ""
        of_call = False  # the next line has the cost of what was called
        for line in text.splitlines():
            key, _, value = line.partition("=")
            if key == "ob":
                here = self.name("ob", value)
            elif key == "cob":
                where = self.name("ob", value)
            elif key == "fn":
                function = self.name("fn", value)
            elif key == "cfn":
                called = self.name("fn", value)
            elif key == "calls":
                if where and here == self.own and where != self.own:
                    self.calls[called] += int(value.split()[0])
                where = ""
                of_call = True
            elif line and line[0] in "0123456789+-*":
                if not of_call:
                    cost = int(line.split()[1])
                    self.objects[here] += cost
                    if here == self.own:
                        self.functions[function] += cost
                of_call = False
        # The rest of the files of one run are read on top of this one.
        self.names.clear()
        return self
