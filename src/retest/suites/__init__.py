"""From files to a checked Suite: every mistake is found here, before the first call."""
