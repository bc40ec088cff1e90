"""`python -m rebalancer`."""

from rebalancer.cli.main import entry

if __name__ == "__main__":
    entry()
