"""`./scripts/bench [PART …]`: everything, or some of ingest, chain, proofs, engine, latency, year. `--growth N` goes on to N records."""

from __future__ import annotations

import argparse

from tests.bench import chain, engine, ingest, latency, proofs, year
from tests.bench.report import Report, machine
from tests.scenario import clock

PARTS = ("ingest", "chain", "proofs", "engine", "latency", "year")


def main() -> None:
    parser = argparse.ArgumentParser(prog="./scripts/bench", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="what to measure [default: everything]")
    parser.add_argument("--records", type=int, default=40_000, help="records of the ingest and audit runs")
    parser.add_argument("--growth", type=int, default=100_000, help="how far the log grows; 1000000 takes ten minutes")
    parser.add_argument("--entries", type=int, default=20_000, help="entries of the engine's log")
    parser.add_argument("--days", type=int, default=clock.DAYS, help="days of the scenario's year")
    options = parser.parse_args()
    report = Report()
    print(f"hazledger bench on {machine()}", flush=True)
    for part in options.parts or PARTS:
        print(part, flush=True)
        if part == "ingest":
            ingest.run(report, options.records)
        elif part == "chain":
            chain.run(report)
        elif part == "proofs":
            proofs.run(report, options.records, options.growth)
        elif part == "engine":
            engine.engine(report, options.entries)
        elif part == "latency":
            latency.latency(report)
        else:
            year.year(report, options.days)


if __name__ == "__main__":
    main()
