"""The client API at /api, compatible with MongooseIM's (docs/compatibility/client-api.md)."""
