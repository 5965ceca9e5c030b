"""Addresses, quiet hours and notification rules of people and contacts."""
