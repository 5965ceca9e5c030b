"""Escalation policies: a list in plain words, and one to read, to write, and to ask what it would do."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Count, Q
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from alerts.models import EscalationPolicy
from alerts.services.escalation.checking import Found, check
from alerts.services.escalation.ladder import MOST_RUNGS
from alerts.services.escalation.policies import may_write, preview, switch_policy, write_policy
from alerts.services.escalation.snapshot import snapshot_of, step_of
from core.errors import DomainError, Invalid
from dashboard.alert_policies import (
    NEW_STEP,
    Choices,
    PolicyForm,
    StepForm,
    StoryForm,
    policy_data,
    put_problems,
    rearranged,
    step_data,
    step_forms,
    steps_sent,
    told,
)
from dashboard.policy_ladder import ACTS, NEW_RUNG, RungForm, rung_data, rung_forms, rungs_sent


def _watching(request: HttpRequest) -> Any:
    viewer: Any = request.user
    if not viewer.can("see_alerts"):
        raise Http404
    return viewer


@require_safe
@never_cache
@login_required
def page(request: HttpRequest) -> HttpResponse:
    viewer = _watching(request)
    policies = (
        EscalationPolicy.objects.visible_to(viewer)
        .select_related("agency")
        .annotate(rule_count=Count("rules", filter=Q(rules__state="active")))
        .order_by("-is_active", "code")
    )
    shown = []
    for policy in policies:
        snapshot = snapshot_of(policy) if policy.is_active else {"steps": []}
        steps, ends = told(snapshot)
        shown.append({"policy": policy, "steps": steps, "ends": ends, "found": check(snapshot) if policy.is_active else Found()})
    return render(request, "dashboard/alerts/policies.html", {"policies": shown, "may_write": viewer.can("manage_alerts")})


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
def one(request: HttpRequest, code: str = "") -> HttpResponse:
    """``code`` empty: a new one."""
    viewer = _watching(request)
    policy = get_object_or_404(EscalationPolicy.objects.visible_to(viewer), code=code) if code else None
    writes = viewer.can("manage_alerts") if policy is None else may_write(viewer, policy)
    if not writes and (policy is None or request.method == "POST"):
        raise Http404
    choices = Choices.of(viewer, policy)
    act = request.POST.get("do", "")
    if request.method == "POST":
        form = PolicyForm(request.POST, viewer=viewer, choices=choices)
        steps = step_forms(rearranged(steps_sent(request.POST), act), choices)
        rungs = rung_forms(_rungs_as_they_stand(request.POST, policy, act))
    else:
        form = PolicyForm(policy_data(policy, viewer), viewer=viewer, choices=choices)
        saved = [step_data(step) for step in _all_steps(policy)] if policy is not None else [NEW_STEP]
        steps = step_forms(saved, choices)
        rungs = rung_forms([rung_data(rung) for rung in (policy.ladder if policy is not None else [])])
    if act == "save":
        answer = _save(request, viewer, policy, form, steps, rungs)
        if answer is not None:
            return answer
    snapshot, found, rest = _look(viewer, policy, form, steps, rungs, is_sent=act in {"save", "check"})
    story = StoryForm(
        request.POST if request.method == "POST" else request.GET, viewer=viewer, choices=choices,
        agency_id=policy.agency_id if policy is not None else None,
    )  # fmt: skip
    sentences, ends = told(snapshot)
    context = {
        "policy": policy,
        "form": form,
        "steps": [{"form": step, "told": sentences[n] if n < len(sentences) else []} for n, step in enumerate(steps)],
        "rungs": rungs,
        "sentences": sentences,
        "ends": ends,
        "found": found,
        "rest": rest,
        "writes": writes,
        "story_form": story,
        "story": story.story(snapshot),
        "rules": policy.rules.filter(state="active").order_by("code")[:20] if policy is not None else [],
    }
    # What was to be saved and is shown again was refused.
    return render(request, "dashboard/alerts/policy.html", context, status=422 if act == "save" else 200)


def _all_steps(policy: EscalationPolicy) -> list[dict[str, Any]]:
    """Of a policy out of use too, which a run would not take."""
    rows = policy.steps.select_related("user", "team", "schedule", "contact", "agency").order_by("position")
    return [step_of(row) for row in rows]


def _rungs_as_they_stand(post: QueryDict, policy: EscalationPolicy | None, act: str) -> list[dict[str, list[str]]]:
    """As the form has them. A form without that part (an old page still open) leaves the ladder as it was."""
    if "ladder" not in post:
        return [rung_data(rung) for rung in (policy.ladder if policy is not None else [])]
    return rearranged(rungs_sent(post), act.removeprefix(ACTS) if act.startswith(ACTS) else "", new=NEW_RUNG, most=MOST_RUNGS)


def _is_valid(form: PolicyForm, steps: list[StepForm], rungs: list[RungForm]) -> bool:
    return all([form.is_valid(), *[step.is_valid() for step in steps], *[rung.is_valid() for rung in rungs]])


def _save(
    request: HttpRequest, viewer: Any, policy: EscalationPolicy | None, form: PolicyForm, steps: list[StepForm], rungs: list[RungForm]
) -> HttpResponse | None:
    if not _is_valid(form, steps, rungs):
        return None
    try:
        made = write_policy(
            by=viewer,
            policy=policy,
            values=form.columns() | {"ladder": [rung.rung() for rung in rungs]},
            steps=[step.columns() for step in steps],
            seen_version=form.cleaned_data["version"] if policy is not None else None,
        )
    except Invalid as error:
        put_problems(error.fields, form, steps, rungs)
        return None
    except DomainError as error:
        form.add_error(None, error.message)
        return None
    messages.success(request, _("Saved as version %(n)d. What runs already goes on as it began.") % {"n": made.version})
    return redirect("policies-one", code=made.code)


def _look(
    viewer: Any, policy: EscalationPolicy | None, form: PolicyForm, steps: list[StepForm], rungs: list[RungForm], *, is_sent: bool
) -> tuple[dict[str, Any], Found, list[str]]:
    """What is being written, as far as it can be read, and what is wrong with it."""
    if not _is_valid(form, steps, rungs):
        had = {name for name in form.errors if name != "__all__"}
        if is_sent or had - {"name_en", "name_ar", "code"} or any(one.errors for one in [*steps, *rungs]):
            return {}, Found(), [str(error) for error in form.non_field_errors()]
        values: dict[str, Any] = {"fallback_user_id": None, "fallback_contact_id": None}
        form.errors.clear()  # a new policy has no name yet: nobody asked to save it
    else:
        values = form.columns()
    values = {name: value for name, value in values.items() if name != "code"}
    values["ladder"] = [rung.rung() for rung in rungs]
    snapshot, found = preview(by=viewer, policy=policy, values=values, steps=[step.columns() for step in steps])
    rest = put_problems(found.problems, form, steps, rungs) if is_sent else list(found.problems.values())
    return snapshot, found, rest


@require_POST
@login_required
def switch(request: HttpRequest, code: str) -> HttpResponse:
    viewer = _watching(request)
    policy = get_object_or_404(EscalationPolicy.objects.visible_to(viewer), code=code)
    try:
        switch_policy(by=viewer, policy=policy, is_active=request.POST.get("to") == "on")
    except DomainError as error:
        messages.error(request, error.message)
    return redirect("policies-one", code=code)
