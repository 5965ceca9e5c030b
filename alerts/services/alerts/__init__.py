"""An alert's life: opened, grown, acknowledged, quieted, refired, resolved. Each verb is one transaction."""
