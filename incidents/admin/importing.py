"""A file of incidents, step by step: upload, look and map, run with its progress, result. The verbs are the importer's."""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable
from functools import wraps
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from core.errors import DomainError, NotFound
from incidents.models import ImportRun, RejectedRow, Source
from incidents.services.importing import (
    REQUIRED,
    TARGETS,
    RefusedFile,
    archive_path,
    archive_upload,
    cancel_import,
    preview,
    rejects_path,
    start_import,
)

PREVIEW_ROWS = 20
Status = ImportRun.Status

TARGET_WORDS = {
    "external_id": gettext_lazy("The source's id"),
    "type": gettext_lazy("Type"),
    "occurred_at": gettext_lazy("Occurred at"),
    "reported_at": gettext_lazy("Reported at"),
    "lon": gettext_lazy("Longitude (x)"),
    "lat": gettext_lazy("Latitude (y)"),
    "severity": gettext_lazy("Severity"),
    "priority": gettext_lazy("Priority"),
    "description": gettext_lazy("Description"),
    "address": gettext_lazy("Address"),
    "origin": gettext_lazy("Reported or discovered"),
}
OUTCOMES = {
    "accepted": ("ok", gettext_lazy("goes in")),
    "duplicate": ("quiet", gettext_lazy("known already")),
    "rejected": ("bad", gettext_lazy("rejected")),
    "quarantined": ("warn", gettext_lazy("quarantined")),
}


def _actor(request: HttpRequest) -> Any:
    return request.user


