from django.urls import path, re_path

from dashboard.views import account, board, compare, duplicates, feeds, incident, runs, summary

REF = r"(?P<ref>[A-Za-z0-9_-]{1,16}-[0-9]{2}-[0-9]{1,18})"

urlpatterns = [
    path("", board.board, name="board"),
    path("board/rows/", board.rows, name="board-rows"),
    path("board/cards/", board.cards, name="board-cards"),
    path("board/figures/", board.figures, name="board-figures"),
    re_path(rf"^incidents/{REF}/$", incident.page, name="incident"),
    re_path(rf"^incidents/{REF}/panel/$", incident.panel, name="incident-panel"),
    re_path(rf"^incidents/{REF}/(?P<verb>move|close|reopen|duplicate|classify|note)/$", incident.act, name="incident-act"),
    path("duplicates/", duplicates.page, name="duplicates"),
    path("feeds/", feeds.page, name="feeds"),
    path("feeds/<slug:slug>/", feeds.one, name="feeds-one"),
    re_path(r"^duplicates/(?P<pk>[0-9]{1,18})/(?P<verb>merge|link|dismiss|undo)/$", duplicates.act, name="duplicates-act"),
    path("compare/", compare.page, name="compare"),
    path("compare.csv", compare.csv, name="compare-csv"),
    path("runs/", runs.page, name="runs"),
    path("runs/list/", runs.listed, name="runs-list"),
    path("runs/new/", runs.new, name="runs-new"),
    re_path(r"^runs/(?P<pk>[0-9]{1,18})/$", runs.one, name="runs-one"),
    re_path(r"^runs/(?P<pk>[0-9]{1,18})/progress/$", runs.progress, name="runs-progress"),
    re_path(r"^runs/(?P<pk>[0-9]{1,18})/cancel/$", runs.cancel, name="runs-cancel"),
    path("summary/", summary.page, name="summary"),
    path("summary.pdf", summary.document, name="summary-pdf"),
    path("summary/<int:zone_id>/", summary.page, name="summary-zone"),
    path("summary/<int:zone_id>.pdf", summary.document, name="summary-zone-pdf"),
    path("sign-in/", account.SignIn.as_view(), name="sign-in"),
    path("sign-out/", account.SignOut.as_view(), name="sign-out"),
    path("language/", account.choose_language, name="choose-language"),
    path("theme/", account.choose_theme, name="choose-theme"),
]
