#!/usr/bin/env bash
# Every check that needs no running service. Each failure is shown; the first does not hide the rest.
cd "$(dirname "$0")/../.."
export PATH="$PWD/.venv/bin:$PATH" DJANGO_SETTINGS_MODULE=khareetaty.settings SECRET_KEY=check DATABASE_URL=${DATABASE_URL:-postgis://nobody@127.0.0.1:1/none}
failed=0
step() { local name=$1; shift; if out=$("$@" 2>&1); then printf 'ok      %s\n' "$name"; else printf 'FAILED  %s\n%s\n' "$name" "$out"; failed=1; fi; }
step "ruff check" ruff check .
step "ruff format" ruff format --check .
step "mypy" mypy .
[ -f .importlinter ] && step "import contracts" lint-imports
[ -d templates ] && [ -n "$(find templates -name '*.html' -print -quit)" ] && step "djlint" djlint --lint --quiet templates
step "django checks" python manage.py check --fail-level WARNING
step "migrations" python manage.py makemigrations --check --dry-run
[ -f docs/openapi.yaml ] && step "OpenAPI is up to date" bash -c 'python manage.py spectacular --fail-on-warn --file /tmp/openapi.$$.yaml && diff -u docs/openapi.yaml /tmp/openapi.$$.yaml; r=$?; rm -f /tmp/openapi.$$.yaml; exit $r'
[ -f locale/ar/LC_MESSAGES/django.po ] && step "translations" python deploy/local/translations.py
exit $failed
