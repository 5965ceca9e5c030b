"""How an alert goes on until somebody acknowledges.

Here are the verbs of a run's life, for whoever opens, acknowledges and quiets alerts. What the pager and the clock call is in
``running`` (steps that are due) and ``auditor`` (is anything late?); ``policies`` writes and checks what is to be done; ``targets``
says whom a step means.
"""

from alerts.services.escalation.snapshot import snapshot_of
from alerts.services.escalation.starting import next_at_once, pause, resume, start_first_runs, start_run, stop_run

__all__ = ["next_at_once", "pause", "resume", "snapshot_of", "start_first_runs", "start_run", "stop_run"]
