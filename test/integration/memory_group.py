# SPDX-License-Identifier: ISC
"""
memory_group - a control group whose processes have so much memory together, and
no swap: of cgroup 2, or of cgroup 1 where that has the memory controller.
"""
import os

from servers import Skip, until


def _mounted():
    """(version, folder) of the hierarchy that has the memory controller."""
    with open("/proc/self/mounts", encoding="ascii") as file:
        mounts = [line.split(" ") for line in file]
    for _, folder, kind, options, *_ in mounts:
        if kind == "cgroup" and "memory" in options.split(","):
            return 1, folder
    for _, folder, kind, *_ in mounts:
        if kind == "cgroup2":
            with open(folder + "/cgroup.controllers", encoding="ascii") as file:
                if "memory" in file.read().split():
                    return 2, folder
    raise Skip("no control group here limits memory")


class MemoryGroup:
    def __init__(self, octets):
        self.version, above = _mounted()
        self.folder = os.path.join(above, "odmr-agent-memory-%d" % os.getpid())
        try:
            if self.version == 2:
                with open(above + "/cgroup.subtree_control", "w", encoding="ascii") as f:
                    f.write("+memory")
            os.mkdir(self.folder)
        except OSError as why:
            raise Skip("no control group can be made: %s" % why) from None
        self._write({1: "memory.limit_in_bytes", 2: "memory.max"}[self.version], octets)
        for name, value in (("memory.memsw.limit_in_bytes", octets),
                            ("memory.swap.max", 0)):
            if os.path.exists(os.path.join(self.folder, name)):
                self._write(name, value)

    def _write(self, name, value):
        with open(os.path.join(self.folder, name), "w", encoding="ascii") as file:
            file.write(str(value))

    def _read(self, name):
        with open(os.path.join(self.folder, name), encoding="ascii") as file:
            return file.read()

    def command(self, words):
        """The command line as one that runs in the group."""
        return ["sh", "-c", 'echo $$ >"$0" && exec "$@"',
                self.folder + "/cgroup.procs"] + words

    def killed(self):
        """How many processes the kernel has ended for want of memory."""
        text = self._read({1: "memory.oom_control", 2: "memory.events"}[self.version])
        return dict(line.split() for line in text.splitlines()).get("oom_kill", "0") != "0"

    def processes(self):
        return [int(pid) for pid in self._read("cgroup.procs").split()]

    def peaks(self):
        """The peak of each process that lives in there, in KiB: program,
        libraries and its own memory."""
        found = {}
        for pid in self.processes():
            with open("/proc/%d/status" % pid, encoding="ascii") as file:
                rows = dict(line.split(":", 1) for line in file if ":" in line)
            found[pid] = int(rows["VmHWM"].split()[0])
        return found

    def end(self):
        until(lambda: not self.processes(), what="the end of the group's processes")
        os.rmdir(self.folder)
