# SPDX-License-Identifier: ISC
"""
odmr-provider from end to end: a real Postfix in front of it, the agent and a
real Dovecot behind it, and what networks, services and strangers do to them.
"""
import os
import random
import shutil
import socket
import subprocess
import threading
import time

import mail
from patience import slowest
from provider_cases import USER, listening
from provider_host import ProviderHost
from servers import answers, Skip, until
from service import Service
from stage import rows, waits


def smtp(port, sender, rcpts, text):
    """A message by SMTP, as from the world."""
    with socket.create_connection(("127.0.0.1", port), 60) as sock:
        file = sock.makefile("rwb")

        def say(line, code):
            if line is not None:
                file.write(line + b"\r\n")
                file.flush()
            while True:
                reply = file.readline()
                if reply[3:4] != b"-":
                    break
            assert reply.startswith(code), (line, reply)
        say(None, b"220")
        say(b"EHLO remote.example", b"250")
        say(b"MAIL FROM:<%s>" % sender.encode(), b"250")
        for rcpt in rcpts:
            say(b"RCPT TO:<%s>" % rcpt.encode(), b"250")
        say(b"DATA", b"354")
        file.write(text.replace(b"\r\n.", b"\r\n.."))
        say(b".", b"250")
        say(b"QUIT", b"221")


