"""Coverage: where units should stand, where they are missed, whom to move, and what if."""

from patrol.services.coverage.gaps import Advice, Gaps, advise_move_up, gaps_for, keep_advice
from patrol.services.coverage.ground import limit_for
from patrol.services.coverage.studies import ask_what_if, study_coverage

__all__ = ["Advice", "Gaps", "advise_move_up", "ask_what_if", "gaps_for", "keep_advice", "limit_for", "study_coverage"]
