"""What this app announces. ``data`` holds ids and plain values."""

INCIDENT_OPENED = "incident.opened"  # {"type", "priority", "severity", "source"}
INCIDENT_MOVED = "incident.moved"  # {"from", "to"}
INCIDENT_CHANGED = "incident.changed"  # {"fields": [...]}
INCIDENT_NOTED = "incident.noted"  # {}
INCIDENT_REPORTED_AGAIN = "incident.reported_again"  # {"source", "report"}
INCIDENT_PAIRED = "incident.duplicate"  # {"how": merge | link | dismiss | undo, "is_kept"?, "candidate"}: of each of the two
INCIDENTS_IMPORTED = "incidents.imported"  # {"run", "source", "count", "first_id", "last_id"}: one a batch, never one an incident
INCIDENTS_REZONED = "incidents.rezoned"  # {"count"}: boundaries moved, and with them these incidents' zones
IMPORT_FINISHED = "import.finished"  # {"run", "status", "accepted", "rejected"}
PIPELINE_FINISHED = "pipeline.finished"  # {"run", "status", "hot_spots", "forecasts"}: once a run, whatever became of it
PIPELINE_FAILED = "pipeline.failed"  # {"run", "step"} when a step gives up; {"run", "step": "", "failed"} when the run ends so
PIPELINE_LATE = "pipeline.late"  # {"run", "limit", "since"}: once a night that is not over by its limit
PIPELINE_CANCEL_REQUESTED = "pipeline.cancel_requested"  # {"run"}; pipeline.finished follows
INCIDENT_TYPE_MERGED = "incident_type.merged"  # {"from", "to", "count"}: one a merge, never one an incident
MODEL_SWITCHED = "model.switched"  # {"model", "is_on"}
PLACE_SUPPRESSED = "place.suppressed"  # {"suppression", "until"}: a place was taken out of what patrol is handed
SUPPRESSION_LIFTED = "place.suppression_lifted"  # {"suppression"}
PREDICTIONS_SCORED = "predictions.scored"  # {"scores", "predictions"}: one a round of scoring
PATROL_HANDED_OVER = "patrol.handed_over"  # {"handover", "cells"}
HOT_SPOT_CHANGED = "hot_spot.changed"  # {"track", "change": born | merged | split | returned | gone, "category", "merged"?, "split_from"?}
NEAR_REPEAT_RAISED = (
    "near_repeat.raised"  # {"incident", "earlier", "count", "within_m", "within_days", "ratio", "until", "test", "is_synthetic"}
)
