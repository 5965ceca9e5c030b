from django.urls import path

from dashboard.views import zone_risk

urlpatterns = [
    path("sensors/risk/", zone_risk.page, name="zonerisk"),
    path("sensors/risk/<int:zone_id>/", zone_risk.one, name="zonerisk-one"),
    path("sensors/insights/", zone_risk.insights, name="insights"),
    path("sensors/insights/<int:pk>/dismiss/", zone_risk.dismiss, name="insights-dismiss"),
]
