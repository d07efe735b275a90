"""The command line: what `telemed` understands, and one sentence instead of a traceback when it does not."""

from __future__ import annotations

import argparse
import getpass
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from ecg import EcgError
from telemed import __version__, config
from telemed.kernel.errors import Invalid, TelemedError

Command = Callable[[argparse.Namespace], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 when it did what was asked, 1 when it found faults, 2 when it could not be done."""
    options = _parser().parse_args(arguments)
    command: Command = options.command
    try:
        return command(options)
    except (TelemedError, EcgError) as error:
        print(f"telemed: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of a pipe has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:  # a file named on the command line, or the data folder
        print(f"telemed: {error.filename or 'a file'}: {error.strerror or error}; choose another", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("telemed: stopped", file=sys.stderr)
        return 2


def _serve(options: argparse.Namespace) -> int:
    from telemed import server  # noqa: PLC0415 - `telemed ecg` and `--help` need none of it

    return server.serve(config.load(vars(options)))


def _demo(options: argparse.Namespace) -> int:
    from telemed import demo  # noqa: PLC0415 - see _serve

    return demo.run(config.load({**vars(options), "demo": True}))


def _send(options: argparse.Namespace) -> int:
    from telemed import sending  # noqa: PLC0415 - see _serve

    tls = sending.Tls(options.tls_ca, options.tls_certificate, options.tls_key) if options.tls_ca else None
    how = sending.Sending(
        options.aet or "TELEMED_SCU", options.parallel, tls, again=options.again, again_refused=options.again_refused
    )
    return sending.send(options.path, options.to, how)


def _ecg(options: argparse.Namespace) -> int:
    from ecg.formats import Declared  # noqa: PLC0415 - see _serve
    from ecg.rendering import Paper  # noqa: PLC0415 - see _serve
    from telemed import recording  # noqa: PLC0415 - see _serve

    declared = Declared(options.gain_uv, options.rate, tuple(options.leads.split(",")) if options.leads else None)
    paper = Paper(options.layout, options.speed, options.gain, options.cabrera, options.filter, options.start, options.seconds)
    if options.svg:
        for page in recording.draw_svg(options.file, options.svg, paper, declared):
            print(page)
    elif options.pdf:
        recording.draw_pdf(options.file, options.pdf, paper, declared)
    elif options.sr:
        recording.report(options.file, options.sr, declared)
    elif options.dicom:
        recording.convert(options.file, options.dicom, declared)
    else:
        analysis = recording.analyse(options.file, declared)
        print(json.dumps(analysis, ensure_ascii=False) if options.json else recording.told(analysis))
    return 0


def _verify(options: argparse.Namespace) -> int:
    from telemed import keeping  # noqa: PLC0415 - see _serve

    differences = 0
    for difference in keeping.differences(config.load(vars(options))):
        differences += 1
        print(difference)
    print("everything is as it was received" if not differences else f"{differences} differences")
    return 1 if differences else 0


def _backup(options: argparse.Namespace) -> int:
    from telemed import backup  # noqa: PLC0415 - see _serve

    print(backup.backup(config.load(vars(options)), options.out))
    return 0


def _restore(options: argparse.Namespace) -> int:
    from telemed import backup  # noqa: PLC0415 - see _serve

    print(backup.restore(config.load(vars(options)), options.source))
    return 0


def _migrate(options: argparse.Namespace) -> int:
    from telemed import keeping  # noqa: PLC0415 - see _serve

    print(keeping.migrate(config.load(vars(options))))
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from telemed import doctor  # noqa: PLC0415 - see _serve

    findings = list(doctor.examine(config.load(vars(options))))
    for finding in findings:
        print(f"{'ok  ' if finding.fine else 'BAD '} {finding.what}: {finding.sentence}")
    return 0 if all(finding.fine for finding in findings) else 1


def _ca(options: argparse.Namespace) -> int:
    from telemed import keeping, people  # noqa: PLC0415 - see _serve

    settings = config.load(vars(options))
    if options.verb == "export":
        print(keeping.authority_certificate(settings), end="")
    elif options.verb == "remove":
        people.remove_certificate(settings, options.what)
    elif options.verb == "trust":
        for name in people.trust_authority(settings, Path(options.what)):
            print(name)
    elif options.file is None:
        raise Invalid("name the user and the file: `telemed ca import USER FILE`")
    else:
        print(people.import_certificate(settings, options.what, options.file, _password()))
    return 0


def _conformance(options: argparse.Namespace) -> int:
    from telemed import compose  # noqa: PLC0415 - see _serve

    print(compose.conformance(config.load(vars(options))))
    return 0


def _simulate(options: argparse.Namespace) -> int:
    from telemed import simulation  # noqa: PLC0415 - see _serve

    scenario = simulation.Scenario(options.sites, options.days, options.seed, options.load)
    for line in simulation.simulate(scenario, options.plot):
        print(line)
    return 0


def _user(options: argparse.Namespace) -> int:
    from telemed import people  # noqa: PLC0415 - see _serve

    settings = config.load(vars(options))
    if options.verb == "list":
        for line in people.list_users(settings):
            print(line)
    elif options.verb == "passwd":
        people.set_password(settings, options.username, _password())
    else:
        if not options.role or not options.institution:
            raise Invalid("say --institution NAME and at least one --role for the new user")
        people.add_user(
            settings, options.username, _password(), name=options.name, institution=options.institution, roles=options.role
        )
    return 0


def _institution(options: argparse.Namespace) -> int:
    from telemed import people  # noqa: PLC0415 - see _serve

    settings = config.load(vars(options))
    if options.verb == "list":
        for line in people.list_institutions(settings):
            print(line)
    elif options.verb == "import":
        print(people.import_institutions(settings, Path(options.what)))
    else:
        people.add_institution(settings, options.what, name_en=options.name_en, kind=options.kind, ae_title=options.ae_title)
    return 0


def _peer(options: argparse.Namespace) -> int:
    from telemed import equipment  # noqa: PLC0415 - see _serve

    settings = config.load(vars(options))
    if options.verb == "list":
        for line in equipment.list_peers(settings):
            print(line)
    elif options.verb == "remove":
        equipment.remove_peer(settings, options.title)
    else:
        equipment.add_peer(
            settings,
            options.title,
            options.address,
            institution=options.institution,
            tls=options.tls,
            shown=equipment.Shown(options.certificate, options.fingerprint),
            commits=options.commits,
        )
    return 0


def _device(options: argparse.Namespace) -> int:
    from telemed import equipment  # noqa: PLC0415 - see _serve

    settings = config.load(vars(options))
    if options.verb == "list":
        for line in equipment.list_devices(settings):
            print(line)
    elif options.verb == "remove":
        equipment.remove_device(settings, options.title, institution=options.institution)
    else:
        shown = equipment.Shown(options.certificate, options.fingerprint)
        equipment.add_device(settings, options.title, institution=options.institution, networks=options.network, shown=shown)
    return 0


def _forward(options: argparse.Namespace) -> int:
    from telemed import equipment  # noqa: PLC0415 - see _serve

    settings = config.load(vars(options))
    chosen = {"institution": options.institution, "modality": options.modality, "reports": options.reports}
    if options.verb == "list":
        for line in equipment.list_forwarding(settings):
            print(line)
    elif options.verb == "add":
        equipment.add_forwarding(settings, options.title, **chosen)
    elif options.verb == "remove":
        equipment.remove_forwarding(settings, options.title, **chosen)
    else:
        again = equipment.retry_forwarding if options.verb == "retry" else equipment.cancel_forwarding
        print(again(settings, options.title))
    return 0


def _charset(options: argparse.Namespace) -> int:
    from telemed import charsets  # noqa: PLC0415 - see _serve

    settings = config.load(vars(options))
    if options.verb == "remove":
        charsets.remove_charset(settings, options.what)
    elif options.verb == "set":
        parts = {name: getattr(options, name) for name in ("institution", "ae_title", "manufacturer", "model")}
        print(charsets.set_charset(settings, options.what, **parts))
    else:
        for line in charsets.list_charsets(settings) if options.verb == "list" else charsets.list_illegible(settings):
            print(line)
    return 0


def _worklist(options: argparse.Namespace) -> int:
    from telemed import equipment  # noqa: PLC0415 - see _serve

    settings = config.load(vars(options))
    if options.verb == "list":
        for line in equipment.list_worklist(settings):
            print(line)
    else:
        print(equipment.import_worklist(settings, Path(options.what)))
    return 0


def _token(options: argparse.Namespace) -> int:
    from telemed import people  # noqa: PLC0415 - see _serve

    print(people.create_token(config.load(vars(options)), options.username, options.label))
    return 0


def _password() -> str:
    """Ask for a password at a terminal; read one line from a pipe."""
    return getpass.getpass("password: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")


def _take_a_scenario(made: argparse.ArgumentParser) -> None:
    made.add_argument("--sites", type=int, default=200, metavar="N", help="township sites, 1 to 4504 (default 200)")
    made.add_argument("--days", type=int, default=1, metavar="N", help="days, 1 to 31 (default 1)")
    made.add_argument("--load", type=float, default=1.0, metavar="FACTOR", help="times the usual cases, 0.1 to 3 (default 1)")
    made.add_argument("--seed", type=int, default=1, metavar="N", help="another number is another world (default 1)")
    made.add_argument("--plot", type=Path, metavar="FILE", help="draw the shares in time as .svg, .png or .pdf")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="telemed", description="Remote-medicine consultation server. 远程医疗会诊服务器。")
    parser.add_argument("--version", action="version", version=f"telemed {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Command, summary: str, *, settings: bool = True) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=summary, description=summary)
        made.set_defaults(command=run)
        if settings:
            made.add_argument("--data", metavar="DIR", help="the folder that holds everything (default ./data)")
            made.add_argument(
                "--database", metavar="URL", help="postgresql://user:password@host/name; SQLite in the data folder otherwise"
            )
            made.add_argument("--config", metavar="FILE", help="settings file (default ./telemed.toml when there is one)")
        return made

    for name, run, summary in (
        ("serve", _serve, "run the server"),
        ("demo", _demo, "run the server with sample institutions, people and studies"),
    ):
        made = command(name, run, summary)
        made.add_argument("--http", metavar="HOST:PORT", help="where browsers come (default 127.0.0.1:8080)")
        made.add_argument("--dicom", metavar="HOST:PORT", help="where modalities come (default 0.0.0.0:11112)")
        made.add_argument("--aet", help="the server's AE title (default TELEMED)")
        if name == "serve":
            made.add_argument("--demo", action="store_const", const=True, help="sample institutions and people, for trying out")

    made = command("send", _send, "send files, folders, DICOMDIRs, zip archives or ECG files", settings=False)
    made.add_argument("path", nargs="+", type=Path, metavar="PATH")
    made.add_argument(
        "--to", required=True, metavar="AET@HOST:PORT|URL", help="a DICOM node, or this server's address (with TELEMED_TOKEN)"
    )
    made.add_argument("--aet", help="the AE title to call by (default TELEMED_SCU)")
    made.add_argument("--parallel", type=int, default=4, metavar="N", help="associations at once (default 4)")
    made.add_argument(
        "--again", action="store_true", help="send what the destination has acknowledged or refused for good before, too"
    )
    made.add_argument("--again-refused", action="store_true", help="of those, offer again only what it has refused")
    made.add_argument("--tls-ca", type=Path, metavar="FILE", help="speak TLS to a node whose certificate this authority signed")
    made.add_argument("--tls-certificate", type=Path, metavar="FILE", help="our certificate (PEM), for a node that asks for one")
    made.add_argument("--tls-key", type=Path, metavar="FILE", help="its key")

    _add_ecg(command)
    command("verify", _verify, "re-read every stored object, compare digests and index, check signed reports and the audit trail")
    made = command("ca", _ca, "print the certificate of our own authority, trust another one, import what it issued to a user")
    made.add_argument("verb", choices=("export", "trust", "import", "remove"))
    made.add_argument(
        "what", nargs="?", default="", metavar="FILE|USER", help="trust: its certificate (PEM); import, remove: a user"
    )
    made.add_argument(
        "file", nargs="?", type=Path, metavar="FILE", help="key and certificate as PEM or PKCS#12 (asks for its password)"
    )
    made = command("backup", _backup, "write everything that is kept into one file")
    made.add_argument("out", type=Path, metavar="OUT")
    made = command("restore", _restore, "fill an empty server from a backup, on SQLite or PostgreSQL")
    made.add_argument("source", type=Path, metavar="IN")
    command("migrate", _migrate, "bring the database to this version's schema")
    command("doctor", _doctor, "check ports, disk, clock and schema")
    made = command("simulate", _simulate, "play a province's day through the rules of triage and dispatch", settings=False)
    _take_a_scenario(made)

    command("conformance", _conformance, "print the DICOM Conformance Statement")

    _add_administration(command)
    return parser


def _add_ecg(command: Callable[..., argparse.ArgumentParser]) -> None:
    """Add what is done with one recording."""
    made = command("ecg", _ecg, "analyse one ECG recording", settings=False)
    made.add_argument("file", type=Path, metavar="FILE")
    made.add_argument("--gain-uv", type=float, metavar="UV", help="microvolts of one unit, for a file that does not say")
    made.add_argument("--rate", type=float, metavar="HZ", help="samples a second, for a file that does not say")
    made.add_argument("--leads", metavar="I,II,...", help="the leads in their order, for a file that does not name them")
    form = made.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print the analysis as JSON")
    form.add_argument("--svg", type=Path, metavar="OUT", help="draw it on calibrated paper, a file for each page")
    form.add_argument("--pdf", type=Path, metavar="OUT", help="draw it on calibrated paper, ready to print at 100 %%")
    form.add_argument("--dicom", type=Path, metavar="OUT", help="write it as a DICOM ECG")
    form.add_argument("--sr", type=Path, metavar="OUT", help="write what was measured as a DICOM ECG Report (TID 3700)")
    paper = made.add_argument_group("the paper of --svg and --pdf")
    paper.add_argument("--layout", default="3x4+1R", metavar="NAME", help="3x4+1R (default), 3x4+3R, 6x2 or 12x1")
    paper.add_argument("--speed", type=float, default=25, metavar="MM_S", help="12.5, 25 (default) or 50 mm/s")
    paper.add_argument("--gain", type=float, default=10, metavar="MM_MV", help="5, 10 (default) or 20 mm/mV")
    paper.add_argument("--cabrera", action="store_true", help="limb leads in Cabrera's order, aVR turned over")
    paper.add_argument("--filter", default="none", metavar="NAME", help="none (default), diagnostic or monitor")
    paper.add_argument("--start", type=float, default=0, metavar="S", help="where to begin (default 0)")
    paper.add_argument("--seconds", type=float, default=10, metavar="S", help="how much to draw (default 10)")


def _add_certificate(made: argparse.ArgumentParser) -> None:
    """Add the two ways to say which certificate an AE has to show over TLS."""
    ways = made.add_mutually_exclusive_group()
    ways.add_argument("--certificate", type=Path, metavar="FILE", help="over TLS it must show this certificate (PEM or DER)")
    ways.add_argument("--fingerprint", default="", metavar="HEX", help="the same, by the certificate's SHA-256")


def _add_administration(command: Callable[..., argparse.ArgumentParser]) -> None:
    """Add what only the administrator at the console does."""
    made = command("user", _user, "add a user, set a password, list users")
    made.add_argument("verb", choices=("add", "passwd", "list"))
    made.add_argument("username", nargs="?", default="")
    made.add_argument("--name", default="")
    made.add_argument("--institution", metavar="NAME")
    made.add_argument(
        "--role", action="append", help="clinic, radiologist, cardiologist, coordinator, regulator or admin; may be repeated"
    )

    made = command("institution", _institution, "add an institution, import a CSV of them, list them")
    made.add_argument("verb", choices=("add", "import", "list"))
    made.add_argument("what", nargs="?", default="", metavar="NAME|CSV")
    made.add_argument("--name-en", default="")
    made.add_argument("--kind", choices=("township", "county", "provincial"), default="township")
    made.add_argument("--ae-title", default="", help="the AE title its modalities call by")

    made = command("peer", _peer, "add, list and remove other DICOM nodes: the destinations of C-MOVE and of commitment reports")
    made.add_argument("verb", choices=("add", "list", "remove"))
    made.add_argument("title", nargs="?", default="", metavar="AET")
    made.add_argument("address", nargs="?", default="", metavar="HOST:PORT")
    made.add_argument("--institution", metavar="NAME", default="", help="whose equipment may use it (default: everybody's)")
    made.add_argument("--tls", action="store_true", help="speak TLS to it, with the certificate of dicom_tls_certificate")
    _add_certificate(made)
    made.add_argument("--commits", action="store_true", help="what is forwarded to it is done once it has committed to keep it")

    made = command("device", _device, "add, list and remove who may call: AE titles that speak for an institution")
    made.add_argument("verb", choices=("add", "list", "remove"))
    made.add_argument("title", nargs="?", default="", metavar="AET")
    made.add_argument("--institution", metavar="NAME", default="", help="whose device it is")
    made.add_argument(
        "--network", action="append", default=[], metavar="CIDR", help="where it calls from (default: anywhere); may be repeated"
    )
    _add_certificate(made)

    made = command(
        "forward", _forward, "send what arrives on to a peer: add, list and remove rules, retry or cancel a peer's queue"
    )
    made.add_argument("verb", choices=("add", "list", "remove", "retry", "cancel"))
    made.add_argument("title", nargs="?", default="", metavar="AET")
    made.add_argument("--institution", metavar="NAME", default="", help="only this institution's objects (default: everybody's)")
    made.add_argument("--modality", default="", help="only objects of this modality, for instance CT (default: all)")
    made.add_argument("--reports", action="store_true", help="only signed reports, as Structured Report and Encapsulated PDF")

    made = command("charset", _charset, "say what a device writes whatever its label says; list names that could not be read")
    made.add_argument("verb", choices=("set", "remove", "list", "illegible"))
    made.add_argument("what", nargs="?", default="", metavar="CHARSET|ID", help="such as GB18030, ISO_IR 192, ISO 2022 IR 149")
    made.add_argument("--institution", metavar="NAME", default="", help="whose device (default: any)")
    made.add_argument("--ae-title", default="", help="the AE title it calls by")
    made.add_argument("--manufacturer", default="", help="as its images say it")
    made.add_argument("--model", default="", help="as its images say it")

    made = command("worklist", _worklist, "import a CSV of examinations into the modality worklist, list what is still to do")
    made.add_argument("verb", choices=("import", "list"))
    made.add_argument("what", nargs="?", default="", metavar="CSV")

    made = command("token", _token, "create a token for a program that acts as a user")
    made.add_argument("verb", choices=("create",))
    made.add_argument("username")
    made.add_argument("--label", default="command line", help="what the token is for")


if __name__ == "__main__":
    sys.exit(main())
