"""`bnconform show`: a case in words and in code."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise

import click
import numpy as np

from bn_conformance.adapter import Convention
from bn_conformance.cases.model import ALL_QUANTITIES, Case, Freeze, SetStatistics
from bn_conformance.cases.steps import has_step, in_words
from bn_conformance.cases.support import unsupported_reason
from bn_conformance.cases.tensors import BatchData, data_of
from bn_conformance.catalogue import all_cases, large_cases
from bn_conformance.catalogue.regressions import read_regression
from bn_conformance.commands.declaring import SuiteCommand
from bn_conformance.hosting.shards import shards_of
from bn_conformance.implementations.registry import find
from bn_conformance.judging.goldens import Goldens
from bn_conformance.mutation.case_power import power_of
from bn_conformance.mutation.mutant import ALL_CAPABILITIES
from bn_conformance.repro.definition import case_code
from bn_conformance.text import did_you_mean
from bn_conformance.user_error import UserError
from bn_reference.arithmetic.quad import round_to, to_float64
from bn_reference.definition.state import LayerFormats, Statistics
from bn_reference.golden.expected import Expected
from bn_reference.specification.clauses import clauses
from bn_reference.specification.grades import STABLE, TIGHT


@click.command(cls=SuiteCommand)
@click.argument("case")
@click.option("-i", "--implementation", default="", metavar="NAME", help="With goldens of its convention.")
def command(case: str, implementation: str) -> int:
    """Show a case: what it tests, its data, and code to reproduce it.

    CASE is the id of a case, or the file of a regression.
    """
    if case.endswith(".json"):
        click.echo(describe_case(read_regression(case), implementation, case))
        return 0
    known = all_cases() | large_cases()
    if case not in known:
        hint = did_you_mean(case, known, "bnconform list --cases shows them")
        raise UserError(f"there is no case {case!r}{hint}")
    click.echo(describe_case(known[case], implementation))
    return 0


def describe_case(case: Case, implementation: str = "", source: str = "") -> str:
    """The case: clauses, layer, steps with their data, goldens under a convention, and code to reproduce it.

    Args:
        case: the case.
        implementation: whose convention the goldens are under; PyTorch's where it is empty.
        source: the file of a case that is a regression.

    Raises:
        UnknownImplementation: there is none of that name.
    """
    convention = find([implementation])[0].convention if implementation else Convention()
    lines = [case.id, f"  {case.title}", ""]
    lines += [f"  {id_} {clauses()[id_].requirement}: {clauses()[id_].text}" for id_ in case.clauses]
    lines += ["", "Layer"]
    lines += [f"  {name} = {value!r}" for name, value in case.config.to_json().items()]
    lines += [f"  computed with {case.threads} threads"] if case.threads > 1 else []
    lines += [f"  then {case.concurrent} rounds of two layers at the same time"] if case.concurrent else []
    lines += ["", "Steps"]
    lines += [f"  {index}. {in_words(step)}" for index, step in enumerate(case.steps)][:12]
    lines += [f"  ... {len(case.steps) - 12} more"] if len(case.steps) > 12 else []
    lines += ["", "Data"]
    lines += _data(case)
    if case.expects != "refusal":
        whole = ", of the whole batch" if any(batch.shards for batch in case.batches[:1]) else ""
        with np.errstate(all="ignore"):
            lines += [
                "",
                f"Goldens of the first step with data ({implementation or 'convention of torch.nn'}){whole}",
                *_goldens(case, convention),
            ]
        if not case.large and not unsupported_reason(case, ALL_CAPABILITIES):
            lines += ["", "Power: deviations that break each clause, with error / error that the loosest level allows"]
            lines += _power(case)
    lines += ["", "What it must give, in plain NumPy; put your own calls beside it", ""]
    lines += [f"    {line}".rstrip() for line in case_code(case, convention, source)]
    replay = f" --regressions '{source}'" if source else ""
    lines += ["", f"Judge:  bnconform run -i IMPLEMENTATION --case '{case.id}'{replay}"]
    return "\n".join(lines)


def _data(case: Case) -> list[str]:
    lines = []
    data = data_of(case)
    for index, (step, batch) in enumerate(zip(case.batches[:3], data.batches, strict=False)):
        values = batch.x.astype(np.float64)
        if values.size:
            with np.errstate(all="ignore"):
                lines.append(
                    f"  x of step with data {index}: {batch.x.dtype} {batch.x.shape}, "
                    f"from {values.min():.6g} to {values.max():.6g}, mean {values.mean():.6g}"
                )
        if step.shards:
            lines.append(f"    in shards {_shards(step.shards, batch, case.config.channel_axis)}")
    for name, vector in (("gamma", data.gamma), ("beta", data.beta)):
        lines.append(f"  {name} = {'the default' if vector is None else vector.tolist()}")
    return lines


def _shards(sizes: Sequence[int], batch: BatchData, axis: int) -> str:
    """The shards of a batch, and how many positions each has: those of one channel, and those that a mask counts."""
    one_channel = np.take(batch.x, [0], axis)
    counting = np.ones(one_channel.shape, np.bool_) if batch.mask is None else batch.mask
    ends = [*accumulate(sizes, initial=0)]
    where = [f"x[{start}:{end}]" for start, end in pairwise(ends)]
    count = [f"{part.sum():,}" for part in shards_of(counting, sizes)]
    return f"{', '.join(where)} of {', '.join(count)} positions{' that count' * (batch.mask is not None)}"


def _goldens(case: Case, convention: Convention) -> list[str]:
    """What the case judges of its first step with data."""
    lines = []
    for name, whole in _expected(case, convention).items():
        golden = next(iter(whole.parts()))
        if golden.values.size and (name in case.judges or name not in ALL_QUANTITIES):
            values = round_to(golden.values, np.float64).ravel()
            allowed, loose = (to_float64(golden.bound(grade).allowed).ravel() for grade in (TIGHT, STABLE))
            lines.append(
                f"  {name:12} first value {values[0]:.17g}, allowed {allowed[0]:.3g} (tight), {loose[0]:.3g} (stable)"
            )
    return lines or [f"  no number of it is judged (x has shape {case.batches[0].shape})"]


def _expected(case: Case, convention: Convention) -> dict[str, Expected]:
    """The goldens of the first step with data: outputs, gradients and running statistics."""
    before = case.steps[: case.steps.index(case.batches[0])]
    channels, kept = case.config.num_channels, LayerFormats.of(case.config, convention).statistics.name
    statistics = Statistics.initial(channels, convention)
    for step in before:
        if isinstance(step, SetStatistics):
            mean, variance = (part.vector(channels, kept).astype(np.float64) for part in (step.mean, step.variance))
            statistics = Statistics.known(mean, variance)
    first = Goldens().steps(case, convention)[0]
    if first.training is None or has_step(before, Freeze):
        return first.golden.inference(statistics, first.dy) | first.second_order(statistics)
    return first.training | first.golden.updated(statistics)


def _power(case: Case) -> list[str]:
    lines = []
    for claim in power_of(case):
        caught = [f"{catch.deviation} {_times(catch.ratio)}" for catch in claim.caught]
        text = f"{len(caught)} caught" if caught else "none caught"
        if caught:
            text += f", from {caught[0]} to {caught[-1]}" if len(caught) > 1 else f", {caught[0]}"
        if claim.any_way:
            text += f"; of any clause {claim.any_way.deviation} {_times(claim.any_way.ratio)}"
        if claim.missed:
            more = f" and {len(claim.missed) - 3} more" if len(claim.missed) > 3 else ""
            text += f"; not caught here: {', '.join(claim.missed[:3])}{more}"
        lines.append(f"  {claim.clause:8} {text}")
    return lines


def _times(ratio: float) -> str:
    return "by more than numbers can say" if ratio == np.inf else f"{ratio:.3g} times"
