"""The false-alarm budget: which alerts fire in a week of healthy broadcasts. None may but Watchdog.

.venv/bin/python tests/bench/false_alarms.py [--broadcasts 1000] [--days 7] [--processes 2]

Each day is one `promtool test rules` over all rules, each 15 s of it (`--every`). What reaches back
for weeks is given: the usual first audience, as it would be recorded; records are no alarms. Left
out is what these series say nothing of: the gateway, and the objective, which asks a histogram.

A day takes some 4 minutes of CPU, with `--every 30` two and a half. Do not stop the program for
long: Prometheus gives a query 100 s.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from healthy_week import DAY, STEP, Day  # found by the line above

from agents import alerts

#: The groups whose rules look back for days, of which the results are given instead; and those of
#: whose inputs there are none.
_LEFT_OUT = {
    *("live-audience-days", "live-audience-history"),
    *("live-audience-gateway", "live-audience-objective"),
}
_FOUND = re.compile(r'\{(?:alertname="(?P<name>\w+)"[^}]*)\} (?P<count>[\d.E+]+)')


def write_rules(folder):
    """Write the rules but for the groups that are left out; returns what metrics they ask for."""
    asked = set()
    for file, groups in alerts.groups().items():
        kept = [group for group in groups if group.name not in _LEFT_OUT]
        path = folder / "rules" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(alerts.document(kept, ""), encoding="utf-8")
        for group in kept:
            for rule in group.rules:
                asked |= set(re.findall(r"[a-z_]\w*", rule.expr))
    return asked


def fired(day, folder, mistake=None, every=STEP):
    """Put a day to the rules; returns how many evaluations each alert fired at, by name.

    `every` is how many seconds lie between two evaluations; between two samples it is always 15.
    `mistake` is told of the day's series before, to show that what is wrong is seen.
    """
    folder.mkdir(parents=True, exist_ok=True)
    asked = write_rules(folder)
    series = day.run()
    if mistake is not None:
        mistake(series)
    span = day.end - day.begin
    lines = [
        f"rule_files: [{', '.join(f'rules/{name}' for name in alerts.rules())}]",
        f"evaluation_interval: {every}s",
        "tests:",
        f"  - interval: {STEP}s",
        "    input_series:",
        *series.lines(asked),
    ]
    usual = "platform_venue:audience_first_viewers:median14d_avg"
    for (platform, venue), viewers in day.usual_first().items():
        labels = f'job="live-audience",platform="{platform}",venue="{venue}"'
        lines.append(
            f"      - {{series: '{usual}{{{labels}}}', values: '{viewers:g}x{span // STEP}'}}"
        )
    expr = f'sum by (alertname) (count_over_time(ALERTS{{alertstate="firing"}}[{span}s]))'
    lines += [
        "    promql_expr_test:",
        # Cannot be so: then promtool says what is.
        f"      - expr: '{expr}'",
        f"        eval_time: {span}s",
        "        exp_samples: [{labels: '{}', value: -1}]",
    ]
    (folder / "day.yml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    program = shutil.which("promtool")
    if program is None:
        raise SystemExit("promtool is missing. On Debian and Ubuntu: apt install prometheus")
    done = subprocess.run(
        [program, "test", "rules", folder / "day.yml"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        env={**os.environ, "GOGC": "400"},  # it has memory enough
    )  # fmt: skip  # a command reads best as it is typed
    got = re.search(r"got: (.*)", done.stdout)
    if got is None:
        raise SystemExit(f"promtool did not say what fired:\n{done.stdout[-4000:]}")
    return {each["name"]: round(float(each["count"])) for each in _FOUND.finditer(got[1])}


def look(given, number):
    """Put a day of the week to the rules; as `fired`."""
    began = time.monotonic()
    share = given.broadcasts // given.days + (number < given.broadcasts % given.days)
    day = Day(given.seed, number, share, DAY - round(given.hours * 3600))
    with tempfile.TemporaryDirectory() as folder:
        found = fired(day, Path(folder), every=given.every)
    print(
        f"day {number + 1}: {share} broadcasts, {time.monotonic() - began:.0f} s; {found}",
        flush=True,
    )
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--broadcasts", type=int, default=1000, help="in all")
    parser.add_argument("--days", type=int, default=7)
    parser.add_argument("--hours", type=float, default=24, help="of each day, the last ones")
    parser.add_argument("--processes", type=int, default=2, help="days side by side")
    parser.add_argument("--every", type=int, default=STEP, help="seconds between evaluations")
    parser.add_argument("--only", type=int, help="one day, from 1 on, and no other")
    parser.add_argument("--seed", default="week")
    given = parser.parse_args()
    days = range(given.days) if given.only is None else [given.only - 1]
    total = {}
    with ProcessPoolExecutor(given.processes) as pool:
        for found in pool.map(partial(look, given), days):
            for name, count in found.items():
                total[name] = total.get(name, 0) + count
    print(f"{given.broadcasts} healthy broadcasts in {given.days} days; alerts that fired:")
    for name, count in sorted(total.items()):
        print(f"  {name}: for {count * given.every / 60:.0f} min")
    wrong = sorted(total.keys() - {"Watchdog"})
    print(f"false alarms: {', '.join(wrong) or 'none'}")
    return 1 if wrong or "Watchdog" not in total else 0


if __name__ == "__main__":
    sys.exit(main())
