"""What keeps predictions honest and people in charge: switches, suppressions, scores, cards, handover to patrol."""
