"""The roles of a document's parts, by heading, label and level."""

from __future__ import annotations

import doctest

import pytest

from longt5.text import roles as roles_module
from longt5.text.roles import PlacedTitle, Role, role_of_title
from longt5.text.source import SourceText

PARAGRAPH = " ".join(
    f"The {thing} of the town was repaired by its owners in the spring."
    for thing in ("bridge", "mill", "library", "harbour", "market", "station")
)


def roles_by_part(text: str, outline: list[PlacedTitle] | None = None) -> list[Role]:
    """Return the roles of all candidates, runs of the same one once."""
    found: list[Role] = []
    for role in SourceText.of(text, outline=outline or []).roles:
        if not found or found[-1] is not role:
            found.append(role)
    return found


def document(*titles: str) -> str:
    return "\n\n".join(f"{title}\n\n{PARAGRAPH}" for title in titles)


def test_worked_examples() -> None:
    assert doctest.testmod(roles_module).failed == 0


@pytest.mark.parametrize(
    ("title", "role"),
    [
        ("Executive summary", Role.SUMMARY),
        ("Zusammenfassung", Role.SUMMARY),
        ("Résumé", Role.SUMMARY),
        ("Resumen ejecutivo", Role.SUMMARY),
        ("6. Fazit", Role.CONCLUSION),
        ("Conclusions et recommandations", Role.CONCLUSION),
        ("Conclusiones", Role.CONCLUSION),
        ("3 Ergebnisse", Role.RESULTS),
        ("Appendix B: Tables", Role.APPENDIX),
        ("Anhang A", Role.APPENDIX),
        ("Anexo 1", Role.APPENDIX),
        ("Glossaire", Role.SIDE),
        ("Literaturverzeichnis", Role.REFERENCES),
        ("Methods", Role.BODY),
        ("The harbour", None),
    ],
)
def test_titles_name_roles_in_four_languages(title: str, role: Role | None) -> None:
    assert role_of_title(title) is role


def test_headings_give_the_parts_below_them_their_roles() -> None:
    text = document("# Summary", "# Introduction", "# The town", "# Conclusions", "# Appendix A")
    expected = [Role.SUMMARY, Role.BODY, Role.CONCLUSION, Role.APPENDIX]
    assert roles_by_part(text) == expected


def test_a_label_makes_its_paragraph_a_summary() -> None:
    text = f"SUMMARY: The agency proposes new rules for mills.\n\n{document('# Scope', '# Mills')}"
    assert roles_by_part(text) == [Role.SUMMARY, Role.BODY]


def test_lower_levels_stay_inside_an_appendix() -> None:
    text = document("# Town", "# Mills", "# Appendix", "## Notes on mills", "## Conclusions")
    assert roles_by_part(text) == [Role.BODY, Role.APPENDIX]


def test_an_appendix_of_most_of_a_document_is_its_body() -> None:
    text = document("# Notice", "# Annex", "## Part one", "## Part two", "## Part three")
    assert roles_by_part(text) == [Role.BODY]


def test_an_outline_rules_over_the_levels_of_lines() -> None:
    titles = ["Summary", "Aims of it", "Town", "Mills", "Harbour", "Conclusions"]
    text = document(*titles)
    levels = [1, 2, 1, 1, 1, 1]
    outline = [
        PlacedTitle(text.index(f"{title}\n\n"), title, level)
        for title, level in zip(titles, levels, strict=True)
    ]
    assert roles_by_part(text, outline) == [Role.SUMMARY, Role.BODY, Role.CONCLUSION]


def test_a_summary_that_is_a_chapter_is_none() -> None:
    """An overview of a quarter of a document and of many sentences is its first chapter."""
    sentence = "The mills of the town stand beside the river. "
    text = f"# Overview\n\n{sentence * 30}\n\n# Mills\n\n{sentence * 60}"
    assert set(SourceText.of(text).roles) == {Role.BODY}
    short = text.replace(sentence * 30, sentence * 10)
    assert set(SourceText.of(short).roles) == {Role.SUMMARY, Role.BODY}


@pytest.mark.parametrize("title", ["Conclusion", "Findings", "Recommendations"])
def test_a_conclusion_of_a_box_is_none_of_the_document(title: str) -> None:
    """A box stands between the chapters, and the outline does not name what is in it."""
    titles = ["Roads", "The survey", "A bridge", title, "Costs", "Staff", "Mills", "Conclusions"]
    text = document(*titles)
    named = [own for own in titles if own not in ("A bridge", title)]
    outline = [PlacedTitle(text.index(f"{own}\n\n"), own, 1) for own in named]
    assert roles_by_part(text, outline) == [Role.BODY, Role.CONCLUSION]


def test_a_conclusion_after_the_last_chapter_needs_no_outline() -> None:
    titles = ["Roads", "The survey", "Costs", "Staff", "Mills", "Harbour", "Conclusion"]
    text = document(*titles)
    outline = [PlacedTitle(text.index(f"{own}\n\n"), own, 1) for own in titles[:-1]]
    assert roles_by_part(text, outline) == [Role.BODY, Role.CONCLUSION]
