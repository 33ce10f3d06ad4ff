# make run       run everything on this machine at one address; Ctrl-C stops it, and the next start keeps the data;
#                RELEASE=anode lets the sandbox speak that release of FlatPeak's
# make test      run every test; TESTS="tests/test_run.py -x" selects some
# make torture   run every fault of FlatPeak, every race, 20,000 examples of hostile input, every journey on every screen,
#                and a crowd for five minutes
# make shots     take pictures of every page in every state, into var/shots, and join those of each language to sheets
# make scan      run third-party scanners: bandit on the code, the Nu HTML checker on the pages, wapiti on the app
# make bench     measure the speed as ratios, and write them into bench/README.md
# make containers  build and start the image and compose.yaml on a container engine of its own, upgrade and go back, and break
#                every part of it while customers come; needs root
# make messages  update the texts of all languages from the sources and compile them
# make lock      pin every package with its hashes, after a change of requirements.txt or requirements-dev.txt
# make lint      check formatting, style, types, imports, migrations and the deployment settings

VENV ?= .venv
# Exits with 0 if the Python is new enough. Even Python 2 must be able to parse it.
NEW_ENOUGH := -c 'import sys; sys.exit(sys.version_info < (3, 11))'
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p $(NEW_ENOUGH) 2>/dev/null && echo $$p && break; done)

.PHONY: messages run test torture scan shots bench lock lint containers

# With exec, a signal to the recipe's shell reaches the program itself.
run: $(VENV)/installed
	@exec $(VENV)/bin/python manage.py run_local $(if $(RELEASE),--release=$(RELEASE))

# COV=--cov also measures the coverage, which is too low if tests are skipped, for example without a browser.
test: $(VENV)/installed-dev
	@$(VENV)/bin/python -m pytest $(COV) -n auto --dist worksteal $(TESTS)

SHOTS := var/shots
shots: $(VENV)/installed-dev
	@rm -rf $(SHOTS)
	@SHOTS=$(SHOTS) $(VENV)/bin/python -m pytest -q -n auto $(or $(TESTS),tests/browser/test_states.py)
	@echo "$$(find $(SHOTS) -name '*.png' | wc -l) pictures are in $(SHOTS)."
	@$(VENV)/bin/python -m tests.sheets $(SHOTS)

# `make torture TORTURE_SEED=…` repeats a run with the same examples. The crowd uses SQLite, because it would fill the
# database in DATABASE_URL, while the tests create their own beside it.
TORTURE_SEED := $(or $(TORTURE_SEED),$(shell date +%s))
torture: $(VENV)/installed-dev
	@echo "TORTURE_SEED=$(TORTURE_SEED)"
	@TORTURE=1 TORTURE_SEED=$(TORTURE_SEED) $(VENV)/bin/python -m pytest \
		--hypothesis-seed=$(TORTURE_SEED) -n auto --dist worksteal \
		$(or $(TESTS),tests/test_faults.py tests/fuzz tests/races tests/browser tests/test_bench.py tests/test_contracts.py \
		tests/test_anode.py tests/test_raised_account.py tests/test_check_walk.py tests/test_addresses.py)
	@$(if $(TESTS),,env -u DATABASE_URL TORTURE_SEED=$(TORTURE_SEED) $(VENV)/bin/python -m bench load)

# The scanners and their folder; they need Java, npm and openssl.
WAPITI := wapiti3==3.2.3
VNU := vnu-jar@26.9.27
SCANNERS := var/scanners
PAGES := $(CURDIR)/var/pages
BANDIT := $(VENV)/bin/bandit -qrc pyproject.toml flatpeak_app connect_ui tariffs sandbox manage.py gunicorn.conf.py
scan: $(VENV)/installed-dev $(SCANNERS)/$(WAPITI) $(SCANNERS)/$(VNU)
	$(BANDIT)
	@rm -rf $(PAGES) && mkdir -p $(PAGES)
	@PAGES=$(PAGES) $(VENV)/bin/python -m pytest -q -n auto --dist worksteal \
		$(or $(TESTS),-m "not browser and not long")
	@echo "The Nu HTML checker looks at $$(ls $(PAGES) | wc -l) pages:"
	java -jar $(SCANNERS)/$(VNU)/node_modules/vnu-jar/build/dist/vnu.jar --format text \
		--filterpattern 'Bad value .* for attribute .value. on element .input.*|Saw U.0000 in stream.*' $(PAGES)
	$(VENV)/bin/python -m tests.scanners $(SCANNERS)/$(WAPITI)/bin/wapiti

# In its own virtual environment, because it pins other versions of the product's packages.
$(SCANNERS)/$(WAPITI):
	@"$(PYTHON)" -m venv $@ && $@/bin/python -m pip install -qq --disable-pip-version-check "$(WAPITI)" || { rm -rf $@; exit 1; }

$(SCANNERS)/$(VNU):
	@npm install --silent --no-audit --no-fund --prefix $@ "$(VNU)" || { rm -rf $@; exit 1; }

bench: $(VENV)/installed-dev
	@$(VENV)/bin/python -m bench

messages: $(VENV)/installed
	@$(VENV)/bin/python -m tests.catalogs

containers: $(VENV)/installed-dev
	@tests/containers/run

# One lock for every Python and system that the app runs on. UPGRADE=1 takes the newest of what is needed in turn.
LOCK := $(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--custom-compile-command "make lock" $(if $(UPGRADE),--upgrade)
lock: $(VENV)/installed-dev
	$(LOCK) requirements.txt --output-file requirements.lock
	$(LOCK) requirements-dev.txt --constraints requirements.lock --output-file requirements-dev.lock

lint: $(VENV)/installed-dev
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/ruff check
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(BANDIT)
	$(VENV)/bin/python manage.py makemigrations --check
	ENV_FILE=/dev/null SITE_URL=https://connect.example.com EMAIL_URL=smtp+tls://user:password@mail.example.com:587 \
		SECRET_KEY=$$($(VENV)/bin/python -c 'import secrets; print(secrets.token_hex(32))') \
		FLATPEAK_ACCOUNT_ID=acc_example FLATPEAK_API_KEY=sk_live_example DATABASE_URL=postgres://user@127.0.0.1/name \
		$(VENV)/bin/python manage.py check --deploy --fail-level WARNING

$(VENV)/installed: requirements.lock
	@"$(PYTHON)" $(NEW_ENOUGH) 2>/dev/null || \
		{ echo "Python 3.11 or newer is needed: install it, or name it with PYTHON=/path/to/python3." >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "$(PYTHON) lacks its venv package: install it (Debian and Ubuntu: apt install python3-venv)." >&2; exit 1; }
	@echo "Installing into $(VENV), once ..."
	@"$(VENV)/bin/python" -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		"$(PYTHON)" -m venv --clear "$(VENV)"
	@"$(VENV)/bin/python" -m pip install -qq --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

$(VENV)/installed-dev: requirements-dev.lock $(VENV)/installed
	@echo "Installing what the tests need, once ..."
	@"$(VENV)/bin/python" -m pip install -qq --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@
