#!/usr/bin/env python3
"""Counts a folder of trail logs by eventName in several ways, in turns, and says what each took.

    python3 -m venv VENV && VENV/bin/pip install duckdb isal
    cargo bench --no-run --bench trail     # prints the name of the program that it builds
    THAT-PROGRAM generate DIR
    VENV/bin/python benches/trail_count.py DIR target/release/portcullis

jq and libdeflate-gunzip are measured where they are installed. Every way gets all cores; those that have no
threads of their own are run by xargs, a process a core.
"""

import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
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


def ways(folder, program):
    yield "portcullis", [program, "events", "--from", folder, "--count-by", "name", "--format", "json"]
    for name, query in QUERIES.items():
        yield name, [sys.executable, "-c", DUCKDB.format(cores=CORES, query=query), folder]
    if shutil.which("jq"):
        jq = each_core("sh -c 'gzip -dc \"$@\" | jq -r \".Records[].eventName\"' sh") + " | sort | uniq -c"
        yield "jq", ["sh", "-c", jq.format(folder)]
    yield "inflating alone, isal (igzip)", ["sh", "-c", each_core("\"$0\" -c \"$1\"", 64).format(folder)
        .replace('"$0"', f"'{sys.executable}'").replace('"$1"', f'"{INFLATE}"')]
    if shutil.which("libdeflate-gunzip"):
        yield "inflating alone, libdeflate", ["sh", "-c", each_core("libdeflate-gunzip -c").format(folder) + " > /dev/null"]
    inflate = os.environ.get("INFLATE")
    if inflate:
        yield "inflating alone, " + os.path.basename(inflate), [inflate, folder]


def run(command):
    """Seconds of the clock and of the processor, peak memory of the largest process in MB, its answer."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = process.communicate()
    took = time.monotonic() - begun
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if process.returncode:
        return None, None, err.decode(errors="replace").strip().splitlines()[-1:]
    busy = (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)
    return took, busy, out


def peak(command):
    """Peak memory in MB, measured by a process of its own."""
    measure = (
        "import resource,subprocess,sys;"
        "subprocess.run(sys.argv[1:],stdout=subprocess.DEVNULL,stderr=subprocess.DEVNULL);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss//1024)"
    )
    return int(subprocess.run([sys.executable, "-c", measure, *command], capture_output=True).stdout)


def main():
    folder, program = sys.argv[1:3]
    all_ways = list(ways(folder, program))
    times = {name: [] for name, _ in all_ways}
    total = None
    for _ in range(TURNS):
        for name, command in all_ways:
            took, busy, out = run(command)
            if took is None:
                print(f"{name}: failed: {out}")
                continue
            times[name].append((took, busy))
            print(f"  … {name}: {took:.2f} s, {busy:.2f} s of processor", file=sys.stderr, flush=True)
            if name == "portcullis":
                total = sum(line["events"] for line in json.loads(out))
            elif name.startswith("DuckDB") and int(out) != total:
                print(f"{name}: counts {int(out)}, portcullis {total}")
    print(f"{total} events, {CORES} cores, median of {TURNS}")
    for name, command in all_ways:
        if times[name]:
            took, busy = (statistics.median(column) for column in zip(*times[name]))
            print(f"  {name:48} {took:7.2f} s   {busy:7.2f} s of processor   {peak(command):5} MB at most")


if __name__ == "__main__":
    main()
