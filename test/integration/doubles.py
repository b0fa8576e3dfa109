# SPDX-License-Identifier: ISC
"""
doubles - small servers that misbehave on purpose, which real ones do not do.

Local is an LMTP or SMTP server whose every answer can be set, and that can go
silent or die at any of them. SocksProxy and HttpProxy are the proxies that
libcurl dials through.
"""
import errno
import os
import random
import re
import select
import socket
import struct
import threading

SILENT = "silent"  # no answer, the connection stays
DIE = "die"  # the connection ends in place of an answer


class Server:
    """Accepts connections in a thread and serves each in one of its own."""

    def __init__(self, path=None):
        if path:
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(path)
            self.listener.listen(64)
            self.address = path
        else:
            self.listener = socket.create_server(("127.0.0.1", 0))
            self.port = self.listener.getsockname()[1]
            self.address = "127.0.0.1:%d" % self.port
        self.path = path
        self.connections = 0
        self._open = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(sock)
            threading.Thread(target=self._run, args=(sock,), daemon=True).start()

    def _run(self, sock):
        try:
            self.serve(sock)
        except OSError:
            pass
        finally:
            sock.close()

    def serve(self, sock):
        raise NotImplementedError

    def close(self):
        """No new connections, and none of the old ones either."""
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        if not self.path:
            self.keep_port()
        elif os.path.exists(self.path):
            os.unlink(self.path)
        for sock in self._open:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def keep_port(self):
        """Nobody is there, nor anybody else: another case could get this port."""
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self.listener.bind(("127.0.0.1", self.port))
        except OSError:
            pass  # it came first


class Local(Server):
    """
    answers: verb ("GREETING", "LHLO", "EHLO", "MAIL", "RCPT", "DATA", "END",
    "RSET", "NOOP", "QUIT", "BODY") to a reply, SILENT, DIE, a function
    (server, argument) that returns such, or a list of those, one for each
    time. RCPT and END may be a dict from recipient to reply. END is the answer
    after the text; BODY is asked once the text has begun to arrive. line_end
    ends each line of a reply.
    """

    def __init__(self, path=None, lmtp=True, answers=None, size=None,
                 keywords=("PIPELINING", "ENHANCEDSTATUSCODES", "8BITMIME"),
                 line_end="\r\n"):
        self.lmtp = lmtp
        self.line_end = line_end
        self.answers = dict(answers or {})
        self.keywords = list(keywords) + (["SIZE %d" % size] if size else [])
        self.commands = []
        self.messages = []  # (sender, recipients that got 2xx, text)
        self.begun = threading.Event()  # some text has come
        super().__init__(path)

    def serve(self, sock):
        Transactions(self, sock).run()


class Transactions:
    """One connection of Local."""

    def __init__(self, server, sock):
        self.server = server
        self.sock = sock
        self.file = sock.makefile("rb")
        self.sender = None
        self.rcpts = []

    def run(self):
        self.say("GREETING", "", "220 local.example ready")
        while True:
            line = self.file.readline()
            if not line.endswith(b"\r\n"):
                return
            command = line[:-2].decode("utf-8", "replace")
            self.server.commands.append(command)
            verb, _, argument = command.partition(" ")
            verb = verb.upper()
            if not getattr(self, verb.lower(), self.unknown)(verb, argument):
                return

    def say(self, verb, key, usual):
        """Answers; returns the reply, or raises OSError to end the line."""
        return self.tell(self.answer(verb, key, usual))

    def answer(self, verb, key, usual):
        """What is to be said; raises OSError to end the line."""
        answer = self.server.answers.get(verb)
        if isinstance(answer, list):
            answer = answer.pop(0) if answer else None
        if isinstance(answer, dict):
            answer = answer.get(key)
        if callable(answer):
            answer = answer(self.server, key)
        answer = usual if answer is None else answer
        if answer == DIE:
            raise ConnectionError
        if answer == SILENT:
            while self.sock.recv(65536):
                pass
            raise ConnectionError
        return answer

    def tell(self, answer):
        if answer:
            answer = answer.replace("\r\n", self.server.line_end)
            self.sock.sendall((answer + self.server.line_end).encode())
        return answer

    def unknown(self, verb, _argument):
        return self.say(verb, "", "500 5.5.1 Unknown")

    def lhlo(self, verb, _argument):
        lines = ["local.example"] + self.server.keywords
        usual = "\r\n".join("250%s%s" % (" " if i == len(lines) - 1 else "-", l)
                            for i, l in enumerate(lines))
        return self.say(verb, "", usual)

    ehlo = lhlo

    def mail(self, verb, argument):
        self.sender = re.search(r"<(.*?)>", argument).group(1)
        self.rcpts = []
        return self.say(verb, "", "250 2.1.0 OK")

    def rcpt(self, verb, argument):
        rcpt = re.search(r"<(.*)>", argument).group(1)
        if self.say(verb, rcpt, "250 2.1.5 OK")[0] == "2":
            self.rcpts.append(rcpt)
        return True

    def rset(self, verb, _argument):
        self.rcpts = []
        return self.say(verb, "", "250 2.0.0 OK")

    def noop(self, verb, _argument):
        return self.say(verb, "", "250 2.0.0 OK")

    def vrfy(self, verb, _argument):
        return self.say(verb, "", "252 2.0.0 Try")

    def quit(self, verb, _argument):
        self.say(verb, "", "221 2.0.0 Bye")
        return False

    def data(self, verb, _argument):
        usual = "354 Go on" if self.rcpts else "503 5.5.1 No recipients"
        if self.say(verb, "", usual)[:3] != "354":
            return True
        lines = []
        while True:
            line = self.file.readline()
            if not line:
                return False
            self.server.begun.set()
            if not lines:
                self.say("BODY", "", "")
            if line == b".\r\n":
                break
            lines.append(line[1:] if line[:1] == b"." else line)
        *others, last = self.rcpts if self.server.lmtp else [None]
        ends = [self.say("END", rcpt, "250 2.0.0 Taken") for rcpt in others]
        ends.append(self.answer("END", last, "250 2.0.0 Taken"))
        # It is noted before it is told: a case may look as soon as that was heard.
        taken = [rcpt for rcpt, end in zip(self.rcpts, ends) if end[0] == "2"]
        if taken:
            rcpts = taken if self.server.lmtp else list(self.rcpts)
            self.server.messages.append((self.sender, rcpts, b"".join(lines)))
        self.tell(ends[-1])
        return True


