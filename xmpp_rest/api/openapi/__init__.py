"""The OpenAPI 3.1 description of all APIs: `/openapi.json`, and one for each API. What is described stands beside each dialect."""
