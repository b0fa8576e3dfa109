# SPDX-License-Identifier: ISC
"""
provider_host - a rented server: a real Postfix, and odmr-provider beside it,
set up by its own commands as an administrator would.
"""
import json
import os
import signal
import socket
import ssl
import subprocess

import mail
from patience import Patience
from servers import NOBODY, Skip, ended, free_port, until
from stage import PASSWORD, yaml

# Postfix tries again by itself only after these: what is delivered sooner was
# asked for by odmr-provider.
PATIENT = """\
minimal_backoff_time = 300s
queue_run_delay = 300s
maximal_backoff_time = 600s
mynetworks = 127.0.0.0/8
default_transport = error:no way out of this test
virtual_mailbox_domains =
"""


class ProviderHost:
    """accounts: name to domains. address: where customers call. main_cf: more
    of Postfix'. keys: of odmr-provider.yaml."""

    def __init__(self, t, accounts=None, start=True, address="127.0.0.1",
                 main_cf="", **keys):
        self.t = t
        self.program = os.path.join(os.path.dirname(t.binary), "odmr-provider")
        if os.geteuid() != 0:
            raise Skip("only root can start Postfix")
        self.address = address
        self.accounts = accounts or {"office": ["example.org", "example.com"]}
        self.folder = t.sub("host")
        self.postfix = t.postfix(name="host-postfix", extra=PATIENT + main_cf,
                                 start=False)
        self.port, self.tls_port = free_port(), free_port()
        self.inner_port = free_port()
        self.config_file = os.path.join(self.folder, "odmr-provider.yaml")
        self.config = {
            "hostname": "mx.example.net",
            "listen": "%s:%d" % (address, self.port),
            "listen_tls": "%s:%d" % (address, self.tls_port),
            "tls_cert_file": os.path.join(self.folder, "cert.pem"),
            "tls_key_file": os.path.join(self.folder, "key.pem"),
            "users_file": os.path.join(self.folder, "users"),
            "run_dir": os.path.join(self.folder, "run"),
            "user": "root", "hold": t.seconds(30, most=540),
            "settle": t.seconds(3, most=60),
            "log_level": "debug",
            "postfix_config": self.postfix.folder,
            "inner_port": self.inner_port,
            "accounts": {name: {"domains": domains}
                         for name, domains in self.accounts.items()}}
        self.config.update(keys)
        self.config = {k: v for k, v in self.config.items() if v is not None}
        self.write_config()
        self.child = None
        self.err = os.path.join(self.folder, "err")
        t.at_end(self.stop)
        self.pin = self.run("setup", "tls").out.split('"')[1]
        if "users_file" in self.config:
            self.set_passwords()
        self.postfix.settle()
        self.run("setup", "postfix", "--apply")
        self.postfix.start()
        if start:
            self.start()

    def set_passwords(self):
        """One password for all, and its keys: they do not depend on a name."""
        first, *others = self.accounts
        self.run("passwd", first, stdin=PASSWORD + "\n")
        with open(self.config["users_file"], "r+", encoding="ascii") as file:
            line = next(line for line in file if line.startswith(first + ":"))
            file.seek(0, os.SEEK_END)
            file.writelines(name + line[len(first):] for name in others)

    def write_config(self):
        with open(self.config_file, "w", encoding="utf-8") as file:
            file.write(yaml(self.config))

    def run(self, *words, status=0, stdin="", within=()):
        """within: words of a command that runs it."""
        done = subprocess.run(
            list(within) + [self.program, "-c", self.config_file] + list(words),
            input=stdin.encode(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=self.t.environment(), check=False)
        done.out = done.stdout.decode()
        assert status in (done.returncode, None), (words, done)
        return done

    def postconf(self, *settings):
        subprocess.run(["/usr/sbin/postconf", "-c", self.postfix.folder, "-e"] +
                       list(settings), check=True)
        self.postfix.reload()

    def start(self, *before):
        """before: words of a command that starts it."""
        with open(self.err, "ab") as err:
            self.child = subprocess.Popen(
                list(before) + [self.program, "-c", self.config_file, "run"],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=err,
                env=self.t.environment())
        # It listens before it says so, and what asks for that may be faster.
        until(lambda: self.listens() and self.run("status", status=None).returncode == 0,
              what="odmr-provider to run")

    def listens(self):
        assert self.child.poll() is None, self.log()
        try:
            socket.create_connection((self.address, self.port), 1).close()
            return True
        except OSError:
            return False

    def reload(self, accounts):
        """accounts: name to domains. Postfix' table stays as it is."""
        self.accounts = accounts
        self.config["accounts"] = {name: {"domains": domains}
                                   for name, domains in accounts.items()}
        self.write_config()
        before = self.log().count("the configuration was read again")
        self.child.send_signal(signal.SIGHUP)
        until(lambda: self.log().count("the configuration was read again") > before,
              what="the reload")

    def stop(self):
        if self.child is not None and self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
            status = ended(self.child, 60)
            assert status == 0, (status, self.log())
        self.child = None

    def kill(self):
        self.child.kill()
        self.child.wait()
        self.child = None

    def log(self):
        with open(self.err, encoding="utf-8", errors="replace") as file:
            return file.read()

    def logged(self, *words, seconds=20):
        return until(lambda: [line for line in self.log().split("\n")
                              if all(w in line for w in words)],
                     seconds, "%r in the log of odmr-provider" % (words,))

    def status(self):
        return {a["account"]: a for a in
                json.loads(self.run("status", "--json").out)["accounts"]}

    def states(self, account="office"):
        return [c["state"] for c in self.status()[account]["connections"]]

    def is_held(self, account="office"):
        return "held" in self.states(account)

    def held(self, account="office", after=None, seconds=60):
        """Waits until a customer is held; the process of that connection. after: the
        one of before, which has had mail or has ended: the status may be a second
        old, and still have it as held."""
        path = os.path.join(self.config["run_dir"], "status.json")

        def found():
            try:
                with open(path, encoding="utf-8") as file:
                    status = json.load(file)
            except FileNotFoundError:
                return None
            return [c["pid"] for c in status["connections"] if c["pid"] != after
                    and (c["account"], c["state"]) == (account, "held")]
        return until(found, seconds, account + " to be held")[0]

    # Mail comes in as from the world

    def send(self, rcpts, text, sender="sender@remote.example"):
        self.postfix.send(sender, rcpts, text)

    # A customer

    def account(self, name="office", **keys):
        """An account of the agent that calls here, at once; held for as long as
        the agent's default lets it be."""
        keys.setdefault("provider_timeout", "10m")
        keys.setdefault("jitter", "0s")
        return self.t.account(
            "%s:%d" % (self.address, self.port), user=name, tls="starttls",
            tls_pins=self.pin, domains=self.accounts[name], **keys)

    def customer(self, implicit=False):
        return Customer(self.tls_port if implicit else self.port, implicit)


class Customer:
    """A connection, line by line, for what the agent would not say."""

    def __init__(self, port, implicit=False, source=""):
        self.socket = socket.create_connection(("127.0.0.1", port), 20, (source, 0))
        self.socket.settimeout(60)
        self.file = None
        if implicit:
            self.secure()
        self.greeting = None
        self.buffer = b""

    def secure(self, certificate=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if certificate:
            context.load_cert_chain(certificate.cert, certificate.key)
        self.socket = context.wrap_socket(self.socket)

    def receive(self):
        """What comes next; nothing where the connection is over."""
        patience = Patience(60)
        while left := patience.left():
            self.socket.settimeout(left)
            try:
                return self.socket.recv(65536)
            except socket.timeout:
                continue
            except OSError:
                return b""
        raise AssertionError("nothing came from odmr-provider for 60 s")

    def reply(self):
        """One reply: its lines; none where the connection is over."""
        lines = []
        while True:
            while b"\n" not in self.buffer:
                data = self.receive()
                if not data:
                    return lines
                self.buffer += data
            line, self.buffer = self.buffer.split(b"\n", 1)
            lines.append(line.rstrip(b"\r").decode())
            if len(lines[-1]) < 4 or lines[-1][3] != "-":
                return lines

    def say(self, text):
        self.socket.sendall(text.encode() + b"\r\n")

    def ask(self, text, code):
        """Says a line; the reply must have this code. Its lines."""
        self.say(text)
        lines = self.reply()
        assert lines and lines[-1].startswith(str(code)), (text, code, lines)
        return lines

    def start_tls(self, certificate=None):
        self.reply()
        self.ask("EHLO office.example", 250)
        self.ask("STARTTLS", 220)
        self.secure(certificate)
        return self.ask("EHLO office.example", 250)

    def login(self, user="office", password=PASSWORD):
        import base64
        self.start_tls()
        plain = base64.b64encode(
            ("\0%s\0%s" % (user, password)).encode()).decode()
        self.ask("AUTH PLAIN " + plain, 235)

    def close(self):
        self.socket.close()


__all__ = ["Customer", "NOBODY", "ProviderHost", "mail"]
