"""Functions of (case, response) to a score."""
