"""Which column of a file feeds which of our fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.utils.translation import gettext as _

from core.text import fold
from incidents.services.importing.readers import RefusedFile

TARGETS = (
    "external_id",
    "type",
    "occurred_at",
    "reported_at",
    "lon",
    "lat",
    "severity",
    "priority",
    "description",
    "address",
    "origin",
)
REQUIRED = ("type", "occurred_at")

# Headings people use, folded, the likeliest first.
_HEADINGS: dict[str, str] = {
    "external_id": "external_id,incident_id,incident_number,incident_no,case_number,case_no,report_id,report_number,call_id,event_id,"
    "event_number,reference,ref,uid,id,objectid,رقم البلاغ,رقم الحادث,رقم الحادثة,رقم القضية,رقم المرجع,المرجع,الرقم,المعرف",
    "type": "type,incident_type,type_of_incident,event_type,call_type,crime_type,offense_type,offence_type,primary_type,nature,category,"
    "incident_category,offense,offence,crime,kind,نوع البلاغ,نوع الحادث,نوع الحادثة,نوع الجريمة,نوع القضية,التصنيف,الفئة,النوع,الجريمة",
    "occurred_at": "occurred_at,occurred,occurrence_time,occurred_on,occ_date,occurrence_date,incident_time,incident_date,"
    "incident_datetime,event_time,event_date,date_occurred,timestamp,datetime,date_time,date_single,time,date,when,"
    "وقت الحادث,تاريخ الحادث,وقت الوقوع,"
    "تاريخ الوقوع,وقت البلاغ,تاريخ البلاغ,التاريخ والوقت,التاريخ,الوقت",
    "reported_at": "reported_at,reported,report_time,report_date,date_reported,received_at,call_time,created_at,created,"
    "وقت الابلاغ,تاريخ الابلاغ,وقت الاستلام,تاريخ الاستلام",
    "lon": "lon,longitude,lng,long,x_lon,geometry.lon,location.lon,location.longitude,location.lng,x,خط الطول,الطول",
    "lat": "lat,latitude,y_lat,geometry.lat,location.lat,location.latitude,y,خط العرض,دائرة العرض,العرض",
    "severity": "severity,severity_level,seriousness,gravity,الخطورة,درجة الخطورة,الشدة",
    "priority": "priority,priority_level,urgency,الاولوية,درجة الاولوية,الاستعجال",
    "description": "description,details,narrative,summary,notes,remarks,comment,comments,case_desc,"
    "الوصف,وصف البلاغ,وصف الحادث,التفاصيل,الملاحظات",
    "address": "address,location_address,street_address,address_text,location_text,block_address,العنوان,عنوان البلاغ,الموقع",
    "origin": "origin,reported_by,report_origin,channel,how_reported,initiated_by,مصدر البلاغ,طريقة البلاغ,الجهة المبلغة",
}


def _key(heading: str) -> str:
    return fold(heading.replace("_", " ").replace("-", " ").replace("/", " ")).strip(" :*")


_KNOWN = {target: [_key(word) for word in words.split(",")] for target, words in _HEADINGS.items()}


def suggest_mapping(columns: Sequence[str]) -> dict[str, str]:
    """Our field to the file's column, by name, in English and Arabic; a column feeds one field only."""
    by_key: dict[str, str] = {}
    for column in columns:
        by_key.setdefault(_key(column), column)
    found: dict[str, str] = {}
    for target in TARGETS:
        for word in _KNOWN[target]:
            column = by_key.get(word, "")
            if column and column not in found.values():
                found[target] = column
                break
    return found


def complete_mapping(
    *, columns: Sequence[str], repeated: Sequence[str] = (), given: Mapping[str, str] | None = None, saved: Mapping[str, str] | None = None
) -> dict[str, str]:
    """What was asked for, then what the source used last time, then what the headings suggest.

    A target given as ``""`` is left out. Raises ``RefusedFile`` for a field or column that is not there, for a required field
    without a column, and where a column that is used stands in the file twice.
    """
    given = dict(given or {})
    problems: dict[str, str] = {}
    have = ", ".join(columns[:40])
    for target, column in given.items():
        if target not in TARGETS:
            problems[target] = _("There is no such field; ours are: %(ours)s.") % {"ours": ", ".join(TARGETS)}
        elif column and column not in columns:
            problems[target] = _("The file has no column “%(column)s”; it has: %(have)s.") % {"column": column, "have": have}
    if problems:
        raise RefusedFile(" ".join(f"{target}: {what}" for target, what in problems.items()), fields=problems)
    mapping = dict(given)
    used = {column for column in given.values() if column}
    for target, column in (saved or {}).items():
        if target in TARGETS and target not in mapping and column in columns and column not in used:
            mapping[target] = column
            used.add(column)
    for target, column in suggest_mapping([column for column in columns if column not in used]).items():
        mapping.setdefault(target, column)
    mapping = {target: mapping[target] for target in TARGETS if mapping.get(target)}
    for target in REQUIRED:
        if target not in mapping:
            problems[target] = _("No column for “%(target)s”. The file has: %(have)s. Say which with --map %(target)s=COLUMN.") % {
                "target": target,
                "have": have,
            }
    if ("lon" in mapping) != ("lat" in mapping):
        missing = "lat" if "lon" in mapping else "lon"
        problems[missing] = _("Longitude and latitude go together. The file has: %(have)s.") % {"have": have}
    for target, column in mapping.items():
        if column in repeated:
            problems[target] = _("Row 1: the heading “%(column)s” stands there twice; rename one of the two.") % {"column": column}
    if problems:
        raise RefusedFile(" ".join(problems.values()), fields=problems)
    return mapping
