"""The page of a run, or of two compared, as one HTML file that needs nothing else; its parts serve `retest view`."""
