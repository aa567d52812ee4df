# Aliases only. Everything happens in .venv, which these targets make themselves.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin

.PHONY: install demo tour test check types lint contracts schema tables zones bench abuse proto simulate planted drills sabotage size model conformance fuzz mutants lock sbom wheel supply clean

install: $(VENV)/.installed

$(VENV)/.installed: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(RUN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(RUN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	touch $@

demo: install ## a complete hotline on this machine: keys, three relays, two capitals, a relay killed, ledgers verified
	$(RUN)/hotline demo

tour: install ## docs/tour.md, an invented day on the line: every command typed, every print compared
	$(RUN)/python -m tools.tour

# Where tests start daemons or need root: nobody else need collect thousands of others for them.
PROCESSES := tests/process tests/hotline/runtime/test_store.py tests/hotline/drill/test_namespaces.py

test: install ## lint, types, import contracts, generated code, every test
	$(MAKE) --no-print-directory check
	$(RUN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder -m "not process and not root" --ignore tests/process
	$(RUN)/python -m pytest -q -n 4 --dist loadfile -m "(process or root) and not alone" $(PROCESSES)
	$(RUN)/python -m pytest -q -m alone $(PROCESSES)

check: install ## everything that needs no test run
	$(MAKE) --no-print-directory -j 2 -O types lint contracts schema tables zones

types:
	$(RUN)/mypy

lint:
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .

contracts:
	$(RUN)/lint-imports --no-logo

schema:
	$(RUN)/buf lint proto
	$(RUN)/python tools/gen_proto.py --check

tables:
	$(RUN)/python tools/gen_tables.py --check

zones:
	$(RUN)/python tools/size.py --check

bench: install ## measure the product beside floors built from the same parts; writes build/bench.json
	$(RUN)/python -m benchmarks

abuse: install ## a FLASH while somebody floods a relay, beside the same without; writes build/abuse.json
	$(RUN)/python -m benchmarks.abuse

SEEDS ?= 200
STORMS ?= short
simulate: install ## short storms over SEEDS seeds, or STORMS=light; goes on where build/simulate-short.jsonl ends, which goes after a change of code
	mkdir -p build
	$(RUN)/python -m tests.simulator.run --seeds $(SEEDS) --$(STORMS) --results build/simulate-$(STORMS).jsonl
	$(RUN)/python -m tests.simulator.several

planted: install ## faults planted into the product: each must be seen by a judge
	$(RUN)/python -m tests.simulator.planted
	$(RUN)/python -m tests.simulator.plantedseveral

drills: install ## every drill of the library on this machine, two at a time; reports in build/drills
	rm -rf build/drills build/other
	$(RUN)/python -m tools.other build/other
	sync
	$(RUN)/hotline drill run --all --jobs 2 --again 3 --out build/drills --other build/other

sabotage: install ## every drill on daemons that lack a protection: each must turn red
	$(RUN)/python -m tests.sabotage.control

proto: install ## generate hotline/wire/v1 from proto/
	$(RUN)/python tools/gen_proto.py

size: install ## lines of code of each trusted zone, and what it stands on
	$(RUN)/python tools/size.py --check

model: install ## delivery, keys and takeovers, every state within larger bounds
	$(RUN)/python -m tests.model --large

conformance: install ## the published cases, answered by the product and by the oracle
	rm -rf build/conformance && mkdir -p build/conformance
	$(RUN)/hotline conformance questions build/conformance/questions
	$(RUN)/hotline conformance answer build/conformance/product
	$(RUN)/python -m tests.oracle build/conformance/questions build/conformance/oracle
	$(RUN)/hotline conformance run build/conformance/product
	$(RUN)/hotline conformance run build/conformance/oracle

MINUTES ?= 10
fuzz: install ## every parser and machine under mutated input
	$(RUN)/python -m tests.fuzz --minutes $(MINUTES)

SAMPLE ?= 400
SEED ?= 1
mutants: install ## the tests against SAMPLE altered programs
	$(RUN)/python -m tools.mutants --sample $(SAMPLE) --seed $(SEED)

lock: install ## write requirements.lock for pyproject.toml; needs pip-tools in .venv
	$(RUN)/python tools/lock.py

sbom wheel: install ## build/sbom.cdx.json; build/*.whl, from two places with the same bytes
	$(RUN)/python tools/supply.py $@

supply: install ## what is installed against the lock, every file against its hash, advisories where pip-audit is installed
	$(RUN)/python tools/supply.py check

clean:
	rm -rf $(VENV) build .pytest_cache .mypy_cache .ruff_cache .hypothesis
