"""/api/v1/patrol: units and their people, sending them, where they are, plans, safety, and what came of it."""
