# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
"""The scanner of plain viewer events: from a record's key and value to what `streams.events` gives.

It takes what is plainly right, and makes no object but the event itself. Whatever it is in doubt
about it leaves to `streams.events`, which alone refuses: a name that comes twice, an escape in
what is not for people, a number with a fraction or of many digits, a time near an end of the
range. Unknown fields are legal, so they are skipped, by JSON's grammar and UTF-8's.

Why no byte outside of a value is read: each place is a pointer that is compared with the end before
it is read from, and it moves only past what was read. `_begins` compares what is left with the
length of what it looks for. tests/hostile/scanning.py runs all of it under AddressSanitizer.

What is in here has no state but a cache of short texts, and is used by one thread at a time.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_GET_SIZE
from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp

from streams.events import MAX_VALUE_BYTES, ViewerEvent, read_plain
from streams.viewer_event import (
    MAX_BROADCAST,
    MAX_JOINS,
    MAX_PLATFORM,
    MAX_REVISION,
    MAX_SLUG,
    MAX_TITLE,
    MAX_VIEWERS,
    MAX_VIEWS,
)

cdef extern from "Python.h":
    object PyUnicode_DecodeASCII(const char *text, Py_ssize_t size, const char *errors)
    object PyUnicode_DecodeUTF8(const char *text, Py_ssize_t size, const char *errors)
    object PyUnicode_FromKindAndData(int kind, const void *data, Py_ssize_t size)
    object PyObject_Vectorcall(object made, PyObject *const *given, size_t count, PyObject *names)
    Py_ssize_t PyUnicode_GET_LENGTH(object text)
    const void *PyUnicode_DATA(object text)
    int PyUnicode_4BYTE_KIND
    long long PyLong_AsLongLongAndOverflow(object number, int *overflow) except? -1

cdef extern from *:
    """
    /* Behind a bytes object's content lies a zero byte, which a read out of bounds would find
       harmless: the sanitizer is to see it all the same. */
    #if defined(__SANITIZE_ADDRESS__)
    #include <sanitizer/asan_interface.h>
    #define HIDE_BYTE(place) ASAN_POISON_MEMORY_REGION((place), 1)
    #define SHOW_BYTE(place) ASAN_UNPOISON_MEMORY_REGION((place), 1)
    #else
    #define HIDE_BYTE(place) ((void)0)
    #define SHOW_BYTE(place) ((void)0)
    #endif
    """
    void HIDE_BYTE(const void *place) noexcept nogil
    void SHOW_BYTE(const void *place) noexcept nogil

ctypedef const uint8_t *Place

cdef enum:
    TEXT_SLOTS = 1024  # a power of two
    DEPTH = 60  # bits of a 64-bit number, and far below what the other readers take
    LONGEST_NUMBER = 13  # digits: 10**12 has as many
    MOST_TITLE = 200
    FIELDS = 11

cdef enum Field:
    PLATFORM = 1
    BROADCAST = 2
    AT = 4
    KIND = 8
    VIEWERS = 16
    JOINS = 32
    VIEWS = 64
    VENUE = 128
    PROGRAMME = 256
    TITLE = 512
    REVISION = 1024
    REQUIRED = 7  # platform, broadcast, at

#: What a byte may be: a bit each.
cdef enum Class:
    IS_SLUG = 1  # a-z, 0-9, -
    IS_PLAIN = 2  # stands for itself in a string, and is ASCII
    IS_PRINTABLE = 4  # the same but for DEL
    IS_SPACE = 8

cdef int64_t SECOND = 1_000_000
#: A Kafka timestamp beyond this many milliseconds, in the year 33658, is left to the other path.
cdef int64_t LAST_TIMESTAMP = 1_000_000_000_000_000

cdef int64_t _MAX_VIEWERS = MAX_VIEWERS
cdef int64_t _MAX_JOINS = MAX_JOINS
cdef int64_t _MAX_VIEWS = MAX_VIEWS
cdef int64_t _MAX_REVISION = MAX_REVISION
cdef Py_ssize_t _MAX_VALUE = MAX_VALUE_BYTES
cdef Py_ssize_t _MAX_PLATFORM = MAX_PLATFORM
cdef Py_ssize_t _MAX_BROADCAST = MAX_BROADCAST
cdef Py_ssize_t _MAX_SLUG = MAX_SLUG

if MAX_TITLE != MOST_TITLE or max(MAX_VIEWERS, MAX_JOINS, MAX_VIEWS, MAX_REVISION) >= 10**LONGEST_NUMBER:
    raise ImportError("the bounds of viewer events have changed, and the scanner has not")

cdef tuple _KINDS = ("sample", "started", "ended")
cdef object _event = ViewerEvent
cdef object _read_plain = read_plain
cdef object _zero = 0

cdef uint8_t CLASSES[256]


cdef void _classify() noexcept:
    cdef int byte
    for byte in range(256):
        CLASSES[byte] = 0
        if 97 <= byte <= 122 or 48 <= byte <= 57 or byte == 45:
            CLASSES[byte] |= IS_SLUG
        if 32 <= byte <= 127 and byte != 34 and byte != 92:
            CLASSES[byte] |= IS_PLAIN
            if byte != 127:
                CLASSES[byte] |= IS_PRINTABLE
        if byte == 32 or byte == 9 or byte == 10 or byte == 13:
            CLASSES[byte] |= IS_SPACE


_classify()


cdef struct Span:
    Place at
    Py_ssize_t size  # -1: not given


cdef struct Key:
    Span platform
    Span broadcast


cdef struct Fields:
    int64_t at_us
    int64_t viewers  # -1: not given, like the next two
    int64_t joins
    int64_t views
    int64_t revision
    int kind
    Span at
    Span venue
    Span programme
    Span title
    bint has_escapes  # the title


# -- places: each function gives the one behind what it has read, NULL where it has doubts ---------


cdef inline Place _space(Place p, Place end) noexcept nogil:
    while p < end and CLASSES[p[0]] & IS_SPACE:
        p += 1
    return p


cdef inline bint _begins(Place p, Place end, const char *text, Py_ssize_t size) noexcept nogil:
    return end - p >= size and memcmp(p, text, size) == 0


cdef inline Place _slug(Place p, Place end, Py_ssize_t longest, Span *found) noexcept nogil:
    """A slug and the quote that ends it."""
    cdef Place start = p
    while p < end and CLASSES[p[0]] & IS_SLUG:
        p += 1
    found.at = start
    found.size = p - start
    if p == end or p[0] != 34 or not 1 <= found.size <= longest or start[0] == 45:
        return NULL
    return p + 1


cdef inline Place _same(Place p, Place end, Span *wanted) noexcept nogil:
    """Just this text and the quote that ends it."""
    if end - p <= wanted.size or p[wanted.size] != 34:
        return NULL
    if memcmp(p, wanted.at, wanted.size) != 0:
        return NULL
    return p + wanted.size + 1


cdef Place _utf8(Place p, Place end) noexcept nogil:
    """One code point that is not ASCII, as RFC 3629 has it: no surrogates, nothing overlong."""
    cdef uint8_t first = p[0]
    cdef uint8_t low = 0x80
    cdef uint8_t high = 0xBF
    cdef Py_ssize_t more
    if 0xC2 <= first <= 0xDF:
        more = 1
    elif 0xE0 <= first <= 0xEF:
        more = 2
        if first == 0xE0:
            low = 0xA0
        elif first == 0xED:
            high = 0x9F
    elif 0xF0 <= first <= 0xF4:
        more = 3
        if first == 0xF0:
            low = 0x90
        elif first == 0xF4:
            high = 0x8F
    else:
        return NULL
    if end - p <= more or not low <= p[1] <= high:
        return NULL
    p += 2
    while more > 1:
        if p[0] & 0xC0 != 0x80:
            return NULL
        p += 1
        more -= 1
    return p


cdef inline int _hex(uint8_t digit) noexcept nogil:
    if 48 <= digit <= 57:
        return digit - 48
    digit |= 32
    if 97 <= digit <= 102:
        return digit - 87
    return -1


cdef int64_t _four_hex(Place p, Place end) noexcept nogil:
    """What four hexadecimal digits say; -1 where they are none."""
    cdef int64_t number = 0
    cdef int n
    cdef int digit
    if end - p < 4:
        return -1
    for n in range(4):
        digit = _hex(p[n])
        if digit < 0:
            return -1
        number = number << 4 | digit
    return number


cdef Place _escape(Place p, Place end, uint32_t *said) noexcept nogil:
    """An escape, from behind its backslash on: two of them for a pair of surrogates.

    A lone surrogate is for the other path, which mends and counts it.
    """
    cdef int64_t number
    cdef int64_t other
    cdef uint8_t c
    if p == end:
        return NULL
    c = p[0]
    if c == 34 or c == 92 or c == 47:
        said[0] = c
    elif c == 98:  # b
        said[0] = 8
    elif c == 102:  # f
        said[0] = 12
    elif c == 110:  # n
        said[0] = 10
    elif c == 114:  # r
        said[0] = 13
    elif c == 116:  # t
        said[0] = 9
    elif c == 117:  # u
        number = _four_hex(p + 1, end)
        if number < 0 or 0xDC00 <= number <= 0xDFFF:
            return NULL
        if number < 0xD800 or number > 0xDFFF:
            said[0] = <uint32_t>number
            return p + 5
        if end - p < 7 or p[5] != 92 or p[6] != 117:
            return NULL
        other = _four_hex(p + 7, end)
        if not 0xDC00 <= other <= 0xDFFF:
            return NULL
        said[0] = <uint32_t>(0x10000 + ((number - 0xD800) << 10) + (other - 0xDC00))
        return p + 11
    else:
        return NULL
    return p + 1


cdef Place _string(Place p, Place end, bint *has_escapes) noexcept nogil:
    """The rest of any string, from behind its first quote on."""
    cdef uint32_t said
    while p != NULL and p < end:
        if CLASSES[p[0]] & IS_PLAIN:
            p += 1
        elif p[0] == 34:
            return p + 1
        elif p[0] == 92:
            has_escapes[0] = True
            p = _escape(p + 1, end, &said)
        else:
            p = _utf8(p, end)  # a control character is none
    return NULL


cdef inline bint _is_digit(Place p, Place end) noexcept nogil:
    return p < end and 48 <= p[0] <= 57


cdef Place _any_number(Place p, Place end) noexcept nogil:
    """A number of any size, as JSON has it."""
    if p[0] == 45:
        p += 1
    if not _is_digit(p, end):
        return NULL
    if p[0] == 48:
        p += 1
    else:
        while _is_digit(p, end):
            p += 1
    if p < end and p[0] == 46:
        p += 1
        if not _is_digit(p, end):
            return NULL
        while _is_digit(p, end):
            p += 1
    if p < end and (p[0] | 32) == 101:
        p += 1
        if p < end and (p[0] == 43 or p[0] == 45):
            p += 1
        if not _is_digit(p, end):
            return NULL
        while _is_digit(p, end):
            p += 1
    return p


cdef Place _name(Place p, Place end) noexcept nogil:
    """A name and its colon, from the quote on."""
    cdef bint has_escapes = False
    if p == end or p[0] != 34:
        return NULL
    p = _string(p + 1, end, &has_escapes)
    if p == NULL:
        return NULL
    p = _space(p, end)
    if p == end or p[0] != 58:
        return NULL
    return p + 1


cdef Place _any_value(Place p, Place end) noexcept nogil:
    """Any value, however it is nested: a bit a level says whether that is an object."""
    cdef uint64_t objects = 0
    cdef int depth = 0
    cdef bint has_escapes = False
    cdef uint8_t closing
    while True:
        p = _space(p, end)
        if p == end:
            return NULL
        if p[0] == 123 or p[0] == 91:  # an object, an array
            if depth == DEPTH:
                return NULL
            objects = objects << 1 | (p[0] == 123)
            depth += 1
            p = _space(p + 1, end)
            if p == end:
                return NULL
            if p[0] != (125 if objects & 1 else 93):  # it is not empty: its first value
                if objects & 1:
                    p = _name(p, end)
                    if p == NULL:
                        return NULL
                continue
        elif p[0] == 34:
            p = _string(p + 1, end, &has_escapes)
        elif _begins(p, end, b"true", 4) or _begins(p, end, b"null", 4):
            p += 4
        elif _begins(p, end, b"false", 5):
            p += 5
        else:
            p = _any_number(p, end)
        if p == NULL:
            return NULL
        while True:  # a value has ended: so may what it lies in
            if not depth:
                return p
            p = _space(p, end)
            if p == end:
                return NULL
            closing = 125 if objects & 1 else 93
            if p[0] == closing:
                p += 1
                objects >>= 1
                depth -= 1
                continue
            if p[0] != 44:
                return NULL
            p += 1
            if objects & 1:
                p = _name(_space(p, end), end)
                if p == NULL:
                    return NULL
            break


cdef inline Place _whole(Place p, Place end, int64_t most, int64_t *found) noexcept nogil:
    """A whole number from 0 on, without sign, fraction or exponent."""
    cdef Place start = p
    cdef int64_t number = 0
    while p < end and 48 <= p[0] <= 57:
        number = 10 * number + (p[0] - 48)
        p += 1
        if p - start > LONGEST_NUMBER:
            return NULL
    if p == start or (start[0] == 48 and p - start > 1) or number > most:
        return NULL
    found[0] = number  # what follows, a comma or a brace, is looked for by the caller
    return p


# -- times ------------------------------------------------------------------------------------------


cdef inline int _two(Place p) noexcept nogil:
    """Two digits; below -1000 where they are none, so that a sum of them is below 0 too."""
    cdef uint32_t tens = <uint32_t>p[0] - 48
    cdef uint32_t ones = <uint32_t>p[1] - 48
    if tens > 9 or ones > 9:
        return -100_000
    return tens * 10 + ones


cdef Place _time(Place p, Place end, Fields *found) noexcept nogil:
    """A time of RFC 3339 in the years 1971 to 9998, and the quote that ends it."""
    cdef int year, month, day, hour, minute, second, longest
    cdef int offset_hours, offset_minutes
    cdef int digits = 0
    cdef int64_t fraction = 0
    cdef int64_t at, days, years, months
    found.at.at = p
    if end - p < 21:
        return NULL
    if p[4] != 45 or p[7] != 45 or (p[10] | 32) != 116 or p[13] != 58 or p[16] != 58:
        return NULL
    year = _two(p) * 100 + _two(p + 2)
    month = _two(p + 5)
    day = _two(p + 8)
    hour = _two(p + 11)
    minute = _two(p + 14)
    second = _two(p + 17)
    if not 1971 <= year <= 9998 or not 1 <= month <= 12 or day < 1:
        return NULL
    if not 0 <= hour <= 23 or not 0 <= minute <= 59 or not 0 <= second <= 59:
        return NULL
    longest = 31
    if month == 4 or month == 6 or month == 9 or month == 11:
        longest = 30
    elif month == 2:
        longest = 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    if day > longest:
        return NULL
    p += 19
    if p[0] == 46:
        p += 1
        while _is_digit(p, end):
            if digits < 6:
                fraction = fraction * 10 + (p[0] - 48)
                digits += 1
            p += 1
        if not digits:
            return NULL
        while digits < 6:
            fraction *= 10
            digits += 1
    # Days since 1970 by Howard Hinnant's algorithm: years begin in March.
    years = year - (month <= 2)
    months = month + 9 if month <= 2 else month - 3
    days = 365 * years + years // 4 - years // 100 + years // 400
    days += (153 * months + 2) // 5 + day - 1 - 719_468
    at = ((days * 24 + hour) * 60 + minute) * 60 + second
    if p < end and (p[0] | 32) == 122:
        p += 1
    elif end - p > 6 and (p[0] == 43 or p[0] == 45) and p[3] == 58:
        offset_hours = _two(p + 1)
        offset_minutes = _two(p + 4)
        if not 0 <= offset_hours <= 23 or not 0 <= offset_minutes <= 59:
            return NULL
        if p[0] == 43:
            at -= offset_hours * 3600 + offset_minutes * 60
        else:
            at += offset_hours * 3600 + offset_minutes * 60
        p += 6
    else:
        return NULL
    if p == end or p[0] != 34:
        return NULL
    found.at.size = p - found.at.at
    found.at_us = at * SECOND + fraction
    return p + 1


# -- an event ---------------------------------------------------------------------------------------


cdef Place _field(Place p, Place end, Key *key, Fields *found, unsigned int *seen) noexcept nogil:
    """One member of the event's object, from behind the first quote of its name on."""
    cdef unsigned int field = 0
    cdef Py_ssize_t size = 0
    cdef Place unknown
    cdef bint is_text = True
    cdef int64_t *number = NULL
    cdef int64_t most = 0
    if p == end:
        return NULL
    # Which field: by the first letter, then by all of them and the quote.
    if p[0] == 97:
        if _begins(p, end, b'at"', 3):
            field, size = AT, 3
    elif p[0] == 98:
        if _begins(p, end, b'broadcast"', 10):
            field, size = BROADCAST, 10
    elif p[0] == 106:
        if _begins(p, end, b'joins"', 6):
            field, size, number, most = JOINS, 6, &found.joins, _MAX_JOINS
    elif p[0] == 107:
        if _begins(p, end, b'kind"', 5):
            field, size = KIND, 5
    elif p[0] == 112:
        if _begins(p, end, b'platform"', 9):
            field, size = PLATFORM, 9
        elif _begins(p, end, b'programme"', 10):
            field, size = PROGRAMME, 10
    elif p[0] == 114:
        if _begins(p, end, b'revision"', 9):
            field, size, number, most = REVISION, 9, &found.revision, _MAX_REVISION
    elif p[0] == 116:
        if _begins(p, end, b'title"', 6):
            field, size = TITLE, 6
    elif p[0] == 118:
        if _begins(p, end, b'viewers"', 8):
            field, size, number, most = VIEWERS, 8, &found.viewers, _MAX_VIEWERS
        elif _begins(p, end, b'views"', 6):
            field, size, number, most = VIEWS, 6, &found.views, _MAX_VIEWS
        elif _begins(p, end, b'venue"', 6):
            field, size = VENUE, 6
    if not field:
        unknown = p
        p = _name(unknown - 1, end)
        if p == NULL:
            return NULL
        while unknown < p:
            if unknown[0] == 92:
                return NULL  # it may spell a name that we know
            unknown += 1
        return _any_value(p, end)
    if seen[0] & field:
        return NULL
    seen[0] |= field
    p = _space(p + size, end)
    if p == end or p[0] != 58:
        return NULL
    p = _space(p + 1, end)
    if p == end:
        return NULL
    if p[0] == 110:  # null
        if field & REQUIRED or not _begins(p, end, b"null", 4):
            return NULL
        return p + 4
    if number != NULL:
        if field == VIEWERS and p[0] == 45:  # -1 means unknown, as if it were not there
            return p + 2 if end - p > 2 and p[1] == 49 and not 48 <= p[2] <= 57 else NULL
        return _whole(p, end, most, number)
    if p[0] != 34:
        return NULL
    p += 1
    if field == AT:
        return _time(p, end, found)
    if field == PLATFORM:
        return _same(p, end, &key.platform)
    if field == BROADCAST:
        return _same(p, end, &key.broadcast)
    if field == VENUE:
        return _slug(p, end, _MAX_SLUG, &found.venue)
    if field == PROGRAMME:
        return _slug(p, end, _MAX_SLUG, &found.programme)
    if field == KIND:
        if _begins(p, end, b'sample"', 7):
            return p + 7
        if _begins(p, end, b'started"', 8):
            found.kind = 1
            return p + 8
        if _begins(p, end, b'ended"', 6):
            found.kind = 2
            return p + 6
        return NULL
    found.title.at = p
    p = _string(p, end, &found.has_escapes)
    if p != NULL:
        found.title.size = p - 1 - found.title.at
    return p


