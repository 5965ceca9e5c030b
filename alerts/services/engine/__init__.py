"""From fact to alert. ``hear`` is the log's reader, ``evaluate`` the judgement a replay makes too, ``rounds`` what the clock does."""

from alerts.services.engine.applying import apply
from alerts.services.engine.compiled import CompiledRule, Rules, active_rules, compile_rules
from alerts.services.engine.counting import Ask, Count, Touch, ask_of, count
from alerts.services.engine.evaluation import Fact, Firing, evaluate, fingerprint_of
from alerts.services.engine.gathering import Gathered, count_fact, touches_of
from alerts.services.engine.hearing import ACTIVATED, firings_of, hear, silence_marks
from alerts.services.engine.recovery import still_holds
from alerts.services.engine.rounds import look_for_recovery, release_held
from alerts.services.engine.stumbling import hear_patiently
from alerts.services.engine.words import titles

__all__ = [
    "ACTIVATED",
    "Ask",
    "CompiledRule",
    "Count",
    "Fact",
    "Firing",
    "Gathered",
    "Rules",
    "Touch",
    "active_rules",
    "apply",
    "ask_of",
    "compile_rules",
    "count",
    "count_fact",
    "evaluate",
    "fingerprint_of",
    "firings_of",
    "hear",
    "hear_patiently",
    "look_for_recovery",
    "release_held",
    "silence_marks",
    "still_holds",
    "titles",
    "touches_of",
]
