"""`./scripts/bench [PART …]`: everything, or some of ingest, chain, proofs, engine, year. `--growth N` goes on to N records."""

from __future__ import annotations

import argparse

from tests.bench import chain, engine, ingest, proofs, year
from tests.bench.report import Report, machine

PARTS = ("ingest", "chain", "proofs", "engine", "year")


def main() -> None:
    parser = argparse.ArgumentParser(prog="./scripts/bench", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="what to measure [default: everything]")
    parser.add_argument("--records", type=int, default=40_000, help="records of the ingest and audit runs")
    parser.add_argument("--growth", type=int, default=100_000, help="how far the log grows; 1000000 takes ten minutes")
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
        elif part == "year":
            year.year(report)
        else:
            engine.engine(report)


if __name__ == "__main__":
    main()
