# SPDX-License-Identifier: ISC
"""
auth_servers - others' servers to log in to: Postfix with Dovecot's SASL, and
Dovecot's own submission service, which takes client certificates.
"""
import base64
import hashlib
import hmac
import json
import os
import shutil
import time

import dovecot_config
from servers import NOBODY, Postfix, Process, Skip, answers, free_port, listens, until, write

USER = "office"
TOKEN_KEY = b"the key of the one who issues tokens"


class DovecotLogin:
    """
    Knows one user. Postfix asks it over `auth`; with a relay (a port that
    speaks SMTP) it takes customers itself on `port`, by STARTTLS.
    """

    def __init__(self, folder, password, certificates, relay=None):
        binary = shutil.which("dovecot", path="/usr/sbin:/usr/bin:/sbin:/bin")
        if not binary:
            raise Skip("dovecot is not installed")
        if os.geteuid() != 0:
            raise Skip("only root can start Dovecot's logins")
        if relay and not os.path.exists("/usr/lib/dovecot/submission-login"):
            raise Skip("dovecot-submissiond is not installed")
        os.makedirs(os.path.join(folder, "mail"))
        os.chown(os.path.join(folder, "mail"), NOBODY, NOBODY)
        self.auth = os.path.join(folder, "auth")
        self.port = free_port()
        self.address = "127.0.0.1:%d" % self.port
        write(os.path.join(folder, "users"), "%s:{PLAIN}%s\n" % (USER, password))
        write(os.path.join(folder, "certified"), "%s:::::::nopassword=y\n" % USER)
        write(os.path.join(folder, "oauth2"), dovecot_config.oauth2(folder=folder))
        keys = os.path.join(folder, "keys", "default", "HS256")
        os.makedirs(keys)
        write(os.path.join(keys, "default"),
              base64.b64encode(TOKEN_KEY).decode() + "\n")
        config = write(os.path.join(folder, "dovecot.conf"), dovecot_config.login(
            binary, folder=folder, port=self.port, nobody=NOBODY, relay=relay or 1,
            protocols="submission" if relay else "",
            cert=certificates.good.cert, key=certificates.good.key,
            authority=certificates.authority.cert))
        self.process = Process([binary, "-F", "-c", config],
                               os.path.join(folder, "out"))
        until(lambda: listens(self.auth) and (
            not relay or answers(("127.0.0.1", self.port))), what="Dovecot's logins")

    def end(self):
        self.process.end()


def token(user=USER, key=TOKEN_KEY, lifetime=3600):
    """A JSON web token (RFC 7519), signed with HMAC-SHA-256."""
    def part(octets):
        return base64.urlsafe_b64encode(octets).rstrip(b"=")

    now = int(time.time())
    said = {"sub": user, "iss": "issuer.example", "iat": now - 60,
            "exp": now + lifetime}
    signed = b".".join(part(json.dumps(p).encode()) for p in (
        {"alg": "HS256", "typ": "JWT"}, said))
    proof = hmac.new(key, signed, hashlib.sha256).digest()
    return (signed + b"." + part(proof)).decode()


POSTFIX = """\
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = {auth}
smtpd_sasl_security_options = noanonymous
smtpd_tls_security_level = may
smtpd_tls_cert_file = {cert}
smtpd_tls_key_file = {key}
smtpd_error_sleep_time = 0
"""


def postfix_login(folder, dovecot, certificates):
    """A Postfix whose customers Dovecot knows."""
    return Postfix(folder, extra=POSTFIX.format(
        auth=dovecot.auth, cert=certificates.good.cert, key=certificates.good.key))
