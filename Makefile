# Portal's build. `make help` lists the targets; vendor/README.md says where the libraries come from.
#
# Everything made lies under build/: <variant>/ (programs, objects), gen/ (generated sources),
# deps/ and lib/portal/ (libraries that this system does not package). Variants: release, test
# (ASan, UBSan, injected faults), fuzz (clang, libFuzzer); CC=clang has directories of its own.

ifeq ($(origin CC),default)
CC := gcc
endif
PREFIX ?= /usr/local
VARIANT ?= release
FUZZ_SECONDS ?= 5
export CC FUZZ_SECONDS TESTS

# All cores, unless -j was given.
ifeq ($(MAKELEVEL)$(filter -j%,$(MAKEFLAGS)),0)
MAKEFLAGS += -j$(shell nproc)
endif

PORTAL_VERSION := 0.1.0
PORTAL_COMMIT ?= $(shell git describe --always --dirty --tags 2>/dev/null || echo unknown)
COMPILER := $(if $(findstring clang,$(notdir $(CC))),clang,gcc)

# ---- flags ----------------------------------------------------------------------------------

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Werror
CPPFLAGS_ALL := -D_GNU_SOURCE -Isrc -Ibuild -isystem build/deps/usr/include \
	-isystem /usr/include/postgresql -isystem /usr/include/lua5.1
CFLAGS_ALL := -std=gnu11 -g $(WARNINGS) -fno-omit-frame-pointer -fno-common
# Programs look for their own libraries in ../lib/portal: build/lib/portal here, PREFIX/lib/portal
# once installed.
LDFLAGS_ALL := -Lbuild/lib/portal -Wl,--as-needed -Wl,-rpath,'$$ORIGIN/../lib/portal'
LIBS := -luv -lhiredis -lpq -lsodium -lmbedtls -lmbedx509 -lmbedcrypto -lwslay -l:libllhttp.a \
	-lyyjson -lm

SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all
FLAGS_release := -O2 -fno-plt -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE \
	-ffunction-sections -fdata-sections
LINK_release := -pie -Wl,-z,relro,-z,now -Wl,--gc-sections
FLAGS_test := -O1 -DPORTAL_FAULTS $(SANITIZE)
LINK_test := $(SANITIZE)
FLAGS_fuzz := -O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
LINK_fuzz := -fsanitize=address,undefined

ifeq ($(VARIANT),fuzz)
override CC := clang
B := build/fuzz
else
B := build/$(VARIANT)$(if $(filter clang,$(COMPILER)),-clang)
endif
COMPILE = $(CC) $(CPPFLAGS_ALL) $(CPPFLAGS) $(CFLAGS_ALL) $(FLAGS_$(VARIANT)) $(CFLAGS) -MMD -MP -c
LINK = $(CC) $(CFLAGS_ALL) $(FLAGS_$(VARIANT)) $(LINK_$(VARIANT)) $(LDFLAGS_ALL) $(LDFLAGS)
# Programs a level further down (tests) find the libraries by their full path.
RPATH_TREE := -Wl,-rpath,$(CURDIR)/build/lib/portal

ifndef V
.SILENT:
say = @echo "  $(1)"
endif

# ---- what is built from what ------------------------------------------------------------------

