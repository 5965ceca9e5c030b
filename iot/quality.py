"""What is known against a reading: flags in one small integer. No flag: nothing."""

from __future__ import annotations

from enum import IntFlag

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class Quality(IntFlag):
    LATE = 1  # older than the stream's last, or long on its way
    OUT_OF_RANGE = 2  # outside what its metric can be
    ROC = 4  # changed faster than its metric can
    STUCK = 8  # set by the detectors, as are DRIFT, SPIKE and GAP
    CLOCK_SKEW = 16  # the device's clock is ahead of ours, by less than would have it refused
    DUPLICATE_CONFLICT = 32  # another value came for the same instant: this is the first, the second is a dead reading
    DRIFT = 64
    SPIKE = 128
    GAP = 256


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
