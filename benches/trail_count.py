#!/usr/bin/env python3
"""Counts a folder of trail logs by eventName in several ways, in turns, and says what each took.

    python3 -m venv VENV && VENV/bin/pip install duckdb isal
    cargo bench --no-run --bench trail     # prints the name of the program that it builds
    THAT-PROGRAM generate DIR
    VENV/bin/python benches/trail_count.py DIR target/release/portcullis THAT-PROGRAM

jq is measured where it is installed. What takes more than 20 s is run once only. Every way gets all cores; those that have no
threads of their own are run by xargs, a process a core.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

TURNS = int(os.environ.get("TURNS", "3"))
CORES = len(os.sched_getaffinity(0))

DUCKDB = """
import duckdb, sys
duckdb.sql("set threads to {cores}")
duckdb.sql("set enable_progress_bar = false")
files = sys.argv[1] + '/**/*.json.gz'
rows = duckdb.sql({query!r}.replace('FILES', files)).fetchall()
print(sum(count for _, count in rows))
"""
QUERIES = {
    "DuckDB, read_json with its own schema": "select r.eventName, count(*) from (select unnest(Records) r from read_json('FILES', maximum_object_size=100000000)) group by 1",
    "DuckDB, one column of structs with eventName": "select r.eventName, count(*) from (select unnest(Records) r from read_json('FILES', columns={Records: 'STRUCT(eventName VARCHAR)[]'}, maximum_object_size=100000000)) group by 1",
    "DuckDB, one column of JSON": "select r->>'eventName', count(*) from (select unnest(Records) r from read_json('FILES', columns={Records: 'JSON[]'}, maximum_object_size=100000000)) group by 1",
    "DuckDB, JSON path": "select unnest(json_extract_string(Records, '$[*].eventName')) n, count(*) from read_json('FILES', columns={Records: 'JSON'}, maximum_object_size=100000000) group by 1",
    "DuckDB, regular expression over text": "select unnest(regexp_extract_all(content, '\"eventName\":\"([^\"]*)\"', 1)) n, count(*) from read_csv('FILES', columns={content: 'VARCHAR'}, delim='\\x01', quote='', escape='', header=false, max_line_size=100000000, auto_detect=false) group by 1",
}
INFLATE = """
import sys
from isal import isal_zlib
for name in sys.argv[1:]:
    with open(name, 'rb') as f:
        isal_zlib.decompress(f.read(), 31)
"""


def each_core(command, per=16):
    return f"find {{0}} -name '*.json.gz' -print0 | xargs -0 -P {CORES} -n {per} {command}"


def ways(folder, program, bench=None):
    yield "portcullis", [program, "events", "--from", folder, "--count-by", "name", "--format", "json"]
    for name, query in QUERIES.items():
        yield name, [sys.executable, "-c", DUCKDB.format(cores=CORES, query=query), folder]
    if shutil.which("jq"):
        jq = each_core("sh -c 'gzip -dc \"$@\" | jq -r \".Records[].eventName\"' sh") + " | sort | uniq -c"
        yield "jq", ["sh", "-c", jq.format(folder)]
    yield "inflating alone, isal (igzip)", ["sh", "-c", each_core("\"$0\" -c \"$1\"", 64).format(folder)
        .replace('"$0"', f"'{sys.executable}'").replace('"$1"', f'"{INFLATE}"')]
    if bench:
        yield "inflating alone, libdeflate", [bench, "inflate", folder]


def run(command):
    """Seconds of the clock and of the processor, peak memory of the largest process in MB, its answer."""
    begun = time.monotonic()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said)
        out = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        took = time.monotonic() - begun
        if process.returncode:
            said.seek(0)
            return None, said.read().decode(errors="replace").strip().splitlines()[-1:]
    return (took, used.ru_utime + used.ru_stime, used.ru_maxrss // 1024), out


def main():
    folder, program, *bench = sys.argv[1:4]
    all_ways = list(ways(folder, program, *bench))
    times = {name: [] for name, _ in all_ways}
    total = None
    for _ in range(TURNS):
        for name, command in all_ways:
            if times[name] and times[name][0][0] > 20:
                continue
            used, out = run(command)
            if used is None:
                print(f"{name}: failed: {out}")
                continue
            times[name].append(used)
            print(f"  … {name}: {used[0]:.2f} s, {used[1]:.2f} s of processor", file=sys.stderr, flush=True)
            if name == "portcullis":
                total = sum(line["events"] for line in json.loads(out))
            elif name.startswith("DuckDB") and int(out) != total:
                print(f"{name}: counts {int(out)}, portcullis {total}")
    print(f"{total} events, {CORES} cores, median of {TURNS}")
    for name, _ in all_ways:
        if times[name]:
            took, busy, peak = (statistics.median(column) for column in zip(*times[name]))
            print(f"  {name:48} {took:7.2f} s   {busy:7.2f} s of processor   {peak:5.0f} MB at most")


if __name__ == "__main__":
    main()
