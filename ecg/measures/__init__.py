"""From beats and waves to numbers: intervals, axes, rhythm, ST segment."""
