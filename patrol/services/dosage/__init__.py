"""Did they go, and how long: the dosage of stops, and the days of units, from positions."""

from patrol.services.dosage.days import measure_day, measure_days
from patrol.services.dosage.measuring import BEYOND, GRACE, Measured, counted_stops, measure_stops

__all__ = ["BEYOND", "GRACE", "Measured", "counted_stops", "measure_day", "measure_days", "measure_stops"]
