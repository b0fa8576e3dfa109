# odmr-agent: one plain GNU Makefile; `make help` lists the targets.

VERSION     := 0.1.0
prefix      ?= /usr/local
sbindir     ?= $(prefix)/sbin
mandir      ?= $(prefix)/share/man
docdir      ?= $(prefix)/share/doc/odmr-agent
sysconfdir  ?= /etc
localstatedir ?= /var
CC          ?= cc
PKG_CONFIG  ?= pkg-config
systemdunitdir ?= $(prefix)/lib/systemd/system
sysusersdir ?= $(prefix)/lib/sysusers.d
bashcompdir ?= $(prefix)/share/bash-completion/completions
INSTALL     ?= install
STRIP       ?= strip
INSTALL_PROGRAM ?= $(INSTALL) -m 755
INSTALL_DATA ?= $(INSTALL) -m 644
# PROFILE picks the flags and the folder: release, asan, coverage, fuzz.
PROFILE     ?= release
BUILD       ?= build
OUT         := $(BUILD)/$(PROFILE)

ROOMS  := $(shell sed -n 's/^\([a-z][a-z]*\) *|.*/\1/p' src/rooms)
PKGS   := openssl libcurl yaml-0.1
# NAME:VERSION:PACKAGE of Debian. OpenSSL 3.0 is the first with EVP_MD_get_size(),
# and can tell the end of TLS from a cut; CURLOPT_RESOLVE takes several addresses
# since 7.59.
NEEDED := openssl:3.0:libssl-dev libcurl:7.59:libcurl4-openssl-dev \
	yaml-0.1:0.1.4:libyaml-dev

# A flag is used where the compiler has it: $(call cc_has,FLAG)
cc_has = $(shell $(CC) $(1) -Werror -x c -c /dev/null -o /dev/null 2>/dev/null && echo '$(1)')

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion \
	-Wformat=2 -Wundef -Wvla -Wwrite-strings -Wcast-qual -Wcast-align \
	-Wpointer-arith -Wstrict-prototypes -Wmissing-prototypes \
	-Wold-style-definition -Wredundant-decls -Wswitch-enum \
	-Wimplicit-fallthrough -Wnull-dereference -Wdouble-promotion
# CI turns warnings into errors; a user's newer compiler must not. The sanitizers
# hide from gcc the ranges that it warns about, so it is the release build that
# is judged.
ifeq ($(CI)$(filter asan,$(PROFILE)),true)
WARNINGS += -Werror
endif

# -Os: time goes into system calls and OpenSSL, and a router counts octets.
# Unwind tables are for exceptions and in-process traces; -g has what gdb needs.
# A packager's own level of _FORTIFY_SOURCE would be a second definition of it.
HARDENING_release := -Os -fno-asynchronous-unwind-tables \
	$(if $(findstring _FORTIFY_SOURCE,$(CFLAGS)),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3) \
	-fstack-protector-strong -fstack-clash-protection \
	$(call cc_has,-fcf-protection=full) \
	$(call cc_has,-ftrivial-auto-var-init=zero) -ffunction-sections \
	-fdata-sections
HARDENING_asan := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined \
	-fno-sanitize-recover=undefined
HARDENING_coverage := -O0 --coverage
# As ASan, so that a broken promise is seen where it is broken.
HARDENING_fuzz := $(HARDENING_asan) -fsanitize=fuzzer-no-link
# Tables of pointers without 24 octets of relocation for each, where the linker and
# the C library know how. GNU ld that does not for a processor says that it ignores
# this, which --fatal-warnings does not count: so not a word may be said.
PACKED := $(shell $(CC) $(CPPFLAGS) test/packed.c -fPIE -pie $(LDFLAGS) \
	-Wl,-z,pack-relative-relocs -o /dev/null 2>&1 | grep -q . || \
	echo -Wl,-z,pack-relative-relocs)
LINKING_release := -Wl,-z,relro,-z,now,-z,noexecstack,--as-needed \
	-Wl,--gc-sections $(PACKED)
LINKING_asan := -fsanitize=address,undefined
LINKING_fuzz := $(LINKING_asan)
LINKING_coverage := --coverage -Wl,--wrap=_exit

# Counters of 64 bits that two processes share: some processors of 32 bits, as mipsel, have
# them in a library.
ATOMIC := $(shell printf '_Atomic long long n; int main(void) { return (int)n++; }' | \
	$(CC) $(CFLAGS) -x c - -o /dev/null 2>/dev/null || echo -latomic)
PROVIDER_LIBS := -lcrypt $(ATOMIC)

PKG_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(PKGS) 2>/dev/null)
PKG_LIBS   := $(shell $(PKG_CONFIG) --libs $(PKGS) 2>/dev/null)

