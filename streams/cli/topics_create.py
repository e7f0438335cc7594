"""`affectstream topics create`."""

from rich.console import Console


def create() -> None:
    """Create the Kafka topics that are missing; safe to repeat.

    Example: `affectstream topics create`
    """
    from streams.cli._start import read_settings
    from streams.kafka_admin import ensure_topics

    settings = read_settings()
    done = ensure_topics(
        settings.kafka, partitions=settings.partitions, replication=settings.replication
    )
    console = Console(highlight=False, soft_wrap=True)
    for name in done.created:
        console.print(f"created {name} with {settings.partitions} partitions")
    if not done.created:
        console.print(f"all {len(done.existing)} topics are there")