class UploadForm(forms.Form):
    file = forms.FileField(
        label=gettext_lazy("File"),
        allow_empty_file=True,  # the importer says what is wrong with it
        help_text=gettext_lazy("CSV (also .gz), JSON Lines, GeoJSON, Parquet or XLSX."),
    )
    source = forms.ModelChoiceField(
        label=gettext_lazy("Source"),
        queryset=Source.objects.none(),
        help_text=gettext_lazy("Whose reports these are. The mapping used last for it is suggested again."),
    )

    def __init__(self, *args: Any, sources: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["source"].queryset = sources  # type: ignore[attr-defined]


class MappingForm(forms.Form):
    """Which column feeds which field, and how its times and coordinates are to be read."""

    source = forms.ModelChoiceField(label=gettext_lazy("Source"), queryset=Source.objects.none())
    tz = forms.CharField(
        label=gettext_lazy("Time zone of its times"), required=False, max_length=64, help_text=gettext_lazy("Empty: the source's own.")
    )
    srid = forms.IntegerField(
        label=gettext_lazy("Coordinates (EPSG)"), required=False, min_value=1024, max_value=998_999, help_text="4326, 32638…"
    )

    def __init__(self, *args: Any, columns: list[str], sources: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["source"].queryset = sources  # type: ignore[attr-defined]
        self.fields["tz"].widget.attrs.update({"list": "time-zones", "dir": "ltr", "autocomplete": "off"})
        choices = [("", _("– none –")), *((name, name) for name in columns)]
        for target in TARGETS:
            needed = target in REQUIRED
            self.fields[f"map_{target}"] = forms.ChoiceField(label=TARGET_WORDS[target], choices=choices, required=False)
            self.fields[f"map_{target}"].widget.attrs["data-needed"] = "1" if needed else "0"

    def clean_tz(self) -> str:
        name: str = self.cleaned_data["tz"].strip()
        if name and name not in zoneinfo.available_timezones():
            raise forms.ValidationError(_("There is no time zone %(name)s.") % {"name": name})
        return name

    @property
    def mapping(self) -> dict[str, str]:
        return {target: self.cleaned_data[f"map_{target}"] for target in TARGETS}

    @property
    def mapping_fields(self) -> list[Any]:
        return [self[f"map_{target}"] for target in TARGETS]


def refusals_are_said(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """What a service refuses is said on the run's page; what is out of sight is 404."""

    @wraps(view)
    def wrapped(self: Any, request: HttpRequest, pk: int, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            return view(self, request, pk, *args, **kwargs)
        except NotFound as refusal:
            raise Http404(refusal.message) from refusal
        except DomainError as refusal:
            messages.error(request, " ".join([refusal.message, *refusal.fields.values()]))
            return HttpResponseRedirect(reverse("admin:incidents_importrun_change", args=[pk]))

    return wrapped


class ImportScreens:
    """For the ``ModelAdmin`` of import runs."""

    def get_urls(self: Any) -> Any:
        site = self.admin_site

        def step(name: str, view: Any) -> Any:
            return path(f"<int:pk>/{name}/", site.admin_view(view), name=f"incidents_importrun_{name}")

        return [
            step("prepare", self.prepare_view),
            step("progress", self.progress_view),
            step("stop", require_POST(self.stop_view)),
            step("again", require_POST(self.again_view)),
            step("rejects", self.rejects_view),
            *super().get_urls(),  # type: ignore[misc]
        ]

    def may_import(self, request: Any) -> bool:
        return request.user.is_active and request.user.can("import")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.may_import(request)

    def _sources(self, request: HttpRequest) -> Any:
        return Source.objects.visible_to(request.user).in_use().order_by("name")

    def _run(self: Any, request: HttpRequest, pk: int) -> ImportRun:
        run = self.get_queryset(request).select_related("source__region").filter(pk=pk).first()
        if run is None:
            raise Http404(_("There is no such import."))
        return run

    def _context(self: Any, request: HttpRequest, **more: Any) -> dict[str, Any]:
        request.current_app = self.admin_site.name
        return {**self.admin_site.each_context(request), "opts": self.opts, "subtitle": None, **more}

    # -- 1: upload ------------------------------------------------------------------------------------------------------

    def add_view(self: Any, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.may_import(request):
            raise PermissionDenied
        form = UploadForm(request.POST or None, request.FILES or None, sources=self._sources(request), initial=request.GET.dict())
        if request.method == "POST" and form.is_valid():
            given = form.cleaned_data["file"]
            try:
                run = archive_upload(file=given, name=given.name, by=_actor(request), source=form.cleaned_data["source"])
            except RefusedFile as refusal:
                form.add_error("file", " ".join([refusal.message, *(text for text in refusal.fields.values() if text != refusal.message)]))
            except DomainError as refusal:
                form.add_error(None, refusal.message)
            else:
                return HttpResponseRedirect(reverse("admin:incidents_importrun_prepare", args=[run.pk]))
        context = self._context(
            request,
            title=_("Import a file: choose it"),
            form=form,
            limit_mb=settings.IMPORT_MAX_BYTES // 2**20,
            has_sources=self._sources(request).exists(),
        )
        return TemplateResponse(request, "admin/incidents/importrun/upload.html", context)

    # -- 2: look at it, say what is what -------------------------------------------------------------------------------------

    @refusals_are_said
    def prepare_view(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        run = self._run(request, pk)
        if not self.may_import(request):
            raise PermissionDenied
        if run.status != Status.UPLOADED:
            return HttpResponseRedirect(reverse("admin:incidents_importrun_change", args=[pk]))
        sources = self._sources(request)
        first = preview(run=run, rows=PREVIEW_ROWS)
        initial = {"source": run.source_id, "tz": first.tz, "srid": first.srid}
        initial |= {f"map_{target}": first.mapping.get(target, "") for target in TARGETS}
        form = MappingForm(request.POST or None, columns=first.columns, sources=sources, initial=initial)
        seen = first
        if request.method == "POST" and form.is_valid():
            chosen: dict[str, Any] = {
                "mapping": form.mapping,
                "tz": form.cleaned_data["tz"],
                "srid": form.cleaned_data["srid"],
                "source": form.cleaned_data["source"],
            }
            if "look" in request.POST:
                seen = preview(run=run, rows=PREVIEW_ROWS, **chosen)
            else:
                try:
                    start_import(run=run, by=_actor(request), dry_run="dry_run" in request.POST, **chosen)
                    return HttpResponseRedirect(reverse("admin:incidents_importrun_change", args=[pk]))
                except DomainError as refusal:
                    seen = preview(run=run, rows=PREVIEW_ROWS, **chosen)
                    seen.problem, seen.fields = refusal.message, refusal.fields
        counts = {outcome: sum(row.outcome == outcome for row in seen.rows) for outcome in OUTCOMES}
        context = self._context(
            request,
            title=_("Import a file: look and map"),
            run=run,
            form=form,
            seen=seen,
            problems={TARGET_WORDS.get(name, name): text for name, text in seen.fields.items() if text != seen.problem},
            rows=[(row, OUTCOMES.get(row.outcome)) for row in seen.rows],
            counts=[(kind, label, counts[outcome]) for outcome, (kind, label) in OUTCOMES.items() if counts[outcome]],
            time_zones=("Asia/Kuwait", "Asia/Riyadh", "Asia/Dubai", "UTC", "America/Chicago", "America/Los_Angeles", "Europe/London"),
        )
        return render(request, "admin/incidents/importrun/prepare.html", context)

    # -- 3: watch it, stop it ---------------------------------------------------------------------------------------------------

    def render_change_form(self: Any, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        run = kwargs.get("obj")
        if run is not None:
            context.update(self.progress_of(request, run))
        return super().render_change_form(request, context, *args, **kwargs)  # type: ignore[misc]

    def progress_of(self, request: HttpRequest, run: ImportRun) -> dict[str, Any]:
        """What the progress panel says: counts, rate, and the time left where the file's length can be told."""
        now = timezone.now()
        is_running = run.status == Status.RUNNING
        until = run.finished_at or now
        seconds = max((until - run.started_at).total_seconds(), 0.001) if run.started_at else 0.0
        rate = run.read / seconds if seconds else 0.0
        left = (run.total - run.read) / rate if is_running and run.total and rate else None
        silent = is_running and run.heartbeat_at is not None and (now - run.heartbeat_at).total_seconds() > 120
        return {
            "run": run,
            "is_active": run.status in {Status.QUEUED, Status.RUNNING},
            "is_silent": silent,
            "seconds": seconds,
            "rate": round(rate),
            "left_s": round(left) if left is not None else None,
            "left_min": round(left / 60) if left is not None and left > 90 else None,
            "has_rejects": bool(run.rejects_file) and rejects_path(run).is_file(),
            "may_import": self.may_import(request),
            "can_go_on": run.status == Status.DONE and run.is_dry_run,
            "quality": [(name, count) for name, count in run.quality.items() if isinstance(count, int)],
            "codes": sorted((run.quality.get("codes") or {}).items(), key=lambda item: -item[1]),
        }

    @refusals_are_said
    def progress_view(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        run = self._run(request, pk)
        answer = render(request, "admin/incidents/importrun/_progress.html", self.progress_of(request, run))
        answer["Cache-Control"] = "no-store"
        return answer

    @refusals_are_said
    def stop_view(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        cancel_import(run=self._run(request, pk), by=_actor(request))
        messages.success(request, _("The import stops after the batch in hand. What went in stays in."))
        return HttpResponseRedirect(reverse("admin:incidents_importrun_change", args=[pk]))

    @refusals_are_said
    def again_view(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """After a dry run: the same file with the same mapping, for good."""
        tried = self._run(request, pk)
        if tried.source is None:
            raise Http404
        run = archive_upload(file=archive_path(tried), name=tried.file_name, by=_actor(request), source=tried.source)
        options = tried.options
        start_import(
            run=run,
            source=tried.source,
            mapping=options.get("mapping"),
            tz=options.get("tz", ""),
            srid=options.get("srid"),
            by=_actor(request),
        )
        return HttpResponseRedirect(reverse("admin:incidents_importrun_change", args=[run.pk]))

    # -- 4: what did not go in -----------------------------------------------------------------------------------------------------

    @refusals_are_said
    def rejects_view(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        run = self._run(request, pk)
        file = rejects_path(run)
        if not file.is_file():
            raise Http404(_("This import rejected nothing, or its file has been cleared away."))
        return FileResponse(file.open("rb"), as_attachment=True, filename=f"rejects-{run.pk}.csv", content_type="text/csv; charset=utf-8")


class RowForm(forms.Form):
    """A rejected row in our fields, to be mended."""

    def __init__(self, *args: Any, row: RejectedRow, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for target in TARGETS:
            long = target in {"description", "address"}
            self.fields[target] = forms.CharField(
                label=TARGET_WORDS[target],
                required=False,
                disabled=target == "external_id",
                widget=forms.Textarea(attrs={"rows": 2}) if long else forms.TextInput(attrs={"dir": "auto", "class": "vTextField"}),
            )
