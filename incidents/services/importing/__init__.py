"""Files of incidents, from upload to the last rejected row.

``archive_upload`` keeps the file, ``preview`` shows what would become of its first rows, ``start_import`` queues it,
``execute_import`` brings it in, ``cancel_import`` stops it; ``resubmit_row`` and ``dismiss_row`` deal with what could not go in.
"""

from incidents.services.importing.archive import archive_path, archive_upload, rejects_path
from incidents.services.importing.mapping import REQUIRED, TARGETS, complete_mapping, suggest_mapping
from incidents.services.importing.preview import Preview, PreviewRow, preview
from incidents.services.importing.quarantine import dismiss_row, resubmit_row
from incidents.services.importing.readers import RefusedFile, open_table, sniff
from incidents.services.importing.running import cancel_import, execute_import, start_import, waiting_imports
from incidents.services.importing.sources import ensure_source, forget_source, require_source

__all__ = [
    "REQUIRED",
    "TARGETS",
    "Preview",
    "PreviewRow",
    "RefusedFile",
    "archive_path",
    "archive_upload",
    "cancel_import",
    "complete_mapping",
    "dismiss_row",
    "ensure_source",
    "execute_import",
    "forget_source",
    "open_table",
    "preview",
    "rejects_path",
    "require_source",
    "resubmit_row",
    "sniff",
    "start_import",
    "suggest_mapping",
    "waiting_imports",
]
