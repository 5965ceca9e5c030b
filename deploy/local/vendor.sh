#!/usr/bin/env bash
# Copies the files the pages need from node_modules/ to static/vendor/, which git ignores.
set -euo pipefail
cd "$(dirname "$0")/../.."
rm -rf static/vendor
mkdir -p static/vendor/{maplibre,fonts,htmx,atlas}
cp node_modules/maplibre-gl/dist/maplibre-gl{,-shared,-worker}.mjs node_modules/maplibre-gl/dist/maplibre-gl.css static/vendor/maplibre/
cp node_modules/htmx.org/dist/htmx.min.js static/vendor/htmx/
cp node_modules/world-atlas/countries-10m.json static/vendor/atlas/
for weight in 400 500 600 700; do
  cp node_modules/@fontsource/ibm-plex-sans/files/ibm-plex-sans-latin-$weight-normal.woff2 static/vendor/fonts/
  cp node_modules/@fontsource/ibm-plex-sans-arabic/files/ibm-plex-sans-arabic-arabic-$weight-normal.woff2 static/vendor/fonts/
done
for weight in 400 500 700; do
  cp node_modules/@fontsource/ibm-plex-mono/files/ibm-plex-mono-latin-$weight-normal.woff2 static/vendor/fonts/
done
