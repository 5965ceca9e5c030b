# `make run` and `make test` do everything on a fresh Debian 12 machine; the rest is for working on the project.
.PHONY: help run up down reset setup setup-dev test test-faults bench check format messages openapi
.DEFAULT_GOAL := help
PY := .venv/bin/python
export ZONES

help:      ## this list
	@grep -E '^[a-z-]+: .*##|^[a-z-]+: +##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 14

run: setup  ## start everything in the foreground; Ctrl-C stops it
	@exec $(PY) -m deploy.local run

up: setup  ## start everything in the background; returns when it is ready
	@exec $(PY) -m deploy.local up

down:  ## stop what `make up` started
	@exec $(PY) -m deploy.local down

reset:  ## delete var/ after asking
	@exec $(PY) -m deploy.local reset

setup:
	@bash deploy/local/setup.sh run

setup-dev:
	@bash deploy/local/setup.sh dev

TEST_VAR := $(abspath $(or $(KHAREETATY_TEST_VAR),var/test))
ON_TEST_SERVICES := env -u DATABASE_URL -u REDIS_URL KHAREETATY_VAR=$(TEST_VAR) $(PY) -m deploy.local exec

test: setup-dev  ## the whole suite, on private services
	@$(ON_TEST_SERVICES) $(PY) -m pytest $(or $(ARGS),-n 3 -m "not faults and not bench")

test-faults: setup-dev  ## the slow suites: kills, drops, load
	@$(ON_TEST_SERVICES) $(PY) -m pytest $(or $(ARGS),-m faults)

bench: setup-dev  ## measure, and write docs/benchmarks.md
	@env -u DATABASE_URL -u REDIS_URL KHAREETATY_VAR=$(abspath $(or $(KHAREETATY_BENCH_VAR),var/bench)) $(PY) -m benchmarks $(ARGS)

check: setup-dev  ## style, types, contracts, templates, migrations, translations, OpenAPI
	@bash deploy/local/check.sh

format: setup-dev  ## put the code in order
	@.venv/bin/ruff check --fix --quiet . ; .venv/bin/ruff format --quiet . ; .venv/bin/djlint --reformat --quiet templates || true

messages: setup-dev  ## collect the texts to translate
	@SECRET_KEY=check DATABASE_URL=postgis://nobody@127.0.0.1:1/none $(PY) manage.py makemessages -l ar --no-obsolete --no-location --no-wrap -i .venv -i node_modules -i var -i tests

openapi: setup-dev  ## write docs/openapi.yaml anew
	@SECRET_KEY=check DATABASE_URL=postgis://nobody@127.0.0.1:1/none $(PY) manage.py spectacular --file docs/openapi.yaml
