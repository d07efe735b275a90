"""ServiceRequest: a clinic asks; what it asks, on whose consent, under which agreement.

Two laws are kept here and nowhere else: no request without the patient's consent (or an emergency with its reason), and
none without a cooperation agreement that is valid on the day.
"""
