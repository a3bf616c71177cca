"""Language-aware segmentation for metrics and diffs."""
