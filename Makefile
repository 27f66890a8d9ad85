# make demo          the whole line on this machine, with a page to drive it, until Ctrl-C
# make demo CARS=20  the same without the page: 20 cars, the times of each step, and the end
# make test          lint, types, import rules and tests, and that the rules' own reach each branch of core/
# make integrations  the example flow in a real Node-RED, what is announced by Home Assistant's own schemas, and the
#                    dashboard by Grafana's types and on a real Prometheus
# make sim LIVES=3000 SEED=1   order lives in virtual time, faults on, invariants checked after every event
# make chaos         real processes that are killed, cut off and flooded, and what became of every payment
# make acceptance    PayBy's nine acceptance cases at full length, refusals unsigned and signed, and a table
# make mutation      does a test fail for every change of core/, except those that are listed with a reason?
# make counts        what a visit costs in messages, flushes, signatures and bytecodes, against what was recorded
# make bench         each step of a visit and the whole line, beside what else one could take and beside its floor
# make soak VISITS=10000   a week of a garage within an hour, faults on: does memory or anything else grow?
# make growth        what a visit costs by lanes, by watchers, and by visits in the journal
# make scale         a cell of many garages at real brokers and databases, two of which die: times, costs, and what is lost
# make deb           a Debian package and a wheelhouse in dist/, for RELEASE=bookworm or trixie
# make package-test  the same, then installed, upgraded and removed in clean roots of that release, and booted
# make fuzz          searches for bytes from outside that a decoder does not take or refuse as it should
# make audit         has a package that a garage installs a known hole? It says so if nobody could be asked
# make sbom          all of them with their hashes, as CycloneDX, into sbom.json
# make newest        the rules' and the drivers' tests on the newest Python that is here
# make faults        each fault that a lane must survive, with the tests that show it
# Each sets up what it needs: .venv from requirements.lock (all but the demo also from requirements-dev.lock), and Debian's
# packages (installed as root, otherwise named).

export PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
READY_DEV := .venv/.ready-dev
READY_AXE := .venv/.ready-axe
READY_FUZZ := .venv/.ready-fuzz
CARS ?=
PORT ?= 8000
ARGS ?=

# If Python kept nothing compiled, each of some hundred processes would compile the product again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
LIVES ?= 3000
SEED ?= 1
.PHONY: help demo test check-system lint types imports unit browser cluster integrations fuzz audit sbom sim chaos acceptance \
	faults coverage mutation \
	counts soak growth scale bench bench-mqtt bench-lcd bench-journal bench-flood bench-tariff bench-line bench-small bench-desk \
	lock clean deb wheelhouse package-test newest

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

demo: $(READY)
	@deploy/packages demo
	@$(BIN)/exit-terminal demo $(if $(CARS),--cars $(CARS),--port $(PORT))

test: check-system lint types imports unit coverage

check-system: $(READY_DEV)
	@deploy/packages test

lint: $(READY_DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY_DEV)
	$(BIN)/mypy

imports: $(READY_DEV)
	$(BIN)/lint-imports --no-logo

# The rules' own tests, which reach each branch of core/.
CORE_TESTS := $(addprefix tests/test_,allowance.py clock_turn.py coupon.py digests.py display.py events.py eventstore*.py foreign_ticket.py ids.py invoice.py money.py quote.py retention.py rules_*.py tariff.py tariff_[!p]*.py tariff_pricing.py ticket.py value.py)
coverage: $(READY_DEV)
	$(BIN)/python -m pytest -q -n 4 --dist worksteal --cov=terminal.core --cov-branch --cov-report=term-missing:skip-covered \
		--cov-fail-under=100 $(CORE_TESTS)

# All others, which wait more than they compute. `ARGS='-n 0 tests/test_rules_orders.py'` runs a file in this process.
unit: $(READY_DEV)
	$(BIN)/python -m pytest -n 4 --dist worksteal $(or $(ARGS),$(addprefix --ignore=,$(wildcard $(CORE_TESTS))))

# The demo's page and the operator's desk in a real browser, headless.
browser: $(READY_DEV) $(READY_AXE)
	@deploy/packages browser
	$(BIN)/python -m pytest tests/browser $(ARGS)

# What is larger than one machine, on Debian's RabbitMQ, Patroni and etcd: four minutes.
cluster: $(READY_DEV)
	@deploy/packages cluster
	$(BIN)/python -m pytest tests/cluster $(ARGS)

# Node-RED with the shipped flow, Home Assistant's own schemas of what it is told, Grafana's own types of a dashboard: each
# in an environment of its own.
NODE_RED := 4.1.15
READY_RED := .venv/node-red/.ready-$(NODE_RED)
READY_HA := .venv/home-assistant/.ready
READY_GRAFANA := .venv/grafana/.ready
integrations: $(READY_DEV) $(READY_RED) $(READY_HA) $(READY_GRAFANA)
	@deploy/packages test
	@deploy/packages integrations
	$(BIN)/python -m pytest tests/integrations $(ARGS)

