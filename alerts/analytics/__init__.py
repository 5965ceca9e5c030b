"""PURE: time arithmetic and matching. Arrays, dataclasses and moments in; no Django, no clock, no network."""
