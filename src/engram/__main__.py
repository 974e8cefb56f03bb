"""`python -m engram`."""

from engram.cli.main import main

if __name__ == "__main__":
    main()
