"""What partners pull: one way to ask, one way to page, three formats, for everything we tell machines."""
