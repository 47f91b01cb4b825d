cimport cython

from streams.audience cimport layout
from streams.audience.delta cimport Delta

cdef long long MINUTE

@cython.locals(
    cell=layout.Cell, minute=cython.longlong, since=cython.longlong, end=cython.longlong,
    last=cython.longlong, old_newest=cython.longlong, carry=cython.longlong, audience=dict,
    known=dict, cells=dict, span=layout.Totals, views_minute=cython.longlong,
)
cpdef add_appended(Delta delta, layout.RowSnapshot before, layout.RowFields row, tuple base)

@cython.locals(minute=cython.longlong, was=dict)
cpdef add_changed(
    Delta delta, layout.RowSnapshot before, layout.RowFields row, long long first, tuple base
)

@cython.locals(
    cell=layout.Cell, minute=cython.longlong, since=cython.longlong, end=cython.longlong,
    last=cython.longlong, carry=cython.longlong, audience=dict, known=dict,
)
cdef tuple _add_tail(
    Delta delta, layout.RowFields row, list cells, long long newest, long long first, tuple base,
    long long sign,
)

@cython.locals(
    cell=layout.Cell, minute=cython.longlong, start_minute=cython.longlong, span=layout.Totals,
    views_minute=cython.longlong,
)
cdef _add_rest(Delta delta, layout.RowFields row, long long first, tuple now, tuple then)

@cython.locals(cell=layout.Cell, minute=cython.longlong, newest=cython.longlong)
cpdef tuple observed_until(layout.RowFields row, long long last)

@cython.locals(start_minute=cython.longlong, cell=layout.Cell, span=layout.Totals)
cpdef bint is_after_start(
    layout.RowFields row, long long started, long long first, long long observed
) except -1
