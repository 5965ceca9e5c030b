from iot.services.risk.replay import Replay, replay_risk, score_of_row
from iot.services.risk.scoring import forget_old_scores, score_zones

__all__ = ["Replay", "forget_old_scores", "replay_risk", "score_of_row", "score_zones"]
