"""`atrous doctor`: what is installed, what is missing, what would break, and the line that mends it."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from atrous.cli.doctor_packages import Finding


def doctor(*, as_json: Annotated[bool, typer.Option("--json", help="Print it for programs.")] = False) -> None:
    """Say what is installed, what is missing or would break, and the line that mends it.

    ok is as it should be; missing can be added, if you want what it is for; a note is worth knowing; broken is what
    prediction and training need, and only then the exit code is 1. Nothing is fetched or changed.
    """
    from atrous.cli.doctor_machine import look_at_machine
    from atrous.cli.doctor_packages import look_at_packages

    findings = [*look_at_packages(), *look_at_machine()]
    broken = sum(finding.state == "broken" for finding in findings)
    if as_json:
        _print_json(findings, broken)
    else:
        _print_lines(findings, broken)
    if broken:
        raise typer.Exit(1)


def _print_json(findings: "list[Finding]", broken: int) -> None:
    import json

    from atrous import __version__

    document = {"atrous": __version__, "ok": not broken, "findings": [finding._asdict() for finding in findings]}
    print(json.dumps(document, indent=2))


def _print_lines(findings: "list[Finding]", broken: int) -> None:
    width = max(len(finding.name) for finding in findings)
    for name, state, fact, mend in findings:
        print(f"{state:<8} {name:<{width}}  {fact}")
        if mend:
            print(f"{'':<8} {'':<{width}}  -> {mend}")
    wrong = "1 thing is broken" if broken == 1 else f"{broken} things are broken"
    print(f"\n{wrong}: the lines behind -> mend that." if broken else "\nPrediction, training and evaluation can run.")
