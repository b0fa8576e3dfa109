# SPDX-License-Identifier: ISC
"""
sasl - the provider's side of AUTH (RFC 4954), one function per mechanism.

A mechanism is registered in MECHANISMS under its name. It gets an Exchange and
the initial response (None where there was none) and returns the user's name,
or raises Refused with the whole reply. To add one, write the function and
decorate it.
"""
import base64
import binascii
import hashlib
import hmac
import os

MECHANISMS = {}
# What most providers have, and the default of ours.
USUAL = ("CRAM-MD5", "PLAIN", "LOGIN")


class Refused(Exception):
    """AUTH failed; the argument is the reply."""


WRONG = b"535 5.7.8 Authentication credentials invalid"
BAD_BASE64 = b"501 5.5.2 Cannot decode"


def mechanism(name, only_tls=False):
    def register(function):
        function.only_tls = only_tls
        MECHANISMS[name] = function
        return function
    return register


class Exchange:
    """What a mechanism may ask: the line, and the passwords."""

    def __init__(self, line, passwords, challenge=None):
        self.line = line
        self.passwords = passwords  # user to password
        self.challenge = challenge  # fixed challenge for CRAM-MD5
        self.said = []  # the customer's lines, as they came

    def ask(self, challenge):
        """Sends a challenge; returns the decoded response."""
        self.line.send(b"334 " + base64.b64encode(challenge) + b"\r\n")
        response = self.line.read_line()
        self.said.append(response.decode("utf-8", "replace"))
        if response == b"*":
            raise Refused(b"501 5.7.0 Cancelled")
        return decode(response)

    def password(self, user):
        if user not in self.passwords:
            raise Refused(WRONG)
        return self.passwords[user].encode()


def decode(text):
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise Refused(BAD_BASE64) from None


@mechanism("CRAM-MD5")
def cram_md5(exchange, initial):
    if initial is not None:
        raise Refused(b"501 5.7.0 No initial response allowed")
    challenge = exchange.challenge or b"<%s@provider.example>" % (
        binascii.hexlify(os.urandom(8)))
    user, _, digest = exchange.ask(challenge).decode().rpartition(" ")
    right = hmac.new(exchange.password(user), challenge, "md5").hexdigest()
    if not hmac.compare_digest(right, digest):
        raise Refused(WRONG)
    return user


@mechanism("PLAIN", only_tls=True)
def plain(exchange, initial):
    parts = (exchange.ask(b"") if initial is None else initial).split(b"\0")
    if len(parts) != 3:
        raise Refused(BAD_BASE64)
    user = parts[1].decode()
    if parts[0] not in (b"", parts[1]) or parts[2] != exchange.password(user):
        raise Refused(WRONG)
    return user


@mechanism("LOGIN", only_tls=True)
def login(exchange, initial):
    user = exchange.ask(b"Username:") if initial is None else initial
    password = exchange.ask(b"Password:")
    if password != exchange.password(user.decode()):
        raise Refused(WRONG)
    return user.decode()


ITERATIONS = 4096


def salted(user, password, digest):
    """SaltedPassword of RFC 5802 3, with a salt that tests can foretell."""
    salt = b"salt of " + user.encode()
    return salt, hashlib.pbkdf2_hmac(digest, password, salt, ITERATIONS)


def scram(name, digest):
    """RFC 5802 without channel binding."""
    def prove(key, text):
        return hmac.new(key, text, digest).digest()

    @mechanism(name)
    def login_scram(exchange, initial):
        bare = initial.split(b",", 2)[2]
        user, nonce = (part[2:].decode() for part in bare.split(b","))
        salt, key = salted(user, exchange.password(user), digest)
        nonce += base64.b64encode(os.urandom(12)).decode()
        first = b"r=%s,s=%s,i=%d" % (nonce.encode(), base64.b64encode(salt), ITERATIONS)
        final, _, proof = exchange.ask(first).rpartition(b",p=")
        said = b",".join((bare, first, final))
        client = prove(key, b"Client Key")
        signature = prove(hashlib.new(digest, client).digest(), said)
        right = bytes(a ^ b for a, b in zip(client, signature))
        if not hmac.compare_digest(right, decode(proof.decode())):
            raise Refused(WRONG)
        exchange.ask(b"v=" + base64.b64encode(prove(prove(key, b"Server Key"), said)))
        return user


scram("SCRAM-SHA-1", "sha1")
scram("SCRAM-SHA-256", "sha256")


def by_token(exchange, user, said):
    """The password stands for the token; a failure is told inside."""
    if said != b"auth=Bearer " + exchange.password(user):
        exchange.ask(b'{"status":"invalid_token"}')
        raise Refused(WRONG)
    return user


@mechanism("XOAUTH2", only_tls=True)
def xoauth2(exchange, initial):
    user, said, *_ = initial.split(b"\1")
    return by_token(exchange, user.partition(b"=")[2].decode(), said)


@mechanism("OAUTHBEARER", only_tls=True)
def oauthbearer(exchange, initial):
    header, *fields = initial.split(b"\1")
    user = header.split(b",")[1].partition(b"=")[2].decode()
    return by_token(exchange, user, [f for f in fields if f.startswith(b"auth=")][0])
