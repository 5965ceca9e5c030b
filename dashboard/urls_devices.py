"""The pages of sensors. The first word of a URL's name is the page it stands for in the line of links (``Shell.SENSORS``)."""

from django.urls import path, re_path

from dashboard.views import devices, devices_fleet

CODE = r"(?P<code>[A-Za-z0-9][A-Za-z0-9._:-]{0,63})"

urlpatterns = [
    path("sensors/", devices.page, name="devices"),
    path("sensors/rows/", devices.rows, name="devices-rows"),
    path("sensors/fleet/", devices_fleet.fleet, name="fleet"),
    path("sensors/streams/", devices_fleet.streams, name="streams"),
    path("sensors/streams/put-back/", devices_fleet.put_back, name="streams-put-back"),
    re_path(rf"^devices/{CODE}/$", devices.one, name="devices-one"),
    re_path(rf"^devices/{CODE}/chart/$", devices.chart, name="devices-chart"),
    re_path(rf"^devices/{CODE}/now/$", devices.now, name="devices-now"),
]
