"""What is known against a reading, in words: flags in one small integer (``iot.analytics.quality``). No flag: nothing.

STUCK, DRIFT, SPIKE and GAP are set by the detectors, the others by the writer.
"""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from iot.analytics.quality import Quality

__all__ = ["BAD", "LABELS", "Quality", "labels_of", "names_of"]


# Kept and shown, and never part of a mean, a least or a most.
BAD = Quality.OUT_OF_RANGE

LABELS: dict[Quality, str | Promise] = {
    Quality.LATE: _("late"),
    Quality.OUT_OF_RANGE: _("out of range"),
    Quality.ROC: _("changed too fast"),
    Quality.STUCK: _("stuck"),
    Quality.CLOCK_SKEW: _("clock ahead"),
    Quality.DUPLICATE_CONFLICT: _("two values"),
    Quality.DRIFT: _("drifting"),
    Quality.SPIKE: _("spike"),
    Quality.GAP: _("after a gap"),
}


def names_of(quality: int) -> list[str]:
    """The flags as programs read them."""
    return [str(flag.name).lower() for flag in Quality if quality & flag]


def labels_of(quality: int) -> str:
    """The flags as people read them."""
    return ", ".join(str(LABELS[flag]) for flag in Quality if quality & flag)
