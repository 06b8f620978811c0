"""`hazledger push`: sign what files or a spreadsheet say, spool it, send it, check and keep the receipts."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from ledger.adapters.keystore.signing import load_signer
from ledger.cli.common import counted, read_at_most, read_token
from ledger.cli.head import EXIT_REFUSED, EXIT_UNREACHABLE, token_option
from ledger.cli.key import passphrase_option, read_passphrase
from ledger.client.book import Book, Head, RecordSigner, Signed
from ledger.client.cells import AUTO
from ledger.client.drafts import Draft, DraftError, check_all, read_draft
from ledger.client.http import AnswerError, Client, UnreachableError
from ledger.client.push import Pushed, Pusher, ask_head
from ledger.client.receipts import ReceiptChecker
from ledger.client.spool import BookPlace, Spool, SpoolError
from ledger.client.spreadsheet import read_spreadsheet
from ledger.core.ids import check_credit_code
from ledger.core.trust import MAX_TRUST_BYTES, TrustFile, parse_trust
from ledger.errors import VerificationError

EXIT_USAGE = 2
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_SHOWN_DEFECTS = 50


@click.command()
@click.argument("files", nargs=-1, type=_FILE)
@click.option("--url", required=True, help="The platform, such as https://ledger.county.example.")
@click.option("--trust", "trust_path", type=_FILE, required=True, help="The trust file that the authority handed out.")
@click.option(
    "--spool",
    "spool_path",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Directory of signed records and receipts. Keep it: it is your evidence.",
)
@click.option("--key", "key_paths", type=_FILE, multiple=True, help="Your key file; twice where two persons sign.")
@passphrase_option
@click.option("--csv", "csv_path", type=_FILE, help="A spreadsheet of movements and stock-takes, saved as CSV.")
@click.option(
    "--encoding",
    default=AUTO,
    help="Of the CSV [default: UTF-8, or GBK where it is none and the headings are Chinese].",
)
@click.option(
    "--utc-offset", default="+08:00", show_default=True, help="Of times in the CSV that name none, as 2026/11/20 9:30."
)
@click.option("--enterprise", help="Credit code, where the files do not say it.")
@click.option("--site", help="Site, where the files do not say it.")
@click.option("--book", help="Book, where the files do not say it.")
@token_option
@click.option("--new-book", is_flag=True, help="The books that this spool does not know have no record in the log yet.")
@click.option(
    "--set-aside",
    is_flag=True,
    help="First take what waits out of the queue, where the log refused it before; it is kept in the spool's aside/.",
)
@click.option(
    "--give-up", "give_up_s", type=float, default=120.0, show_default=True, help="Seconds without any answer."
)
def push(
    files: tuple[Path, ...],
    url: str,
    trust_path: Path,
    spool_path: Path,
    key_paths: tuple[Path, ...],
    passphrase_file: Path | None,
    csv_path: Path | None,
    encoding: str,
    utc_offset: str,
    enterprise: str | None,
    site: str | None,
    book: str | None,
    token_file: Path | None,
    give_up_s: float,
    *,
    new_book: bool,
    set_aside: bool,
) -> None:
    """Sign the records in FILES or a spreadsheet, keep them in the spool, send them, keep the receipts.

    Everything is checked before anything is signed. A record is on disk before it is sent, and the same bytes are sent
    again until the log has answered: run it as often as you like, also with nothing new, to send what still waits.

    \b
    A FILE is one record:   {"kind": "movement", "event_time": "2026-03-02T09:30:00+08:00",
      "body": {"direction": "out", "reason": "consumption", "lines": [{"goods": "chemical", "code": "7697-37-2",
      "quantity": {"value": "25.5", "unit": "KGM"}, "store": "R1", "packaging": "bulk"}]}}
      or a submission from the spool's aside/, which is signed again where the book stands now.
    A spreadsheet's headings: record, event_time, direction, reason, code, value, unit, store, packaging, pieces ...
      or in Chinese 种类, 发生时间, 方向, 原因, 编码, 数量, 单位, 库房, 包装, 件数 ...
      A row is one record; rows together with one `group` (单号) are one: a count of several goods needs that.

    \b
    Example:  hazledger push --url https://ledger.county.example --trust trust.json --spool spool \\
                  --key acme.key --passphrase-file pass --csv march.csv \\
                  --enterprise 91990000DEM0000017 --site S1 --book acid --token-file token.txt

    \b
    Exit codes: 0 everything is receipted; 1 the log refused something, or a receipt is wrong;
                2 usage, or bad rows (nothing was signed); 4 the platform cannot be reached (nothing is lost).
    """
    trust = parse_trust(read_at_most(trust_path, MAX_TRUST_BYTES))
    if enterprise is not None:
        try:
            check_credit_code(enterprise)
        except ValueError as error:
            raise click.BadParameter(f"{error}", param_hint="--enterprise") from error
    place = {"enterprise": enterprise, "site": site, "book": book}
    client = Client(url)
    if client.in_the_clear:
        click.echo("warning: http:// to another machine sends personal data in the clear; use https://", err=True)
    try:
        signers = _signers(key_paths, passphrase_file) if files or csv_path else []
        drafts = _drafts(files, csv_path, place, trust.origin, encoding, utc_offset, len(signers))
        with Spool(spool_path) as spool:
            opener = _Opener(spool, client, token_file, new_book=new_book)
            if set_aside:
                _set_aside(spool, opener)
            if drafts:
                _sign(drafts, csv_path, signers, trust, spool, opener)
            _send(spool, client, trust, give_up_s)
    except DraftError as error:
        for defect in error.defects[:_SHOWN_DEFECTS]:
            click.echo(f"bad: {defect}", err=True)
        more = len(error.defects) - _SHOWN_DEFECTS
        click.echo(f"{f'and {more} more. ' if more > 0 else ''}Nothing was signed.", err=True)
        sys.exit(EXIT_USAGE)
    except SpoolError as error:
        click.echo(f"error: {error.detail}", err=True)
        sys.exit(EXIT_USAGE)
    except UnreachableError as error:
        click.echo(
            f"error: {error.detail}\nNothing is lost: run the same command without files to send the rest.", err=True
        )
        sys.exit(EXIT_UNREACHABLE)
    except (AnswerError, VerificationError) as error:
        click.echo(f"error: {error.detail} [{error.code}]", err=True)
        sys.exit(EXIT_REFUSED)
    finally:
        client.close()


class _Opener:
    """Finds out where a book stands that the spool does not know."""

    def __init__(self, spool: Spool, client: Client, token_file: Path | None, *, new_book: bool) -> None:
        self._spool, self._client, self._token_file, self._new_book = spool, client, token_file, new_book

    def head(self, place: BookPlace) -> Head:
        known = self._spool.head(place)
        if known is not None:
            return known
        _, site, book = place
        if self._token_file is not None:
            self.ask(place)
        elif self._new_book:
            self._spool.begin(place, Head())
        else:
            raise SpoolError(
                f"this spool does not know {site}/{book}. Give --token-file, so that the log is asked where it stands, or "
                "--new-book if it has no record yet. To sign at a seq that is taken would be a fork, which is an offence"
            )
        return self._spool.head(place) or Head()

    def ask(self, place: BookPlace) -> None:
        """Go on where the log says the book stands."""
        found, closed = ask_head(self._client, place, read_token(self._token_file))
        if closed:
            raise SpoolError(f"{place[1]}/{place[2]} is final: open a new book that continues it")
        self._spool.begin(place, found)

    @property
    def can_ask(self) -> bool:
        return self._token_file is not None


def _signers(paths: Sequence[Path], passphrase_file: Path | None) -> list[RecordSigner]:
    if not paths:
        raise click.UsageError("--key is needed to sign")
    return [load_signer(path, read_passphrase(passphrase_file, f"Passphrase of {path}")) for path in paths]


def _drafts(
    files: Sequence[Path],
    csv_path: Path | None,
    place: dict[str, str | None],
    log: str,
    encoding: str,
    utc_offset: str,
    signers: int,
) -> list[Draft]:
    """Everything that is to be signed, in order; DraftError names all that is wrong."""
    defaults = {name: value for name, value in place.items() if value}
    if files and csv_path:
        raise click.UsageError("give FILES or --csv, not both")
    if csv_path:
        if "enterprise" not in defaults:
            raise click.UsageError("--csv needs --enterprise")
        return read_spreadsheet(
            csv_path.read_bytes(),
            place=(defaults["enterprise"], defaults.get("site", ""), defaults.get("book", "")),
            log=log,
            utc_offset=utc_offset,
            encoding=encoding,
            signers=signers,
        )
    drafts = [read_draft(path.read_bytes(), str(path), defaults=defaults) for path in files]
    check_all(drafts, log=log, signers=signers)
    return drafts


def _sign(
    drafts: Sequence[Draft],
    csv_path: Path | None,
    signers: Sequence[RecordSigner],
    trust: TrustFile,
    spool: Spool,
    opener: _Opener,
) -> None:
    """Sign all, in their order, and make them durable: all of a call's records, or none."""
    digest = _digest(csv_path, drafts)
    if spool.imported(digest):
        raise SpoolError(
            "exactly this was taken before; its records are in the spool. To send what waits, run without files. If the same "
            "thing truly happened twice, its event_time differs"
        )
    books: dict[BookPlace, Book] = {}
    signed: list[Signed] = []
    with click.progressbar(drafts, label="signing", file=sys.stderr, hidden=len(drafts) < _SHOWN_DEFECTS) as bar:
        for draft in bar:
            book = books.get(draft.place)
            if book is None:
                holder, site, name = draft.place
                book = books[draft.place] = Book(
                    log=trust.origin,
                    holder=holder,
                    site=site,
                    book=name,
                    signers=signers,
                    head=opener.head(draft.place),
                )
            made = book.build(
                draft.kind,
                draft.body,
                event_time=draft.event_time,
                disclosures=draft.disclosures,
                ext=draft.ext,
            )
            book.took(made)
            signed.append(made)
    spool.add_all(signed, digest)
    click.echo(f"signed {counted(len(signed), 'record')} in {counted(len(books), 'book')}")


