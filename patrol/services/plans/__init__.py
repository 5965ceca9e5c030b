"""Plans of a shift: made, changed, reviewed, published, planned again."""

from patrol.services.plans.changing import Outcome, Wish, change_plan, try_change
from patrol.services.plans.diff import Diff, diff
from patrol.services.plans.making import ask_for_plan, execute_plan, visible_plan, waiting_plans
from patrol.services.plans.replanning import replan
from patrol.services.plans.states import discard_plan, publish_plan, review_plan

__all__ = [
    "Diff",
    "Outcome",
    "Wish",
    "ask_for_plan",
    "change_plan",
    "diff",
    "discard_plan",
    "execute_plan",
    "publish_plan",
    "replan",
    "review_plan",
    "try_change",
    "visible_plan",
    "waiting_plans",
]