$(READY_RED): $(READY)
	@deploy/packages integrations
	npm install --prefix .venv/node-red --no-audit --no-fund --silent node-red@$(NODE_RED)
	@touch $(READY_RED)

$(READY_HA): tests/integrations/home-assistant.txt $(READY)
	@test -x .venv/home-assistant/bin/python || $(PYTHON) -m venv .venv/home-assistant
	.venv/home-assistant/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r tests/integrations/home-assistant.txt
	@touch $(READY_HA)

$(READY_GRAFANA): tests/integrations/grafana.txt $(READY)
	@test -x .venv/grafana/bin/python || $(PYTHON) -m venv .venv/grafana
	.venv/grafana/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r tests/integrations/grafana.txt
	@touch $(READY_GRAFANA)

# By coverage where atheris has a wheel for this machine, otherwise by chance. `ARGS='--seconds 600 --target messages'`.
fuzz: $(READY_DEV) $(READY_FUZZ)
	$(BIN)/python -m tests.fuzz $(ARGS)
	HTTP_EXAMPLES=300 $(BIN)/python -m pytest -n 0 --timeout 3600 tests/test_http_descriptions.py

# Order lives in virtual time. `ARGS=--real` has real signatures, SQLite and PayBy client.
sim: $(READY_DEV)
	PYTHONHASHSEED=0 $(BIN)/python -m tests.sim --lives $(LIVES) --seed $(SEED) $(ARGS)

chaos acceptance faults: $(READY_DEV)
	@deploy/packages test
	$(BIN)/python -m tests.$@ $(ARGS)

# The rules' tests, and those of drivers, configuration and wire, on the newest Python of this machine, beside the
# environment: one of Debian's or of pyenv's.
NEWEST ?= $(firstword $(foreach name,3.14 3.13 3.12,$(shell for python in python$(name) $$HOME/.pyenv/versions/$(name).*/bin/python; do \
	$$python -c "print('$$python')" 2>/dev/null && break; done)) $(PYTHON))
READY_NEWEST := .venv-newest/.ready
newest: $(READY_NEWEST)
	.venv-newest/bin/python -m pytest -q -n 2 $(CORE_TESTS) $(wildcard $(addprefix tests/test_,panel.py panel_png.py panel_wire.py \
		framebuffer.py pins.py relay.py loops*.py scanner.py keyboard.py config_*.py signatures.py payby_[mrsv]*.py))

$(READY_NEWEST): requirements-dev.lock pyproject.toml
	@test -x .venv-newest/bin/python || $(NEWEST) -m venv .venv-newest
	.venv-newest/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --no-deps --require-hashes -r requirements-dev.lock
	.venv-newest/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(READY_NEWEST)

# The rules' tests against every change of core/ that mutmut's operators make: status 1 if a change survives that is not in
# tests/mutation/accepted.txt, or if one in it does not survive. `ARGS='--only rules/visits.py:end_visit'` takes a function or a file.
mutation: $(READY_DEV)
	PYTHONHASHSEED=0 $(BIN)/python -m tests.mutation $(ARGS) $(CORE_TESTS)

# Counts that are the same on every machine, within the bounds of tests/bench/bounds.txt. `ARGS=--write` records them.
counts: $(READY_DEV)
	@deploy/packages test
	$(BIN)/python -m tests.bench.counts $(ARGS)

# About four visits a second. `ARGS='--png soak.png'` draws it.
VISITS ?= 10000
soak: $(READY_DEV)
	@deploy/packages test
	$(BIN)/python -m tests.bench.soak --visits $(VISITS) $(ARGS)

# A million visits in a journal take half an hour and 7 GB: `ARGS='--visits 100000'` takes three minutes.
growth: $(READY_DEV)
	@deploy/packages test
	$(BIN)/python -m tests.bench.growth $(ARGS)

# A quarter of an hour; `ARGS=--quick` is a minute, of Mosquitto alone. RabbitMQ 4 runs in a root of the Debian release that has it,
# Patroni in an environment of its own, of Debian's Python, because the user postgres may not reach everybody's. The page's figures: `ARGS='--json deploy/cluster/scale.json --png deploy/pictures/scale.png'`.
READY_PATRONI := .venv/patroni/.ready
RABBITMQ := build/roots/rabbitmq
scale: $(READY_DEV) $(if $(findstring --quick,$(ARGS)),,$(READY_PATRONI) $(RABBITMQ))
	@deploy/packages test
	@$(if $(findstring --quick,$(ARGS)),,deploy/packages cluster)
	$(BIN)/python -m tests.scale $(ARGS)

