"""Telemetry rules, pure: what a condition may say, and whether it holds as readings come. No Django, no clock."""
