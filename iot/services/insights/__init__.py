from iot.services.insights.keeping import dismiss_insight, forget_old_insights, look_for_insights

__all__ = ["dismiss_insight", "forget_old_insights", "look_for_insights"]
