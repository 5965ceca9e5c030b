"""Alert rules: the list, a rule with its replay, the form with its live preview."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import User
from alerts.models import AlertRule
from alerts.services.rules import (
    activate_rule,
    change_rule,
    create_rule,
    drop_proposal,
    newest,
    newest_number,
    send_back_rule,
    submit_rule,
    switch_off_rule,
)
from alerts.services.rules.access import may_write
from alerts.services.rules.checking import look_over
from alerts.services.rules.content import content_of, read_content, rule_saying
from alerts.services.rules.files import export_rules
from alerts.services.rules.words import preview
from core.errors import DomainError, Invalid, NotFound
from dashboard.answers import MAX_PK, fresh, person_of, row_id
from dashboard.rule_forms import SOURCES, RuleForm
from dashboard.rule_page import MOST_RULES, STATES, RulePage, rules_for


def _reader(request: HttpRequest) -> User:
    user = person_of(request)
    if not user.can("see_alerts"):
        raise PermissionDenied(_("Your role does not allow this."))
    return user


def _writer(request: HttpRequest) -> User:
    user = person_of(request)
    if not user.can("draft_rule"):
        raise PermissionDenied(_("Your role does not allow this."))
    return user


def _one(user: User, pk: int) -> AlertRule:
    rows = AlertRule.objects.visible_to(user).select_related("agency", "policy", "submitted_by", "changed_by", "activated_by")
    found: AlertRule | None = rows.filter(pk=pk).first() if pk <= MAX_PK else None
    if found is None:
        raise Http404(_("There is no such rule."))
    return found


@login_required
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    user = _reader(request)
    state = request.GET.get("state", "") if request.GET.get("state", "") in STATES else ""
    source = request.GET.get("source", "") if request.GET.get("source", "") in SOURCES else ""
    words = request.GET.get("q", "").strip()[:80].replace("\x00", "")
    context = {
        "rules": list(rules_for(user, state=state, source=source, words=words)[:MOST_RULES]),
        "states": AlertRule.State.choices,
        "sources": AlertRule.Source.choices,
        "state": state,
        "source": source,
        "words": words,
        "may_write": user.can("draft_rule"),
    }
    return fresh(request, "dashboard/alerts/rules.html", context)


@login_required
@require_safe
def one(request: HttpRequest, pk: int) -> HttpResponse:
    user = _reader(request)
    return _page_of(request, _one(user, pk), user)


def _page_of(request: HttpRequest, rule: AlertRule, user: User, problem: str = "", status: int = 200) -> HttpResponse:
    return fresh(request, "dashboard/alerts/rule.html", {"page": RulePage(rule, user, problem), "rule": rule}, status)


@login_required
@require_safe
def file(request: HttpRequest, pk: int) -> HttpResponse:
    rule = _one(_reader(request), pk)
    response = HttpResponse(export_rules([rule]), content_type="application/yaml; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{rule.code}.yaml"'
    response["Cache-Control"] = "no-store"
    return response


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    user = _writer(request)
    source = request.GET.get("source", "")
    if source not in SOURCES:
        return fresh(request, "dashboard/alerts/rule_source.html", {"sources": AlertRule.Source.choices})
    form = RuleForm(request.POST or None, source=source, viewer=user)
    if request.method != "POST":
        return _form(request, form)
    if form.is_valid():
        try:
            made = create_rule(data=form.said, by=user, reason=form.cleaned_data.get("reason", ""))
        except DomainError as error:
            form.take(error)
        else:
            return _saved(request, made, user)
    return _form(request, form, status=422)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, pk: int) -> HttpResponse:
    user = _writer(request)
    rule = _one(user, pk)
    if not may_write(user, "draft_rule", rule):
        raise PermissionDenied(_("Your role does not allow this."))
    said, number = newest(rule), newest_number(rule)
    form = RuleForm(request.POST or None, source=said.source, content=content_of(said), viewer=user, is_new=False)
    if request.method != "POST":
        return _form(request, form, rule=rule, number=number)
    status = 422
    if form.is_valid():
        seen = row_id(request.POST.get("version", ""))
        try:
            made = change_rule(rule=rule, data=form.said, version=seen, by=user, reason=form.cleaned_data.get("reason", ""))
        except NotFound as error:
            raise Http404(error.message) from error
        except DomainError as error:
            status = error.status
            form.take(error)
        else:
            return _saved(request, made, user)
    return _form(request, form, rule=rule, number=number, status=status)


def _form(request: HttpRequest, form: RuleForm, *, rule: AlertRule | None = None, number: int = 1, status: int = 200) -> HttpResponse:
    label = AlertRule.Source(form.source).label
    context = {"form": form, "rule": rule, "number": number, "source": form.source, "source_label": label}
    if rule is not None or form.is_bound:
        context |= _told(form.said if form.is_bound and form.is_valid() else form.content)
    return fresh(request, "dashboard/alerts/rule_form.html", context, status)


def _saved(request: HttpRequest, rule: AlertRule, user: User) -> HttpResponse:
    """Look back at once: what it would do at night is told now."""
    messages.success(request, _("Saved as version %(number)s.") % {"number": newest_number(rule)})
    _look_back(request, rule, user, 7)
    return redirect("rules-one", pk=rule.pk)


def _look_back(request: HttpRequest, rule: AlertRule, user: User, days: int) -> None:
    from alerts.services.rules.replay import replay
    from alerts.services.rules.replay_words import warnings

    try:
        made = replay(rule=rule, days=days, by=user)
    except Invalid as error:
        messages.error(request, error.message)
        return
    for text in warnings(made):
        messages.warning(request, text)


@login_required
@require_POST
def told(request: HttpRequest) -> HttpResponse:
    """The preview while the form is being filled in: what it says so far, and what is still wrong with it."""
    user = _writer(request)
    source = request.GET.get("source", "")
    if source not in SOURCES:
        raise Http404
    rule = _one(user, row_id(request.GET["rule"])) if request.GET.get("rule") else None
    content = content_of(newest(rule)) if rule is not None else {}
    form = RuleForm(request.POST, source=source, content=content, viewer=user, is_new=rule is None)
    form.is_valid()
    return fresh(request, "dashboard/alerts/_rule_told.html", _told(form.said))


def _told(said: dict[str, Any]) -> dict[str, Any]:
    """The sentences in both languages and the findings; of what cannot be read the reason."""
    try:
        rule = rule_saying(read_content({"code": "new", "name_en": "–", "name_ar": "–", **said}))
    except Invalid as error:
        return {"unread": error.message}
    words = preview(rule)
    arabic = (get_language() or "").startswith("ar")
    return {"said": words["ar" if arabic else "en"], "otherwise": words["en" if arabic else "ar"], "findings": look_over(rule)}


@login_required
@require_POST
def act(request: HttpRequest, pk: int, verb: str) -> HttpResponse:
    """Submit, send back, switch on, switch off, put a change away, replay; a refusal is said on its page."""
    user = _reader(request)
    rule = _one(user, pk)
    version, reason = row_id(request.POST.get("version", "")), request.POST.get("reason", "").strip()[:400].replace("\x00", "")
    do = _VERBS.get(verb)
    if do is None:
        raise Http404
    try:
        said = do(request, rule, user, version, reason)
    except NotFound as error:
        raise Http404(error.message) from error
    except DomainError as error:
        return _page_of(request, rule, user, " ".join(dict.fromkeys([error.message, *error.fields.values()])), error.status)
    if said:
        messages.success(request, said)
    return redirect("rules-one", pk=rule.pk)


def _submit(request: HttpRequest, rule: AlertRule, user: User, version: int, reason: str) -> str:
    submit_rule(rule=rule, version=version, by=user)
    return _("Submitted. A second person switches it on.")


def _send_back(request: HttpRequest, rule: AlertRule, user: User, version: int, reason: str) -> str:
    send_back_rule(rule=rule, version=version, by=user, reason=reason)
    return _("Sent back as a draft.")


def _activate(request: HttpRequest, rule: AlertRule, user: User, version: int, reason: str) -> str:
    activate_rule(rule=rule, version=version, by=user)
    return _("Switched on.")


def _off(request: HttpRequest, rule: AlertRule, user: User, version: int, reason: str) -> str:
    switch_off_rule(rule=rule, by=user, reason=reason)
    return _("Switched off. Its open alerts stay open.")


def _drop(request: HttpRequest, rule: AlertRule, user: User, version: int, reason: str) -> str:
    drop_proposal(rule=rule, version=version, by=user, reason=reason)
    return _("The change is put away; what runs, runs on.")


def _replay(request: HttpRequest, rule: AlertRule, user: User, version: int, reason: str) -> str:
    from alerts.services.rules.replay import replay

    replay(rule=rule, days=row_id(request.POST.get("days", "")), by=user)
    return ""


_VERBS: dict[str, Callable[[HttpRequest, AlertRule, User, int, str], str]] = {
    "submit": _submit,
    "send-back": _send_back,
    "activate": _activate,
    "off": _off,
    "drop": _drop,
    "replay": _replay,
}
