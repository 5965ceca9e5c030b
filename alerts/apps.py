from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AlertsConfig(AppConfig):
    name = "alerts"
    verbose_name = _("Alerts")

    def ready(self) -> None:
        from alerts.services.handover import pending_alerts
        from patrol.services.packs import also_tells

        also_tells("requests", pending_alerts)
