"""News as it happens: the event log, fanned out to the browsers allowed to see each event."""
