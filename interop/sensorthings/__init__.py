"""OGC SensorThings 1.1, the reading part, over devices and their readings. See ``docs/iot.md``."""
