"""``python -m retest``."""

from retest.cli.app import main

if __name__ == "__main__":
    main()
