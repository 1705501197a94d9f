"""Studies: many runs of one question each, restartable, with their results beside them."""
