"""The command line of every step: `python -m valuedrift.<stage> <step>` calls the step's function `run`.

A step is a module of its stage's folder. Its options are the parameters of `run`: a config model is passed as
JSON (or `@file`), a path or a string as itself, a list as several values, a bool as a flag. Only the chosen step is imported:
torch alone costs seconds.
"""

import argparse
import importlib
import inspect
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from valuedrift.config.explain import explain
from valuedrift.errors import UserError


def dispatch(package: str | None, steps: Mapping[str, str], arguments: list[str] | None = None, program: str | None = None) -> None:
    """Run the step of `package` that the command line names; `steps` maps each module to its one-line help.

    `program` is how `python -m` calls the commands, by default `package`.
    """
    stage = str(package)
    program = program or stage
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(prog=f"python -m {program}", description=importlib.import_module(stage).__doc__)
    commands = parser.add_subparsers(dest="step", required=True, metavar="STEP")
    for step, summary in steps.items():
        commands.add_parser(step, help=summary, add_help=False)
    step = parser.parse_known_args(arguments[:1])[0].step
    run = importlib.import_module(f"{stage}.{step}").run
    options = _options(f"{parser.prog} {step}", run)
    try:
        run(**vars(options.parse_args(arguments[1:])))
    except UserError as error:
        sys.exit(f"{program} {step}: {error}")


def _options(prog: str, run: Any) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=prog, description=inspect.getdoc(run), formatter_class=argparse.RawTextHelpFormatter)
    for name, parameter in inspect.signature(run, eval_str=True).parameters.items():
        kind, many = parameter.annotation, False
        if get_origin(kind) is list:
            kind, many = get_args(kind)[0], True
        elif get_args(kind):  # `Path | None`
            kind = next(k for k in get_args(kind) if k is not type(None))
        required = parameter.default is inspect.Parameter.empty
        if kind is bool:
            parser.add_argument(f"--{name.replace('_', '-')}", action="store_true")
            continue
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            type=_json_of(kind) if issubclass(kind, BaseModel) else kind,
            nargs="*" if many else None,
            required=required,
            default=None if required else parameter.default,
            metavar=f"{kind.__name__.upper()}-JSON" if issubclass(kind, BaseModel) else kind.__name__.upper(),
        )
    return parser


def _json_of(model: type[BaseModel]) -> Any:
    def parse(text: str) -> BaseModel:
        try:
            return model.model_validate_json(Path(text[1:]).read_text() if text.startswith("@") else text)
        except ValidationError as error:
            raise argparse.ArgumentTypeError(explain(error, model)) from None
        except OSError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return parse
