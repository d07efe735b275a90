"""The only package that knows HTTP: pages, the API, DICOMweb, the live socket, and who may use them.

It decides nothing clinical: every verb is an action of consult, every picture a view of consult or a frame of
dicom_node.imaging. It owns one thing of its own, the accounts by which people and programs sign in.
"""
