"""PAT-3, PAT-4: the examples in the docstrings hold."""

import doctest
import importlib

import pytest


@pytest.mark.parametrize("name", ["coverage", "move_up", "checker", "travel"])
def test_the_examples_in_the_docstrings_hold(name):
    found = doctest.testmod(importlib.import_module(f"patrol.analytics.{name}"))
    assert found.attempted and not found.failed
