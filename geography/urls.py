from django.urls import path

from geography import views

urlpatterns = [path("zones/<slug:level>/<int:z>/<int:x>/<int:y>.mvt", views.zones, name="zone-tiles")]
