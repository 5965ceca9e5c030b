"""How an alert goes on until somebody acknowledges: policies and their steps, and the run of one with what each step did."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.models import Agency
from accounts.roles import Role
from alerts.choices import Channel, Importance
from alerts.models.alert import Alert
from alerts.models.people import Contact
from alerts.models.rule import Named
from alerts.querysets import EscalationRunQuerySet, PolicyQuerySet
from patrol.models import Team


class EscalationPolicy(Named):
    """Steps, one after the other. A run keeps the policy as it was when the alert fired: an edit changes what fires next, never a run."""

    description = models.TextField(blank=True, verbose_name=_("description"))
    agency = models.ForeignKey(
        Agency,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("agency"),
        help_text=_("Empty: of the whole ministry."),
    )
    repeat_times = models.PositiveSmallIntegerField(default=0, verbose_name=_("repeat all steps (times)"), help_text=_("At most 10."))
    repeat_wait_s = models.PositiveIntegerField(default=300, verbose_name=_("wait before repeating (seconds)"))
    remind_after_min = models.PositiveIntegerField(
        null=True, blank=True, verbose_name=_("ask again after (minutes)"),
        help_text=_("An acknowledged alert that is still open so long afterwards fires again. Empty: never."),
    )  # fmt: skip
    fallback_user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("if nobody is reached: person"),
    )
    fallback_contact = models.ForeignKey(
        Contact, null=True, blank=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("if nobody is reached: contact")
    )
    ladder = models.JSONField(
        default=list, blank=True, verbose_name=_("channels for whoever has none"),
        help_text=_('Rungs for people without rules of their own: [{"channel": "sms", "wait_s": 60}, {"channel": "voice", "wait_s": 60}].'),
    )  # fmt: skip
    version = models.PositiveIntegerField(default=1, verbose_name=_("version"))
    is_active = models.BooleanField(default=True, verbose_name=_("in use"))
    is_seeded = models.BooleanField(default=False, verbose_name=_("comes with the product"))

    objects = PolicyQuerySet.as_manager()

    class Meta:
        verbose_name = _("escalation policy")
        verbose_name_plural = _("escalation policies")
        ordering = ["code"]
        constraints = [
            models.CheckConstraint(
                condition=Q(repeat_times__lte=10), name="policy_repeats", violation_error_message=_("A policy repeats ten times at most.")
            )
        ]


class PolicyStep(models.Model):
    """One thing that is done, and how long is waited after it for somebody to acknowledge."""

    class Kind(models.TextChoices):
        WAIT = "wait", pgettext_lazy("policy step", "Wait")
        PERSON = "person", pgettext_lazy("policy step", "Notify a person")
        ROLE = "role", pgettext_lazy("policy step", "Notify a role")
        TEAM = "team", pgettext_lazy("policy step", "Notify a team")
        SCHEDULE = "schedule", pgettext_lazy("policy step", "Notify who is on call")
        CONTACT = "contact", pgettext_lazy("policy step", "Notify a contact")
        OPERATIONS_ROOM = "operations", pgettext_lazy("policy step", "Notify the governorate's operations room")
        COMMAND_CENTRE = "command", pgettext_lazy("policy step", "Notify the command centre")
        TASK = "task", pgettext_lazy("policy step", "Create a task for a patrol")
        WEBHOOK = "webhook", pgettext_lazy("policy step", "Call a webhook")

    policy = models.ForeignKey(EscalationPolicy, on_delete=models.CASCADE, related_name="steps", verbose_name=_("policy"))
    position = models.PositiveSmallIntegerField(verbose_name=_("order"))
    kind = models.CharField(max_length=10, choices=Kind, verbose_name=_("what to do"))
    wait_s = models.PositiveIntegerField(default=60, verbose_name=_("then wait (seconds)"), help_text=_("For somebody to acknowledge."))
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("person")
    )
    role = models.CharField(
        max_length=16, choices=Role, blank=True, verbose_name=_("role"), help_text=_("In the alert's agency and governorate.")
    )
    team = models.ForeignKey(Team, null=True, blank=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("team"))
    schedule = models.ForeignKey(
        "alerts.OnCallSchedule", null=True, blank=True, on_delete=models.PROTECT, related_name="steps", verbose_name=_("on-call schedule")
    )
    contact = models.ForeignKey(Contact, null=True, blank=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("contact"))
    agency = models.ForeignKey(
        Agency, null=True, blank=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("agency"),
        help_text=_("Of the role or operations room, where it is not the alert's own."),
    )  # fmt: skip
    channels = ArrayField(
        models.CharField(max_length=8, choices=Channel), default=list, blank=True, verbose_name=_("by these channels"),
        help_text=_("Empty: as each person chose."),
    )  # fmt: skip
    importance = models.CharField(max_length=9, choices=Importance, default=Importance.DEFAULT, verbose_name=_("as"))
    also_off_duty = models.BooleanField(default=False, verbose_name=_("off-duty people too"))
    only_from = models.TimeField(null=True, blank=True, verbose_name=_("only from"))
    only_to = models.TimeField(null=True, blank=True, verbose_name=_("only to"))
    only_weekdays = ArrayField(
        models.PositiveSmallIntegerField(),
        default=list,
        blank=True,
        verbose_name=_("only on these weekdays"),
        help_text=_("0 is Monday. Empty: every day."),
    )
    only_levels = ArrayField(models.CharField(max_length=8), default=list, blank=True, verbose_name=_("only at these levels"))
    repeat_times = models.PositiveSmallIntegerField(default=0, verbose_name=_("repeat this step (times)"))
    webhook = models.SlugField(max_length=64, blank=True, verbose_name=_("webhook"), help_text=_("Its name in ALERT_WEBHOOKS."))
    task_title = models.CharField(max_length=200, blank=True, verbose_name=_("title of the task"))

    class Meta:
        verbose_name = _("policy step")
        verbose_name_plural = _("policy steps")
        ordering = ["policy", "position"]
        constraints = [
            models.UniqueConstraint(fields=["policy", "position"], name="policy_step_order", deferrable=models.Deferrable.DEFERRED),
            models.CheckConstraint(
                condition=Q(wait_s__lte=86_400), name="policy_step_wait", violation_error_message=_("A step waits a day at most.")
            ),
            models.CheckConstraint(
                condition=Q(repeat_times__lte=10),
                name="policy_step_repeats",
                violation_error_message=_("A step repeats ten times at most."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.position}. {self.get_kind_display()}"


class EscalationRun(models.Model):
    """The row is the queue: what is due next for an alert, claimed with SKIP LOCKED and a lease."""

    class State(models.TextChoices):
        RUNNING = "running", pgettext_lazy("escalation", "Running")
        PAUSED = "paused", pgettext_lazy("escalation", "Paused")
        DONE = "done", pgettext_lazy("escalation", "All steps done")
        STOPPED = "stopped", pgettext_lazy("escalation", "Stopped")

    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="runs", verbose_name=_("alert"))
    number = models.PositiveSmallIntegerField(
        default=1, verbose_name=_("run"), help_text=_("A second look that fires again begins another.")
    )
    policy = models.ForeignKey(
        EscalationPolicy, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("policy")
    )
    policy_version = models.PositiveIntegerField(null=True, blank=True, verbose_name=_("version of the policy"))
    snapshot = models.JSONField(default=dict, verbose_name=_("policy as it was"))
    state = models.CharField(max_length=8, choices=State, default=State.RUNNING, verbose_name=_("state"))
    loop = models.PositiveSmallIntegerField(default=0, verbose_name=_("loop"))
    step_no = models.PositiveSmallIntegerField(default=0, verbose_name=_("next step"))
    repeat_no = models.PositiveSmallIntegerField(default=0, verbose_name=_("repeat of the step"))
    next_at = models.DateTimeField(null=True, verbose_name=_("next step due at"))
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)
    lease_owner = models.CharField(max_length=80, blank=True, editable=False)
    failures = models.PositiveSmallIntegerField(default=0, verbose_name=_("failures in a row"))
    last_error = models.TextField(blank=True, verbose_name=_("last error"))
    started_at = models.DateTimeField(auto_now_add=True, verbose_name=_("began"))
    ended_at = models.DateTimeField(null=True, blank=True, verbose_name=_("ended"))

    objects = EscalationRunQuerySet.as_manager()

    class Meta:
        verbose_name = _("escalation")
        verbose_name_plural = _("escalations")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["alert", "number"], name="run_number_once"),
            models.UniqueConstraint(fields=["alert"], condition=Q(state__in=["running", "paused"]), name="run_one_at_a_time"),
        ]
        indexes = [
            # The claim: what is due, in the order of its time.
            models.Index(fields=["next_at"], name="run_due", condition=Q(state="running")),
        ]

    def __str__(self) -> str:
        return f"{self.alert_id} · {self.number}"


class StepRun(models.Model):
    """That a step was run, when it was due and when it was, and what came of it. Once for each (run, loop, step, repeat)."""

    class Outcome(models.TextChoices):
        DONE = "done", pgettext_lazy("step", "Done")
        NOBODY = "nobody", pgettext_lazy("step", "Nobody reachable")
        SKIPPED = "skipped", pgettext_lazy("step", "Not at this time or level")
        FAILED = "failed", pgettext_lazy("step", "Failed")

    run = models.ForeignKey(EscalationRun, on_delete=models.CASCADE, related_name="steps", verbose_name=_("escalation"))
    loop = models.PositiveSmallIntegerField(verbose_name=_("loop"))
    step_no = models.PositiveSmallIntegerField(verbose_name=_("step"))
    repeat_no = models.PositiveSmallIntegerField(default=0, verbose_name=_("repeat"))
    kind = models.CharField(max_length=10, choices=PolicyStep.Kind, verbose_name=_("what was done"))
    due_at = models.DateTimeField(verbose_name=_("due at"))
    ran_at = models.DateTimeField(verbose_name=_("ran at"))
    outcome = models.CharField(max_length=8, choices=Outcome, verbose_name=_("outcome"))
    reached = models.PositiveSmallIntegerField(default=0, verbose_name=_("people paged"))
    facts = models.JSONField(default=dict, verbose_name=_("facts"))

    class Meta:
        verbose_name = _("step that ran")
        verbose_name_plural = _("steps that ran")
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["run", "loop", "step_no", "repeat_no"], name="step_run_once")]

    def __str__(self) -> str:
        return f"{self.run_id}: {self.loop}.{self.step_no}.{self.repeat_no}"


class Heartbeat(models.Model):
    """When a part of the alerting last did its round: what the auditor and whoever watches from outside ask."""

    name = models.CharField(max_length=64, primary_key=True, verbose_name=_("part"))
    beat_at = models.DateTimeField(verbose_name=_("last beat"))
    facts = models.JSONField(default=dict, verbose_name=_("facts"))

    class Meta:
        verbose_name = _("heartbeat")
        verbose_name_plural = _("heartbeats")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
