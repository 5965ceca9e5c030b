"""What a source wrote, in our terms: times, coordinates, words, addresses. Pure: no database, no clock but the one given."""

from incidents.normalise.problems import MESSAGES, Problem, Unreadable

__all__ = ["MESSAGES", "Problem", "Unreadable"]
