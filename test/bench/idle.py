# SPDX-License-Identifier: ISC
"""
idle - what the agent takes while there is nothing to do: `run` that waits for
its time, and a poll that finds no mail. Counts, not times: they can be compared
between machines.
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import time

PATIENCE = 30  # seconds until something has begun
POLLS = 5  # by `run`, one a second


def wait_until(condition, what):
    limit = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > limit:
            sys.exit(f"waited in vain for {what}")
        time.sleep(0.01)


def read(pid, name):
    with open(f"/proc/{pid}/{name}", encoding="ascii") as file:
        return file.read()


def figures(pid):
    """CPU seconds, wake-ups and memory in KiB of a process so far."""
    fields = dict(line.split(":", 1)
                  for line in read(pid, "status").splitlines())
    return (int(read(pid, "schedstat").split()[0]) / 1e9,
            int(fields["voluntary_ctxt_switches"]),
            int(fields["VmRSS"].split()[0]))


class Waiting:
    """`run` with accounts whose only window is days away."""

    def __init__(self, bench, count):
        day = time.strftime("%a", time.localtime(time.time() + 3 * 86400))
        folder = bench.path(f"idle{count}")
        os.mkdir(folder)
        accounts = "".join(f"""\
  account{n}:
    provider: provider{n}.example.net
    user: user{n}
    password: bench
    domains: domain{n}.example.org
    schedule: {{days: {day.lower()}, every: 5m}}
""" for n in range(count))
        config = bench.write(f"idle{count}.yaml", f"""\
hostname: bench.example.org
state_dir: {folder}
accounts:
{accounts}deliveries:
  sink: {{lmtp: {bench.path("sink")}}}
""")
        self.count = count
        self.child = subprocess.Popen([bench.agent, "-c", config, "run"],
                                      stderr=subprocess.DEVNULL)
        # The last file that is written before it sleeps.
        last = os.path.join(folder, "status", f"account{count - 1}.json")
        wait_until(lambda: os.path.exists(last), "run to begin")
        wait_until(lambda: read(self.child.pid, "stat").split()[2] == "S",
                   "run to sleep")
        self.before = figures(self.child.pid)

    def end(self, seconds):
        cpu, wakes, memory = figures(self.child.pid)
        self.child.terminate()
        self.child.wait(PATIENCE)
        print(f"  {self.count:5} accounts {cpu - self.before[0]:9.6f} s CPU"
              f" {wakes - self.before[1]:5} wake-ups in {seconds} s"
              f" {memory / 1024:7.1f} MiB")


def report_waiting(bench, seconds):
    print("run, with nothing due")
    waiting = [Waiting(bench, count) for count in (1, 100, 1000)]
    time.sleep(seconds)
    for one in waiting:
        one.end(seconds)


def poll(bench, command_for):
    """Of several polls the best: CPU seconds, wall seconds, peak in KiB."""
    runs = []
    with bench.serving(False) as port:
        command = command_for(port, False)
        for _ in range(10 * bench.repeat):
            status, cpu, peak, wall, errors = bench.measure(*command)
            if status not in (0, 1):  # fetchmail has 1 for no mail
                sys.exit(f"a poll failed: {errors}")
            runs.append((cpu, wall, peak))
    return [min(column) for column in zip(*runs)]


def service_config(bench, port, tls):
    """As bench.agent_command(), and each second. The first poll, which makes the
    files of an account, is over."""
    command, _ = bench.agent_command(port, tls)
    subprocess.run(command, timeout=PATIENCE, check=True)
    config = command[command.index("-c") + 1]
    with open(config, encoding="utf-8") as file:
        text = file.read()
    return bench.write("service.yaml", text.replace(
        "    drain: no\n", "    drain: no\n    every: 1s\n    jitter: 0s\n"))


def sessions(bench):
    try:
        with open(bench.path("state/status/bench.json"), encoding="utf-8") as f:
            return sum(json.load(f)["total"]["sessions"].values())
    except FileNotFoundError:
        return 0


def poll_as_service(bench, count, tls=False):
    """CPU seconds of a poll by `run`, which forks and loads nothing, and the
    peak in KiB of the largest process."""
    with bench.serving(tls) as port:
        config = service_config(bench, port, tls)
        before = sessions(bench)
        measured = subprocess.Popen(
            [bench.tool("measure"), bench.agent, "-q", "-c", config, "run"],
            stderr=subprocess.PIPE, text=True)
        wait_until(lambda: sessions(bench) >= before + count, "polls")
        pid = int(read(measured.pid, f"task/{measured.pid}/children").split()[0])
        wait_until(lambda: not read(pid, f"task/{pid}/children"), "their end")
        own, _, _ = figures(pid)
        os.kill(pid, signal.SIGTERM)
        _, errors = measured.communicate(timeout=PATIENCE)
    _, cpu, peak, _ = errors.splitlines()[-1].split()
    polls = sessions(bench) - before
    return (float(cpu) - own) / polls, int(peak)


def report_polls(bench):
    print("\none poll that finds no mail, in the clear")
    customers = [("odmr-agent", bench.agent_command)]
    if shutil.which("fetchmail"):
        customers.append(("fetchmail", bench.fetchmail_command))
    for name, command_for in customers:
        cpu, wall, peak = poll(bench, command_for)
        print(f"  {name:<11} {cpu * 1e3:6.1f} ms CPU {wall * 1e3:6.1f} ms"
              f" {peak / 1024:7.1f} MiB peak")
    cpu, peak = poll_as_service(bench, POLLS)
    print(f"  {'run, each':<11} {cpu * 1e3:6.1f} ms CPU {'':9}"
          f" {peak / 1024:7.1f} MiB peak\n")


def report(bench, seconds):
    report_waiting(bench, seconds)
    report_polls(bench)