def at_once(times, usual):
    """So many seconds are usual; one may have met with a pause of the machine, but
    none has waited for the next try of Postfix or of the agent."""
    assert sorted(times)[len(times) // 2] < usual * slowest(), times
    assert max(times) < 20 * usual * slowest(), times


def test_the_story(t):
    """Mail for home by SMTP at the server lies in the office's Dovecot a second
    later, with its envelope."""
    host = ProviderHost(t)
    host.postconf("virtual_mailbox_domains=")
    dovecot = t.dovecot(USER, "boss@example.com")
    t.configure(deliver={"lmtp": dovecot.socket},
                accounts={"office": host.account(every="1s")})
    service = Service(t)
    held = host.held()
    texts, times = [], []
    for n in range(3):
        texts.append(mail.message("hello from the world %d" % n))
        begun = time.monotonic()
        smtp(host.postfix.open_port, "sender@remote.example",
             [USER, "boss@example.com"], texts[-1])
        until(lambda: all(len(dovecot.mail(user)) == len(texts)
                          for user in (USER, "boss@example.com")),
              what="the message in Dovecot")
        times.append(time.monotonic() - begun)
        held = host.held(after=held)
    at_once(times, 1)
    for user in (USER, "boss@example.com"):
        assert mail.same(dovecot.mail(user), texts) is None
    log = service.stop().err
    assert "sender@remote.example" in log and "boss@example.com" in log


def test_mail_around_the_gap_between_two_calls(t):
    """Wherever it falls, it is there at once, and not at Postfix' next try."""
    host = ProviderHost(t)
    service = listening(t, host)
    times = []
    for n in range(24):
        begun = time.monotonic()
        host.send([USER], mail.message("race %d" % n))
        until(lambda: len(t.mail(USER)) == n + 1, 60, "message %d" % n)
        times.append(time.monotonic() - begun)
        time.sleep(0.04 * (n % 12))  # to be at another point of the gap
    service.stop()
    at_once(times, 2)


def test_mail_that_the_customer_defers(t):
    """It is tried again, once in each call, and not without a pause."""
    host = ProviderHost(t)
    local = t.local(answers={"RCPT": {USER: "451 4.2.2 Mailbox is full"}})
    t.configure(deliver={"lmtp": local.address},
                accounts={"office": host.account(every="1s")})
    service = Service(t)
    host.held()
    begun = time.monotonic()
    host.send([USER], mail.message("for a full mailbox"))

    def tries():
        return host.log().count("turn-end")
    until(lambda: tries() > 5, 60, "a try and five more")
    took = time.monotonic() - begun
    service.stop()
    assert took > 4, "five tries in %.1f s" % took
    assert tries() <= host.log().count(" login user=")
    host.postfix.logged(r"451 4\.2\.2")
    host.postfix.keeps()


def test_postfix_is_restarted_while_a_customer_is_held(t):
    host = ProviderHost(t)
    service = listening(t, host)
    host.postfix.end()
    host.postfix.start()
    text = mail.message("after the restart")
    host.send([USER], text)
    until(lambda: t.mail(USER), 60, "the message")
    service.stop()
    t.assert_mail(USER, text)


def test_three_thousand_messages(t):
    """One connection has them all."""
    source = shutil.which("smtp-source", path="/usr/sbin:/usr/bin")
    if not source:
        raise Skip("smtp-source is not installed")
    host = ProviderHost(t)
    host.postconf("virtual_mailbox_domains=")
    local = t.local()
    t.configure(deliver={"lmtp": local.address},
                accounts={"office": host.account(every="1s")})
    subprocess.run([source, "-s", "5", "-m", "3000", "-f", "s@remote.example",
                    "-t", USER, "127.0.0.1:%d" % host.postfix.open_port],
                   check=True)
    until(lambda: host.postfix.log().count("status=deferred") >= 3000, 120,
          "the tries")  # to list the queue costs more
    host.postfix.keeps(3000)
    service = Service(t)
    until(lambda: len(local.messages) >= 3000, 120, "all messages")
    host.postfix.emptied()
    service.stop()
    assert len(local.messages) == 3000
    assert len(host.logged("turn-end")) <= 3


class Cutter:
    """Passes octets on to an address, and cuts after so many of them."""

    def __init__(self, address, port):
        self.to = (address, port)
        self.after = None
        self.cuts = 0
        self.passed = 0  # octets, in both directions
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                one, _ = self.listener.accept()
            except OSError:
                return
            other = socket.create_connection(self.to)
            left = [self.after]
            for pair in ((one, other), (other, one)):
                threading.Thread(target=self.move, args=(*pair, left),
                                 daemon=True).start()

    def move(self, source, to, left):
        try:
            while True:
                data = source.recv(65536)
                self.passed += len(data)
                if left[0] is not None:
                    data = data[:left[0]]
                    left[0] -= len(data)
                if data:
                    to.sendall(data)
                if not data or left[0] == 0:
                    break
        except OSError:
            pass
        if left[0] == 0:
            self.cuts += 1
            left[0] = -1
        for sock in (source, to):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def cut_customer(host, account):
    cutter = Cutter("127.0.0.1", host.port)
    account["provider"] = "127.0.0.1:%d" % cutter.port
    return cutter


def cut_postfix(host, _account):
    """The table leads to the cutter, which calls the inner port as root."""
    table = os.path.join(host.postfix.folder, "odmr_domains")
    with open(table, encoding="ascii") as file:
        text = file.read()
    address = text.split("odmr:[")[1].split("]")[0]
    cutter = Cutter(address, host.inner_port)
    with open(table, "w", encoding="ascii") as file:
        file.write(text.replace("[%s]:%d" % (address, host.inner_port),
                                "[127.0.0.1]:%d" % cutter.port))
    host.postfix.reload()
    return cutter


@waits
@rows(("customer", cut_customer), ("Postfix", cut_postfix))
def test_cuts_at_any_octet(t, cut):
    """Nothing is lost, and nothing comes twice, whichever connection is cut.
    ODMR_CUTS: how often."""
    wanted = int(os.environ.get("ODMR_CUTS", "12"))
    host = ProviderHost(t, hold="0s", settle=t.seconds(2, most=60), postfix_user="root"
                        if cut == cut_postfix else None)
    account = host.account(drain=False)
    cutter = cut(host, account)
    t.at_end(cutter.listener.close)
    t.configure(accounts={"office": account})
    chance = random.Random(t.folder)
    texts = []

    def send():
        texts.append(mail.message("cut %d" % len(texts), b"line\r\n" * 80))
        host.send([USER], texts[-1])
    send()

    def fetched():
        cutter.passed = 0
        t.run("fetch", "office")
        return t.mail(USER)
    until(fetched, 60, "a message")
    whole = cutter.passed  # octets of the calls for one message
    for _ in range(4 * wanted):
        send()
        cutter.after = chance.randrange(1, whole)
        t.run("fetch", "office")
        if cutter.cuts >= wanted:
            break
    cutter.after = None

    def all_there():
        t.run("fetch", "office")
        return not host.postfix.queue()
    until(all_there, 120, "an empty queue")
    assert cutter.cuts >= wanted, cutter.cuts
    t.assert_mail(USER, *texts)


class Crowd:
    """As many strangers as one address may have, who say nothing."""
    PATIENCE = 30  # seconds, of the 60 that the login may take

    def __init__(self, host):
        self.host = host
        self.socks = []
        self.come()

    def come(self):
        until(self.is_full, 60, "as many strangers as may come")
        self.begun = time.monotonic()

    def is_full(self):
        """Once each of them is greeted; those of before may not be gone yet."""
        while len(self.socks) < 10:
            sock = socket.create_connection(("127.0.0.1", self.host.port), 60)
            if not sock.recv(100).startswith(b"220"):
                sock.close()
                return False
            self.socks.append(sock)
        return True

    def stay(self):
        """Before they are sent away others are in their place."""
        if time.monotonic() - self.begun > self.PATIENCE:
            self.leave()
            self.come()

    def leave(self):
        while self.socks:
            self.socks.pop().close()


def test_a_flood_of_strangers(t):
    """A held customer has his mail meanwhile; the log stays short."""
    host = ProviderHost(t)
    service = listening(t, host)
    crowd = Crowd(host)
    answers = []
    for n in range(10000):
        crowd.stay()
        with socket.create_connection(("127.0.0.1", host.port), 60) as sock:
            if n % 100 == 0:
                sock.settimeout(60)
                answers.append(sock.recv(100)[:3])
        if n == 5000:
            host.send([USER], mail.message("in the midst"))
    # Refused, or let in for one who has stayed for longer than a login takes.
    assert set(answers) <= {b"421", b"220"}, answers
    until(lambda: t.mail(USER), 60, "the message")
    lines = [line for line in host.log().split("\n") if "crowded" in line]
    assert 1 <= len(lines) <= 20, len(lines)
    crowd.leave()
    service.stop()


@waits
def test_a_stranger_who_never_pauses(t):
    """All that comes before the login has 60 s, also for one who drips; one who
    always has something to say is sent away at once, or he would have a processor
    for that time."""
    host = ProviderHost(t)
    begun = time.monotonic()
    flood, drip = host.customer(), host.customer()
    done = {}

    def run(name, customer, text, pause):
        try:
            while True:
                customer.socket.sendall(text)
                customer.socket.setblocking(False)
                try:
                    while customer.socket.recv(1 << 20):
                        pass
                    break
                except BlockingIOError:
                    pass
                customer.socket.settimeout(60)
                time.sleep(pause)
        except OSError:
            pass
        done[name] = time.monotonic() - begun
    for job in (("flood", flood, b"NOOP\r\n" * 10, 0.001),
                ("drip", drip, b"N", 0.5)):
        threading.Thread(target=run, args=job, daemon=True).start()
    until(lambda: len(done) == 2, 90, "both to be sent away")
    assert done["drip"] > 55, done
    host.logged("broken", "Too many commands that do nothing")
