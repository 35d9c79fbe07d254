"""What schemathesis cannot know of the document: which ids there are, and that a cursor is a page's own."""

import json
import os
import re
import zlib

import schemathesis

known = json.loads(os.environ["SPILLWAY_KNOWN"])


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    """Half of the ids that might be are ids that are; what is wrong stays wrong."""
    if not path_parameters:
        return path_parameters
    for part, (pattern, ids) in known.items():
        [name] = path_parameters
        given = str(path_parameters[name])
        if part in context.operation.path and re.fullmatch(pattern, given):
            turn = zlib.crc32(given.encode("utf-8", "replace")) % (2 * len(ids))
            if turn < len(ids):
                return {name: ids[turn]}
    return path_parameters


@schemathesis.hook
def filter_case(context, case):
    """A cursor that no page gave is refused, and rightly; and of what should be good, some tags are none (`0`), whatever the pattern says."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return True
    tag = (case.headers or {}).get("If-Match")
    return "cursor" not in (case.query or {}) and (tag is None or re.fullmatch(r'"[\w-]{22}"', tag) is not None)
