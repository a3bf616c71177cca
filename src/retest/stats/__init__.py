"""Numbers to numbers; knows nothing of suites."""
