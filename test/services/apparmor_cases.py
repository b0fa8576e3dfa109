# SPDX-License-Identifier: ISC
"""
The AppArmor profiles of the Debian packages, without a kernel that has AppArmor.
"""
import os
import re
import shutil

from servers import Skip

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                      "../../contrib/debian/usr.sbin.")
PROGRAMS = ("odmr-agent", "odmr-provider")


def parser():
    path = shutil.which("apparmor_parser", path="/usr/sbin:/sbin")
    if not path:
        raise Skip("there is no apparmor_parser")
    return path


def profile(program):
    with open(FOLDER + program, encoding="ascii") as file:
        return file.read()


def test_profiles_parse(place):
    for program in PROGRAMS:
        place.run(parser(), "--skip-kernel-load", "--skip-cache", FOLDER + program)
        # A missing rule must not keep mail away after an upgrade.
        assert re.search("^profile %s /usr/sbin/%s flags=.*complain" % (program, program),
                         profile(program), re.MULTILINE), program
