"""Writing an artifact: block by block into a working directory, renamed into place at the end.

While it is being written the artifact ``DIR`` is ``DIR.partial``: our marker, finished blocks, and
``progress.json``, which says under which settings they were made. A killed run continues there.
One run at a time writes to ``DIR``: whoever starts one holds ``working.one_writer``.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from workloads.artifact.manifest import FORMAT, HASH, VERSION, digest
from workloads.artifact.read import MANIFEST, REST, Settings, block_file, open_artifact
from workloads.artifact.record import BlockRecord, CompressedTensors, ProjectionRecord, totals
from workloads.artifact.replace import is_artifact, move_into_place
from workloads.support.errors import InputError
from workloads.support.files import (
    read_json,
    sha256_file,
    write_atomic,
    write_json,
    write_tensors,
)
from workloads.support.working import check_working, mark, remove_working, resolved

PROGRESS = "progress.json"


@dataclasses.dataclass
class ArtifactWriter:
    """An artifact under construction.

    Attributes:
        target: Where the finished artifact will stand.
        settings: What determines its bytes.
        blocks: Records of the blocks that are already on disk.
    """

    target: Path
    settings: Settings
    blocks: list[BlockRecord]

    @property
    def partial(self) -> Path:
        """The working directory beside the target."""
        return partial_of(self.target)

    def write_block(
        self, records: tuple[ProjectionRecord, ...], tensors: Mapping[str, CompressedTensors]
    ) -> None:
        """Write the next block and note it as finished."""
        file = block_file(len(self.blocks))
        arrays: dict[str, NDArray[Any]] = {}
        for record in records:
            parts = tensors[record.name].packed(record.storage)
            arrays |= {f"{record.name}.{part}": array for part, array in parts.items()}
        hashes = write_tensors(self.partial / file, arrays)
        self.blocks.append(BlockRecord(file, hashes.file, records, hashes.tensors))
        self._note_progress()

    def finish(
        self,
        rest: Mapping[str, NDArray[Any]],
        files: Mapping[str, bytes],
        training_loss: Mapping[str, float] | None = None,
    ) -> None:
        """Write what is left, the manifest last, and rename the directory into place.

        Args:
            rest: Every tensor outside the compressed projections, under its checkpoint name.
            files: Content of configuration and tokenizer files by name.
            training_loss: Of a recovery, for the manifest.
        """
        hashes = write_tensors(self.partial / REST, rest)
        for name, content in files.items():
            write_atomic(self.partial / name, content)
        names = sorted(files)
        blocks = tuple(self.blocks)
        manifest = self.settings.to_json() | {
            "format": FORMAT,
            "version": VERSION,
            "blocks": [block.to_json() for block in blocks],
            "rest": {"file": REST, "sha256": hashes.file, "tensors": hashes.tensors},
            "files": [{"file": n, "sha256": sha256_file(self.partial / n)} for n in names],
            "totals": totals(blocks),
        }
        if training_loss:
            manifest["training_loss"] = dict(training_loss)
        write_json(self.partial / MANIFEST, manifest | {HASH: digest(manifest)})
        open_artifact(self.partial)
        (self.partial / PROGRESS).unlink()
        rename_into_place(self.target)

    def _note_progress(self) -> None:
        blocks = [block.to_json() for block in self.blocks]
        progress = {"settings": self.settings.to_json(), "blocks": blocks}
        write_json(self.partial / PROGRESS, progress | {HASH: digest(progress)})


def rename_into_place(target: Path) -> None:
    """Put a wholly written working directory where the artifact belongs; else do nothing.

    Safe to call at any time: a run that was killed just before its last rename is completed.
    """
    partial = partial_of(target)
    check_working(partial)
    whole = (partial / MANIFEST).is_file() and not (partial / PROGRESS).exists()
    move_into_place(partial if whole else None, resolved(target))


def start_artifact(
    target: Path, settings: Settings, *, resume: bool, overwrite: bool
) -> ArtifactWriter:
    """Begin an artifact, or continue one that was interrupted.

    Args:
        target: Where the finished artifact will stand.
        settings: What determines its bytes.
        resume: Continue a partial artifact made under the same settings.
        overwrite: Replace a finished or partial artifact.

    Returns:
        A writer whose ``blocks`` are those already on disk and intact.

    Raises:
        InputError: Something stands there that the flags do not allow to touch, or the partial
            artifact was made under other settings.
    """
    writer = ArtifactWriter(target, settings, [])
    if target.exists() and not overwrite:
        raise InputError(f"{target} exists already; --overwrite replaces it")
    if target.exists() and not is_artifact(target) and (target.is_file() or any(target.iterdir())):
        raise InputError(f"{target} is not an artifact and is not empty; it is left alone")
    check_working(writer.partial)
    if resume and (writer.partial / PROGRESS).is_file():
        writer.blocks.extend(_finished_blocks(writer))
        return writer
    if any(writer.partial.glob("blocks/*.safetensors")) and not (resume or overwrite):
        raise InputError(
            f"{writer.partial} holds an interrupted run; --resume continues it, "
            "--overwrite starts again"
        )
    remove_working(writer.partial)
    mark(writer.partial)
    (writer.partial / "blocks").mkdir()
    writer._note_progress()
    return writer


def partial_of(target: Path) -> Path:
    """The working directory of an artifact that is being written."""
    place = resolved(target)
    return place.with_name(f"{place.name}.partial")


def _finished_blocks(writer: ArtifactWriter) -> list[BlockRecord]:
    path = writer.partial / PROGRESS
    progress = read_json(path)
    if not isinstance(progress, dict) or progress.get(HASH) != digest(progress):
        raise InputError(f"{path}: is damaged, or of an earlier version; --overwrite starts again")
    blocks = [BlockRecord.from_json(entry, writer.settings.dtype) for entry in progress["blocks"]]
    made_under = progress["settings"]
    wanted = writer.settings.to_json()
    keys = sorted({*wanted, *made_under})
    differing = [key for key in keys if made_under.get(key) != wanted.get(key)]
    if differing:
        raise InputError(
            f"{writer.partial} was made with another {' and '.join(differing)}; "
            "give the same settings, or --overwrite to start again"
        )
    intact: list[BlockRecord] = []
    for block in blocks:
        file = writer.partial / block.file
        if not file.is_file() or sha256_file(file) != block.sha256:
            break
        intact.append(block)
    return intact
