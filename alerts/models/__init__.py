from alerts.choices import Channel, Importance, Level, Through
from alerts.models.alert import Alert, AlertLog, AlertState, HeldFiring, Occurrence
from alerts.models.delivery import ChannelHealth, Delivery, DeliveryAttempt, DeliveryState, MessageTemplate, Page, Receipt
from alerts.models.oncall import LayerMember, OnCallLayer, OnCallOverride, OnCallSchedule, ShiftSwap
from alerts.models.people import Contact, ContactMethod, NotificationRule, Preferences, PushSubscription
from alerts.models.policy import EscalationPolicy, EscalationRun, Heartbeat, PolicyStep, StepRun
from alerts.models.rule import AlertRule, Inhibition, RuleProposal, RuleReplay, RuleVersion, Silence, SpecialPeriod

__all__ = [
    "Alert",
    "AlertLog",
    "AlertRule",
    "AlertState",
    "Channel",
    "ChannelHealth",
    "Contact",
    "ContactMethod",
    "Delivery",
    "DeliveryAttempt",
    "DeliveryState",
    "EscalationPolicy",
    "EscalationRun",
    "Heartbeat",
    "HeldFiring",
    "Importance",
    "Inhibition",
    "LayerMember",
    "Level",
    "MessageTemplate",
    "NotificationRule",
    "Occurrence",
    "OnCallLayer",
    "OnCallOverride",
    "OnCallSchedule",
    "Page",
    "PolicyStep",
    "Preferences",
    "PushSubscription",
    "Receipt",
    "RuleProposal",
    "RuleReplay",
    "RuleVersion",
    "ShiftSwap",
    "Silence",
    "SpecialPeriod",
    "StepRun",
    "Through",
]
