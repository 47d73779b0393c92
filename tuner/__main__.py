"""``python -m tuner``: the same as the console script ``tuner``."""

from tuner.cli.main import main

if __name__ == "__main__":
    main()
