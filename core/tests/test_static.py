"""CMD-5: every asset is served by us, whole, in part, or not at all when the browser has it."""

from __future__ import annotations

PATH = "/static/vendor/htmx/htmx.min.js"


def test_a_file_comes_whole_with_its_type_and_to_no_other_origin(client):
    answer = client.get(PATH)
    assert answer.status_code == 200 and len(answer.content) == int(answer["Content-Length"]) > 40_000
    assert answer["Content-Type"].startswith("text/javascript")
    assert "Access-Control-Allow-Origin" not in answer


def test_a_part_of_a_file_and_an_unchanged_file(client):
    part = client.get(PATH, headers={"Range": "bytes=0-99"})
    assert part.status_code == 206 and len(part.content) == 100
    again = client.get(PATH, headers={"If-Modified-Since": client.get(PATH)["Last-Modified"]})
    assert again.status_code == 304 and not again.content


def test_paths_outside_the_static_folder_are_not_served(client, db):
    for path in ("/static/../khareetaty/settings.py", "/static/%2e%2e/manage.py", "/static/nothing.js"):
        assert client.get(path).status_code == 404
