# SPDX-License-Identifier: ISC
"""make install, uninstall and dist."""
import os
import re
import stat
import tarfile

PROGRAM = "/usr/local/sbin/odmr-agent"
DOC = "/usr/local/share/doc/odmr-agent"
MODES = {
    PROGRAM: 0o755,
    "/usr/local/sbin/odmr-provider": 0o755,
    "/etc/odmr-agent/odmr-agent.yaml.example": 0o644,
    "/etc/odmr-agent/odmr-provider.yaml.example": 0o644,
    "/usr/local/lib/systemd/system/odmr-provider.service": 0o644,
    "/usr/local/lib/systemd/system/odmr-provider.socket": 0o644,
    "/usr/local/lib/sysusers.d/odmr-provider.conf": 0o644,
    "/usr/local/share/bash-completion/completions/odmr-provider": 0o644,
    "/usr/local/share/man/man5/odmr-provider.yaml.5": 0o644,
    "/usr/local/share/man/man8/odmr-provider.8": 0o644,
    DOC + "/contrib/fail2ban-filter.conf": 0o644,
    DOC + "/contrib/fail2ban-jail.conf": 0o644,
    "/usr/local/lib/systemd/system/odmr-agent.service": 0o644,
    "/usr/local/lib/systemd/system/odmr-agent-fetch.service": 0o644,
    "/usr/local/lib/systemd/system/odmr-agent-fetch.timer": 0o644,
    "/usr/local/lib/systemd/system/odmr-agent-online.path": 0o644,
    "/usr/local/lib/systemd/system/odmr-agent-online.service": 0o644,
    "/usr/local/lib/sysusers.d/odmr-agent.conf": 0o644,
    "/usr/local/share/bash-completion/completions/odmr-agent": 0o644,
    "/usr/local/share/man/man5/odmr-agent.yaml.5": 0o644,
    "/usr/local/share/man/man8/odmr-agent.8": 0o644,
    DOC + "/LICENSE": 0o644,
    DOC + "/sendmail.conf": 0o644,
    DOC + "/contrib/crontab": 0o644,
    DOC + "/contrib/check_odmr_agent": 0o755,
    DOC + "/contrib/networkmanager-dispatcher": 0o755,
    DOC + "/contrib/ppp-ip-up": 0o755,
    DOC + "/contrib/prometheus/odmr-agent.rules.yaml": 0o644,
    DOC + "/contrib/prometheus/grafana-dashboard.json": 0o644,
}


def expected(place):
    """With all pages at the top of the source tree and in doc."""
    modes = dict(MODES)
    for name in os.listdir(place.top) + os.listdir(place.top + "/doc"):
        if name.endswith(".md"):
            modes["%s/%s" % (DOC, name)] = 0o644
    return modes


def files(folder):
    found = {}
    for where, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(where, name)
            found[path[len(folder):]] = stat.S_IMODE(os.stat(path).st_mode)
    return found


def test_list_and_modes(place):
    found, want = files(place.installed), expected(place)
    assert found == want, "installed: %s" % sorted(
        set(found.items()) ^ set(want.items()))
    for where, _, _ in os.walk(place.installed):
        mode = stat.S_IMODE(os.stat(where).st_mode)
        assert mode == 0o755 or where == place.installed, "%s: %o" % (where, mode)


def test_umask_does_not_count(place):
    folder = place.sub("umask")
    place.run("sh", "-c", "umask 077 && make -s -C %s install DESTDIR=%s/d" % (
        place.top, folder))
    assert files(folder + "/d") == expected(place)
    assert stat.S_IMODE(os.stat(folder + "/d/etc/odmr-agent").st_mode) == 0o755


def test_uninstall_leaves_nothing(place):
    folder = place.sub("a folder")
    place.make("install", "DESTDIR=" + folder)
    own = os.path.join(folder, "etc/odmr-agent/odmr-agent.yaml")
    with open(own, "w", encoding="ascii") as file:
        file.write("# the administrator's\n")
    place.make("uninstall", "DESTDIR=" + folder)
    assert list(files(folder)) == ["/etc/odmr-agent/odmr-agent.yaml"]
    os.unlink(own)
    place.make("uninstall", "DESTDIR=" + folder)
    left = [w for w, _, _ in os.walk(folder) if w.endswith("odmr-agent")]
    assert not left and not files(folder), left


def test_program_knows_its_paths(place):
    out = place.run(place.installed + PROGRAM, "help")
    assert "/etc/odmr-agent/odmr-agent.yaml" in out, out