cdef bint _scan(Place p, Place end, Key *key, Fields *found) noexcept nogil:
    """Whether a value is plainly right, and an event of the key's broadcast; what it says."""
    cdef unsigned int seen = 0
    found.viewers = found.joins = found.views = -1
    found.revision = 0
    found.kind = 0
    found.venue.size = found.programme.size = found.title.size = -1
    found.has_escapes = False
    if end - p > _MAX_VALUE:
        return False
    p = _space(p, end)
    if p == end or p[0] != 123:
        return False
    p += 1
    while True:
        p = _space(p, end)
        if p == end or p[0] != 34:
            return False  # an empty object is none of ours either
        p = _field(p + 1, end, key, found, &seen)
        if p == NULL:
            return False
        p = _space(p, end)
        if p == end:
            return False
        if p[0] == 125:
            break
        if p[0] != 44:
            return False
        p += 1
    return _space(p + 1, end) == end and seen & REQUIRED == REQUIRED


cdef bint _split(object key, Key *found) noexcept:
    """Whether a key may be right; its halves. A platform has no colon, a broadcast may have."""
    cdef Place p
    cdef Place end
    if not PyBytes_CheckExact(key):
        return False
    p = <Place>PyBytes_AS_STRING(key)
    end = p + PyBytes_GET_SIZE(key)
    found.platform.at = p
    while p < end and CLASSES[p[0]] & IS_SLUG:
        p += 1
    found.platform.size = p - found.platform.at
    if p == end or p[0] != 58 or not 1 <= found.platform.size <= _MAX_PLATFORM:
        return False
    found.broadcast.at = p + 1
    found.broadcast.size = end - p - 1
    return found.platform.at[0] != 45 and 1 <= found.broadcast.size <= 4 * _MAX_BROADCAST


