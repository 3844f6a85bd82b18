"""``sslc verify``: whether every byte of an artifact is what was written."""

from reports.commands.options import ArtifactPath


def verify(directory: ArtifactPath) -> None:
    """Compare an artifact with its hashes: every tensor, every file, every mask.

    Other commands compare only the tensors that they read. Damage gives one sentence that names the
    tensor or the file, and exit code 2.

    Example: sslc verify runs/sslc
    """
    from reports.console import Reporter, say
    from workloads.artifact.read import open_artifact

    artifact = open_artifact(directory)
    with Reporter() as reporter:
        artifact.verify(reporter)
    say(f"{directory}: all {len(artifact.sha256)} files are what was written")
