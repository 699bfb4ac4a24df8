"""``python -m opsin``, for where the ``opsin`` command is not on the path."""

from opsin.cli import main

if __name__ == "__main__":
    main()
