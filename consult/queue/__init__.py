"""Task: one consultation waiting for, or in the hands of, one specialist.

The queue knows who may take what and until when. It writes no report and pushes no news: news is in the log.
"""
