"""`python -m tests.fuzz`, which is `make fuzz`: all targets in turn, with equal shares of the time.

What a target has reached stays in `.fuzz/TARGET`, and the next time goes on from there. A finding ends its target; the
way to repeat it is printed, and the exit code is 1.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path

from tests.fuzz.seeds import TESTS, plant

FOLDER = Path(".fuzz")
FLAGS = ["-timeout=30", "-rss_limit_mb=4096", "-max_len=4096", "-print_final_stats=1"]
DONE = re.compile(r"#\d+\s+\w+\s+cov: (\d+) ft: (\d+) corp: (\d+)")


def main() -> int:
    """Run them, and print a row for each."""
    said = argparse.ArgumentParser(prog="make fuzz")
    said.add_argument("targets", nargs="*", default=list(TESTS), metavar="TARGET", help=", ".join(TESTS))
    said.add_argument("--seconds", type=int, default=3600, help="of all targets together")
    options = said.parse_args()
    seconds = max(1, options.seconds // len(options.targets))
    print(
        "| target | seconds | executions | edges | features | corpus | finding |\n|---|---:|---:|---:|---:|---:|---|",
        flush=True,
    )
    findings = [found for target in options.targets if (found := run(target, seconds))]
    print(*findings, sep="\n")
    return 1 if findings else 0


def run(target: str, seconds: int) -> str:
    """One target; answers what it found, and how to repeat it."""
    plant(target, FOLDER / target)
    log, prefix = FOLDER / f"{target}.log", f"{FOLDER}/finding-{target}-"
    command = [sys.executable, "-m", "tests.fuzz.engine", target]
    with log.open("wb") as out:
        flags = [*FLAGS, f"-max_total_time={seconds}", f"-artifact_prefix={prefix}", str(FOLDER / target)]
        code = subprocess.run([*command, *flags], stderr=out, stdout=out, check=False).returncode
    text = log.read_text(errors="replace")
    cov, features, corpus = (DONE.findall(text) or [("", "", "")])[-1]
    executions = (re.findall(r"number_of_executed_units: (\d+)", text) or [""])[-1]
    print(
        f"| {target} | {seconds} | {executions} | {cov} | {features} | {corpus} | {'yes' if code else 'none'} |",
        flush=True,
    )
    if not code:
        return ""
    inputs = re.findall(rf"{re.escape(prefix)}\S+", text)
    start = text.find("\nfinding of")
    told = text[start:][:4000] if start >= 0 else text[-2000:]
    return f"\n{target}: {told}\nrepeat it: {' '.join(command)} {' '.join(inputs[-1:])}; the log is {log}"


if __name__ == "__main__":
    sys.exit(main())
