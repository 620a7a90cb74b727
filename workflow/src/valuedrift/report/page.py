"""The report: one HTML file that holds everything, needs no network and is byte-equal for equal inputs."""

import base64
import struct
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from valuedrift.config.report import ReportJob
from valuedrift.errors import UserError
from valuedrift.io.files import replacing
from valuedrift.io.manifest import Manifest
from valuedrift.io.pages import fill
from valuedrift.io.tables import CURATION, DRIFT, NOISE, ORDERS, PROMPTS, VALUES
from valuedrift.report import (
    categories_table,
    contrast_table,
    downstream_table,
    drift_table,
    html_tables,
    pairs_table,
    quality_table,
    samples_table,
    sensitivity_table,
    topics_table,
    value_texts_table,
)
from valuedrift.report.findings import findings
from valuedrift.report.noise_table import noise_sentence, noise_table
from valuedrift.report.numbers import MISSING, decimal
from valuedrift.report.overview import ends, mean_drift
from valuedrift.report.position_bias import bias_table, position_bias, sentences
from valuedrift.report.provenance import read_manifests
from valuedrift.report.samples import Sample, choose_prompts, read_responses, samples
from valuedrift.report.table import Table
from valuedrift.report.table_files import read
from valuedrift.report.training_table import training_table

TEMPLATE = Path(__file__).with_name("report.html.j2")
LAYOUTS = {
    "drift": drift_table.layout,
    "categories": categories_table.layout, "topics": topics_table.layout, "value_texts": value_texts_table.layout,
    "samples": samples_table.layout, "pairs": pairs_table.layout, "downstream": downstream_table.layout,
    "quality": quality_table.layout, "sensitivity": sensitivity_table.layout, "contrast": contrast_table.layout,
}  # fmt: skip
"""Kind of table → the function that makes the table of its CSV's rows."""


@dataclass(frozen=True)
class Image:
    """A PNG as a data URI, with the width in CSS pixels at which it is shown."""

    name: str
    caption: str
    uri: str
    width: int


def run(
    *, config: ReportJob, drift: Path, verdicts: list[Path], noise: list[Path], prompts: Path, curation: Path, data: list[Path],
    values: list[Path], generations: list[Path], manifests: list[Path], logs: list[Path], orders: list[Path], tables: list[Path],
    figures: list[Path], appendices: list[Path], output: Path,
) -> None:  # fmt: skip
    """Write the report.

    `verdicts` is the picture of all drifts, if there are any, `noise` the table of NOISE, if the study samples twice, `data` are
    the datasets' counts, `logs` those of all trainings, `orders` what judges answered in all orders of the options, `tables` the
    table steps' CSVs and `figures` PNGs, the latter two named as in the config; `appendices` are .csv or .parquet files in the
    config's order.
    """
    measured = pl.concat([VALUES.frame([]), *(VALUES.read(path) for path in values)]).unique(maintain_order=True)
    measured = VALUES.check(measured, "the report's values")
    known, drifts = read_manifests(manifests), DRIFT.read(drift)
    biases = [position_bias(ORDERS.read(path), config.values, config.seed) for path in orders]
    context = {
        "job": config,
        "findings": findings(drifts.filter(pl.col("run").is_in(config.drifts)), config.judge, config.algorithms, config.margin),
        "pictures": [_image("verdicts", "Each drift with its verdict", path) for path in verdicts],
        "runs": html_tables.runs_table(config.runs, ends(measured, config.judge, config.categories), known),
        "drift": html_tables.mean_drift_table(mean_drift(drifts, config.judge, config.categories, config.values.confidence)),
        "noise": [(noise_sentence(found), noise_table(found)) for found in map(NOISE.read, noise)],
        "training": training_table(config.runs, logs),
        "orders": bias_table(biases),
        "orders_said": sentences(biases, measured, config.values.confidence),
        "tables": _tables(config, tables),
        "figures": _images(config, figures),
        "data": html_tables.data_table(data, config.expected),
        "curation": html_tables.curation_tables(CURATION.read(curation)),
        "appendices": _appendices(config, appendices),
        "samples": _samples(config, PROMPTS.read(prompts), generations, known),
        "provenance": html_tables.provenance_tables(config.runs, known),
    }
    text = render(context)
    with replacing(output) as scratch:
        scratch.write_text(text, encoding="utf-8")


def render(context: dict[str, object]) -> str:
    """Return the page of the template's context, everything escaped."""
    return fill(TEMPLATE, context | {"MISSING": MISSING}, decimal=decimal, breakable=html_tables.breakable, titled=_titled)


def _titled(name: str) -> str:
    """Return the name of a table or figure as a heading: `table_9` becomes "Table 9"."""
    text = name.replace("_", " ")
    return text[:1].upper() + text[1:]


def _tables(job: ReportJob, paths: list[Path]) -> list[tuple[str, str, Table]]:
    """Return name, caption and content of each table."""
    found = _by_name("tables", [name for name, _, _ in job.tables], paths)
    return [(name, caption, read(found[name], LAYOUTS[kind])) for name, kind, caption in job.tables]


def _images(job: ReportJob, paths: list[Path]) -> list[Image]:
    found = _by_name("figures", [name for name, _ in job.figures], paths)
    return [_image(name, caption, found[name]) for name, caption in job.figures]


def _image(name: str, caption: str, path: Path) -> Image:
    data = path.read_bytes()
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        raise UserError(f"{path} is not a PNG; draw it again with `snakemake --force {path}`")
    pixels = struct.unpack(">I", data[16:20])[0]
    # At the default 200 dpi a third larger than in print, since a screen is read from farther away, and sharp on a high-dpi one.
    return Image(name, caption, f"data:image/png;base64,{base64.b64encode(data).decode()}", round(pixels * 0.65))


def _by_name(kind: str, names: list[str], paths: list[Path]) -> dict[str, Path]:
    found = {path.stem: path for path in paths}
    for name in names:
        if name not in found or not found[name].exists():
            raise UserError(f"the report has no file for `{kind}.{name}`; it was given {', '.join(map(str, paths)) or 'none'}")
    return found


def _appendices(job: ReportJob, paths: list[Path]) -> list[tuple[str, str, Table]]:
    if len(paths) != len(job.appendices):
        raise UserError(f"the config lists {len(job.appendices)} appendices, but {len(paths)} files were given")
    return [(block.title, block.text, html_tables.file_table(path)) for block, path in zip(job.appendices, paths, strict=True)]


def _samples(job: ReportJob, prompts: pl.DataFrame, paths: list[Path], manifests: dict[str, Manifest]) -> dict[str, list[Sample]]:
    chosen = choose_prompts(prompts, job.categories, job.samples, job.seed)
    responses = read_responses(paths, chosen["prompt_id"].to_list())
    return samples(chosen, responses, {run: manifest.parent for run, manifest in manifests.items()}, job.runs)
