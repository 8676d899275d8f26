"""``python -m sos_constructs.cli``: the same as ``sosctl``."""

from sos_constructs.cli import main

main()