MAINS := src/main.c src/ctl/main.c
SOURCES := $(sort $(shell find src -name node_modules -prune -o -name '*.c' -print))
SCHEMA_FILES := $(sort $(wildcard schema/*.sql schema/redis/*.lua))
WEB_NPM := src/web/node_modules
WEB_FILES := $(sort $(wildcard src/web/*.html src/web/*.css src/web/*.js src/web/*.svg)) \
	$(WEB_NPM)/socket.io-client/dist/socket.io.esm.min.js $(WEB_NPM)/tweetnacl/nacl-fast.min.js
LIBRARY := $(B)/libportal.a
LIBRARY_OBJECTS := $(patsubst %.c,$(B)/obj/%.o,$(filter-out $(MAINS),$(SOURCES))) \
	$(B)/obj/gen/schema.o $(B)/obj/gen/web.o
# The engine without stores and handlers, for programs that test protocols.
ENGINE := $(B)/libengine.a
ENGINE_OBJECTS := $(patsubst %.c,$(B)/obj/%.o,$(filter src/base/% src/wire/% src/io/% src/hub/%,$(SOURCES)))
PROGRAMS := $(if $(wildcard src/main.c),$(B)/portald) $(if $(wildcard src/ctl/main.c),$(B)/portalctl)

UNIT_SOURCES := $(sort $(wildcard test/unit/test_*.c))
UNIT_HELPERS := $(sort $(filter-out $(UNIT_SOURCES),$(wildcard test/unit/*.c)))
UNIT_PROGRAMS := $(patsubst test/unit/%.c,$(B)/unit/%,$(UNIT_SOURCES))
UNIT_HELPER_OBJECTS := $(patsubst %.c,$(B)/obj/%.o,$(UNIT_HELPERS))
FUZZ_PROGRAMS := $(patsubst test/fuzz/%.c,$(B)/%,$(sort $(wildcard test/fuzz/fuzz_*.c)))
CONFORMANCE_PROGRAMS := $(patsubst test/conformance/%.c,$(B)/conformance/%,\
	$(sort $(wildcard test/conformance/*.c)))
PEER_PROGRAMS := $(patsubst test/server/%.c,$(B)/server/%,$(sort $(wildcard test/server/*.c)))
# Two programs of one folder: what proves a history (check*.c), and what makes one. The clients and their
# histogram are an archive of their own, for benchmarks.
CLIENT := $(B)/libclient.a
CLIENT_OBJECTS := $(patsubst %.c,$(B)/obj/%.o,$(sort $(wildcard test/load/client*.c test/load/hist.c)))
CHECK_OBJECTS := $(patsubst %.c,$(B)/obj/%.o,$(sort $(wildcard test/load/check*.c)))
LOAD_OBJECTS := $(filter-out $(CLIENT_OBJECTS) $(CHECK_OBJECTS),\
	$(patsubst %.c,$(B)/obj/%.o,$(sort $(wildcard test/load/*.c))))
SIM_OBJECTS := $(patsubst %.c,$(B)/obj/%.o,$(filter-out test/sim/pairs.c,$(sort $(wildcard test/sim/*.c))))
LOAD_PROGRAMS := $(if $(LOAD_OBJECTS),$(B)/portal-load) $(if $(CHECK_OBJECTS),$(B)/portal-check)

BENCH_PROGRAMS := $(patsubst test/bench/%.c,$(B)/bench/%,$(sort $(wildcard test/bench/*.c)))

DEPS_BUILD := build/stamp/build
GENERATED := build/gen/version.h build/gen/schema.h build/gen/web.h

.PHONY: build programs install-programs image-root image-test units fuzzers conformance peers loaders benchers bots deps \
	run test unit server-test soak browser-test fuzz lint format docs docs-check bench bench-growth bench-overload bench-quick install \
	clean help FORCE
.DEFAULT_GOAL := build
.DELETE_ON_ERROR:

build: $(DEPS_BUILD) ## build portald and portalctl (VARIANT=release|test, CC=gcc|clang)
	+$(MAKE) --no-print-directory programs
programs: $(PROGRAMS)
units: $(UNIT_PROGRAMS)
fuzzers: $(FUZZ_PROGRAMS)
conformance: $(CONFORMANCE_PROGRAMS)
peers: $(PEER_PROGRAMS)
loaders: $(LOAD_PROGRAMS)
benchers: $(BENCH_PROGRAMS)
simulator: $(B)/sim/sim $(B)/sim/pairs

$(B)/portald: $(B)/obj/src/main.o $(LIBRARY)
	$(call say,link $@)
	$(LINK) -o $@ $^ $(LIBS)

$(B)/portalctl: $(B)/obj/src/ctl/main.o $(LIBRARY)
	$(call say,link $@)
	$(LINK) -o $@ $^ $(LIBS)

$(UNIT_PROGRAMS): $(B)/unit/%: $(B)/obj/test/unit/%.o $(UNIT_HELPER_OBJECTS) $(LIBRARY)
	$(call say,link $@)
	mkdir -p $(@D)
	$(LINK) $(RPATH_TREE) -o $@ $^ $(LIBS) -lcmocka

# What the tests of the load programs are about.
$(B)/unit/test_load_check $(B)/unit/test_load_meet: $(patsubst %,$(B)/obj/test/load/check_%.o,prove lines meet)
$(B)/unit/test_load_client: $(CLIENT)
# All statements, not only those of functions that are called.
$(B)/unit/test_statements: private LDFLAGS += $(filter $(B)/obj/src/store/%,$(LIBRARY_OBJECTS))

$(FUZZ_PROGRAMS): $(B)/%: $(B)/obj/test/fuzz/%.o $(LIBRARY)
	$(call say,link $@)
	$(LINK) -fsanitize=fuzzer -o $@ $^ $(LIBS)

$(CONFORMANCE_PROGRAMS): $(B)/conformance/%: $(B)/obj/test/conformance/%.o $(ENGINE)
	$(call say,link $@)
	mkdir -p $(@D)
	$(LINK) $(RPATH_TREE) -o $@ $^ $(LIBS)

# Clients of server tests that node cannot be.
$(PEER_PROGRAMS): $(B)/server/%: $(B)/obj/test/server/%.o
	$(call say,link $@)
	mkdir -p $(@D)
	$(LINK) -o $@ $^

$(B)/portal-load: $(LOAD_OBJECTS) $(CLIENT) $(ENGINE)
	$(call say,link $@)
	$(LINK) -o $@ $^ $(LIBS)

$(B)/portal-check: $(CHECK_OBJECTS) $(ENGINE)
	$(call say,link $@)
	$(LINK) -o $@ $^ $(LIBS)

$(BENCH_PROGRAMS): $(B)/bench/%: $(B)/obj/test/bench/%.o $(CLIENT) $(ENGINE)
	$(call say,link $@)
	mkdir -p $(@D)
	$(LINK) $(RPATH_TREE) -o $@ $^ $(LIBS)
$(B)/sim/sim: $(SIM_OBJECTS)
	$(call say,link $@)
	mkdir -p $(@D)
	$(LINK) -o $@ $^ -llua5.1 -lm
$(B)/sim/pairs: $(B)/obj/test/sim/pairs.o
	$(call say,link $@)
	mkdir -p $(@D)
	$(LINK) -o $@ $^ -lhiredis -lm

# Made anew each time: an archive keeps the members of deleted sources otherwise. The list of its
# members is a prerequisite, so that a deleted source counts as a change.
$(LIBRARY): $(LIBRARY_OBJECTS) $(B)/library.list
	rm -f $@
	ar rcs $@ $(LIBRARY_OBJECTS)
$(ENGINE): $(ENGINE_OBJECTS) $(B)/engine.list
	rm -f $@
	ar rcs $@ $(ENGINE_OBJECTS)
$(CLIENT): $(CLIENT_OBJECTS)
	rm -f $@
	ar rcs $@ $^
$(B)/library.list: FORCE
	mkdir -p $(@D)
	echo $(LIBRARY_OBJECTS) | cmp -s - $@ || echo $(LIBRARY_OBJECTS) >$@
$(B)/engine.list: FORCE
	mkdir -p $(@D)
	echo $(ENGINE_OBJECTS) | cmp -s - $@ || echo $(ENGINE_OBJECTS) >$@

# Compiled again when the flags change.
$(B)/flags: FORCE
	mkdir -p $(@D)
	echo "$(COMPILE) $(LINK)" | cmp -s - $@ || echo "$(COMPILE) $(LINK)" >$@

$(B)/obj/%.o: %.c $(B)/flags | $(GENERATED)
	$(call say,cc   $<)
	mkdir -p $(@D)
	$(COMPILE) -o $@ $<

$(B)/obj/gen/schema.o: build/gen/schema.c $(SCHEMA_FILES) $(B)/flags
	mkdir -p $(@D)
	$(COMPILE) -o $@ $<

$(B)/obj/gen/web.o: build/gen/web.c $(B)/flags
	mkdir -p $(@D)
	$(COMPILE) -o $@ $<

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)

# ---- generated sources ----------------------------------------------------------------------

build/gen/schema.c build/gen/schema.h &: vendor/schema.sh $(SCHEMA_FILES) build/gen/schema.list
	sh vendor/schema.sh build/gen $(SCHEMA_FILES)
build/gen/schema.list: FORCE
	mkdir -p $(@D)
	echo $(SCHEMA_FILES) | cmp -s - $@ || echo $(SCHEMA_FILES) >$@

build/gen/web.c build/gen/web.h &: vendor/web.sh $(WEB_FILES) build/gen/web.list
	sh vendor/web.sh build/gen $(WEB_FILES)
build/gen/web.list: FORCE
	mkdir -p $(@D)
	echo $(WEB_FILES) | cmp -s - $@ || echo $(WEB_FILES) >$@
$(filter $(WEB_NPM)/%,$(WEB_FILES)): build/stamp/web

# The file changes only when the version does.
build/gen/version.h: FORCE
	mkdir -p $(@D)
	printf '#ifndef GEN_VERSION_H\n#define GEN_VERSION_H\n%s\n%s\n#endif\n' \
		'#define PORTAL_VERSION "$(PORTAL_VERSION)"' '#define PORTAL_COMMIT "$(PORTAL_COMMIT)"' \
		>$@.new; \
	if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

# ---- dependencies ---------------------------------------------------------------------------

# A stamp a group: nothing is asked of the package manager until the list changes.
deps: build/stamp/build build/stamp/web build/stamp/run build/stamp/test build/stamp/npm build/stamp/bots ## install what building, running and testing need
build/stamp/build build/stamp/run build/stamp/test build/stamp/bench build/stamp/image: build/stamp/%: vendor/packages.txt \
		vendor/pinned.txt vendor/deps.sh
	sh vendor/deps.sh $*
	mkdir -p $(@D)
	touch $@
# One after the other: the package manager has one lock.
build/stamp/run: | build/stamp/build
build/stamp/test: | build/stamp/run
build/stamp/bench: | build/stamp/npm
build/stamp/image: | build/stamp/run
# From npm, what a package-lock.json names: for the web client, the tests and the bots.
build/stamp/web: NPM_FOLDER := src/web
build/stamp/npm: NPM_FOLDER := test
build/stamp/bots: NPM_FOLDER := src/bots
build/stamp/web: src/web/package.json src/web/package-lock.json
build/stamp/npm: test/package.json test/package-lock.json
build/stamp/bots: src/bots/package.json src/bots/package-lock.json
build/stamp/web build/stamp/npm build/stamp/bots: | $(if $(shell command -v npm),,build/stamp/build)
	$(call say,npm    the packages of $(NPM_FOLDER) ($(NPM_FOLDER)/node_modules))
	mkdir -p $(@D)
	if ! (cd $(NPM_FOLDER) && npm ci --no-progress --loglevel=error) >build/$(@F)-packages.log 2>&1; then \
		grep -m 3 -E '^npm err' -i build/$(@F)-packages.log >&2; \
		echo "portal: npm could not fetch what $(NPM_FOLDER)/package-lock.json names; is there a network?" \
			"(all of its output: build/$(@F)-packages.log)" >&2; \
		exit 1; \
	fi
	touch $@
bots: build/stamp/bots ## install what the bots need (src/bots/node_modules)

# ---- run and test ---------------------------------------------------------------------------

SUB := +$(MAKE) --no-print-directory
TEST_BUILD := build/test$(if $(filter clang,$(COMPILER)),-clang)
WITH_STORES := exec env B=$(TEST_BUILD) test/dev/with-stores.sh

run: build/stamp/run ## build, start private stores and portald on 127.0.0.1:8080 (LISTEN=…), show demo codes
	$(SUB) VARIANT=release programs
	exec test/dev/run.sh build/release$(if $(filter clang,$(COMPILER)),-clang)

# Every test. Ends with one line: N passed, M failed.
test: deps ## everything: unit, sim, server, browser, fuzz, lint, documents (FUZZ_SECONDS=5 each)
	$(SUB) VARIANT=test programs units conformance peers loaders
	$(SUB) VARIANT=fuzz fuzzers
	$(SUB) VARIANT=release programs loaders simulator
	$(WITH_STORES) test/dev/test.sh unit sim server browser fuzz lint docs size

unit: build/stamp/test ## unit tests (cmocka, under ASan and UBSan)
	$(SUB) VARIANT=test units
	$(WITH_STORES) test/dev/test.sh unit

server-test: build/stamp/npm build/stamp/bots ## server tests (node) against real stores; TESTS='test/server/x.test.js …' for some
	$(SUB) VARIANT=test programs conformance peers loaders
	$(WITH_STORES) test/dev/test.sh server

soak: build/stamp/run build/stamp/npm ## half an hour of everything under chaos (SOAK_SECONDS=1800), release build; what is left of it: build/soak/
	$(SUB) VARIANT=release programs loaders
	exec env PORTALD=$(CURDIR)/build/release/portald PORTALCTL=$(CURDIR)/build/release/portalctl SOAK_KEEP=1 \
		SOAK_SECONDS=$(or $(SOAK_SECONDS),1800) node --test --test-reporter=spec test/server/soak.test.js

sim: build/stamp/test ## the matcher's scripts under a virtual clock: 10,000 seeds, planted faults
	$(SUB) VARIANT=release simulator
	exec env B=$(TEST_BUILD) test/dev/test.sh sim

browser-test: build/stamp/npm ## tests of the web client in Chromium; TESTS='test/browser/x.test.js …' for some
	$(SUB) VARIANT=test programs
	$(WITH_STORES) test/dev/test.sh browser

image-test: build/stamp/image ## the images of the Dockerfile, made and run without Docker (as root; debootstrap); minutes
	exec test/dev/image.sh

fuzz: build/stamp/test ## fuzzers, FUZZ_SECONDS each
	$(SUB) VARIANT=fuzz fuzzers
	exec test/dev/test.sh fuzz

lint: build/stamp/test $(GENERATED) ## format, include arrows, sizes, banned functions, clang-tidy, cppcheck, shellcheck
	test/lint/lint.sh

format: ## lay out the C sources (clang-format 14)
	find src test -path test/node_modules -prune -o -name '*.[ch]' -print | xargs clang-format -i

docs: $(DEPS_BUILD) ## write the generated documents anew
	$(SUB) VARIANT=release programs
	test/dev/docs.sh write build/release

docs-check: $(DEPS_BUILD)
	$(SUB) VARIANT=release programs
	test/dev/docs.sh check build/release

bench: build/stamp/bench ## the whole table against fastify and socket.io (medians of 3, pinned to cores); 15 minutes
	$(SUB) VARIANT=release programs loaders benchers simulator
	env B=build/release test/dev/with-stores.sh node test/bench/growth.mjs --write
	exec env B=build/release test/dev/with-stores.sh node test/bench/bench.mjs --write
bench-growth: build/stamp/bench ## how cost grows with members, sockets, people and rows (docs/growth.md)
	$(SUB) VARIANT=release programs benchers
	exec env B=build/release test/dev/with-stores.sh node test/bench/growth.mjs --write
bench-overload: build/stamp/bench ## five times the capacity for two minutes (docs/overload.md); fails when a limit is broken
	$(SUB) VARIANT=release programs benchers
	exec env B=build/release test/dev/with-stores.sh node test/bench/overload.mjs --write
bench-quick: build/stamp/bench ## the same in one short round, without growth; two minutes
	$(SUB) VARIANT=release programs loaders benchers simulator
	exec env B=build/release test/dev/with-stores.sh node test/bench/bench.mjs --quick

# ---- install and clean ------------------------------------------------------------------------

install-programs: build
	install -d $(DESTDIR)$(PREFIX)/bin
	install -s -m 755 $(B)/portald $(B)/portalctl $(DESTDIR)$(PREFIX)/bin
	if ls build/lib/portal/libyyjson.so.0 >/dev/null 2>&1; then \
		install -d $(DESTDIR)$(PREFIX)/lib/portal; \
		install -m 644 build/lib/portal/libyyjson.so.0 $(DESTDIR)$(PREFIX)/lib/portal; \
	fi
install: install-programs ## install under DESTDIR and PREFIX (/usr/local)
	install -d $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/man/man8 \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions
	$(B)/portalctl --man >$(DESTDIR)$(PREFIX)/share/man/man1/portalctl.1
	$(B)/portald --man >$(DESTDIR)$(PREFIX)/share/man/man8/portald.8
	$(B)/portalctl completion bash \
		>$(DESTDIR)$(PREFIX)/share/bash-completion/completions/portalctl
# All of an image (Dockerfile): the programs, and what they need from the system, in the root DESTDIR.
image-root: install-programs
	sh vendor/image.sh "$(DESTDIR)" "$(DESTDIR)$(PREFIX)/bin/portald" "$(DESTDIR)$(PREFIX)/bin/portalctl"

clean: ## remove what was built (not .portal/, not the unpacked libraries)
	rm -rf build/release build/release-clang build/test build/test-clang build/fuzz build/gen \
		build/cppcheck

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | \
		awk -F'\t' '{ printf "%-21s %s\n", $$1, $$2 }'
