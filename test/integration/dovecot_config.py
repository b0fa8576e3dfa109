# SPDX-License-Identifier: ISC
"""
dovecot_config - the same configurations in both of Dovecot's languages: that of
2.3 (Debian 12) and that of 2.4 (Debian 13), in which the first setting is the
version of the language and most others have new names.
"""
import re
import subprocess

# What both have in common.
EVERY = """\
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
hostname = dovecot.example
first_valid_uid = 1
first_valid_gid = 0
service stats {{
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
"""

EVERY_23 = EVERY + """\
mail_location = maildir:{folder}/mail/%u
"""

EVERY_24 = """\
dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
""" + EVERY + """\
mail_driver = maildir
mail_path = {folder}/mail/%{{user}}
"""

LMTP = """\
protocols = lmtp
ssl = no
postmaster_address = postmaster@example.org
{identity}
service lmtp {{
  unix_listener {folder}/lmtp {{
    mode = 0666
  }}
  inet_listener lmtp {{
    %s = 127.0.0.1
    port = {port}
  }}
}}
"""

LMTP_23 = EVERY_23 + LMTP % "address" + """\
passdb {{
  driver = passwd-file
  args = {folder}/users
}}
userdb {{
  driver = passwd-file
  args = {folder}/users
}}
"""

LMTP_24 = EVERY_24 + LMTP % "listen" + """\
passdb passwd-file {{
  passwd_file_path = {folder}/users
}}
userdb passwd-file {{
  passwd_file_path = {folder}/users
}}
"""

# As the manual has it (ADDRESSES BEYOND ASCII).
UTF8_24 = """\
mail_utf8_extensions = yes
auth_username_chars =
"""

# Customers that log in by password, token or certificate.
LOGIN = """\
protocols = {protocols}
auth_mechanisms = plain login cram-md5 scram-sha-1 scram-sha-256 oauthbearer xoauth2 external
auth_failure_delay = 0
auth_ssl_username_from_cert = yes
ssl = required
submission_relay_host = 127.0.0.1
submission_relay_port = {relay}
service auth {{
  unix_listener {folder}/auth {{
    mode = 0666
  }}
}}
service submission-login {{
  inet_listener submission {{
    %s = 127.0.0.1
    port = {port}
  }}
}}
"""

LOGIN_23 = EVERY_23 + LOGIN % "address" + """\
ssl_cert = <{cert}
ssl_key = <{key}
ssl_ca = <{authority}
ssl_require_crl = no
ssl_verify_client_cert = yes
passdb {{
  driver = oauth2
  mechanisms = oauthbearer xoauth2
  args = {folder}/oauth2
}}
passdb {{
  driver = passwd-file
  mechanisms = external
  args = {folder}/certified
}}
passdb {{
  driver = passwd-file
  mechanisms = plain login cram-md5 scram-sha-1 scram-sha-256
  args = {folder}/users
}}
userdb {{
  driver = static
  args = uid={nobody} gid={nobody} home={folder}/mail/%u
}}
"""

# The second port of 2.4 would be the host's.
LOGIN_24 = EVERY_24 + LOGIN % "listen" + """\
service submission-login {{
  inet_listener submissions {{
    port = 0
  }}
}}
ssl_server_cert_file = {cert}
ssl_server_key_file = {key}
ssl_server_ca_file = {authority}
ssl_server_require_crl = no
ssl_server_request_client_cert = yes
oauth2 {{
  introspection_mode = local
  username_attribute = sub
  oauth2_local_validation {{
    dict fs {{
      fs posix {{
        prefix = {folder}/keys/
      }}
    }}
  }}
}}
passdb certified {{
  driver = passwd-file
  mechanisms_filter = external
  passwd_file_path = {folder}/certified
}}
passdb users {{
  driver = passwd-file
  mechanisms_filter = plain login cram-md5 scram-sha-1 scram-sha-256
  passwd_file_path = {folder}/users
}}
userdb static {{
  fields {{
    uid = {nobody}
    gid = {nobody}
    home = {folder}/mail/%{{user}}
  }}
}}
"""

# The auth service by itself, for odmr-provider.
AUTH = """\
protocols =
ssl = no
auth_mechanisms = {mechanisms}
service auth {{
  unix_listener {folder}/client {{
    mode = 0666
  }}
}}
"""

AUTH_23 = EVERY_23 + AUTH + """\
passdb {{
  driver = passwd-file
  args = {folder}/users
}}
userdb {{
  driver = static
  args = uid=65534 gid=65534 home=/
}}
"""

AUTH_24 = EVERY_24 + AUTH + """\
passdb passwd-file {{
  passwd_file_path = {folder}/users
}}
userdb static {{
  fields {{
    uid = 65534
    gid = 65534
    home = /
  }}
}}
"""

# A file of its own in 2.3 only.
OAUTH2_23 = """\
introspection_mode = local
local_validation_key_dict = fs:posix:prefix={folder}/keys/
username_attribute = sub
"""


def _is_old(binary):
    """Whether this Dovecot speaks the language of 2.3."""
    done = subprocess.run([binary, "--version"], check=True, stdout=subprocess.PIPE)
    version = re.match(rb"(\d+)\.(\d+)", done.stdout)
    return (int(version.group(1)), int(version.group(2))) < (2, 4)


def lmtp(binary, utf8=False, **values):
    """utf8: SMTPUTF8 is listed; None where this Dovecot does not know it."""
    if utf8 and _is_old(binary):
        return None
    return ((LMTP_23 if _is_old(binary) else LMTP_24) +
            (UTF8_24 if utf8 else "")).format(**values)


def login(binary, **values):
    return (LOGIN_23 if _is_old(binary) else LOGIN_24).format(**values)


def oauth2(**values):
    return OAUTH2_23.format(**values)


def auth(binary, mechanisms="plain login scram-sha-256", **values):
    values["mechanisms"] = mechanisms
    return (AUTH_23 if _is_old(binary) else AUTH_24).format(**values)
