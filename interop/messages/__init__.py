"""The agencies' messages in their own terms: one typed adapter a kind."""

from __future__ import annotations

from interop.messages.base import Message, Particulars
from interop.messages.cap import CapAlert, Notice
from interop.messages.ems import AmbulanceDeployment, EmsCall
from interop.messages.fire import FireIncident
from interop.messages.municipality import MunicipalComplaint, RoadClosure
from interop.messages.police import EmergencyCall, MoiIncident, PatrolLog
from interop.messages.traffic import Congestion, TrafficAccident
from interop.models import Kind

MESSAGES: dict[str, type[Message]] = {
    Kind.MOI_INCIDENT: MoiIncident,
    Kind.EMERGENCY_CALL: EmergencyCall,
    Kind.PATROL_LOG: PatrolLog,
    Kind.FIRE_INCIDENT: FireIncident,
    Kind.EMS_CALL: EmsCall,
    Kind.AMBULANCE_DEPLOYMENT: AmbulanceDeployment,
    Kind.MUNICIPAL_COMPLAINT: MunicipalComplaint,
    Kind.ROAD_CLOSURE: RoadClosure,
    Kind.TRAFFIC_ACCIDENT: TrafficAccident,
    Kind.CONGESTION: Congestion,
    Kind.CAP_ALERT: CapAlert,
}
# Those that open incidents. A warning opens an alert, and comes by a door of its own.
OF_INCIDENTS = [kind for kind in Kind if kind != Kind.CAP_ALERT]

__all__ = ["MESSAGES", "OF_INCIDENTS", "Message", "Notice", "Particulars"]
