"""Licences of what is installed with the project, from each package's own metadata.

python -m docs.programs.licences > docs/licences.md, in an environment made by ``make``.
"""

import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

LOCK = Path(__file__).parents[2] / "requirements" / "everything.lock"
_LONGEST = 60
_OLD_CLASSIFIER = "License :: "


HEAD = """# Licences

SSLC itself: Apache-2.0. What `make` installs beside it, with the licence that each package states
(`python -m docs.programs.licences > docs/licences.md`). torch for CUDA brings NVIDIA's libraries,
under NVIDIA's own terms. The wheel of SSLC has none of these packages in it.

| package | version | licence |
|---|---|---|"""


def main() -> None:
    """Print the page."""
    print(HEAD)
    for name, version, licence in sorted(rows()):
        print(f"| {name} | {version} | {licence} |")


def rows() -> Iterator[tuple[str, str, str]]:
    """Name, version and licence of torch and of everything in the lock that is installed here."""
    names = re.findall(r"^([\w.-]+)==", LOCK.read_text(encoding="utf-8"), re.MULTILINE)
    for name in dict.fromkeys(["torch", *names]):
        try:
            about = metadata.metadata(name)
        except metadata.PackageNotFoundError:
            continue  # for another platform or Python
        yield name, about["Version"].partition("+")[0], licence_of(about)


def licence_of(about: "metadata.PackageMetadata") -> str:
    """The expression that newer metadata have; else the classifier, else the first line of text."""
    if "License-Expression" in about:
        return about["License-Expression"]
    classifiers = [
        text.rpartition(" :: ")[2]
        for text in about.get_all("Classifier") or ()
        if text.startswith(_OLD_CLASSIFIER) and not text.endswith("OSI Approved")
    ]
    if classifiers:
        return ", ".join(classifiers)
    stated = about.get_all("License") or [""]
    return str(stated[0]).strip().partition("\n")[0][:_LONGEST] or "not stated"


if __name__ == "__main__":
    main()
