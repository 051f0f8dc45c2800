"""`python -m abides_core` is the `abides` command."""

from abides_core.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
