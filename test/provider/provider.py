#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
provider - an On-Demand Mail Relay provider (RFC 2645), for tests and the demo.

As a library: Provider(...) listens on a loopback port that the kernel chooses
and serves each customer in a thread. As a command it serves a folder of held
messages, or joins customers with an MTA:

    provider.py --folder DIR --tls starttls --cert FILE --key FILE
    provider.py --join PORT        an MTA's relay host is [127.0.0.1]:PORT

It prints "listening on PORT" first and runs until it is ended.
"""
import argparse
import base64
import os
import signal
import socket
import ssl
import sys
import threading
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import sasl  # noqa: E402
from line import Ended, Line, Log, Unexpected  # noqa: E402
from patience import Patience  # noqa: E402
from turned import Folder, Join, Scripts  # noqa: E402

TURN = b"250 OK now reversing the connection"
NO_MAIL = b"453 You have no mail"


class Session:
    """One customer: what was said to turn the line, and how it ended."""

    def __init__(self, provider, line, number):
        self.provider = provider
        self.line = line
        self.number = number
        self.commands = []
        self.secrets = []  # what the customer said inside AUTH
        self.user = None
        self.mechanism = None
        self.atrn = None  # the parameter, "" where there was none
        self.resumed = False  # a TLS session of before
        self.turned = False
        self.ended = None

    def run(self):
        if self.provider.tls == "implicit":
            self.start_tls()
        if not self._said("GREETING", "", b"220 provider.example ODMR ready"):
            return
        while not self.turned:
            command = self.line.read_line().decode("utf-8", "replace")
            self.commands.append(command)
            verb, _, argument = command.partition(" ")
            verb = verb.upper()
            if not self._said(verb, argument, None):
                return
        self.provider.source.serve(self.line)

    def _said(self, verb, argument, usual):
        """Answers one command: as the test has set, or as usual. False: the
        session is over."""
        answer = self.provider.scripted(verb)
        if callable(answer):
            answer = answer(self, argument)
        if answer is None:
            if usual is None:
                usual = getattr(self, "do_" + verb.lower(), Session.unknown)
                answer = usual(self, argument) if usual is Session.unknown \
                    else usual(argument)
            else:
                answer = usual
        if answer is None:
            return True
        if answer == b"":
            return False
        answer = answer.replace(b"\r\n", self.provider.line_end)
        self.line.send(answer + self.provider.line_end)
        if verb == "STARTTLS" and answer[:3] == b"220":
            self.start_tls()
        if verb == "ATRN":
            self.turned = answer.splitlines()[0][:3] == b"250"
        return verb != "QUIT" and answer[:3] not in (b"421", b"521")

    def start_tls(self):
        self.line.start_tls(self.provider.context)
        self.resumed = self.line.sock.session_reused

    def unknown(self, _argument):
        return b"502 5.5.1 Not implemented here"

    def do_ehlo(self, _name):
        lines = [b"provider.example"] + self.provider.keywords(self.line)
        return b"\r\n".join(b"250%s%s" % (b" " if l is lines[-1] else b"-", l)
                            for l in lines)

    def do_starttls(self, _argument):
        if self.provider.tls != "starttls" or self.line.tls:
            return b"502 5.5.1 Not now"
        return b"220 2.0.0 Go ahead"

    def do_auth(self, argument):
        name, _, initial = argument.partition(" ")
        self.mechanism = name = name.upper()
        if name.encode() not in self.provider.offered(self.line):
            return b"504 5.5.4 Mechanism not offered"
        exchange = sasl.Exchange(self.line, self.provider.passwords(),
                                 self.provider.challenge)
        try:
            response = None
            if initial:
                self.secrets.append(initial)
                response = b"" if initial == "=" else sasl.decode(initial)
            self.user = sasl.MECHANISMS[name](exchange, response)
        except sasl.Refused as why:
            return why.args[0]
        finally:
            self.secrets += exchange.said
        return b"235 2.7.0 Authentication successful"

    def do_atrn(self, argument):
        self.atrn = argument
        if self.user is None:
            return b"530 5.7.0 Authentication required"
        named = [d.lower() for d in argument.split(",")] if argument else None
        rights = self.provider.users[self.user][1]
        if named and rights is not None and set(named) - set(rights):
            return b"450 4.7.1 No right to one of the domains"
        if not self.provider.source.has_mail(named or rights):
            return NO_MAIL
        return TURN

    def do_noop(self, _argument):
        return b"250 2.0.0 OK"

    def do_quit(self, _argument):
        return b"221 2.0.0 Bye"


class Provider:
    """
    source: Scripts, Folder, Join, or a function over the line (one script).
    users: name to password, or to (password, domains).
    replies: verb ("GREETING", "EHLO", "AUTH", "ATRN", ...) to what is said in
    place of the usual: octets (without the last CRLF; b"" ends the line), a
    function (session, argument) that returns such, or None for the usual; or
    a list of those, one for each time, then the usual.
    """

    def __init__(self, source=None, tls="off", certificate=None, users=None,
                 mechanisms=sasl.USUAL, replies=None, challenge=None,
                 client_ca=None, extensions=(), host="127.0.0.1", port=0,
                 log=None, timeout=60, tls_version=None, line_end=b"\r\n"):
        if callable(source):
            source = Scripts(source)
        self.source = source or Scripts()
        self.tls = tls
        self.users = {u: p if isinstance(p, tuple) else (p, None)
                      for u, p in (users or {}).items()}
        self.mechanisms = tuple(mechanisms)
        self.replies = dict(replies or {})
        self.challenge = challenge
        self.extensions = list(extensions)
        self.log = log or Log()
        self.timeout = timeout
        self.line_end = line_end  # of the replies
        self.sessions = []
        self.failures = []  # scripts that met something unexpected
        self.context = None
        if tls != "off":
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(certificate.cert, certificate.key)
            if client_ca:
                self.context.load_verify_locations(client_ca)
                self.context.verify_mode = ssl.CERT_REQUIRED
            if tls_version:
                self.context.maximum_version = tls_version
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, port), family=family)
        self.host = host
        self.port = self._listener.getsockname()[1]
        self._lines = []
        self._threads = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    @property
    def address(self):
        return "%s:%d" % ("[%s]" % self.host if ":" in self.host else self.host,
                          self.port)

    def passwords(self):
        return {user: password for user, (password, _) in self.users.items()}

    def scripted(self, verb):
        answer = self.replies.get(verb)
        if isinstance(answer, list):
            return answer.pop(0) if answer else None
        return answer

    def offered(self, line):
        """The mechanisms for this line, as octets."""
        return [m.encode() for m in self.mechanisms
                if line.tls or not sasl.MECHANISMS[m].only_tls]

    def keywords(self, line):
        lines = [e.encode() for e in self.extensions]
        if self.tls == "starttls" and not line.tls:
            lines.append(b"STARTTLS")
        if self.offered(line):
            lines.append(b"AUTH " + b" ".join(self.offered(line)))
        return lines + [b"ATRN"]

    def secrets(self):
        """Everything that must appear in no output of the customer."""
        found = [s for session in self.sessions for s in session.secrets]
        for user, (password, _) in self.users.items():
            found.append(password)
            found.append(base64.b64encode(password.encode()).decode())
            found.append(base64.b64encode(
                ("\0%s\0%s" % (user, password)).encode()).decode())
        return [s for s in found if len(s) >= 6]

    def turns(self):
        return [s for s in self.sessions if s.turned]

    def _accept(self):
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            line = Line(sock, self.log, timeout=self.timeout)
            session = Session(self, line, len(self.sessions))
            self.sessions.append(session)
            self._lines.append(line)
            thread = threading.Thread(target=self._serve, args=(session,),
                                      daemon=True)
            thread.start()
            self._threads.append(thread)

    def _serve(self, session):
        self.log.note("*", "session %d" % session.number)
        try:
            session.run()
        except (Ended, OSError) as why:  # ssl.SSLError is an OSError
            session.ended = str(why)
            if session.turned and isinstance(self.source, Scripts):
                self.failures.append("the script was cut short: %s" % why)
            self.log.note("*", "ended: %s" % why)
        except Unexpected as why:
            self.failures.append(str(why))
            self.log.note("*", "UNEXPECTED: %s" % why)
        except Exception as why:  # an assertion or a fault of the script
            self.failures.append("%s: %s" % (type(why).__name__, why))
            self.log.note("*", traceback.format_exc())
        finally:
            session.line.close()

    def wait(self, seconds=20):
        """Waits until all sessions so far have ended."""
        for thread in list(self._threads):
            patience = Patience(seconds)
            while thread.is_alive() and (left := patience.left()):
                thread.join(left)
            if thread.is_alive():
                self.failures.append("a session of the provider did not end")

    def close(self):
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listener.close()
        if isinstance(self.source, Join):
            self.source.close()
        for line in self._lines:
            line.stop()
        self.log.close()


class Files:
    """A certificate given on the command line."""

    def __init__(self, cert, key):
        self.cert = cert
        self.key = key


def main():
    parser = argparse.ArgumentParser(description="An ODMR provider for tests.")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--folder", help="held messages: NAME.eml, NAME.json")
    source.add_argument("--join", type=int, metavar="PORT",
                        help="join customers with the MTA that connects here")
    parser.add_argument("--mode", default="pipelined",
                        choices=("lockstep", "pipelined", "bdat"))
    parser.add_argument("--prdr", action="store_true")
    parser.add_argument("--tls", default="off",
                        choices=("off", "starttls", "implicit"))
    parser.add_argument("--cert")
    parser.add_argument("--key")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--user", action="append", metavar="NAME:PASSWORD",
                        default=[], help="a customer; may be repeated")
    parser.add_argument("--log", help="file for what was said")
    args = parser.parse_args()
    if args.tls != "off" and not (args.cert and args.key):
        parser.error("--tls %s needs --cert and --key" % args.tls)

    log = Log(args.log)
    if args.folder:
        source = Folder(args.folder, args.mode, args.prdr)
    else:
        source = Join(args.join, log=log)
    provider = Provider(
        source, tls=args.tls, certificate=Files(args.cert, args.key),
        users=dict(u.split(":", 1) for u in args.user),
        host=args.host, port=args.port, log=log)
    print("listening on %d" % provider.port, flush=True)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    provider.close()


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    main()
