"""`python -m mintad.cli`."""

from mintad.cli import main

if __name__ == "__main__":
    main()