cdef object _broadcast(Span *text):
    """A key's broadcast; None where it is not plainly right."""
    cdef Py_ssize_t n = 0
    cdef object found
    while n < text.size and CLASSES[text.at[n]] & IS_PRINTABLE:
        n += 1
    if n == text.size:
        return _ascii(text) if n <= _MAX_BROADCAST else None
    # A quote or a backslash is escaped in a value: there, as they are here, they mean other things.
    while n < text.size:
        if text.at[n] < 0x80 and not CLASSES[text.at[n]] & IS_PRINTABLE:
            return None
        n += 1
    try:
        found = PyUnicode_DecodeUTF8(<const char *>text.at, text.size, NULL)
    except UnicodeDecodeError:
        return None
    return found if len(found) <= _MAX_BROADCAST and found.isprintable() else None


cdef object _ascii(Span *text):
    return PyUnicode_DecodeASCII(<const char *>text.at, text.size, NULL)


cdef object _title(Fields *found):
    """The title, or None where it is too long to be taken as it is."""
    cdef uint32_t said[MOST_TITLE]
    cdef Py_ssize_t count = 0
    cdef Place p = found.title.at
    cdef Place end = p + found.title.size
    cdef object text
    if not found.has_escapes:
        if found.title.size > 4 * MOST_TITLE:
            return None
        text = PyUnicode_DecodeUTF8(<const char *>p, found.title.size, NULL)
        return text if PyUnicode_GET_LENGTH(text) <= MOST_TITLE else None
    while p < end:
        if count == MOST_TITLE:
            return None
        if p[0] == 92:
            p = _escape(p + 1, end, &said[count])
            if p == NULL:
                return None  # never: `_string` has read the same
        elif p[0] < 0x80:
            said[count] = p[0]
            p += 1
        elif p[0] < 0xE0:
            said[count] = (p[0] & 0x1F) << 6 | (p[1] & 0x3F)
            p += 2
        elif p[0] < 0xF0:
            said[count] = (p[0] & 0x0F) << 12 | (p[1] & 0x3F) << 6 | (p[2] & 0x3F)
            p += 3
        else:
            said[count] = (
                (p[0] & 0x07) << 18 | (p[1] & 0x3F) << 12 | (p[2] & 0x3F) << 6 | (p[3] & 0x3F)
            )
            p += 4
        count += 1
    return PyUnicode_FromKindAndData(PyUnicode_4BYTE_KIND, said, count)


