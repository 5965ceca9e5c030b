"""Doors that speak the field's open standards."""