def copy_both(one, other):
    while True:
        for sock in select.select([one, other], [], [])[0]:
            data = sock.recv(65536)
            if not data:
                return
            (other if sock is one else one).sendall(data)


class NameServer:
    """
    DNS over UDP (RFC 1035) on port 53 of an address of loopback that nobody
    else has. names: from a name to its IPv4 address. Who asks for an address of
    another kind hears nothing, as behind some routers.
    """

    def __init__(self, names):
        self.names = names
        self.asked = []  # (name, type)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        while True:
            self.address = "127.%d.%d.%d" % tuple(random.sample(range(2, 250), 3))
            try:
                self.socket.bind((self.address, 53))
                break
            except OSError as why:
                if why.errno != errno.EADDRINUSE:
                    raise
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                query, peer = self.socket.recvfrom(512)
            except OSError:
                return
            answer = self.answer(query)
            if answer:
                self.socket.sendto(answer, peer)

    def answer(self, query):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode())
            at += 1 + query[at]
        name, kind = ".".join(labels).lower(), query[at + 2]
        self.asked.append((name, kind))
        head = query[:2] + b"\x81\x80\0\1"
        question = query[12:at + 5]
        if name not in self.names:
            return head[:3] + b"\x83" + head[4:] + b"\0\0\0\0\0\0" + question
        if kind != 1:
            return None
        return (head + b"\0\1\0\0\0\0" + question + b"\xc0\x0c\0\1\0\1" +
                struct.pack("!IH", 60, 4) + socket.inet_aton(self.names[name]))

    def close(self):
        self.socket.close()


class SocksProxy(Server):
    """SOCKS 5 without authentication (RFC 1928), CONNECT only."""

    def __init__(self, names=None):
        self.names = names or {}  # what the proxy resolves, and to what
        self.asked = []
        super().__init__()

    def serve(self, sock):
        file = sock.makefile("rb")
        _, methods = file.read(2)
        file.read(methods)
        sock.sendall(b"\5\0")
        kind = file.read(4)[3]
        if kind == 3:
            host = file.read(file.read(1)[0]).decode()
        else:
            size, family = (4, socket.AF_INET) if kind == 1 else (16, socket.AF_INET6)
            host = socket.inet_ntop(family, file.read(size))
        port = struct.unpack("!H", file.read(2))[0]
        self.asked.append("%s:%d" % (host, port))
        target = socket.create_connection((self.names.get(host, host), port))
        sock.sendall(b"\5\0\0\1\0\0\0\0\0\0")
        copy_both(sock, target)
        target.close()


class HttpProxy(Server):
    """HTTP CONNECT (RFC 9110 9.3.6)."""

    def __init__(self, names=None):
        self.names = names or {}
        self.asked = []
        super().__init__()

    def serve(self, sock):
        head = b""
        while b"\r\n\r\n" not in head:
            data = sock.recv(1)
            if not data:
                return
            head += data
        method, target, _ = head.decode().split(" ", 2)
        self.asked.append("%s %s" % (method, target))
        host, _, port = target.rpartition(":")
        upstream = socket.create_connection((self.names.get(host, host), int(port)))
        sock.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        copy_both(sock, upstream)
        upstream.close()


class Http(Server):
    """Answers every request with 200, or as answer(path) says, and notes the
    paths; SILENT leaves the request without an answer."""

    def __init__(self, answer=None):
        self.answer = answer or (lambda _path: "200 OK")
        self.paths = []
        super().__init__()

    def serve(self, sock):
        path = sock.makefile("rb").readline().decode().split(" ")[1]
        self.paths.append(path)
        answer = self.answer(path)
        if answer == SILENT:
            while sock.recv(65536):
                pass
            return
        sock.sendall(b"HTTP/1.1 %s\r\nContent-Length: 0\r\n"
                     b"Connection: close\r\n\r\n" % answer.encode())


class Notified:
    """The socket that a service manager listens on (sd_notify(3))."""

    def __init__(self, path):
        self.path = path
        self.messages = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(path)
        os.chmod(path, 0o666)
        threading.Thread(target=self._receive, daemon=True).start()

    def _receive(self):
        while True:
            message = self._socket.recv(4096)
            if not message:
                return
            self.messages.append(message.decode())

    def lines(self):
        return "\n".join(self.messages).split("\n")

    def close(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", self.path)