$(READY_PATRONI): tests/scale/patroni.txt $(READY)
	@test -x .venv/patroni/bin/python || /usr/bin/python3 -m venv --without-pip .venv/patroni
	$(BIN)/python -m pip --python .venv/patroni/bin/python install --quiet --disable-pip-version-check --no-deps --require-hashes -r tests/scale/patroni.txt
	@touch $(READY_PATRONI)

$(RABBITMQ):
	@deploy/packages package
	mmdebstrap --quiet --variant=minbase --include=rabbitmq-server trixie $(RABBITMQ).part
	mv $(RABBITMQ).part $(RABBITMQ)

# Measurements: ratios in one interleaved run. They end with status 1 if a target is missed, and need a quiet machine.
bench-mqtt bench-lcd bench-journal bench-flood bench-tariff bench-line bench-small: bench-%: $(READY_DEV)
	$(BIN)/python -m tests.bench.$* $(ARGS)

# Fifty lanes in a real Chromium, and what the desk costs an idle lane.
bench-desk: $(READY_DEV)
	@deploy/packages test
	@deploy/packages browser
	$(BIN)/python -m tests.bench.desk $(ARGS)

# One table of everything beside its peers, which have an environment of their own. The pictures in deploy/pictures are
# drawn with `ARGS='--png deploy/pictures/bench.png'`.
READY_BENCH := .venv-bench/.ready
bench: $(READY_DEV) $(READY_BENCH)
	@deploy/packages test
	@deploy/packages bench
	$(BIN)/python -m tests.bench --json bench.json --png bench.png $(ARGS)

$(READY_BENCH): requirements-bench.lock
	@test -x .venv-bench/bin/python || $(PYTHON) -m venv .venv-bench
	.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-bench.lock
	@touch $(READY_BENCH)

# Both come from one run, in a root of the release, of requirements-pi.lock alone: dist/exit-terminal_*.deb and *-wheels.tar.
RELEASE ?= bookworm
deb wheelhouse:
	@deploy/packages package
	@deploy/debian/build $(RELEASE)

package-test: $(READY_DEV)
	@deploy/packages package
	@deploy/debian/build $(RELEASE)
	RELEASE=$(RELEASE) $(BIN)/python -m pytest -n 0 tests/package --timeout 2400 $(ARGS)

# What the product needs for a lane and `make demo`; and what developers need besides.
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps
$(READY): requirements.lock pyproject.toml
	@deploy/packages python
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(INSTALL) --require-hashes -r requirements.lock
	$(INSTALL) --no-build-isolation --editable .
	$(BIN)/python -m pip check --quiet --disable-pip-version-check
	@touch $(READY)

$(READY_DEV): requirements-dev.lock $(READY)
	$(INSTALL) --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip check --quiet --disable-pip-version-check
	@touch $(READY_DEV)

# axe-core, of a package that only carries it: beside the environment, not in it.
$(READY_AXE): tests/browser/axe.txt $(READY_DEV)
	$(INSTALL) --require-hashes --target .venv/axe --upgrade -r tests/browser/axe.txt
	@touch $(READY_AXE)

# atheris, beside the environment: it has wheels for some machines only, and is never compiled here.
$(READY_FUZZ): tests/fuzz/atheris.txt $(READY_DEV)
	-$(INSTALL) --only-binary :all: --require-hashes --target .venv/fuzz --upgrade -r tests/fuzz/atheris.txt
	@touch $(READY_FUZZ)

# `make audit LOCKS=requirements-dev.lock` asks about the developers' packages; `make sbom LOCKS=requirements-pi.lock`.
LOCKS ?=
audit: .audit/.ready $(READY_DEV)
	$(BIN)/python -m tests.audit $(LOCKS)

sbom: .audit/.ready $(READY_DEV)
	$(BIN)/python -m tests.audit --sbom sbom.json $(LOCKS)

.audit/.ready:
	@test -x .audit/bin/python || $(PYTHON) -m venv .audit
	.audit/bin/python -m pip install --quiet --disable-pip-version-check 'pip-audit>=2.7' 'cyclonedx-bom>=5'
	@touch .audit/.ready

# Newer versions of what we stand on: `make lock UPGRADE=--upgrade`, then `make test`, then commit the files.
UPGRADE ?=
COMPILE := CUSTOM_COMPILE_COMMAND="make lock" .lock/bin/pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options $(UPGRADE) pyproject.toml
lock:
	@test -x .lock/bin/pip-compile || { $(PYTHON) -m venv .lock && .lock/bin/pip install --quiet pip-tools; }
	$(COMPILE) --output-file requirements.lock
	$(COMPILE) --extra dev --output-file requirements-dev.lock
	$(COMPILE) --extra pi --output-file requirements-pi.lock
	$(COMPILE) --extra bench --output-file requirements-bench.lock

clean:
	rm -rf .venv .venv-bench .venv-newest .lock .audit build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
