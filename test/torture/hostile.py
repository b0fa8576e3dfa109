# SPDX-License-Identifier: ISC
"""
hostile - a provider that means harm: far too much, far too slowly, or nonsense.

Whatever it does, the agent ends within its time limits with a status of the
table, in bounded memory, and nothing that could move a terminal or forge a
line comes out of it.
"""
import os
import re
import resource
import socket
import subprocess
import threading
import time

from patience import slowest
from pool import Job
from rig import Wrong, stage

MEMORY = 32 * 1024  # KiB at most; a session with TLS takes some 20,000
LIMIT = 3  # seconds that the agent's time limits are set to, on a quiet machine
SLACK = 12  # seconds for its goodbyes
ESCAPES = b"\x1b[2J\x1b]0;owned\x07\x9b31m"
NUL = b"\0"
MEGABYTE = (b"x" * 1022 + b"\r\n") * 1024


class Case:
    """What the provider does, and what must come of it."""

    def __init__(self, name, play, statuses, seconds=SLACK, tls="off",
                 **options):
        self.name = name
        self.play = play
        self.statuses = statuses
        self.seconds = seconds
        self.tls = tls
        self.options = options


def flood(line, block, megabytes):
    """Sends until the agent has had enough."""
    block = block * max(1, 262144 // len(block))
    sent = 0
    while sent < megabytes << 20:
        line.send(block)
        sent += len(block)


def slowly(line, octets, pause=0.5):
    for octet in octets:
        line.send(bytes([octet]))
        time.sleep(pause)


def at(verb, play):
    """The provider's script in the place of its answer to a command."""
    def answer(session, _argument):
        play(session.line)
        return b""
    return {"replies": {verb: answer}}


def turned(line):
    stage.hello(line)


def text_of(line, *mail):
    """MAIL, RCPT and DATA, up to the 354."""
    turned(line)
    line.command(*(mail or ("MAIL FROM:<a@remote.example>",)))
    line.command("RCPT TO:<user@example.org>")
    line.command("DATA", 354)


def ten_gigabytes(gigabytes):
    def play(line):
        text_of(line)
        for _ in range(gigabytes * 1024):
            line.send(MEGABYTE)
        line.send(b"\r\n.\r\n")
        line.expect(552)
        stage.goodbye(line)
    return play


def text_without_end(line):
    text_of(line)
    for octet in b"Subject: x\r\n\r\n" * 20:
        line.send(bytes([octet]))
        time.sleep(1)


def many(command, count, reply):
    """So many of one command, written without a look at the replies."""
    def play(line):
        turned(line)
        block = (command + b"\r\n") * 1000
        counter = Counter(line, reply)
        for _ in range(count // 1000):
            line.send(block)
        line.send(b"QUIT\r\n")
        counter.join()
    return play


class Counter(threading.Thread):
    """Reads whatever comes, so that nobody waits."""

    def __init__(self, line, reply):
        super().__init__(daemon=True)
        self.line = line
        self.reply = reply
        self.found = 0
        self.start()

    def run(self):
        try:
            while True:
                data = self.line.sock.recv(1 << 20)
                if not data:
                    return
                self.found += data.count(self.reply)
        except OSError:
            pass


def recipients(count):
    def play(line):
        turned(line)
        line.command("MAIL FROM:<a@remote.example>")
        counter = Counter(line, b"452 4.5.3")
        for begin in range(0, count, 1000):
            line.send(b"".join(b"RCPT TO:<user%d@example.org>\r\n" % n
                               for n in range(begin, begin + 1000)))
        line.send(b"RSET\r\nQUIT\r\n")
        counter.join()
        assert counter.found == count - 1000, counter.found
    return play


def bdat_beyond(line):
    turned(line)
    line.command("MAIL FROM:<a@remote.example>")
    line.command("RCPT TO:<user@example.org>")
    line.command("BDAT 99999999999999999999", "5")
    line.wait_end()


def escapes(line):
    line.expect(220)
    line.command(b"EHLO " + ESCAPES, "2", "5")
    line.command("EHLO provider.example")
    line.command(b"MAIL FROM:<" + ESCAPES + b"@remote.example>", "2", "5")
    line.command("RSET")
    line.command("MAIL FROM:<a@remote.example>")
    line.command(b"RCPT TO:<\"" + ESCAPES + b"\"@example.org>", "2", "4", "5")
    line.command("RCPT TO:<user@example.org>")
    line.command("DATA", 354)
    line.send(b"Message-ID: <" + ESCAPES + b">\r\nSubject: " + ESCAPES +
              b"\r\n\r\n" + ESCAPES + b"\r\n.\r\n")
    line.reply()
    line.command(ESCAPES, "5")
    stage.goodbye(line)


def nuls(line):
    turned(line)
    for _ in range(19):
        line.command(NUL * 100, "5")
    # Refused, but an address that cannot be parsed is not nonsense yet.
    line.command(b"MAIL FROM:<a" + NUL + b"b@c.example>", "5")
    line.send(NUL * 100 + b"\r\n")
    line.wait_end()


def tiny_records(line):
    """One octet a record, all through a message."""
    line.expect(220)
    for octet in b"EHLO provider.example\r\n":
        line.send(bytes([octet]))
    line.expect(250)
    for text in (b"MAIL FROM:<a@remote.example>\r\n",
                 b"RCPT TO:<user@example.org>\r\n", b"DATA\r\n",
                 b"Subject: x\r\n\r\n" + b"octet by octet\r\n" * 100 + b".\r\n"):
        for octet in text:
            line.send(bytes([octet]))
        line.reply()
    stage.goodbye(line)


def second_reply(session, _argument):
    return b"250-provider.example\r\n250-AUTH PLAIN CRAM-MD5\r\n250 ATRN" \
        b"\r\n250 and another one"


def cases(full):
    endless = b"250-" + b"x" * 60 + b"\r\n"
    return [
        Case("endless greeting", None, (76,), **at(
            "GREETING", lambda l: flood(l, b"220-" + b"x" * 60 + b"\r\n", 64))),
        Case("greeting without a line end", None, (76,), **at(
            "GREETING", lambda l: flood(l, b"220 " + b"x" * 996, 64))),
        Case("endless reply to EHLO", None, (76,), **at(
            "EHLO", lambda l: flood(l, endless, 64))),
        Case("endless reply to AUTH", None, (76,), **at(
            "AUTH", lambda l: flood(l, b"235-" + b"x" * 60 + b"\r\n", 64))),
        Case("a challenge of megabytes", None, (76,), **at(
            "AUTH", lambda l: flood(l, b"334 " + b"QUJD" * 500, 64))),
        Case("endless reply to ATRN", None, (76,), **at(
            "ATRN", lambda l: flood(l, endless, 64))),
        Case("unexpected reply", None, (76,),
             replies={"EHLO": second_reply}),
        Case("octets behind the greeting", None, (76,),
             replies={"GREETING": b"220 hello\r\n250 you are welcome"}),
        Case("octets in the clear before TLS", None, (76,), tls="starttls",
             replies={"STARTTLS": b"220 go\r\n250 injected"}),
        Case("NULs as greeting", None, (75, 76), **at(
            "GREETING", lambda l: flood(l, NUL * 1000, 64))),
        Case("NULs in a reply", None, (0, 75, 76, 69),
             replies={"EHLO": b"250-\0\0\0\r\n250 ATRN\0"}),
        Case("a greeting octet by octet", None, (75,), **at(
            "GREETING", lambda l: slowly(l, b"220 " + b"x" * 60))),
        Case("a command octet by octet", lambda l: (
            turned(l), slowly(l, b"MAIL FROM:<" + b"x" * 60)), (75, 0)),
        Case("a text octet by octet", text_without_end, (75,), 60,
             keys={"session_timeout": "4s"}),
        Case("gigabytes of message", ten_gigabytes(10 if full else 2), (67,), 300,
             top={"max_message_size": "50M"}),
        Case("a line of a gigabyte", lambda l: (
            text_of(l), [l.send(b"y" * 1048576) for _ in range(1024)],
            l.send(b"\r\n.\r\n"), l.expect(552), stage.goodbye(l)), (67,), 120,
            top={"max_message_size": "50M"}),
        Case("a command line without end", lambda l: flood(
            (turned(l), l)[1], b"x" * 1000, 256), (75, 0, 76), 60),
        Case("a million RSETs", many(b"RSET", 1000000 if full else 200000,
                                     b"250"), (0,), 120),
        Case("a million NOOPs", many(b"NOOP x", 1000000 if full else 200000,
                                     b"250"), (0,), 120),
        Case("a million recipients", recipients(1000000 if full else 100000),
             (0, 75), 240),
        Case("nonsense for ever", many(b"XYZZY", 100000, b"500"), (76,), 60),
        Case("MAIL and RSET for ever", many(
            b"MAIL FROM:<a@b.example>\r\nRSET", 100000, b"250"), (0,), 120),
        Case("BDAT beyond all numbers", bdat_beyond, (75, 76, 0)),
        Case("escapes everywhere", escapes, (0, 67, 75)),
        Case("escapes in a reply", None, (69, 75, 76, 77),
             replies={"AUTH": b"535 " + ESCAPES}),
        Case("escapes in the greeting", None, (69, 75, 76),
             replies={"GREETING": b"554 " + ESCAPES}),
        Case("escapes in the reply to ATRN", None, (69, 75, 77),
             replies={"ATRN": b"550-" + ESCAPES + b"\r\n550 " + ESCAPES}),
        Case("NULs in commands", nuls, (76,)),
        Case("records of one octet", tiny_records, (0,), 60, tls="starttls"),
        Case("close in the handshake", None, (75,), tls="implicit", raw=b""),
        Case("half a handshake", None, (75,), tls="implicit",
             raw=b"\x16\x03\x03\x00\x7a\x02\x00"),
        Case("nonsense as handshake", None, (76,), tls="implicit",
             raw=b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        Case("an alert as handshake", None, (76,), tls="implicit",
             raw=b"\x15\x03\x01\x00\x02\x02\x28"),
        Case("renegotiation", None, (75, 76), tls="implicit", renegotiates=True),
    ]


def jobs(setup):
    return [Job("hostile", "hostile: " + case.name, run_case, (setup, number))
            for number, case in enumerate(cases(setup.full))]


def run_case(folder, tally, setup, number):
    case = cases(setup.full)[number]
    place = stage.Stage(setup.agent, os.path.join(folder, "stage"),
                        setup.certificates)
    os.mkdir(place.folder)
    tally.points += 1
    try:
        judge(case, place, *fetch(case, place))
    except (Wrong, AssertionError) as why:
        tally.found(str(why))
    finally:
        place.end()


def fetch(case, place):
    """The agent's run against this provider; and how long it took."""
    options = dict(case.options)
    keys = options.pop("keys", {})
    top = options.pop("top", {})
    if "raw" in options:
        address = raw_server(place, options.pop("raw"))
    elif options.pop("renegotiates", False):
        address = renegotiator(place)
    else:
        address = place.provider(case.play or stage.hello, tls=case.tls,
                                 **options)
    limit = place.seconds(LIMIT)
    keys = dict({"provider_timeout": limit, "connect_timeout": limit}, **keys)
    if isinstance(address, str):
        keys.update(tls=case.tls, tls_ca_file=place.certificates.authority.cert)
    place.configure(address, top=top, **keys)
    begun = time.monotonic()
    child = place.start("fetch", "office", "-v")
    run = place.finish(child, case.seconds + 60)
    return run, time.monotonic() - begun


def judge(case, place, run, seconds):
    for provider in place.providers:
        provider.close()
        # The end of a line that the agent had enough of is no failure.
        wrong = [f for f in provider.failures if "ended" not in f]
        if wrong:
            raise Wrong("the provider: %s; %r" % (wrong[0], run))
    if run.status not in case.statuses:
        raise Wrong("status %s, expected %s: %r" % (
            run.status, case.statuses, run))
    # First: what slowness() starts would count here with what we take ourselves.
    most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    if most > MEMORY:
        raise Wrong("it took %d KiB of memory" % most)
    if seconds > case.seconds and seconds > case.seconds * slowest():
        raise Wrong("it took %.1f s: %r" % (seconds, run))
    shown = [run.out, run.err]
    state = place.path("state", "status", "office.json")
    if os.path.exists(state):
        with open(state, encoding="utf-8", errors="replace") as file:
            shown.append(file.read())
    for text in shown:
        if re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ufffd]", text):
            raise Wrong("a control character comes out: %r" % text[-500:])


def raw_server(place, octets):
    """Says that and closes, whatever it hears."""
    listener = socket.create_server(("127.0.0.1", 0))
    place.at_end(listener.close)

    def serve():
        try:
            while True:
                sock = listener.accept()[0]
                with sock:
                    sock.recv(65536)
                    sock.sendall(octets)
        except OSError:
            pass

    threading.Thread(target=serve, daemon=True).start()
    return "127.0.0.1:%d" % listener.getsockname()[1]


def renegotiator(place):
    """OpenSSL's own server: an R at the start of a line makes it ask for a
    second handshake, which TLS 1.2 allows."""
    port = stage.servers.free_port()
    good = place.certificates.good
    child = subprocess.Popen(
        ["openssl", "s_server", "-accept", str(port), "-cert", good.cert,
         "-key", good.key, "-tls1_2", "-legacy_renegotiation", "-naccept", "1"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    place.at_end(child.kill)
    while b"ACCEPT" not in child.stdout.readline():
        pass

    def drive():
        for line in child.stdout:
            if b"CIPHER is" in line:
                child.stdin.write(b"220 hello\r\n")
                child.stdin.flush()
            if b"EHLO" in line:
                child.stdin.write(b"R\n")
                child.stdin.flush()

    threading.Thread(target=drive, daemon=True).start()
    return "127.0.0.1:%d" % port
