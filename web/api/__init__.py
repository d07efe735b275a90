"""The API under /api/v1: one table of operations per module; routing and the OpenAPI document are both made from them."""
