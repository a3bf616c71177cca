"""The files that `retest init` writes, by language."""
