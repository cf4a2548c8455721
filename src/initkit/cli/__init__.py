"""Run initkit from a shell: ``initkit COMMAND``, or ``python -m initkit COMMAND``."""
