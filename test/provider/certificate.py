# SPDX-License-Identifier: ISC
"""
certificate - an authority and its certificates, made by the openssl command.

For tests and the demo only: keys are not protected and days are few.
"""
import base64
import hashlib
import os
import subprocess

CONFIG = """\
[ca]
default_ca = here
[here]
database = {folder}/index.txt
new_certs_dir = {folder}
rand_serial = yes
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
"""


def openssl(*args, data=None):
    done = subprocess.run(("openssl",) + args, input=data, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode != 0:
        raise RuntimeError("openssl %s: %s" % (
            args[0], done.stderr.decode(errors="replace")))
    return done.stdout


class Certificate:
    def __init__(self, cert, key):
        self.cert = cert
        self.key = key

    def pin(self):
        """The sha256//BASE64 of the public key, as tls_pins wants it."""
        public = openssl("x509", "-in", self.cert, "-noout", "-pubkey")
        der = openssl("pkey", "-pubin", "-outform", "DER", data=public)
        return "sha256//" + base64.b64encode(hashlib.sha256(der).digest()).decode()


class Authority:
    """A certificate authority that lives in a folder."""

    def __init__(self, folder, name="Test authority"):
        self.folder = folder
        os.makedirs(folder, exist_ok=True)
        own = self_signed(folder, "ca", name, extensions=(
            "basicConstraints=critical,CA:TRUE", "keyUsage=keyCertSign,cRLSign"))
        self.cert, self.key = own.cert, own.key
        self.config = os.path.join(folder, "ca.cnf")
        with open(self.config, "w", encoding="ascii") as out:
            out.write(CONFIG.format(folder=folder))
        with open(os.path.join(folder, "index.txt"), "w", encoding="ascii"):
            pass

    def issue(self, file, name, alternatives="", begin="20200101000000Z",
              end="20991231235959Z"):
        """A certificate for name with subjectAltName alternatives, such as
        "DNS:localhost,IP:127.0.0.1"."""
        cert = os.path.join(self.folder, file + ".pem")
        key = os.path.join(self.folder, file + ".key")
        request = openssl("req", "-new", "-newkey", "ec", "-pkeyopt",
                          "ec_paramgen_curve:P-256", "-nodes", "-keyout", key,
                          "-subj", "/CN=" + name)
        options = os.path.join(self.folder, file + ".ext")
        with open(options, "w", encoding="ascii") as out:
            out.write("basicConstraints=CA:FALSE\n")
            if alternatives:
                out.write("subjectAltName=%s\n" % alternatives)
        csr = os.path.join(self.folder, file + ".csr")
        with open(csr, "wb") as out:
            out.write(request)
        openssl("ca", "-batch", "-notext", "-config", self.config,
                "-cert", self.cert, "-keyfile", self.key, "-in", csr,
                "-out", cert, "-startdate", begin, "-enddate", end,
                "-extfile", options)
        return Certificate(cert, key)


def self_signed(folder, file, name, extensions=(), alternatives=""):
    cert = os.path.join(folder, file + ".pem")
    key = os.path.join(folder, file + ".key")
    args = ["req", "-x509", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
            "-keyout", key, "-out", cert, "-subj", "/CN=" + name]
    if alternatives:
        extensions = tuple(extensions) + ("subjectAltName=" + alternatives,)
    for extension in extensions:
        args += ["-addext", extension]
    openssl(*args)
    return Certificate(cert, key)
