"""Randomised trials with cells held out: drawn, sealed by a second person before they begin, reported once they are over."""

from patrol.services.trials.drawing import Design, draw_trial
from patrol.services.trials.holding import HeldOut, held_out, held_out_cells
from patrol.services.trials.reporting import GRACE, due_at, report_due_trials, report_trial
from patrol.services.trials.sealing import seal_holds, seal_of, seal_trial, stop_trial

__all__ = [
    "GRACE",
    "Design",
    "HeldOut",
    "draw_trial",
    "due_at",
    "held_out",
    "held_out_cells",
    "report_due_trials",
    "report_trial",
    "seal_holds",
    "seal_of",
    "seal_trial",
    "stop_trial",
]
