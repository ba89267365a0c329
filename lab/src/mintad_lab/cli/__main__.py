"""`python -m mintad_lab.cli`."""

from mintad_lab.cli import main

if __name__ == "__main__":
    main()
