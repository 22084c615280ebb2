"""Runs many AWS CLI commands in one process: lists of words as JSON on standard input, their answers out."""

import contextlib
import io
import json
import sys

from awscli.clidriver import create_clidriver


def answer(driver, words):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = driver.main([*words, "--output", "json"])
    return {"answer": json.loads(out.getvalue())} if status == 0 else {"error": err.getvalue()}


driver = create_clidriver()
json.dump([answer(driver, words) for words in json.load(sys.stdin)], sys.stdout)