def other_tools(folder):
    """Variables of make for tools that note that they were used."""
    for tool in ("cc", "ar", "strip"):
        path = "%s/other-%s" % (folder, tool)
        with open(path, "w", encoding="ascii") as file:
            file.write('#!/bin/sh\necho %s >>%s/used\nexec %s "$@"\n' % (
                tool, folder, tool))
        os.chmod(path, 0o755)
        yield "%s=%s" % (tool.upper(), path)


def test_paths_and_tools_follow_the_variables(place):
    """And a level of _FORTIFY_SOURCE in CFLAGS, as OpenWrt has one, is no warning."""
    folder = place.sub("paths")
    # Another BUILD: what was built for one sysconfdir is not used for another.
    said = place.make(
        "install-strip", "DESTDIR=" + folder, "prefix=/usr", "sysconfdir=/opt/etc",
        "localstatedir=/opt/var", "docdir=/usr/share/doc/mail", "-j2",
        "systemdunitdir=/lib/systemd/system", "BUILD=%s/build" % folder,
        "CFLAGS=-Os -D_FORTIFY_SOURCE=2 -pipe", *other_tools(folder))
    assert "warning" not in said, said
    with open(folder + "/used", encoding="ascii") as file:
        assert set(file.read().split()) == {"cc", "ar", "strip"}
    plain = place.make("-n", "-B", "all", "CC=no-compiler", "AR=no-ar")
    assert not re.search(r"(^|\s)(cc|gcc|ar|ld|strip) ", plain), plain[:2000]
    out = place.run(folder + "/usr/sbin/odmr-agent", "help")
    assert "/opt/etc/odmr-agent/odmr-agent.yaml" in out, out
    for name in ("odmr-agent.service", "odmr-agent-fetch.service",
                 "odmr-provider.service"):
        with open(folder + "/lib/systemd/system/" + name, encoding="utf-8") as file:
            text = file.read()
        half = name[len("odmr-"):].split(".")[0].split("-")[0]
        assert "\nExecStart=/usr/sbin/odmr-%s " % half in text, text
        assert "\nConditionPathExists=/opt/etc/odmr-agent/odmr-%s.yaml\n" % half \
            in text, text
        assert "@" not in text.replace("@system-service", "").replace(
            "@privileged", "").replace("@resources", "").replace(
            "postfix@-", ""), text
    with open(folder + "/usr/lib/sysusers.d/odmr-agent.conf", encoding="utf-8") as file:
        assert " /opt/var/lib/odmr-agent\n" in file.read()


def test_an_empty_folder_leaves_its_files_out(place):
    """As for a router, or a system without systemd."""
    folder = place.sub("few")
    empty = [name + "=" for name in ("mandir", "systemdunitdir", "sysusersdir",
                                     "bashcompdir", "docdir")]
    place.make("install", "DESTDIR=" + folder, *empty)
    assert sorted(files(folder)) == sorted(
        n for n in MODES if n.startswith(("/usr/local/sbin/", "/etc/")))
    place.make("uninstall", "DESTDIR=" + folder, *empty)
    assert not files(folder)


def test_another_sysconfdir_builds_anew(place):
    built = " src/command/main.c"
    assert built not in place.make("-n", "all"), "it is built already"
    assert built in place.make("-n", "all", "sysconfdir=/other")


def test_install_strip(place):
    folder = place.sub("stripped")
    place.make("install-strip", "DESTDIR=" + folder)
    stripped = os.path.getsize(folder + PROGRAM)
    assert stripped < os.path.getsize(place.installed + PROGRAM)
    assert stripped < 512 << 10, "%d octets: it is to fit a router" % stripped
    place.run(folder + PROGRAM, "--version")


def test_dist_is_what_is_committed(place):
    if not os.path.exists(os.path.join(place.top, ".git")):
        return
    folder = place.sub("dist")
    place.make("dist", "BUILD=" + folder)
    (name,) = os.listdir(folder)
    listed = place.run("git", "-C", place.top, "ls-tree", "-r", "--name-only", "HEAD")
    with tarfile.open(os.path.join(folder, name)) as archive:
        packed = [m.name for m in archive.getmembers() if not m.isdir()]
    base = name[:-len(".tar.gz")]
    assert sorted(packed) == sorted("%s/%s" % (base, f) for f in listed.split("\n") if f)


def git(place, tree, *words, status=0):
    return place.run("git", "-C", tree, *words, status=status).strip()


