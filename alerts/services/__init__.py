"""The verbs. ``engine``: from fact to alert; ``alerts``: an alert's life; the others are named after what they keep."""
