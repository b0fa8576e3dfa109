# SPDX-License-Identifier: ISC
"""
joined - odmr-provider beside a real Postfix: how soon mail is at home, how many
messages pass in a second, and what customers take who are held. With hosts and
customers of the integration tests; only root can start Postfix.
"""
import os
import shutil
import socket
import statistics
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "integration"))

import mail  # noqa: E402
import stage  # noqa: E402
from provider_host import ProviderHost  # noqa: E402
from service import Service  # noqa: E402

USER = "user@example.org"
POLL_EVERY = 300  # seconds between calls of an agent that does not listen
CLIENTS = 8  # customers that log in at a time; one address may have ten
FLUSHED = 65  # seconds after ATRN; Postfix is not asked any more
WARM_UP = 100  # messages before the clock starts


def wait(condition, seconds, what):
    limit = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > limit:
            sys.exit("waited in vain for %s" % what)
        time.sleep(0.001)


class Sender:
    """A client of Postfix, as from the world. The clock starts at MAIL."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), 60)
        self.file = self.socket.makefile("rb")
        self.reply()
        self.ask(b"EHLO remote.example")

    def reply(self):
        while True:
            line = self.file.readline()
            if line[3:4] != b"-":
                return line

    def ask(self, line):
        self.socket.sendall(line + b"\r\n")
        return self.reply()

    def send(self, text):
        begun = time.monotonic()
        self.ask(b"MAIL FROM:<sender@remote.example>")
        self.ask(b"RCPT TO:<%s>" % USER.encode())
        self.ask(b"DATA")
        self.ask(text + b".")
        self.ask(b"QUIT")
        self.socket.close()
        return begun


def world(agent, folder, name, **options):
    """A place of the integration tests in a folder of its own."""
    path = os.path.join(folder, name)
    os.mkdir(path)
    os.chmod(path, 0o755)
    place = stage.Stage(agent, path, None)
    return place, ProviderHost(place, hold="9m", log_level="info", **options)


# Delay

def delays(place, host, count, every):
    """Milliseconds from MAIL at the provider to the Maildir."""
    folder = place.path("mail", "example.org", "user", "new")
    found = []
    for n in range(count):
        time.sleep(every)
        sender = Sender(host.postfix.open_port)
        before = len(os.listdir(folder)) if os.path.isdir(folder) else 0
        begun = sender.send(mail.message("delay %d" % n))
        wait(lambda: os.path.isdir(folder) and len(os.listdir(folder)) > before,
             60, "the message")
        found.append((time.monotonic() - begun) * 1e3)
    return found


def report_delays(agent, folder, options):
    place, host = world(agent, folder, "delay")
    try:
        host.postconf("virtual_mailbox_domains=")
        place.configure(accounts={"office": host.account(every="1s")})
        service = Service(place)
        wait(host.is_held, 60, "the customer to be held")
        print("from MAIL at the provider to the Maildir at home")
        for every, count in ((3, options.often), (120, options.seldom)):
            if not count:
                continue
            found = delays(place, host, count, every)
            print("  held, every %3d s %8.0f ms median %8.0f ms worst  (%d "
                  "messages)" % (every, statistics.median(found), max(found),
                                 count), flush=True)
        # Mail comes at any moment between two calls.
        print("  every: %-10s %8.0f s  median %8.0f s  worst  (computed)\n" % (
            "5m", POLL_EVERY / 2, POLL_EVERY), flush=True)
        service.stop()
    finally:
        place.end()


# Messages a second

class Sink:
    """smtp-sink that counts."""

    def __init__(self, path, address):
        self.path = path
        with open(path, "wb") as out:
            self.child = subprocess.Popen(
                ["smtp-sink", "-u", "root", "-c", *address, "100"],
                stdout=out, stderr=subprocess.DEVNULL)

    def count(self):
        with open(self.path, "rb") as file:
            file.seek(max(0, os.path.getsize(self.path) - 200))
            text = file.read().rpartition(b"mesg=")[2]
        return int(text.split()[0]) if text.strip() else 0

    def rate(self, first, last):
        """Messages a second from the first to the last of these."""
        wait(lambda: self.count() >= first, 120, "the first messages")
        begun, at = time.monotonic(), self.count()
        wait(lambda: self.count() >= last, 300, "the last message")
        return (self.count() - at) / (time.monotonic() - begun)

    def end(self):
        self.child.terminate()
        self.child.wait()


def fill(host, count):
    """So many messages of 4 KiB that wait in the queue."""
    subprocess.run(
        ["smtp-source", "-s", "5", "-m", str(count), "-l", "4096", "-f",
         "s@remote.example", "-t", USER,
         "127.0.0.1:%d" % host.postfix.open_port], check=True)
    wait(lambda: not [line for line in host.postfix.queue()
                      if '"queue_name": "deferred"' not in line],
         300, "the messages to be deferred")


def lead_to(host, port):
    """Postfix calls a port of 127.0.0.1, or (None) odmr-provider again."""
    host.run("setup", "postfix", "--apply")
    table = os.path.join(host.postfix.folder, "odmr_domains")
    with open(table, encoding="ascii") as file:
        text = file.read()
    with open(table, "w", encoding="ascii") as file:
        for line in text.splitlines():
            domain, arrow, _ = line.partition("odmr:[")
            file.write(domain + "odmr:[127.0.0.1]:%d\n" % port
                       if port and arrow else line + "\n")
    host.reload_postfix()


def straight(host, folder, count):
    port = stage.servers.free_port()
    lead_to(host, port)
    fill(host, count)
    sink = Sink(os.path.join(folder, "count1"), ["127.0.0.1:%d" % port])
    host.postfix.flush()
    rate = sink.rate(WARM_UP, count)
    sink.end()
    return rate


def joined(place, host, folder, count):
    lead_to(host, None)
    fill(host, count)
    path = os.path.join(folder, "sink")
    sink = Sink(os.path.join(folder, "count2"), ["-L", "unix:" + path])
    wait(lambda: os.path.exists(path), 20, "the sink")
    place.configure(deliver={"lmtp": path},
                    accounts={"office": host.account()})
    fetch = place.start("fetch", "office")
    rate = sink.rate(WARM_UP, count)
    fetch.terminate()  # it has called again, and is held
    place.finish(fetch)
    sink.end()
    os.unlink(path)
    return rate


def report_rates(agent, folder, options):
    place, host = world(agent, folder, "rate")
    try:
        host.postconf("virtual_mailbox_domains=")
        rates = [[], []]
        for _ in range(options.repeat):
            rates[0].append(straight(host, folder, options.messages))
            rates[1].append(joined(place, host, folder, options.messages))
        direct, through = (max(each) for each in rates)
        print("%d messages of 4 KiB that wait in Postfix' queue, best of %d" % (
            options.messages, options.repeat))
        print("  Postfix to the sink     %8.1f messages/s" % direct)
        print("  by provider and agent   %8.1f messages/s %6.2f\n" % (
            through, through / direct), flush=True)
    finally:
        place.end()


# Customers who are held

def memory(pid):
    """KiB of a process: its part of shared pages counted (PSS), and its own
    alone."""
    fields = {}
    with open("/proc/%d/smaps_rollup" % pid, encoding="ascii") as file:
        for line in file:
            name, _, value = line.partition(":")
            if value.endswith("kB\n"):
                fields[name] = int(value.split()[0])
    return fields["Pss"], fields["Private_Clean"] + fields["Private_Dirty"]


def effort(pids):
    """CPU seconds and wake-ups of processes so far."""
    cpu = wakes = 0
    for pid in pids:
        with open("/proc/%d/schedstat" % pid, encoding="ascii") as file:
            cpu += int(file.read().split()[0]) / 1e9
        with open("/proc/%d/status" % pid, encoding="ascii") as file:
            wakes += sum(int(line.split()[1]) for line in file
                         if line.startswith("voluntary_ctxt"))
    return cpu, wakes


def call_all(host, names):
    """Customers who are held, logged in a few at a time."""
    customers, left, lock = [], list(names), threading.Lock()

    def work():
        while True:
            with lock:
                if not left:
                    return
                name = left.pop()
            customer = host.customer()
            customer.login(name)
            customer.say("ATRN")
            customers.append(customer)
    threads = [threading.Thread(target=work) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(customers) < len(names):
        sys.exit("only %d of %d customers could log in" % (
            len(customers), len(names)))
    return customers


def held(agent, folder, count, seconds):
    # Of these no two lead to the same inner address.
    names = ["customer%d" % n for n in range(count)]
    place, host = world(
        agent, folder, "held%d" % count,
        accounts={n: ["%s.example" % n] for n in names})
    try:
        begun = time.monotonic()
        customers = call_all(host, names)
        took = time.monotonic() - begun
        pid = host.child.pid
        with open("/proc/%d/task/%d/children" % (pid, pid),
                  encoding="ascii") as file:
            desks = [int(desk) for desk in file.read().split()]
        time.sleep(FLUSHED)
        every = desks + [pid]
        before = effort(every)
        time.sleep(seconds)
        cpu, wakes = (b - a for a, b in zip(before, effort(every)))
        sizes = [memory(pid) for pid in desks]
        files = sum(len(os.listdir("/proc/%d/fd" % pid)) for pid in every)
        print("  %5d held  %d processes, %d descriptors; logged in within "
              "%.0f s" % (count, len(every), files, took))
        print("    memory of each %6.2f MiB PSS, %.2f MiB its own; the parent "
              "%.2f MiB PSS" % (
                  sum(s[0] for s in sizes) / 1024 / len(sizes),
                  sum(s[1] for s in sizes) / 1024 / len(sizes),
                  memory(pid)[0] / 1024))
        print("    idle %d s       %d wake-ups, %.4f s CPU; an hour: %.2f s "
              "(computed)" % (seconds, wakes, cpu, cpu * 3600 / seconds),
              flush=True)
        for customer in customers:
            customer.close()
    finally:
        place.end()


def report_held(agent, folder, options):
    print("customers who are held")
    for count in (1, options.customers):
        held(agent, folder, count, options.idle)
    print()


def report(agent, folder, options):
    if os.geteuid() != 0 or not shutil.which("postfix", path="/usr/sbin"):
        print("odmr-provider is left out: Postfix is not installed, or it is"
              " not root who asks\n")
        return
    report_delays(agent, folder, options)
    report_rates(agent, folder, options)
    report_held(agent, folder, options)
