# make run    everything on this machine, at one address; Ctrl-C stops it and the next start goes on from there
# make test   every test: TESTS="tests/test_run.py -x" picks some
# make torture  every fault of FlatPeak's, every race, twenty thousand examples of hostile input, and a crowd for five minutes
# make shots  pictures of every page in every state, into var/shots
# make scan   scanners that others wrote: bandit over the code, the Nu HTML checker over pages, wapiti over the app
# make bench  how fast it is, as ratios, written into bench/README.md
# make messages  the texts of all languages, up to date with the sources and compiled
# make lint   formatting, style, types, imports, migrations and the deployment check

VENV ?= .venv
# 0 when this Python will do. It is read by whatever Python there is, even a 2.
NEW_ENOUGH := -c 'import sys; sys.exit(sys.version_info < (3, 11))'
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p $(NEW_ENOUGH) 2>/dev/null && echo $$p && break; done)

.PHONY: messages run test torture scan shots bench lint

# exec: the signal that stops make reaches the program itself.
run: $(VENV)/installed
	@exec $(VENV)/bin/python manage.py run_local

# COV=--cov measures the coverage too; where tests are skipped, for want of a browser say, it is too low.
test: $(VENV)/installed-dev
	@$(VENV)/bin/python -m pytest $(COV) -n auto --dist worksteal $(TESTS)

SHOTS := var/shots
shots: $(VENV)/installed-dev
	@rm -rf $(SHOTS)
	@SHOTS=$(SHOTS) $(VENV)/bin/python -m pytest -q -n auto $(or $(TESTS),tests/browser/test_states.py)
	@echo "$$(find $(SHOTS) -name '*.png' | wc -l) pictures are in $(SHOTS)."

# What a test makes of its seed it makes again of the same one: `make torture TORTURE_SEED=…`. The crowd has SQLite, for it
# would fill the database that DATABASE_URL names, where the tests make one beside it.
TORTURE_SEED := $(or $(TORTURE_SEED),$(shell date +%s))
torture: $(VENV)/installed-dev
	@echo "TORTURE_SEED=$(TORTURE_SEED)"
	@TORTURE=1 TORTURE_SEED=$(TORTURE_SEED) $(VENV)/bin/python -m pytest \
		--hypothesis-seed=$(TORTURE_SEED) -n auto --dist worksteal \
		$(or $(TESTS),tests/test_faults.py tests/fuzz tests/races)
	@$(if $(TESTS),,env -u DATABASE_URL TORTURE_SEED=$(TORTURE_SEED) $(VENV)/bin/python -m bench load)

# Versions and places of what others wrote to find holes and broken pages; Java, npm and openssl have to be there.
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
		--filterpattern 'Bad value .* for attribute .value. on element .input.*' $(PAGES)
	$(VENV)/bin/python -m tests.scanners $(SCANNERS)/$(WAPITI)/bin/wapiti

# In an environment of its own, for it pins what the product has in other versions.
$(SCANNERS)/$(WAPITI):
	@"$(PYTHON)" -m venv $@ && $@/bin/python -m pip install -qq --disable-pip-version-check "$(WAPITI)" || { rm -rf $@; exit 1; }

$(SCANNERS)/$(VNU):
	@npm install --silent --no-audit --no-fund --prefix $@ "$(VNU)" || { rm -rf $@; exit 1; }

bench: $(VENV)/installed-dev
	@$(VENV)/bin/python -m bench

messages: $(VENV)/installed
	@$(VENV)/bin/python -m tests.catalogs

lint: $(VENV)/installed-dev
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/ruff check
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(BANDIT)
	$(VENV)/bin/python manage.py makemigrations --check
	ENV_FILE=/dev/null SITE_URL=https://connect.example.com EMAIL_URL=smtp+tls://user:password@mail.example.com:587 \
		SECRET_KEY=$$($(VENV)/bin/python -c 'import secrets; print(secrets.token_hex(32))') \
		FLATPEAK_ACCOUNT_ID=acc_example FLATPEAK_API_KEY=sk_live_example \
		$(VENV)/bin/python manage.py check --deploy --fail-level WARNING

$(VENV)/installed: requirements.txt
	@"$(PYTHON)" $(NEW_ENOUGH) 2>/dev/null || \
		{ echo "Python 3.11 or newer is needed: install it, or name it with PYTHON=/path/to/python3." >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "$(PYTHON) lacks its venv package: install it (Debian and Ubuntu: apt install python3-venv)." >&2; exit 1; }
	@echo "Installing into $(VENV), once ..."
	@"$(VENV)/bin/python" -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		"$(PYTHON)" -m venv --clear "$(VENV)"
	@"$(VENV)/bin/python" -m pip install -qq --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/installed-dev: requirements-dev.txt $(VENV)/installed
	@echo "Installing what the tests need, once ..."
	@"$(VENV)/bin/python" -m pip install -qq --disable-pip-version-check -r requirements-dev.txt
	@touch $@
