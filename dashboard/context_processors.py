"""What every page's frame shows."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django.http import HttpRequest

from accounts.models import User
from dashboard.own_duty import OwnDuty, own_duty
from dashboard.selectors import shows_synthetic
from incidents.permissions import may_see_feeds
from patrol.permissions import DUTY_BOUND

THEME_COOKIE = "theme"


class Shell:
    """Asked for only by templates that draw the frame, so that a partial or the API pays nothing."""

    # The first word of the URL names of the pages that stand under "Analysis" and share its line of links.
    ANALYSIS = frozenset(
        {"hotspots", "surfaces", "forecast", "compare", "summary", "scoreboard", "models", "handover", "runs", "duplicates", "feeds"}
    )

    # The same of the pages under "Patrol".
    PATROL = frozenset(
        {
            "patrol", "shift", "units", "tasks", "sos", "plans", "coverage", "whatif", "roster", "workload",
            "packs", "intervals", "aid", "dosage", "trials", "report",
        }
    )  # fmt: skip

    # The same of the pages under "Alerts".
    ALERTS = frozenset(
        {"alerts", "rules", "policies", "oncall", "silences", "deliveries", "templates", "channels", "contacts", "alertstats", "mypages"}
    )

    # The same of the pages under "Sensors".
    SENSORS = frozenset({"devices", "fleet", "streams", "anomalies", "insights", "zonerisk"})

    def __init__(self, request: HttpRequest) -> None:
        self._request = request

    @property
    def user(self) -> User | None:
        user = getattr(self._request, "user", None)
        return user if isinstance(user, User) else None

    @cached_property
    def theme(self) -> str:
        if self.user is not None:
            return self.user.theme
        chosen = self._request.COOKIES.get(THEME_COOKIE, "")
        return chosen if chosen in User.Theme.values else User.Theme.DARK.value

    @cached_property
    def is_synthetic(self) -> bool:
        return self.user is not None and shows_synthetic(self.user)

    @property
    def may_enter_command_centre(self) -> bool:
        return self.user is not None and self.user.is_staff

    @property
    def here(self) -> str:
        match = self._request.resolver_match
        return match.url_name or "" if match is not None else ""

    @property
    def page(self) -> str:
        """``forecast`` for ``forecast-zone``: which entry of a navigation is the current one."""
        return self.here.split("-")[0]

    @property
    def section(self) -> str:
        sections = {"analysis": self.ANALYSIS, "patrol": self.PATROL, "alerts": self.ALERTS, "sensors": self.SENSORS}
        return next((name for name, pages in sections.items() if self.page in pages), self.page)

    @property
    def may_watch_units(self) -> bool:
        return self.user is not None and self.user.can("watch_units")

    @property
    def may_act_in_field(self) -> bool:
        return self.user is not None and self.user.can("act_in_field")

    @property
    def may_patrol(self) -> bool:
        return self.may_watch_units or self.may_act_in_field

    @property
    def may_see_alerts(self) -> bool:
        return self.user is not None and self.user.can("see_alerts")

    @property
    def may_see_devices(self) -> bool:
        return self.user is not None and self.user.can("see_devices")

    @property
    def may_manage_alerts(self) -> bool:
        return self.user is not None and self.user.can("manage_alerts")

    @property
    def may_see_feeds(self) -> bool:
        return self.user is not None and may_see_feeds(self.user)

    @property
    def may_see_sharing(self) -> bool:
        return self.user is not None and (self.user.can("share") or self.user.can("read_records"))

    @property
    def may_read_records(self) -> bool:
        return self.user is not None and self.user.can("read_records")

    @property
    def may_answer_sos(self) -> bool:
        return self.user is not None and self.user.can("answer_sos")

    @cached_property
    def duty(self) -> OwnDuty | None:
        """Whether this person is on duty; ``None`` for roles that act without it."""
        return own_duty(self.user) if self.user is not None and self.user.role in DUTY_BOUND else None

    @property
    def address(self) -> str:
        """This page, to come back to after a change of language or theme."""
        return self._request.get_full_path() if self._request.method in {"GET", "HEAD"} else "/"


def shell(request: HttpRequest) -> dict[str, Any]:
    return {"shell": Shell(request)}
