"""Numbers to numbers: how retest decides, without a word about suites. Importing a module of it loads NumPy."""
