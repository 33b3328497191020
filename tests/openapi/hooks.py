"""What schemathesis has to be told about content that is no JSON."""

import schemathesis
from hypothesis import strategies

# A policy's file: any bytes, of which none is a policy; the tour uploads one.
schemathesis.openapi.media_type("application/wasm", strategies.binary(max_size=4096))
