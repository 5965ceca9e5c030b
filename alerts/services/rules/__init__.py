"""Rules as people write them: conditions, checks, words, versions, switching on, files, replays."""

from alerts.services.rules.activation import activate_rule, send_back_rule, submit_rule, switch_off_rule
from alerts.services.rules.writing import change_rule, create_rule, drop_proposal, newest, newest_number

__all__ = [
    "activate_rule",
    "change_rule",
    "create_rule",
    "drop_proposal",
    "newest",
    "newest_number",
    "send_back_rule",
    "submit_rule",
    "switch_off_rule",
]
