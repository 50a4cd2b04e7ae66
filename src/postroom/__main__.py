"""The command line's door. The commands are in cli."""

from postroom.cli.app import main

if __name__ == "__main__":
    main()