def release(place, tree, status=0):
    """contrib/release there. What it is to build has been compiled for all cases: an
    object is taken from there where its source is the same, and linked anew."""
    with open(tree + ".cc", "w", encoding="ascii") as file:
        file.write("""#!/bin/sh
object= source= out=
for word; do
    case $word in
    -c) object=yes ;;
    *.c) source=$word ;;
    *.o) out=$word ;;
    esac
done
if [ -n "$object" ] && cmp -s "$source" "%s/$source"; then
    cp "%s/$out" "$out" && exit
fi
exec %s "$@"
""" % (place.top, place.top, os.environ.get("CC", "cc")))
    os.chmod(tree + ".cc", 0o755)
    return place.run(tree + "/contrib/release", status=status,
                     env=dict(os.environ, CC=tree + ".cc"))


def release_tree(place, name, heading="## %s (2026-01-02)", check="exit 0",
                 news="- What is new."):
    """A clone whose tests are done already, and its version."""
    tree = place.sub(name)
    # A tag of this very version may be there, where a release is tested.
    place.run("git", "clone", "-q", "--no-hardlinks", "--no-tags", place.top, tree)
    for what in ("name", "email"):
        git(place, tree, "config", "user." + what, "maintainer")
    with open(tree + "/Makefile", encoding="utf-8") as file:
        version = file.read().split("VERSION     := ")[1].split("\n")[0]
    with open(tree + "/CHANGES.md", "w", encoding="utf-8") as file:
        file.write("# Changes\n\n%s\n\n%s\n\n## 0.0.1\n\n- What was.\n" % (
            heading.replace("%s", version), news))
    with open(tree + "/.ci/run", "w", encoding="utf-8") as file:
        file.write("#!/bin/sh\n%s\n" % check.replace("%s", tree))
    git(place, tree, "commit", "-qam", "release")
    return tree, version


def test_a_release_stops_where_something_is_off(place):
    """Before anything is built, where that can be seen."""
    if not os.path.exists(os.path.join(place.top, ".git")):
        return

    def stops(tree, words):
        said = release(place, tree, status=1)
        assert words in said, said
        assert not git(place, tree, "tag", "--points-at", "HEAD")
        assert not os.path.exists(tree + "/build"), os.listdir(tree + "/build")

    stops(release_tree(place, "unreleased", "## %s (unreleased)")[0], "(YYYY-MM-DD)")
    stops(release_tree(place, "other-version", "## 77.0.1 (2026-01-02)")[0],
          'begins with "## 77.0.1 (2026-01-02)", not with "## ')
    stops(release_tree(place, "no-news", news="")[0], "says nothing of")
    tree, version = release_tree(place, "off")
    git(place, tree, "tag", "v" + version, "HEAD^")
    stops(tree, "there is a tag v" + version)
    git(place, tree, "tag", "-d", "v" + version)
    git(place, tree, "config", "user.name", "")
    stops(tree, "set user.name")
    with open(tree + "/new-file", "w", encoding="utf-8") as file:
        file.write("not known to git\n")
    stops(tree, "not all is committed")


def test_a_release_needs_passing_tests(place):
    if not os.path.exists(os.path.join(place.top, ".git")):
        return
    tree, _ = release_tree(place, "failing", check="exit 1")
    assert "the tests fail" in release(place, tree, status=1)
    assert not git(place, tree, "tag", "--points-at", "HEAD")


def test_a_release_is_one_command(place):
    """What is tagged and packed is what was tested, whatever comes meanwhile."""
    if not os.path.exists(os.path.join(place.top, ".git")):
        return
    tree, version = release_tree(
        place, "release", check="echo later >%s/CHANGES.md\n"
        "git -C %s commit -qam 'while the tests run'")
    commit = git(place, tree, "rev-parse", "HEAD")
    out = release(place, tree)
    assert commit != git(place, tree, "rev-parse", "HEAD"), "the tests did not run"
    assert git(place, tree, "describe", commit) == "v" + version, out
    name = "odmr-agent-%s" % version
    place.run("sh", "-c", "cd %s/build && sha256sum -c %s.tar.gz.sha256" % (tree, name))
    with open("%s/build/%s.changes.md" % (tree, name), encoding="utf-8") as file:
        assert file.read().strip() == "- What is new."
    packed = place.run("sh", "-c", "gzip -dc <%s/build/%s.tar.gz | "
                       "git get-tar-commit-id" % (tree, name))
    assert packed.strip() == commit
    git(place, tree, "checkout", "-q", commit)
    assert "there is a tag" in release(place, tree, status=1)