# Assertions stay in release builds: a broken invariant must end the session,
# which loses nothing, and never go on.
# 32 bits: times after 2038, files over 2 GiB (src/base/timestamp.c asks for it).
ALL_CPPFLAGS := -Iinclude -D_GNU_SOURCE -D_TIME_BITS=64 -D_FILE_OFFSET_BITS=64 \
	-DODMR_VERSION='"$(VERSION)"' \
	-DODMR_SYSCONFDIR='"$(sysconfdir)"' \
	-DODMR_LOCALSTATEDIR='"$(localstatedir)"' $(PKG_CFLAGS) $(CPPFLAGS)
ALL_CFLAGS := -std=c11 -g $(WARNINGS) $(HARDENING_$(PROFILE)) -fPIE $(CFLAGS)
ALL_LDFLAGS := -pie $(LINKING_$(PROFILE)) $(LDFLAGS)

PROGRAM := $(OUT)/odmr-agent
SRCS    := $(sort $(wildcard $(ROOMS:%=src/%/*.c)))
MAIN    := src/command/main.c
# The other half: joins customers with Postfix.
PROVIDER := $(OUT)/odmr-provider
PROVIDER_MAIN := src/provider/provider_main.c
reversed = $(if $(1),$(call reversed,$(wordlist 2,999,$(1))) $(firstword $(1)))
# From the top down, each needing only those after it.
LINK_LIBS := $(foreach room,$(call reversed,$(ROOMS)),$(OUT)/lib$(room).a) \
	$(if $(filter coverage,$(PROFILE)),$(OUT)/test/coverage_exit.o)
objs_of = $(patsubst %.c,$(OUT)/%.o,$(filter-out $(MAIN) $(PROVIDER_MAIN),$(wildcard src/$(1)/*.c)))

UNIT_SRCS  := $(sort $(wildcard test/unit/*_test.c))
UNIT_TESTS := $(UNIT_SRCS:test/unit/%.c=$(OUT)/test/unit/%)

FUZZ_SRCS    := $(sort $(wildcard test/fuzz/*_fuzz.c))
FUZZ_TARGETS := $(FUZZ_SRCS:test/fuzz/%.c=$(OUT)/test/fuzz/%)
# libFuzzer brings its own main; without it each target replays files.
FUZZ_MAIN    := $(if $(filter fuzz,$(PROFILE)),,$(OUT)/test/fuzz/replay.o)
FUZZ_LINKING := $(if $(filter fuzz,$(PROFILE)),-fsanitize=fuzzer)
# For each target.
FUZZ_SECONDS ?= 600

.PHONY: all check integration fuzz bench bench-check bench-floors trips size lint analyze demo deps install \
	uninstall dist openwrt deb clean help unit-tests fuzz-targets fuzz-replay model mutants \
	torture torture-tools property coverage growth
all: $(PROGRAM) $(PROVIDER)	## build the programs

help:			## list the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST)

$(PROGRAM): $(MAIN:%.c=$(OUT)/%.o) $(LINK_LIBS)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS)

# crypt(3) is the C library's, in a file of its own.
$(PROVIDER): $(PROVIDER_MAIN:%.c=$(OUT)/%.o) $(LINK_LIBS)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS) $(PROVIDER_LIBS)

define archive
$(OUT)/lib$(1).a: $(call objs_of,$(1))
	@rm -f $$@
	$$(AR) rcs $$@ $$^
endef
$(foreach room,$(ROOMS),$(eval $(call archive,$(room))))

# Paths are compiled in: `make install sysconfdir=...` must not install a program
# that looks elsewhere. The name tells what the objects were built for.
BUILT_FOR := $(OUT)/built-for$(subst /,-,$(sysconfdir)$(localstatedir))-$(VERSION)
$(BUILT_FOR):
	$(if $(filter command,$(origin PKG_LIBS)),,@PKG_CONFIG='$(PKG_CONFIG)' test/needed $(NEEDED))
	@mkdir -p $(@D)
	@rm -f $(OUT)/built-for-*
	@touch $@

$(OUT)/%.o: %.c Makefile $(BUILT_FOR)
	@mkdir -p $(@D)
	$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# Tables of cases leave out what is zero.
$(UNIT_TESTS:=.o): ALL_CFLAGS += -Wno-missing-field-initializers
# cmocka 2 deprecates names in whose place version 1 has none.
$(UNIT_TESTS:=.o): ALL_CFLAGS += -Wno-deprecated-declarations

$(OUT)/test/unit/%: $(OUT)/test/unit/%.o $(LINK_LIBS)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS) $(PROVIDER_LIBS) -lcmocka

unit-tests: $(UNIT_TESTS)

check: $(UNIT_TESTS)	## unit tests of this PROFILE
	@test/unit/run $(UNIT_TESTS)

integration: $(PROGRAM)	## integration tests of this PROFILE
	@test/integration/run --agent $(PROGRAM)

demo:			## fetch from a provider on this machine, to see it work
	@contrib/demo

deps:			## install what building and testing need
	@test/install-deps

$(OUT)/test/fuzz/%: $(OUT)/test/fuzz/%.o $(FUZZ_MAIN) $(LINK_LIBS)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $(FUZZ_LINKING) -o $@ $^ $(PKG_LIBS) $(PROVIDER_LIBS)

fuzz-targets: $(FUZZ_TARGETS)

fuzz:			## feed every parser with hostile octets, by clang
	@$(MAKE) PROFILE=fuzz CC=clang fuzz-targets
	@test/fuzz/run $(BUILD)/fuzz $(FUZZ_SECONDS) \
	    $(FUZZ_SRCS:test/fuzz/%.c=%)

fuzz-replay:		## what fuzzing found and was given, with ASan
	@$(MAKE) PROFILE=asan fuzz-targets
	@test/fuzz/replay $(BUILD)/asan/test/fuzz $(FUZZ_SRCS:test/fuzz/%.c=%)

# What goes on for ever, in full: test/unit/effort.h.
MODELS := ledger_model asking history_json
model: $(MODELS:%=$(OUT)/test/unit/%_test)	## models and simulations in full (minutes)
	@ODMR_EFFORT=full test/unit/run $^

TORTURE_TOOLS := $(OUT)/test/torture/steps $(OUT)/test/torture/nomem.so

$(OUT)/test/torture/steps: $(OUT)/test/torture/steps.o
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^

$(OUT)/test/torture/nomem.so: test/torture/nomem.c Makefile
	@mkdir -p $(@D)
	$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -fPIC -shared -o $@ $<

torture-tools: $(TORTURE_TOOLS)

# One thread, in which the agent's only wait moves the world and its clock.
PROPERTY_SRCS := $(sort $(wildcard test/property/*.c))
PROPERTY      := $(OUT)/test/property/property
PROPERTY_LINKING := -Wl,--wrap=clock_ms,--wrap=clock_unix_ms \
	-Wl,--wrap=deadline_wait,--wrap=deadline_wait_beside \
	-Wl,--wrap=log_say,--wrap=log_end

$(PROPERTY): $(PROPERTY_SRCS:%.c=$(OUT)/%.o) $(LINK_LIBS)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $(PROPERTY_LINKING) -o $@ $^ $(PKG_LIBS)

property: $(PROPERTY)	## the serve loop in random worlds (build)

torture: $(PROGRAM) $(TORTURE_TOOLS)	## break everything at every point (an hour or two)
	@$(MAKE) PROFILE=asan property
	@$(BUILD)/asan/test/property/property --seconds 1200
	@test/torture/run --agent $(PROGRAM) --tools $(OUT)/test/torture --full
	@ODMR_CUTS=100 test/integration/run --agent $(PROGRAM) cuts_at_any_octet

# What a killed or dying agent ran is not counted: gcov writes at exit.
coverage:		## which lines the tests run, by gcov
	@find $(BUILD)/coverage -name '*.gcda' -delete 2>/dev/null || true
	@$(MAKE) PROFILE=coverage check
	@$(MAKE) PROFILE=coverage integration
	@test/coverage $(BUILD)/coverage

mutants:		## faults made by hand: each must make a test fail
	@test/torture/mutants/run

include test/lint/lint.mk
include install.mk

BENCH_TOOLS := $(patsubst %,$(OUT)/test/bench/%,provider floor measure relay spawns)

# All that the agent has, also what is not called.
$(OUT)/test/bench/floor: ALL_LDFLAGS += -Wl,--no-as-needed

$(BENCH_TOOLS): %: %.o
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS)

bench: $(PROGRAM) $(BENCH_TOOLS)	## how fast it is, and what it takes
	@test/bench/run --agent $(PROGRAM) --tools $(OUT)/test/bench

bench-floors: $(PROGRAM) $(BENCH_TOOLS)	## the same next to the least that will do
	@test/bench/floors --agent $(PROGRAM) --tools $(OUT)/test/bench

bench-check: $(PROGRAM)		## what a message costs, against the table
	@test/bench/check --agent $(PROGRAM)

trips: $(PROGRAM)		## round trips of a session, against the least
	@test/bench/trips --agent $(PROGRAM)

growth: $(PROGRAM)	## what the agent spends on twice as much of something
	@test/bench/growth.py --agent $(PROGRAM)

$(PROGRAM).stripped: $(MAIN:%.c=$(OUT)/%.o) $(LINK_LIBS)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -s -Wl,-Map=$(PROGRAM).map -o $@ $^ $(PKG_LIBS)

size: $(PROGRAM).stripped	## what takes room in odmr-agent
	@test/bench/size $< $(PROGRAM).map

clean:			## remove what was built
	rm -rf $(BUILD)

-include $(SRCS:%.c=$(OUT)/%.d) $(UNIT_SRCS:%.c=$(OUT)/%.d)
-include $(PROPERTY_SRCS:%.c=$(OUT)/%.d)
-include $(FUZZ_SRCS:%.c=$(OUT)/%.d) $(OUT)/test/fuzz/replay.d
