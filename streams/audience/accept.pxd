cimport cython

from streams.audience cimport layout

cdef long long MINUTE

@cython.locals(number=cython.Py_ssize_t, at=cython.longlong, minute=cython.longlong)
cpdef accept_from(layout.RowFields row, events, Py_ssize_t place, layout.RowSnapshot before, result)

@cython.locals(
    event=layout.ViewerEvent, at=cython.longlong, timestamp=cython.longlong, minute=cython.longlong,
    newest=cython.longlong, newest_at=cython.longlong, watched_at=cython.longlong,
    shown=cython.longlong, run_gap=cython.longlong, lateness=cython.longlong,
    sealed=cython.longlong, sealed_until=cython.longlong, gap_end=cython.longlong,
    told=cython.longlong, untold=cython.longlong, old_newest=cython.longlong, late=cython.longlong,
    last=cython.longlong, number=cython.Py_ssize_t, cells=dict, cell=layout.Cell,
)
cdef Py_ssize_t _accept_plain(
    layout.RowFields row, events, Py_ssize_t place, layout.RowSnapshot before, result
) except -1

@cython.locals(
    event=layout.ViewerEvent, at=cython.longlong, timestamp=cython.longlong, minute=cython.longlong
)
cdef _accept_one(
    layout.RowFields row, Py_ssize_t place, tuple timed, layout.RowSnapshot before, result, known
)

cdef bint _is_outside(
    layout.RowFields row, ended, layout.ViewerEvent event, long long at
) except -1

cdef bint _shows(layout.ViewerEvent event) except -1
