"""What answers: models, recordings, code."""
