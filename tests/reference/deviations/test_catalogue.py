"""The catalogue of deviations: whole, distinct, and with a clause or a convention each."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from tests.support.deviation_steps import DECLARED

from bn_reference.deviations import MODULES, Deviation, catalogue, deviation
from bn_reference.layer.layer import PlainLayer
from bn_reference.specification.clauses import clauses

ALL = tuple(catalogue().values())


class TestTheCatalogue:
    def test_is_large(self) -> None:
        assert len(ALL) >= 110

    def test_has_something_of_every_module(self) -> None:
        assert {entry.group for entry in ALL} == set(MODULES)

    def test_names_are_kebab_case(self) -> None:
        allowed = set("abcdefghijklmnopqrstuvwxyz0123456789-.")
        assert [name for name in catalogue() if not set(name) <= allowed] == []

    def test_sentences_are_sentences_and_distinct(self) -> None:
        sentences = [entry.sentence for entry in ALL]
        assert len(set(sentences)) == len(sentences)
        assert [text for text in sentences if not text.endswith(".")] == []

    def test_effects_are_clauses_without_a_full_stop(self) -> None:
        assert [entry.name for entry in ALL if not entry.effect or entry.effect.endswith(".")] == []

    def test_each_breaks_a_clause_of_the_specification_or_changes_a_convention(self) -> None:
        assert [entry.name for entry in ALL if entry.clause and entry.clause not in clauses()] == []
        assert [entry.name for entry in ALL if bool(entry.clause) == bool(entry.convention)] == []

    def test_links_are_https_threads(self) -> None:
        links = [urlsplit(entry.link) for entry in ALL if entry.link]
        assert len(links) >= 30
        assert [link for link in links if link.scheme != "https" or link.path.count("/") != 4] == []

    def test_a_name_is_taken_once(self) -> None:
        with pytest.raises(ValueError, match="no other deviation"):
            deviation(ALL[0].name, clause="FWD-1", effect="none")(PlainLayer)

    def test_a_sentence_is_needed(self) -> None:
        nameless = type("Nameless", (PlainLayer,), {"__doc__": ""})
        with pytest.raises(ValueError, match="docstring"):
            deviation("nameless", clause="FWD-1", effect="none")(nameless)

    @pytest.mark.parametrize("entry", [entry for entry in ALL if entry.convention], ids=lambda entry: entry.name)
    def test_a_convention_is_a_change_where_another_is_declared(self, entry: Deviation) -> None:
        assert any(entry.under(convention) not in (None, convention) for convention in DECLARED)
