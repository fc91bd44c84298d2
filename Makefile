# make run     build, and run the master with the built-in default
# make test    everything that can be checked on this machine
# make soak    new seeds for the simulation, for SOAK=10m
# make bench   ratios against what others do, measured in one run
# make lint    the formatter's rules, and the manual pages
# make format  apply the formatter
# make install binaries, manual pages, units, completions; honours DESTDIR and PREFIX
# make clean   remove what was built

SHELL := /bin/bash
PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
MANDIR ?= $(PREFIX)/share/man
DATADIR ?= $(PREFIX)/share
# Where systemd looks for units of the administrator or of a package.
UNITDIR ?= $(if $(filter /usr,$(PREFIX)),/lib/systemd/system,/etc/systemd/system)

release := swift build -c release --static-swift-stdlib
bin := .build/release
swift_files := find . -name '.build*' -prune -o -name '*.swift' -print0

.PHONY: run build test soak bench lint format install clean deps test-deps test-units test-simulation \
  test-system test-host test-systemd test-sanitizers

run: build
	@exec $(bin)/procctl run

build: deps
	@$(release)

deps:
	@packaging/dependencies

# What fails soonest comes first. Each step can be run by itself.
test: test-deps lint build test-simulation test-units test-system test-host test-systemd test-sanitizers
	@echo "== all checks passed"

test-deps:
	@echo "== dependencies"
	@packaging/dependencies test

lint:
	@echo "== lint"
	@$(swift_files) | xargs -0 swift format lint --strict
	@if command -v mandoc >/dev/null; then mandoc -T lint -W warning packaging/man/*.[15]; fi

# A process for each test target: what one does with children, signals and descriptors is its own
# affair, and the simulation computes without a pause while the others wait.
run_tests = PROCCTL=$(bin)/procctl Tests/run

# The whole engine in virtual time: 10,000 workers, of whom the master must not look at all for each
# of them (that would be tens of thousands of reads for a step), then thousands of seeds. That other
# processes come to the same runs is what lets a seed be replayed, so a few are run twice and compared.
test-simulation: build
	@echo "== simulation"
	@$(bin)/simulate --from 3 --seeds 1 --workers 10000 --max-reads 500
	@$(bin)/simulate --seeds 5000
	@digests=$$(for i in 1 2; do $(bin)/simulate --seeds 50 | grep -o 'digest .*'; done | sort -u); \
	  [ "$$(wc -l <<<"$$digests")" -eq 1 ] || { echo "the same seeds made different runs: $$digests" >&2; exit 1; }

SOAK ?= 10m
soak: build
	@$(bin)/simulate --for $(SOAK)

# Policies and parsers, and the simulation's own tests.
test-units: build
	@echo "== unit tests"
	@swift build --build-tests
	@failed=; for target in ProcCtlTests SystemdNotifyTests GracefulShutdownTests SupervisionTests \
	  RepositoryWorkerTests SimulationTests; do \
	  echo "-- $$target"; \
	  $(run_tests) 15m "^$$target\." || failed="$$failed $$target"; \
	done; \
	[ -z "$$failed" ] || { echo "failed, or took 15 minutes:$$failed" >&2; exit 1; }

# Real processes and real time limits, one at a time. What the real workers among them need is made once,
# outside the tree.
test-system: build
	@echo "== system tests"
	@swift build --build-tests
	@real=$$(Tests/SystemTests/RealWorkers/programs/prepare) && \
	  PROCCTL_REAL_WORKERS=$$real $(run_tests) 20m '^SystemTests\.' --no-parallel

test-host: build
	@if [ -d Tests/HostProgram ]; then \
	  echo "== the library inside another program" && \
	  swift build --package-path Tests/HostProgram --build-tests && \
	  PROCCTL=$$PWD/$(bin)/procctl Tests/run 10m '.' --package-path Tests/HostProgram; \
	fi
	@echo "== the example of adopting the libraries"
	@swift build --package-path Examples/adopting
	@Examples/check-readme
	@echo "== the example with a database"
	@$(bin)/procctl spawn --timeout 2m -- \
	  Examples/check-database Examples/adopting/.build/debug/database-server

test-systemd: build
	@if [ ! -e Tests/SystemTests/systemd/run-scenarios ]; then :; \
	elif [ "$$(id -u)" -ne 0 ]; then echo "== systemd: left out, it needs root"; \
	else echo "== systemd" && PROCCTL=$(bin)/procctl bash Tests/SystemTests/systemd/run-scenarios; fi

# Last: it builds all that it runs anew.
test-sanitizers: build
	@echo "== sanitizers"
	@$(bin)/procctl spawn --timeout 25m -- Tests/Sanitizers/run

bench: build
	@packaging/dependencies bench
	@python3 Benchmarks/run.py $(bin)/procctl

format:
	@$(swift_files) | xargs -0 swift format -i

# Without `build`: "sudo make install" must not leave a tree with root's files.
install:
	@test -x $(bin)/procctl -a -x $(bin)/repository-worker || { echo "run make build first" >&2; exit 1; }
	install -D -m 755 -s -t $(DESTDIR)$(BINDIR) $(bin)/procctl $(bin)/repository-worker
	install -D -m 644 -t $(DESTDIR)$(MANDIR)/man1 packaging/man/*.1
	install -D -m 644 -t $(DESTDIR)$(MANDIR)/man5 packaging/man/*.5
	@for unit in packaging/systemd/*.service packaging/systemd/*.socket; do \
	  if [ ! -e $$unit ]; then continue; fi; \
	  echo "install $$unit"; \
	  mkdir -p $(DESTDIR)$(UNITDIR) && \
	  sed 's|/usr/bin/procctl|$(BINDIR)/procctl|g' $$unit > $(DESTDIR)$(UNITDIR)/$${unit##*/} || exit 1; \
	done
	@for shell in bash:bash-completion/completions/procctl zsh:zsh/site-functions/_procctl \
	  fish:fish/vendor_completions.d/procctl.fish; do \
	  file=$(DESTDIR)$(DATADIR)/$${shell#*:}; \
	  echo "install $$file"; \
	  mkdir -p $${file%/*} && $(bin)/procctl --generate-completion-script $${shell%%:*} > $$file || exit 1; \
	done

clean:
	rm -rf .build .build-sanitizers .build-address .build-thread Examples/adopting/.build Tests/HostProgram/.build
