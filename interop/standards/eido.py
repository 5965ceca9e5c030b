"""NENA EIDO 1.0 (NENA-STA-021.1): one incident as the emergency services of North America hand it to one another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from django.utils import timezone

from incidents.models import Incident
from interop.standards.xml import add

VERSION = "1.0"
MEDIA_TYPE = "application/EmergencyCallData.eido+json"
MADE_UP = "TEST: made-up data for demonstration. Disregard."
_AGENCY_TYPES = {"police": "police", "fire": "fire", "ems": "ambulance"}
_SCHEMES = {
    "xmlns": "urn:ietf:params:xml:ns:pidf",
    "xmlns:gp": "urn:ietf:params:xml:ns:pidf:geopriv10",
    "xmlns:dm": "urn:ietf:params:xml:ns:pidf:data-model",
    "xmlns:ca": "urn:ietf:params:xml:ns:pidf:geopriv10:civicAddr",
    "xmlns:gml": "http://www.opengis.net/gml",
    "xmlns:gs": "http://www.opengis.net/pidflo/1.0",
}


@dataclass(frozen=True)
class Told:
    """Where it happened as the reader is told it: longitude and latitude, and within how many metres (0: exactly)."""

    place: tuple[float, float] | None
    within_m: int
    exact: bool


def document(incident: Incident, told: Told, sender: str) -> dict[str, Any]:
    agency, here = f"{incident.agency.slug}.{sender}", f"urn:emergency:uid:incidentid:{incident.ref}:{sender}"
    changed = timezone.localtime(incident.changed_at).isoformat()

    def component(name: str, **parts: Any) -> dict[str, Any]:
        return {"$id": name, "lastUpdateTimeStamp": changed, "updatedByAgencyReference": {"$ref": agency}, **parts}

    notes = [text for text in (MADE_UP if incident.is_synthetic else "", incident.description if told.exact else "") if text]
    note_ids = [f"{here}:note:{number}" for number in range(1, len(notes) + 1)]
    about: dict[str, Any] = component(
        f"{here}:incident",
        incidentTypeCommonRegistryText=incident.type.name_en,
        incidentTypeInternalCode=incident.type.code,
        incidentTypeInternalText=f"{'TEST ' if incident.is_synthetic else ''}{incident.type.name_en}",
        incidentStatusInternalText=[incident.state],
        internalIncidentId=incident.ref,
        incidentPriorityInternalText=str(incident.priority),
        locationReference=[{"$ref": f"{here}:location"}],
    )
    if note_ids:
        about["notesReference"] = [{"$ref": name} for name in note_ids]
    whole = component(
        here,
        eidoVersion=VERSION,
        issuingElementIdentification=sender,
        incidentComponent=about,
        agencyComponent=[
            component(
                agency,
                agencyRoleDescriptionRegistryText=["CallReceiving"],
                agencyType=[_AGENCY_TYPES.get(incident.agency.kind, "other")],
                incidentOwningAgencyIndicator=True,
            )
        ],
        locationComponent=[
            component(f"{here}:location", locationTypeDescriptionRegistryText="Incident", locationByValue=pidf_lo(incident, told, here))
        ],
    )
    if notes:
        whole["notesComponent"] = [component(name, notesActionComments=text) for name, text in zip(note_ids, notes, strict=True)]
    return whole


def pidf_lo(incident: Incident, told: Told, entity: str) -> str:
    """The place as PIDF-LO: a point (latitude first) or a circle as wide as it is told, and the address as far as it is told."""
    root = ElementTree.Element("presence", {**_SCHEMES, "entity": entity})
    geopriv = add(add(root, "dm:device", id="place"), "gp:geopriv")
    info = add(geopriv, "gp:location-info")
    if told.place is not None:
        shape = add(info, "gs:Circle" if told.within_m else "gml:Point", srsName="urn:ogc:def:crs:EPSG::4326")
        add(shape, "gml:pos", f"{told.place[1]} {told.place[0]}")
        if told.within_m:
            add(shape, "gs:radius", told.within_m, uom="urn:ogc:def:uom:EPSG::9001")
    civic = add(info, "ca:civicAddress")
    add(civic, "ca:country", incident.region.code.upper())
    for name, zone in (("ca:A1", incident.governorate), ("ca:A3", incident.area)):
        if zone is not None:
            add(civic, name, zone.name_en)
    if told.exact:
        for name, text in (("ca:A5", incident.address_block), ("ca:RD", incident.address_street), ("ca:HNO", incident.address_building)):
            if text:
                add(civic, name, text)
    add(geopriv, "gp:usage-rules")
    return ElementTree.tostring(root, encoding="unicode")
