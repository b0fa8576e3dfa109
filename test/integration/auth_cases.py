# SPDX-License-Identifier: ISC
"""
AUTH against servers that others wrote: GNU SASL, with the channel binding of
its own end of the TLS connection.
"""
import os
import subprocess

from stage import HERE, PASSWORD, Skip, rows


class Gsasl:
    """gsasl_provider.c, built for this case; serves one customer."""

    def __init__(self, t, version, offer, *how):
        program = t.path("gsasl_provider")
        built = subprocess.run(
            ["cc", "-D_GNU_SOURCE", "-o", program,
             os.path.join(HERE, "gsasl_provider.c"), "-lgsasl", "-lssl", "-lcrypto"],
            capture_output=True, text=True, check=False)
        if built.returncode:
            if "gsasl.h" in built.stderr:
                raise Skip("no libgsasl-dev")
            raise AssertionError(built.stderr)
        good = t.certificates.good
        self.child = subprocess.Popen(
            [program, good.cert, good.key, version, offer, *how],
            stdout=subprocess.PIPE, text=True, env={"PASSWORD": PASSWORD})
        t.at_end(self.end)
        self.address = "127.0.0.1:" + self.child.stdout.readline().strip()

    def heard(self):
        """What the customer said until it left."""
        return self.child.stdout.read().splitlines()

    def end(self):
        self.child.kill()
        self.child.wait()
        self.child.stdout.close()


def log_in(t, status, version, offer, *how):
    provider = Gsasl(t, version, offer, *how)
    t.configure(provider.address, tls="implicit",
                tls_ca_file=t.certificates.authority.cert)
    run = t.fetch("office", status=status)
    return provider.heard(), run


@rows(("sha-256 tls 1.3", "1.3", "SCRAM-SHA-256-PLUS"),
      ("sha-1 tls 1.3", "1.3", "SCRAM-SHA-1-PLUS"),
      ("sha-256 tls 1.2", "1.2", "SCRAM-SHA-256-PLUS"),
      ("sha-1 tls 1.2", "1.2", "SCRAM-SHA-1-PLUS"))
def test_bound(t, version, mechanism):
    heard, run = log_in(t, 0, version, "LOGIN PLAIN CRAM-MD5 " + mechanism)
    assert "no mail" in run.line, run
    assert heard[1].startswith("AUTH %s " % mechanism), heard


@rows(("sha-256", "SCRAM-SHA-256"), ("sha-1", "SCRAM-SHA-1"),
      ("cram-md5", "CRAM-MD5"))
def test_not_bound(t, mechanism):
    heard, run = log_in(t, 0, "1.3", "LOGIN PLAIN " + mechanism, "hide")
    assert "no mail" in run.line, run
    assert heard[1].startswith("AUTH " + mechanism), heard


@rows(("tls 1.3", "1.3"), ("tls 1.2", "1.2"))
def test_man_in_the_middle(t, version):
    """Another TLS connection at the other end: refused, and nothing weaker
    is tried."""
    heard, run = log_in(t, 77, version, "PLAIN SCRAM-SHA-256-PLUS", "spoil")
    assert "bound by tls-" in run.err, run
    assert heard[-1] == "QUIT", heard
    assert len([line for line in heard if line.startswith("AUTH")]) == 1, heard


def test_plus_taken_out_of_the_list(t):
    """The server can bind, somebody hid it: our "y" tells the server so."""
    heard, run = log_in(t, 77, "1.3", "SCRAM-SHA-256")
    assert heard[-1] == "QUIT" and "535" in run.err, (heard, run)
