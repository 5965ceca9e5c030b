from incidents.models.analytics import Forecast, HotSpot, PipelineRun, PipelineStep
from incidents.models.incident import Incident, IncidentLog
from incidents.models.intake import ImportRun, RejectedRow, Report
from incidents.models.vocabulary import IncidentType, SeverityMapping, Source, TypeMapping

__all__ = [
    "Forecast",
    "HotSpot",
    "ImportRun",
    "Incident",
    "IncidentLog",
    "IncidentType",
    "PipelineRun",
    "PipelineStep",
    "RejectedRow",
    "Report",
    "SeverityMapping",
    "Source",
    "TypeMapping",
]
