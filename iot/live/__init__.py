"""Rooms of sensors: what is written, to the pages that watch, while they watch. See ``docs/iot.md``."""
