from incidents.models.analytics import Forecast, HotSpot, HotSpotTrack, PipelineRun, PipelineStep
from incidents.models.duplicates import DuplicateCandidate
from incidents.models.feed_hours import FeedHour
from incidents.models.incident import Incident, IncidentLog
from incidents.models.intake import ImportRun, RejectedRow, Report
from incidents.models.surfaces import NearRepeat, Surface
from incidents.models.trust import Handover, ModelCard, ModelChoice, ModelSwitch, Predicts, Score, Suppression
from incidents.models.vocabulary import IncidentType, SeverityMapping, Source, TypeMapping

__all__ = [
    "DuplicateCandidate",
    "FeedHour",
    "Forecast",
    "Handover",
    "HotSpot",
    "HotSpotTrack",
    "ImportRun",
    "Incident",
    "IncidentLog",
    "IncidentType",
    "ModelCard",
    "ModelChoice",
    "ModelSwitch",
    "NearRepeat",
    "PipelineRun",
    "PipelineStep",
    "Predicts",
    "RejectedRow",
    "Report",
    "Score",
    "SeverityMapping",
    "Source",
    "Suppression",
    "Surface",
    "TypeMapping",
]
