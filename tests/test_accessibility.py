"""CMD-5: every page by the rules of WCAG 2.2 AA that a machine can check (axe-core), in both directions, both themes, desk and phone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse

from alerts.models import Alert, AlertRule, EscalationPolicy
from incidents.models import PipelineRun
from interop.models import SharingAgreement
from iot.models import Anomaly, ZoneRisk
from patrol.models import Plan, RoadNetwork, Sos
from tests.live_server import PATIENCE_MS
from tests.test_admin_walk import one_of_each

pytestmark = pytest.mark.browser
__all__ = ["one_of_each"]  # a fixture

AXE = Path(__file__).resolve().parents[1] / "node_modules/axe-core/axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
CHECK = """tags => axe.run({exclude: [['.maplibregl-canvas-container']]}, {runOnly: tags, resultTypes: ['violations']}).then(found =>
    found.violations.map(rule => ({id: rule.id, help: rule.help, nodes: rule.nodes.map(node => node.target.join(' ') + ' :: ' +
    (node.failureSummary || '').split('\\n').slice(1).join(' ').trim().slice(0, 240))})))"""
# A page is looked at when it is drawn: nothing that its scripts asked for is on its way, no map is being made, for five frames on end.
COUNTED = """(() => {
    window.onTheirWay = 0;
    const came = () => setTimeout(() => { window.onTheirWay -= 1; });
    const { fetch } = window, { send } = XMLHttpRequest.prototype;
    window.fetch = (...given) => { window.onTheirWay += 1; return fetch(...given).finally(came); };
    XMLHttpRequest.prototype.send = function (...given) {
        window.onTheirWay += 1; this.addEventListener('loadend', came); return send.apply(this, given);
    };
})()"""
DRAWN = """() => {
    const busy = '.htmx-request, .htmx-swapping, .htmx-settling, .is-loading, [data-map-state=loading]';
    const still = !window.onTheirWay && document.fonts.status === 'loaded' && !document.querySelector(busy);
    window.stillFor = still ? (window.stillFor || 0) + 1 : 0;
    return window.stillFor >= 5;
}"""
PAGES = {
    "board": "board", "map": "map", "analysis": "hotspots forecast surfaces compare summary scoreboard models handover runs duplicates",
    "exchange": "feeds feeds-one sharing sharing-agreement sharing-reads",
    "patrol": "patrol roster workload patrol-duty roster-teams tasks intervals aid units plans coverage whatif packs dosage report trials",
    "safety": "sos shift",
    "alerts": "alerts alerts-new silences alertstats rules rules-new policies policies-new oncall deliveries templates mypages contacts "
    "channels",
    "sensors": "devices devices-one zonerisk zonerisk-one insights fleet streams anomalies anomalies-one",
    "one": "incident runs-one plans-one sos-one alerts-one rules-one rules-edit policies-one",
    "admin": "admin:index admin:incidents_incident_changelist admin:alerts_alert_changelist admin:interop_partnerkey_changelist",
}  # fmt: skip
LONG = {"analysis", "patrol"}  # more than a dozen pages each
LOOKS = [("ar", "dark", 390), ("en", "light", 1280), ("en", "dark", 390), ("ar", "light", 1280), ("en", "dark", 1280), ("ar", "light", 390)]


@pytest.fixture
def page(browser, live_site):
    """As everybody's ``page``, in a context that lets axe set styles of its own to measure by."""
    context = browser.new_context(base_url=live_site.url, bypass_csp=True, timezone_id="Asia/Kuwait", reduced_motion="reduce")
    context.set_default_timeout(4 * PATIENCE_MS)  # a page with a map is long in coming where tests run side by side
    context.add_init_script(COUNTED)
    yield context.new_page()
    context.close()


def addresses_of(kind, incident):
    models: dict[str, Any] = {
        "anomalies-one": Anomaly, "zonerisk-one": ZoneRisk,
        "runs-one": PipelineRun, "plans-one": Plan, "sos-one": Sos, "alerts-one": Alert, "rules-one": AlertRule, "rules-edit": AlertRule,
        "policies-one": EscalationPolicy, "sharing-agreement": SharingAgreement,
    }  # fmt: skip
    for name in PAGES[kind].split():
        arguments = {"incident": [incident.ref], "feeds-one": [incident.source.slug], "devices-one": ["W-1"]}.get(name, [])
        if name in models:
            row = models[name].objects.order_by("pk").first()
            arguments = [getattr(row, {"policies-one": "code", "zonerisk-one": "zone_id"}.get(name, "pk"))]
        yield reverse(name, args=arguments)
        if name == "sharing-reads":
            yield f"{reverse(name)}?incident={incident.ref}"


def walk(page, kind, incident):
    """Every breach on every page of a kind, as lines to read."""
    RoadNetwork.objects.all().delete()  # a row for the command centre, with no roads in it
    wrong = []
    for address in addresses_of(kind, incident):
        answer = page.goto(address)
        assert answer.status == 200, address
        page.wait_for_function(DRAWN)
        page.evaluate(AXE.read_text())
        for rule in page.evaluate(CHECK, RULES):
            wrong += [f"{address} {rule['id']}: {node}" for node in rule["nodes"][:6]]
    return wrong


def look(page, person, settings, live_site, language, theme, width):
    type(person).objects.filter(pk=person.pk).update(language=language, theme=theme)
    page.context.add_cookies([{"name": settings.LANGUAGE_COOKIE_NAME, "value": language, "url": live_site.url}])
    page.set_viewport_size({"width": width, "height": 844})


@pytest.mark.parametrize("kind", [pytest.param(kind, marks=pytest.mark.faults) if kind in LONG else kind for kind in PAGES])
def test_no_page_breaks_a_rule_of_wcag_in_arabic_on_a_dark_phone(kind, page, sign_in, cast, one_of_each, settings, live_site):
    sign_in(page, cast.superadmin)
    look(page, cast.superadmin, settings, live_site, *LOOKS[0])
    wrong = walk(page, kind, one_of_each)
    assert not wrong, "\n".join(wrong)


@pytest.mark.faults
@pytest.mark.parametrize(("language", "theme", "width"), LOOKS[1:])
@pytest.mark.parametrize("kind", PAGES)
def test_nor_in_any_other_look(kind, language, theme, width, page, sign_in, cast, one_of_each, settings, live_site):
    sign_in(page, cast.superadmin)
    look(page, cast.superadmin, settings, live_site, language, theme, width)
    wrong = walk(page, kind, one_of_each)
    assert not wrong, "\n".join(wrong)
