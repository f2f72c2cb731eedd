"""`python -m magiqa` is the command `magiqa`."""

from magiqa.cli import main

if __name__ == "__main__":
    main()
