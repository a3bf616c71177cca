"""`retest view`: the store in a browser, served locally."""
