"""Who is on call: the rota of each hospital, the hours it has promised to cover, swaps and stand-ins.

Dispatch asks here who is there now. An hour that was promised and that nobody covers is told of a day before it begins.
"""
