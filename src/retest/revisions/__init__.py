"""Git: files at a revision, provenance."""
