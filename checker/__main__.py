"""`python -m checker` is `hibs`."""

from checker.cli import main

if __name__ == "__main__":
    main()
