"""Views of a file in the API."""

from interlock_contracts.datasets import Finding
from interlock_contracts.http import DatasetView
from interlock_contracts.refs import DatasetRef

from interlock_ingest.store import DatasetRow


def dataset_view(row: DatasetRow) -> DatasetView:
    """Return the view of a file, without its profile and drift."""
    return DatasetView(
        pipeline=row.pipeline,
        digest=row.digest,
        pipeline_digest=row.pipeline_digest,
        state=row.state,
        bytes=row.bytes,
        received_at=row.received_at,
        decided_at=row.decided_at,
        file_name=row.file_name,
        note=row.note,
        uploaded_by=row.uploaded_by,
        role=row.role,
        batch=row.number,
        dataset=DatasetRef.model_validate(row.dataset) if row.dataset and row.state != "deleted" else None,
        reasons=[Finding.model_validate(reason) for reason in row.reasons],
        warnings=[Finding.model_validate(warning) for warning in row.warnings],
        read_again=row.read_again is not None,
        deleted_at=row.deleted_at,
        deleted_by=row.deleted_by,
    )
