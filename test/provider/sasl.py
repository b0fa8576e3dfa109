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
import hmac
import os

MECHANISMS = {}


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
