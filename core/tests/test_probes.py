import pytest
from django.test import Client, override_settings


def test_livez_answers_without_touching_anything():
    assert Client().get("/livez").status_code == 200


@pytest.mark.django_db
def test_readyz_is_200_with_database_migrations_and_broker():
    answer = Client().get("/readyz")
    assert answer.json() == {"ready": True, "checks": {"database": "ok", "migrations": "ok", "broker": "ok"}, "limits": "exact"}


@pytest.mark.django_db
@override_settings(REDIS_URL="redis://127.0.0.1:1/0")
def test_readyz_names_the_broker_when_it_is_away():
    answer = Client().get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["broker"] == "unreachable"
    assert answer.json()["limits"] == "per process"