cdef object _or_none(int64_t number):
    return None if number < 0 else number


cdef class EventScanner:
    """Scans plain viewer events; to be used by one thread at a time."""

    cdef list _texts

    def __cinit__(self):
        self._texts = [None] * TEXT_SLOTS

    def event(self, key, value):
        """What `streams.events.read` gives for a value that is plainly right.

        Args:
            key: The record's key, as Kafka gave it.
            value: The record's value, likewise.

        Returns:
            The event and its `at` in microseconds since 1970 UTC; None where `read` must say, also
            where the key is not `platform:broadcast` of the event.
        """
        cdef Key parts
        cdef Fields found
        cdef object event, broadcast
        if not _split(key, &parts) or not PyBytes_CheckExact(value):
            return None
        if not self._scan(value, &parts, &found):
            return None
        broadcast = _broadcast(&parts.broadcast)
        if broadcast is None:
            return None
        event = self._make(&found, self._text(&parts.platform), broadcast)
        return None if event is None else (event, found.at_us)

    def events(self, key, list records, int64_t clock):
        """The events of one key, where all are plainly right, or can be seen to be.

        Args:
            key: Their key, as Kafka gave it.
            records: The records, each with `value` and `timestamp`.
            clock: The worker's clock in milliseconds since 1970 UTC.

        Returns:
            Each event with its `at` and its Kafka timestamp, and by how many microseconds an `at`
            is ahead of the timestamp or the clock at most; None where one by one is how they must
            be looked at, also where the key is not `platform:broadcast` of each of them.
        """
        cdef Key parts
        cdef Fields found
        cdef object platform, broadcast, event, record, value, timestamp
        cdef list timed_events = []
        cdef int64_t kafka
        cdef int64_t lead = -(<int64_t>1 << 62)
        cdef int overflow = 0
        if not _split(key, &parts) or not 0 < clock < LAST_TIMESTAMP:
            return None
        platform = self._text(&parts.platform)
        broadcast = _broadcast(&parts.broadcast)
        if broadcast is None:
            return None
        for record in records:
            value = record.value
            timestamp = record.timestamp
            if type(timestamp) is not int or not PyBytes_CheckExact(value):
                return None
            kafka = PyLong_AsLongLongAndOverflow(timestamp, &overflow)
            if overflow or not 0 < kafka < LAST_TIMESTAMP:
                return None
            event = None
            if self._scan(value, &parts, &found):
                event = self._make(&found, platform, broadcast)
            if event is None:
                read = _read_plain(value)
                if read is None:
                    return None
                event = read[0]
                if event.platform != platform or event.broadcast != broadcast:
                    return None
                found.at_us = read[1]
            timed_events.append((event, found.at_us, timestamp))
            if found.at_us - kafka * 1000 > lead:
                lead = found.at_us - kafka * 1000
            if found.at_us - clock * 1000 > lead:
                lead = found.at_us - clock * 1000
        return timed_events, lead

    cdef bint _scan(self, object value, Key *parts, Fields *found):
        cdef Place p = <Place>PyBytes_AS_STRING(value)
        cdef Place end = p + PyBytes_GET_SIZE(value)
        cdef bint is_plain
        HIDE_BYTE(end)
        is_plain = _scan(p, end, parts, found)
        SHOW_BYTE(end)
        return is_plain

    cdef object _make(self, Fields *found, object platform, object broadcast):
        """The event; None where its title must be cut."""
        cdef PyObject *given[FIELDS]
        cdef object title = None
        cdef object at = _ascii(&found.at)
        cdef object viewers = _or_none(found.viewers)
        cdef object joins = _or_none(found.joins)
        cdef object views = _or_none(found.views)
        cdef object venue = None
        cdef object programme = None
        cdef object revision = _zero
        if found.title.size >= 0:
            title = _title(found)
            if title is None:
                return None
        if found.venue.size >= 0:
            venue = self._text(&found.venue)
        if found.programme.size >= 0:
            programme = self._text(&found.programme)
        if found.revision:
            revision = found.revision
        given[0] = <PyObject *>platform
        given[1] = <PyObject *>broadcast
        given[2] = <PyObject *>at
        given[3] = <PyObject *>_KINDS[found.kind]
        given[4] = <PyObject *>viewers
        given[5] = <PyObject *>joins
        given[6] = <PyObject *>views
        given[7] = <PyObject *>venue
        given[8] = <PyObject *>programme
        given[9] = <PyObject *>title
        given[10] = <PyObject *>revision
        return PyObject_Vectorcall(_event, given, FIELDS, NULL)

    cdef object _text(self, Span *text):
        """A short text of ASCII; few are told again and again, so they are made once."""
        cdef uint32_t hashed = <uint32_t>text.size
        cdef Py_ssize_t n
        cdef object kept
        for n in range(text.size):
            hashed = (hashed ^ text.at[n]) * 16_777_619
        hashed = (hashed ^ hashed >> 15) & (TEXT_SLOTS - 1)
        kept = self._texts[hashed]
        if (
            kept is not None
            and PyUnicode_GET_LENGTH(kept) == text.size
            and memcmp(PyUnicode_DATA(kept), text.at, text.size) == 0
        ):
            return kept
        kept = _ascii(text)
        self._texts[hashed] = kept
        return kept