def _digest(csv_path: Path | None, drafts: Sequence[Draft]) -> str:
    """Of what was given in, so that the same file twice does not become two events."""
    if csv_path is not None:
        return hashlib.sha256(csv_path.read_bytes()).hexdigest()
    return hashlib.sha256(
        repr([(d.place, d.kind, d.event_time, d.body, d.disclosures) for d in drafts]).encode()
    ).hexdigest()


def _set_aside(spool: Spool, opener: _Opener) -> None:
    """Free the books that the log refused to go on with: what has a problem noted, and all behind it."""
    done: set[BookPlace] = set()
    for spooled in list(spool.waiting()):
        if spooled.place in done or not spool.problem(spooled):
            continue
        done.add(spooled.place)
        for path in spool.set_aside(spooled):
            click.echo(f"set aside {path}")
        if opener.can_ask:
            opener.ask(spooled.place)
    if not done:
        click.echo("nothing to set aside")


def _send(spool: Spool, client: Client, trust: TrustFile, give_up_s: float) -> None:
    total = sum(1 for _ in spool.waiting())
    if not total:
        click.echo("nothing waits")
        return
    pusher = Pusher(
        spool,
        client,
        ReceiptChecker(trust),
        give_up_s=give_up_s,
        say=lambda words: click.echo(words, err=True),
    )
    with click.progressbar(length=total, label="sending", file=sys.stderr, hidden=total < _SHOWN_DEFECTS) as bar:
        before = 0

        def advance(answered: int) -> None:
            nonlocal before
            bar.update(answered - before)
            before = answered

        done = pusher.push(advance)
    _report(done)
    if done.refused:
        sys.exit(EXIT_REFUSED)


def _report(done: Pushed) -> None:
    repeats = f" ({done.repeats} were there already)" if done.repeats else ""
    click.echo(f"{done.accepted} receipted{repeats}, {done.waiting} waiting")
    for spooled, finding in done.findings:
        words = finding.get("detail", {})
        click.echo(
            f"finding: {spooled.place[2]} seq {spooled.seq}: {words.get('en')} / {words.get('zh')} [{finding.get('code')}]"
        )
    for refused in done.refused:
        spooled = refused.spooled
        where = f" at {refused.pointer}" if refused.pointer else ""
        click.echo(
            f"refused: {spooled.place[1]}/{spooled.place[2]} seq {spooled.seq}{where}: {refused.detail} [{refused.code}]",
            err=True,
        )
        click.echo(f"  now: {refused.advice}", err=True)
