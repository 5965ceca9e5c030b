from django.apps import AppConfig


class DemoConfig(AppConfig):
    """Accounts to sign in with, two synthetic years, and a simulator: what `make run` shows. Nothing imports it."""

    name = "demo"
