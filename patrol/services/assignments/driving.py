"""An incident follows its units: on the way, there, done. Only forward; and never another unit's clock."""

from __future__ import annotations

from django.db.models import Max

from incidents.lifecycle import FINAL as INCIDENT_FINAL
from incidents.lifecycle import State as IncidentState
from incidents.lifecycle import can_move as incident_can_move
from incidents.models import Incident, IncidentLog
from incidents.permissions import may as may_on_incident
from incidents.services import move_incident
from patrol.lifecycle import OPEN, State
from patrol.models import Assignment
from patrol.permissions import Actor

_FOLLOWS = ((State.ON_SCENE, IncidentState.ON_SCENE), (State.EN_ROUTE, IncidentState.EN_ROUTE))


def drive(incident: Incident, *, by: Actor | None, because: str) -> Incident:
    """Bring the incident to where its units are. The caller holds the incident's lock; ``because`` is the call sign for its log."""
    if incident.state in INCIDENT_FINAL:
        return incident
    rows = list(Assignment.objects.filter(incident=incident).values_list("state", "on_scene_at", "assigned_at"))
    wanted = _wanted(incident, rows)
    if wanted is None or wanted == incident.state:
        return incident
    for step in _steps(incident.state, wanted):
        author = by if may_on_incident(by, "move", incident) else None
        incident = move_incident(incident=incident, to=step, by=author, reason=because, expected=incident.state)
    return incident


def _wanted(incident: Incident, rows: list[tuple[str, object, object]]) -> IncidentState | None:
    states = {state for state, _there, _since in rows if state in OPEN}
    for of_unit, of_incident in _FOLLOWS:
        if of_unit in states:
            return of_incident
    if states:
        return IncidentState.DISPATCHED
    again = incident.log.filter(kind=IncidentLog.Kind.MOVED, to_state=IncidentState.REOPENED).aggregate(last=Max("at"))["last"]
    lately = [(state, there) for state, there, since in rows if again is None or since >= again]
    if any(state == State.DONE or there is not None for state, there in lately):
        return IncidentState.CLEARED
    return IncidentState.QUEUED if rows else None


def _steps(state: str, wanted: IncidentState) -> tuple[IncidentState, ...]:
    """The steps to take, if there are any: at once, or by way of being dispatched."""
    if incident_can_move(state, wanted):
        return (wanted,)
    if wanted in {IncidentState.EN_ROUTE, IncidentState.ON_SCENE} and incident_can_move(state, IncidentState.DISPATCHED):
        return (IncidentState.DISPATCHED, wanted)
    return ()
