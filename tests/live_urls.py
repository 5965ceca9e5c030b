"""The product's addresses, for a web process that a test drives."""

from khareetaty.urls import urlpatterns as product

urlpatterns = [*product]
