"""Call the command line in this process, as a shell would see it."""

import json

from baffle.cli.main import main


def call(capsys, *args):
    """Return (exit code, standard output, standard error)."""
    try:
        main([str(a) for a in args])
        code = 0
    except SystemExit as end:
        code = end.code or 0
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def last_json(out):
    return json.loads(out.splitlines()[-1])
