from iot.services.rules.drafts import confirm_draft, dismiss_draft
from iot.services.rules.firing import end_firings, fire
from iot.services.rules.writing import save_rule

__all__ = ["confirm_draft", "dismiss_draft", "end_firings", "fire", "save_rule"]
