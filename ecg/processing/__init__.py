"""From raw leads to beats and waves: filters, quality, beats, median beat, delineation; arrays of (leads, samples) in and out."""
