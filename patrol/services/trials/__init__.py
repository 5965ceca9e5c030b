"""Randomised trials with cells held out: drawn, sealed by a second person before they begin, reported once they are over."""

from patrol.services.trials.holding import HeldOut, held_out, held_out_cells

__all__ = ["HeldOut", "held_out", "held_out_cells"]
