"""Doors that devices come in by, other than HTTP. Each vendor's library is imported by one file here."""
