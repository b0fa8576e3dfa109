# What `make lint` and `make analyze` run. Each source is looked at once until
# it changes; make -j looks at several.

first_of = $(firstword $(foreach tool,$(1),$(shell command -v $(tool))))
CLANG_FORMAT ?= $(or $(call first_of,clang-format-14 clang-format),clang-format)
CLANG_TIDY   ?= $(or $(call first_of,clang-tidy-14 clang-tidy),clang-tidy)
CPPCHECK     ?= cppcheck
SHELLCHECK   ?= shellcheck
MANDOC       ?= mandoc
# gcc alone has -fanalyzer; version 12 is the first to know enough of C.
ANALYZER     ?= gcc

empty :=
ROOM_HEADERS := (include|src)/($(subst $(empty) $(empty),|,$(strip $(ROOMS))))/
HEADERS   := $(sort $(wildcard $(ROOMS:%=include/%/*.h) $(ROOMS:%=src/%/*_private.h)))
FORMATTED := $(SRCS) $(HEADERS) $(sort $(wildcard test/*/*.[ch]))
# Scripts are found by their first line.
SCRIPTS   := $(shell find .ci contrib test systemd -type f -size -64k \
	-exec awk 'FNR == 1 && /^\#!.*[\/ ](ba|da)?sh( |$$)/ { print FILENAME } \
	{ nextfile }' {} + 2>/dev/null | sort)

# Not cppcheck's class "style", which contradicts KNF, and itself; a string may be
# looked at before the bound of what is taken of it; and that it does not look at
# every branch of a function is no finding.
CPPCHECK_FLAGS := --std=c11 --quiet --error-exitcode=1 --inline-suppr \
	--enable=warning,performance,portability \
	--suppress=arrayIndexThenCheck --suppress=normalCheckLevelMaxBranches

.PHONY: lint-format lint-cppcheck lint-shell lint-manual lint-tree lint-pure lint-circles lint-names lint-sources
lint: lint-format lint-tree lint-pure lint-circles lint-names lint-shell lint-manual lint-cppcheck lint-sources ## style, rooms, static checks
lint-sources: $(HEADERS:%.h=$(OUT)/%.alone) $(SRCS:%.c=$(OUT)/%.tidy)

analyze: $(SRCS:%.c=$(OUT)/%.analyzed) ## gcc -fanalyzer

# The layout is that of one version; another one has other ideas in some places,
# which are no fault of the tree. CI of a newer release says so and goes on.
FORMAT_VERSION := 14
lint-format:
	@case $$($(CLANG_FORMAT) --version) in \
	*" $(FORMAT_VERSION)."*) \
		$(CLANG_FORMAT) --dry-run -Werror $(FORMATTED) ;; \
	*) echo "SKIP lint-format: the layout is that of clang-format" \
		"$(FORMAT_VERSION), here is $$($(CLANG_FORMAT) --version)" ;; \
	esac

lint-tree:
	@test/lint/rooms
	@test/lint/rooms-mutants
	@test/lint/text
	@test/lint/shape
	@test/lint/words
	@test/lint/errors
	@test/lint/mutants

lint-pure: $(OUT)/libprotocol.a
	@test/lint/pure $(OUT)/libprotocol.a

# By the symbols of the objects; headers have no circles that these have not.
lint-circles: $(PROGRAM) $(PROVIDER)
	@test/lint/circles $(OUT)

# Names that C and POSIX take: see test/lint/standard.h. Nothing else is asked.
lint-names:
	@$(CC) $(ALL_CPPFLAGS) -std=c11 -w -fsyntax-only \
		-include test/lint/standard.h $(sort $(wildcard src/*/*.c test/*/*.c))

lint-shell:
	@$(if $(SCRIPTS),$(SHELLCHECK) $(SCRIPTS))

lint-manual:
	@$(MANDOC) -Tlint -W warning $(sort $(wildcard man/*.[58]))

lint-cppcheck:
	@$(CPPCHECK) $(CPPCHECK_FLAGS) -Iinclude -D_GNU_SOURCE src

# They depend on the object, which depends on the headers.
$(OUT)/%.tidy: %.c $(OUT)/%.o .clang-tidy
	@$(CLANG_TIDY) --quiet --header-filter='$(ROOM_HEADERS)' $< -- -std=c11 $(ALL_CPPFLAGS) >$@.log 2>&1 || \
		{ grep -E ': (warning|error):' $@.log; \
		echo "the way there: $@.log"; exit 1; }
	@mv $@.log $@

$(OUT)/%.analyzed: %.c $(OUT)/%.o
	@$(ANALYZER) $(ALL_CPPFLAGS) -std=c11 -O1 -fanalyzer -Werror \
		-c -o /dev/null $<
	@touch $@

$(OUT)/%.alone: %.h $(HEADERS)
	@mkdir -p $(@D)
	@$(CC) $(ALL_CPPFLAGS) -std=c11 $(WARNINGS) -Werror -fsyntax-only \
		-include $< -x c /dev/null
	@touch $@
