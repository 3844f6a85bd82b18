"""The page about Python runs as one script, on a small model in place of the demo's."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "api.md"
SNIPPET = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def test_api_page_runs_as_one_script(
    llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    snippets = SNIPPET.findall(PAGE.read_text(encoding="utf-8"))
    names: dict[str, object] = {}
    for number, snippet in enumerate(snippets):
        text = re.sub(r'^MODEL = ".*?"', f"MODEL = {str(llama)!r}", snippet)
        exec(compile(text, f"{PAGE.name}, snippet {number + 1}", "exec"), names)
    assert len(names["frame"]) == 4  # type: ignore[arg-type]
    assert str(names["simulation"]).count("vitcod + lines=32") == 1
    assert (tmp_path / "runs/api/cycles.png").read_bytes().startswith(b"\x89PNG")
    titles = [table.title for table in names["tables"]]  # type: ignore[attr-defined]
    assert titles[:2] == [
        "Perplexity on held-out text",
        "Cycles of one block by module, mean over the simulated blocks",
    ]
